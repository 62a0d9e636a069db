"""The image library of a report: every image with its size, spacing and place. Source: PS3.16 TID 1600.

highdicom describes each image from nothing, fourteen coded items of it. The images of one series differ in identity and position
only, so it describes the first of each series here, and the others share all but these.
"""

from collections.abc import Iterator, Sequence

from highdicom import sr
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.sr.codedict import codes

_POSITION = (codes.DCM.ImagePositionPatientX, codes.DCM.ImagePositionPatientY, codes.DCM.ImagePositionPatientZ)
_AXES = {code.value: axis for axis, code in enumerate(_POSITION)}


def add_image_library(report: sr.MeasurementReport, images: Sequence[Dataset]) -> None:
    """Put the library of images into a report, before its measurements.

    Parameters
    ----------
    images
        Headers of whole series, as :attr:`node.reporting.source.SourceSeries.instance_headers` gives them.
    """
    by_series: dict[str, list[Dataset]] = {}
    for image in images:
        by_series.setdefault(str(image.SeriesInstanceUID), []).append(image)
    library = sr.ImageLibrary([same[0] for same in by_series.values()])
    followers = {str(same[0].SOPInstanceUID): same[1:] for same in by_series.values()}
    for group in library[0].ContentSequence:
        group.ContentSequence = [item for one in group.ContentSequence for item in _with_followers(one, followers)]
    content = report[0].ContentSequence
    content.insert(len(content) - 1, library[0])


def _with_followers(item: sr.ContentItem, followers: dict[str, list[Dataset]]) -> Iterator[sr.ContentItem]:
    yield item
    if isinstance(item, sr.ImageContentItem):
        for image in followers[str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)]:
            yield _described_like(item, image)


def _described_like(first: sr.ImageContentItem, image: Dataset) -> sr.ImageContentItem:
    """Return the entry of another image of the series."""
    entry = sr.ImageContentItem(
        name=first.name,
        referenced_sop_class_uid=image.SOPClassUID,
        referenced_sop_instance_uid=image.SOPInstanceUID,
        relationship_type=first.relationship_type,
    )
    entry.ContentSequence = Items([_placed(item, image) for item in first.ContentSequence])
    return entry


def _placed(item: sr.ContentItem, image: Dataset) -> sr.ContentItem:
    axis = _AXES.get(item.name.value)
    if axis is None:
        return item
    return sr.NumContentItem(item.name, image.ImagePositionPatient[axis], item.unit, relationship_type=item.relationship_type)
