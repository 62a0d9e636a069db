"""DICOM objects as files: a content tree is encoded once, for both SOP classes that carry it.

A tree has some ten thousand elements, most of them the same few codes, and pydicom writes each anew. Here every element that
occurs again is remembered as the bytes that pydicom wrote for it. Source: PS3.5 sections 7.1.2 and 7.5, explicit VR little
endian with explicit lengths.
"""

import struct
from collections.abc import Iterable
from pathlib import Path

from pydicom.charset import default_encoding
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filebase import DicomBytesIO
from pydicom.filewriter import write_data_element
from pydicom.sequence import Sequence as Items
from pydicom.valuerep import DSfloat

_CONTENT_SEQUENCE = 0x0040A730

_SEQUENCE = struct.Struct("<HH2sHL")
_ITEM = struct.Struct("<HHL")


class ObjectWriter:
    """Writes the objects of one report; what it has encoded it knows."""

    def __init__(self) -> None:
        self._elements: dict[tuple[int, str], bytes] = {}
        # what is kept by its id is kept itself too, or another might get its id
        self._trees: dict[int, tuple[Items, bytes]] = {}
        self._sequences: dict[int, tuple[DataElement, bytes]] = {}

    def write(self, built: Dataset, path: Path) -> None:
        """Write an object as a DICOM file, explicit VR little endian.

        Raises
        ------
        UnicodeError
            If a text of a content tree is not ASCII: it would depend on the character set, which is the source's.
        LookupError
            If the character set is unknown.
        """
        tree = built.get_item(_CONTENT_SEQUENCE)
        # what follows the tree would have to be written after it; no document has such an element (PS3.3 section A.35)
        if tree is None or max(built.keys()) > _CONTENT_SEQUENCE:
            built.save_as(path, enforce_file_format=True)
            return
        rest = Dataset({tag: element for tag, element in built.items() if tag != _CONTENT_SEQUENCE})
        rest.file_meta = built.file_meta
        rest.save_as(path, enforce_file_format=True)
        with path.open("ab") as file:
            file.write(self._tree(tree.value))

    def _tree(self, items: Items) -> bytes:
        known = self._trees.get(id(items))
        if known is None:
            known = self._trees[id(items)] = items, self._sequence(_CONTENT_SEQUENCE, items)
        return known[1]

    def _sequence(self, tag: int, items: Iterable[Dataset]) -> bytes:
        content = b"".join(map(self._item, items))
        return _SEQUENCE.pack(tag >> 16, tag & 0xFFFF, b"SQ", 0, len(content)) + content

    def _item(self, item: Dataset) -> bytes:
        elements = sorted((one if isinstance(one, DataElement) else item[one.tag] for one in item.values()), key=_tag_of)
        content = b"".join(map(self._element, elements))
        return _ITEM.pack(0xFFFE, 0xE000, len(content)) + content

    def _element(self, element: DataElement) -> bytes:
        value = element.value
        if element.VR == "SQ":
            known = self._sequences.get(id(element))
            if known is None:
                known = self._sequences[id(element)] = element, self._sequence(int(element.tag), value)
            return known[1]
        if not isinstance(value, str | DSfloat):
            return _encoded(element)
        key = int(element.tag), str(value)
        if key not in self._elements:
            self._elements[key] = _encoded(element)
        return self._elements[key]


def _tag_of(element: DataElement) -> int:
    return int(element.tag)


def _encoded(element: DataElement) -> bytes:
    if isinstance(element.value, str):
        element.value.encode("ascii")
    buffer = DicomBytesIO()
    buffer.is_little_endian, buffer.is_implicit_VR = True, False
    write_data_element(buffer, element, [default_encoding])
    return buffer.getvalue()
