import numpy as np
import pytest
from PIL import Image

from node.reporting.canvas import CANAL_COLOUR, CORD_COLOUR, CORNER_COLOUR
from node.reporting.overlay import draw_pictures


def pictures(analysis, folder):
    drawn = {}
    for name in draw_pictures(analysis, folder):
        with Image.open(folder / name) as picture:
            picture.load()
            drawn[name] = picture
    return drawn


def has(picture, colour):
    return bool((np.asarray(picture) == colour).all(axis=-1).any())


def test_what_was_measured_is_pictured_large_enough_to_read(analysis, tmp_path):
    drawn = pictures(analysis, tmp_path)
    assert list(drawn) == ["sagittal.png", "profile.png", "axial.png"]
    for picture in drawn.values():
        assert picture.height >= 1000
        assert has(picture, CORD_COLOUR)
        assert has(picture, CANAL_COLOUR)
        assert not picture.info, "nothing but pixels in the file"
    assert has(drawn["sagittal.png"], CORNER_COLOUR)


def test_a_partial_study_is_pictured_as_far_as_it_goes(withheld, tmp_path):
    assert list(pictures(withheld, tmp_path)) == ["sagittal.png", "profile.png"]


@pytest.mark.parametrize("name", ["sagittal.png", "profile.png"])
def test_the_same_analysis_gives_the_same_picture(name, withheld, tmp_path):
    for folder in (tmp_path / "one", tmp_path / "two"):
        folder.mkdir()
        draw_pictures(withheld, folder)
    assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()
