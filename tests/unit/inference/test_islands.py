import numpy as np

from node.inference.islands import without_islands

SHAPE = (60, 50)


def slices(*pieces):
    """Return maps of 0.9 with boxes (rows, columns) on each slice."""
    maps = np.zeros((len(pieces), *SHAPE), dtype=np.float16)
    for index, boxes in enumerate(pieces):
        for rows, columns in boxes:
            maps[index, slice(*rows), slice(*columns)] = 0.9
    return maps


CORD = ((5, 55), (20, 28))
ISLAND = ((30, 40), (40, 46))


def test_a_piece_that_no_slice_joins_to_the_cord_is_taken_out():
    maps = slices([ISLAND], [CORD, ISLAND], [CORD], [CORD], [ISLAND])
    expected = slices([], [CORD], [CORD], [CORD], [])
    np.testing.assert_array_equal(without_islands(maps, 2, range(len(maps))), expected)


def test_the_soft_edge_of_an_island_goes_with_it():
    maps = slices([CORD], [CORD, ISLAND])
    maps[1, 28:30, 40:46] = 0.3
    assert not without_islands(maps, 0, range(len(maps)))[1, 25:45, 38:48].any()


def test_a_cord_that_wanders_and_a_broken_cord_stay_whole():
    wandering = slices(*[[((5 + 12 * k, 17 + 12 * k), (20, 28))] for k in range(4)])
    np.testing.assert_array_equal(without_islands(wandering, 0, range(len(wandering))), wandering)
    broken = slices([CORD], [((5, 20), (20, 28)), ((35, 55), (20, 28))], [CORD])
    np.testing.assert_array_equal(without_islands(broken, 1, range(len(broken))), broken)


def test_every_piece_of_the_middle_slice_stays_for_the_gate_to_judge():
    maps = slices([CORD, ISLAND])
    np.testing.assert_array_equal(without_islands(maps, 0, range(len(maps))), maps)


def test_the_maps_that_came_in_are_not_changed():
    maps = slices([CORD], [ISLAND])
    before = maps.copy()
    without_islands(maps, 0, range(len(maps)))
    np.testing.assert_array_equal(maps, before)


def test_a_slice_without_a_picture_breaks_no_chain():
    maps = slices([CORD], [], [CORD])
    np.testing.assert_array_equal(without_islands(maps, 0, [0, 2]), maps)
    assert not without_islands(maps, 0, [0, 1, 2])[2].any()
