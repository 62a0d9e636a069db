"""Where the words of a drawing stand, and whether its typeface has them."""

from node.reporting.canvas import Drawing, Style, Text

Box = tuple[float, float, float, float]


def box_of(text: Text) -> Box:
    left, top, right, bottom = text.style.font.getbbox(text.words, anchor=text.anchor)
    return left + text.at[0], top + text.at[1], right + text.at[0], bottom + text.at[1]


def collisions(drawing: Drawing) -> list[tuple[str, str]]:
    """Return the pairs of words that lie upon each other."""
    placed = [(one.words, box_of(one)) for one in drawing.texts]
    return [(a, b) for number, (a, one) in enumerate(placed) for b, other in placed[:number] if _overlap(one, other)]


def cut(drawing: Drawing, margin: float = 0.0) -> list[str]:
    """Return the words that do not lie wholly inside a drawing."""
    width, height = drawing.size
    inside = (margin, margin, width - margin, height - margin)
    return [one.words for one in drawing.texts if not _contains(inside, box_of(one))]


def without_glyph(text: str) -> set[str]:
    """Return the characters that the typeface would print as a box, in either weight."""
    boxes = {bold: _shape("\uffff", bold) for bold in (False, True)}
    return {one for one in set(text) for bold, box in boxes.items() if _shape(one, bold) == box}


def _shape(character: str, bold: bool) -> tuple[tuple[int, int], bytes]:
    mask = Style(bold=bold).font.getmask(character)
    return mask.size, bytes(mask)


def _overlap(one: Box, other: Box) -> bool:
    return min(one[2], other[2]) - max(one[0], other[0]) > 1 and min(one[3], other[3]) - max(one[1], other[1]) > 1


def _contains(outer: Box, inner: Box) -> bool:
    return outer[0] <= inner[0] and outer[1] <= inner[1] and inner[2] <= outer[2] and inner[3] <= outer[3]
