"""Content items of a report, each part that recurs made once. Source: PS3.3 section C.17.3, PS3.16 TID 1410, 1501 and 300.

A report has some thousand items of a few dozen codes. highdicom makes every item and every code anew, and hashes each name twice.
The bytes are the same: a test compares them.
"""

from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from highdicom.sr import CodedConcept
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.coding import Code
from pydicom.valuerep import DS

from node.domain.image import FrameSource
from node.reporting.references import references_to

CONTAINS, CONTEXT, MODIFIER, INFERRED, SELECTED = (
    "CONTAINS",
    "HAS OBS CONTEXT",
    "HAS CONCEPT MOD",
    "INFERRED FROM",
    "SELECTED FROM",
)
#: Named as highdicom names it.
SOURCE = Code("260753009", "SCT", "Source")
_CONTENT, _VALUE = "ContentSequence", "MeasuredValueSequence"


def code_item(relation: str, name: Code, value: Code) -> Dataset:
    """Return a name with a coded value."""
    return _item("CODE", relation, name, _coded("ConceptCodeSequence", *value))


def text_item(relation: str, name: Code, text: str) -> Dataset:
    """Return a name with a text."""
    return _item("TEXT", relation, name, _element("TextValue", text))


def uid_item(relation: str, name: Code, uid: str) -> Dataset:
    """Return a name with a UID."""
    return _item("UIDREF", relation, name, _element("UID", uid))


def number_item(name: Code, value: float, unit: Code, children: Iterable[Dataset] = ()) -> Dataset:
    """Return a measurement."""
    return _item("NUM", CONTAINS, name, _measured(value, _coded("MeasurementUnitsCodeSequence", *unit)), *_content(children))


def with_number(item: Dataset, value: float) -> Dataset:
    """Return a number in the words of another."""
    other = Dataset(dict(item.items()))
    measured = _measured(value, item[_VALUE].value[0]["MeasurementUnitsCodeSequence"])
    other[measured.tag] = measured
    return other


def line_item(relation: str, name: Code, points: npt.NDArray[np.float64], frame: FrameSource) -> Dataset:
    """Return a line or outline upon an image; points are SCOORD graphic data, shape (n, 2)."""
    image = _item("IMAGE", SELECTED, SOURCE, _element("ReferencedSOPSequence", references_to([frame])))
    drawn = _word("GraphicType", "POLYLINE"), _element("GraphicData", points.flatten().tolist())
    return _item("SCOORD", relation, name, *drawn, *_content([image]))


def container_item(relation: str | None, name: Code, template: str | None, children: Iterable[Dataset]) -> Dataset:
    """Return a heading with what stands below it; ``template`` is the number of its TID."""
    continuity = _word("ContinuityOfContent", "CONTINUOUS")
    known = () if template is None else (_template(template),)
    return _item("CONTAINER", relation, name, continuity, *known, *_content(children))


def replace_content(item: Dataset, children: Iterable[Dataset]) -> None:
    """Put other items below an item; one of highdicom would look into each."""
    for one in _content(children):
        item[one.tag] = one


def _item(kind: str, relation: str | None, name: Code, *others: DataElement) -> Dataset:
    related = () if relation is None else (_word("RelationshipType", relation),)
    return _dataset(_word("ValueType", kind), *related, _coded("ConceptNameCodeSequence", *name), *others)


def _content(children: Iterable[Dataset]) -> tuple[DataElement, ...]:
    below = list(children)
    return (_element(_CONTENT, below),) if below else ()


def _measured(value: float, unit: DataElement) -> DataElement:
    number = _element("NumericValue", DS(value, auto_format=True))
    exact = (_element("FloatingPointValue", value),) if isinstance(value, float) else ()
    return _element(_VALUE, [_dataset(number, *exact, unit)])


def _dataset(*elements: DataElement) -> Dataset:
    return Dataset({one.tag: one for one in elements})


def _element(keyword: str, value: object) -> DataElement:
    tag = tag_for_keyword(keyword)
    if tag is None:
        raise LookupError(f"{keyword} is not a keyword of DICOM")
    return DataElement(tag, dictionary_VR(tag), value)


@lru_cache(maxsize=64)
def _word(keyword: str, value: str) -> DataElement:
    return _element(keyword, value)


@lru_cache(maxsize=1024)
def _coded(keyword: str, value: str, scheme: str, meaning: str, version: str | None = None) -> DataElement:
    """Return a sequence of one code; by its parts, because codes are equal whatever their meaning."""
    return _element(keyword, [CodedConcept(value, scheme, meaning, version)])


@lru_cache(maxsize=16)
def _template(number: str) -> DataElement:
    return _element(
        "ContentTemplateSequence", [_dataset(_element("MappingResource", "DCMR"), _element("TemplateIdentifier", number))]
    )
