"""References from one object to others, and the identity of an object that was made."""

from collections.abc import Iterable
from pathlib import Path

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource


def references_to(frames: Iterable[FrameSource]) -> Items:
    """Return one reference for each instance, with its frames where it has several. Source: PS3.3 table 10-3."""
    numbers: dict[InstanceRef, list[int]] = {}
    for frame in frames:
        numbers.setdefault(frame.instance, []).extend([] if frame.frame_number is None else [frame.frame_number])
    items: list[Dataset] = []
    for instance, numbered in numbers.items():
        item = Dataset()
        item.ReferencedSOPClassUID = instance.sop_class_uid
        item.ReferencedSOPInstanceUID = instance.sop_instance_uid
        if numbered:
            item.ReferencedFrameNumber = numbered
        items.append(item)
    return Items(items)


def reference_of(instance: InstanceRef) -> Dataset:
    """Return the identity of a result object, as much of it as highdicom refers to."""
    reference = Dataset()
    reference.StudyInstanceUID, reference.SeriesInstanceUID = instance.study_instance_uid, instance.series_instance_uid
    reference.SOPClassUID, reference.SOPInstanceUID = instance.sop_class_uid, instance.sop_instance_uid
    return reference


def instance_of(document: Dataset, path: Path) -> InstanceRef:
    """Return the identity of an object that lies at a path."""
    return InstanceRef(
        study_instance_uid=StudyInstanceUID(str(document.StudyInstanceUID)),
        series_instance_uid=SeriesInstanceUID(str(document.SeriesInstanceUID)),
        sop_instance_uid=SOPInstanceUID(str(document.SOPInstanceUID)),
        sop_class_uid=SOPClassUID(str(document.SOPClassUID)),
        path=path,
    )
