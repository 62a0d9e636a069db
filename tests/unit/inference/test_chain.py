import numpy as np
import pytest

from node.domain.anatomy import LANDMARKS, VERTEBRAE, Corner, Landmark
from node.inference.chain import CHAIN, Chain, agreed, chain_of, find_chain, find_corners, refine

SHAPE, CELL_MM, PITCH = (130, 90), 1.5, 12.5  # pitch in cells: 18.75 mm


def bump(row, column, height=0.8, sigma=1.5):
    rows, columns = np.ogrid[: SHAPE[0], : SHAPE[1]]
    return (height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / (2 * sigma**2))).astype(np.float32)


def centre(index, tilt=0.15):
    return np.array([20.3 + PITCH * index, 40.2 + tilt * PITCH * index])


def corner_place(vertebra, corner):
    row, column = centre(CHAIN.index(vertebra))
    superior = corner in (Corner.ANTERIOR_SUPERIOR, Corner.POSTERIOR_SUPERIOR)
    anterior = corner in (Corner.ANTERIOR_SUPERIOR, Corner.ANTERIOR_INFERIOR)
    return np.array([row + (-4.4 if superior else 4.4), column + (-5.2 if anterior else 5.2)])


def centre_maps(hidden=()):
    """Maps of body centres, some of them hidden."""
    maps = np.zeros((len(CHAIN), *SHAPE), dtype=np.float32)
    for index, name in enumerate(CHAIN):
        if name not in hidden:
            maps[index] = bump(*centre(index))
    return maps


def corner_maps():
    return {f"{one.vertebra}.{one.corner}": bump(*corner_place(one.vertebra, one.corner)) for one in LANDMARKS}


def corners_about(maps):
    chain = chain_of(maps | dict(zip(CHAIN, centre_maps(), strict=True)), CELL_MM)
    assert chain is not None
    return find_corners(maps, chain, CELL_MM), chain.certainty


def test_names_and_places_of_a_clear_chain_are_right():
    peaks, certainty = corners_about(corner_maps())
    assert len(peaks) == 20
    assert certainty > 0.8
    for peak in peaks:
        expected = corner_place(peak.landmark.vertebra, peak.landmark.corner)
        assert np.hypot(*(expected - [peak.row, peak.column])) * CELL_MM < 0.2


@pytest.mark.parametrize("hidden", [("C2",), ("T2",), ("T1", "T2"), ("C2", "T1", "T2")])
def test_ends_of_the_chain_may_be_missing(hidden):
    chain = find_chain(centre_maps(hidden=hidden), CELL_MM)
    assert chain is not None
    for name in ("C3", "C5", "C7"):
        assert np.hypot(*(chain.centres[name] - centre(CHAIN.index(name)))) < 0.3


def test_without_c2_the_names_are_a_guess():
    chain = find_chain(centre_maps(hidden=("C2",)), CELL_MM)
    assert chain is not None
    assert chain.certainty < 0.3


def test_c2_at_the_edge_of_the_image_is_no_anchor():
    inside, at_edge = (find_chain(centre_maps(), CELL_MM, top_row=row) for row in (0.0, 12.0))
    assert inside is not None
    assert at_edge is not None
    assert inside.certainty > 0.8
    assert at_edge.certainty < 0.3


def test_a_missing_vertebra_in_the_middle_is_no_chain():
    assert find_chain(centre_maps(hidden=("C5",)), CELL_MM) is None


def test_corners_that_the_network_gave_to_the_neighbour_stay_with_their_body():
    maps = corner_maps()
    wrong = maps["C5.anterior_superior"].copy()
    maps["C5.anterior_superior"] = np.zeros_like(wrong)
    maps["C4.anterior_superior"] = np.maximum(maps["C4.anterior_superior"], wrong)
    peaks, _ = corners_about(maps)
    found = next(p for p in peaks if p.landmark == Landmark(VERTEBRAE[2], Corner.ANTERIOR_SUPERIOR))
    assert np.hypot(*(corner_place("C5", Corner.ANTERIOR_SUPERIOR) - [found.row, found.column])) < 0.2


def test_bodies_that_could_have_any_name_are_named_without_certainty():
    same = np.max([bump(*centre(index)) for index in range(9)], axis=0)
    chain = find_chain(np.stack([same] * len(CHAIN)), CELL_MM)
    assert chain is not None
    assert chain.certainty < 0.7


def test_empty_maps_give_nothing():
    assert chain_of({name: np.zeros(SHAPE, dtype=np.float32) for name in CHAIN}, CELL_MM) is None


def chain_at(certainty, moved_cells=0.0, step=0):
    """The chain with every name given to the body ``step`` further down."""
    return Chain({name: centre(index + step) + moved_cells for index, name in enumerate(CHAIN)}, certainty)


def test_where_two_networks_agree_on_the_bodies_the_surer_one_counts():
    unsure, sure = chain_at(0.25), chain_at(0.97, moved_cells=1.5)
    assert agreed(unsure, sure, CELL_MM) is sure
    assert agreed(sure, unsure, CELL_MM) is sure


def test_where_two_networks_name_other_bodies_neither_is_believed():
    assert agreed(chain_at(0.97), chain_at(0.9, step=1), CELL_MM).certainty == pytest.approx(0.225)


def test_a_witness_that_finds_no_chain_takes_all_certainty():
    alone = agreed(chain_at(0.97), None, CELL_MM)
    assert (alone.certainty, alone.centres.keys()) == (0.0, set(CHAIN))


@pytest.mark.parametrize("place", [(20.0, 30.0), (20.3, 30.4), (19.6, 29.7)])
def test_a_peak_is_found_between_the_cells(place):
    found = refine(bump(*place), np.array([20.0, 30.0]))
    assert np.abs(found - place).max() < 0.02
