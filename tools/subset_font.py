"""Cut the typeface of the pictures down to the characters that they can show.

Pillow's own typeface has no Chinese. Noto Sans CJK SC (SIL Open Font License 1.1; Debian package fonts-noto-cjk) has 65,000
glyphs; ``node/reporting/fonts`` keeps those of ASCII and of the word tables. Run it again whenever a word is added:
``python -m tools.subset_font /usr/share/fonts/opentype/noto``. Needs fontTools.
"""

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
from fontTools.subset import Options, Subsetter  # type: ignore[import-untyped]
from fontTools.ttLib import TTCollection  # type: ignore[import-untyped]

from node.reporting.canvas import FONTS
from node.reporting.reasons_zh import REASONS_ZH
from node.reporting.words import WORDINGS

_NAMES = {"Regular": "Noto Sans CJK SC", "Bold": "Noto Sans CJK SC Bold"}
_ASCII = "".join(map(chr, range(0x20, 0x7F)))


def characters() -> str:
    """Return every character that a picture may show, in order."""
    words = [word for wording in WORDINGS.values() for one in fields(wording) for word in _texts(getattr(wording, one.name))]
    return "".join(sorted(set(_ASCII + "²").union(*words, *REASONS_ZH.values())))


def _texts(value: object) -> Iterator[str]:
    """Yield the texts in a text, tuple or mapping."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value.values()
    elif isinstance(value, tuple):
        for one in value:
            yield from _texts(one)


@click.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def main(folder: Path) -> None:
    """Write the subsets of NotoSansCJK-*.ttc in FOLDER into the package."""
    options = Options()
    options.layout_features = []
    options.hinting = False
    for weight, name in _NAMES.items():
        collection = TTCollection(folder / f"NotoSansCJK-{weight}.ttc", lazy=True)
        font = next(one for one in collection.fonts if one["name"].getDebugName(4) == name)
        subsetter = Subsetter(options)
        subsetter.populate(text=characters())
        subsetter.subset(font)
        target = FONTS / f"NotoSansCJK-{weight}.otf"
        font.save(target)
        print(f"{target.name}: {len(characters())} characters, {target.stat().st_size // 1024} KB")


if __name__ == "__main__":
    main()
