from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from node.reporting.canvas import WHITE, Drawing, Style, png

LONG = "the posterior superior corner of C5 has confidence 0.31, and 2.25.123456789012345678901234567890123456789 is wide"
CHINESE = "矢状位与轴位测量不一致，（椎体角点置信度低），数值超出健康范围。"


@pytest.mark.parametrize("text", [LONG, CHINESE, LONG + CHINESE])
@pytest.mark.parametrize("width", [90, 200, 500])
def test_wrapped_lines_are_no_wider_and_lose_nothing(text, width):
    style = Style(size=20)
    lines = style.wrapped(text, width)
    assert max(map(style.width, lines)) <= width
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_no_chinese_mark_begins_a_line():
    lines = Style(size=20).wrapped(CHINESE, 90)
    assert len(lines) > 3
    assert not any(line.startswith(("，", "。", "）")) for line in lines)


def test_words_are_set_over_lines_in_their_style():
    sheet = Drawing.blank((200, 60), edge=WHITE)
    sheet.words((100, 30), "C5/C6", Style((200, 0, 0), 24, bold=True), "mm")
    sheet.polyline([(0, 30), (200, 30)], (0, 0, 0), 5)
    picture = sheet.finished()
    assert (picture[30, 5] == 0).all()
    assert (picture == (200, 0, 0)).all(axis=-1).any(), "the words"
    found = np.argwhere((picture == (200, 0, 0)).all(axis=-1))
    assert found.mean(axis=0) == pytest.approx([30, 100], abs=4)


def test_a_hollow_mark_shows_what_it_is_hollow_with():
    sheet = Drawing.blank((40, 40))
    sheet.disc((10, 20), 8, (0, 0, 0), WHITE)
    sheet.square((30, 20), 8, (0, 0, 0))
    picture = sheet.finished()
    assert (picture[20, 10] == 255).all()
    assert (picture[20, 4] < 100).all()
    assert (picture[20, 30] == 0).all()


def test_a_picture_is_written_as_png_without_loss():
    picture = np.random.default_rng(5).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    read = Image.open(BytesIO(png(picture)))
    assert (read.format, read.mode) == ("PNG", "RGB")
    assert np.array_equal(np.asarray(read), picture)
