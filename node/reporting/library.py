"""The image library of a report: every image with its size, spacing and place. Source: PS3.16 TID 1600.

highdicom describes each image from nothing, fourteen coded items of it. The images of one series differ in identity and position
only, so it describes the first of each series here, and the others share all but these.
"""

from collections.abc import Iterator, Sequence

from highdicom import sr
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.reporting.items import replace_content, with_number

_POSITION = (codes.DCM.ImagePositionPatientX, codes.DCM.ImagePositionPatientY, codes.DCM.ImagePositionPatientZ)
_AXES = {code.value: axis for axis, code in enumerate(_POSITION)}


def image_library(images: Sequence[Dataset]) -> Dataset:
    """Return the library of images.

    Parameters
    ----------
    images
        Headers of whole series, as :attr:`node.reporting.source.SourceSeries.instance_headers` gives them.
    """
    by_series: dict[str, list[Dataset]] = {}
    for image in images:
        by_series.setdefault(str(image.SeriesInstanceUID), []).append(image)
    library: Dataset = sr.ImageLibrary([same[0] for same in by_series.values()])[0]
    followers = {str(same[0].SOPInstanceUID): same[1:] for same in by_series.values()}
    for group in library.ContentSequence:
        replace_content(group, [item for one in group.ContentSequence for item in _with_followers(one, followers)])
    return library


def _with_followers(item: sr.ContentItem, followers: dict[str, list[Dataset]]) -> Iterator[Dataset]:
    yield item
    if isinstance(item, sr.ImageContentItem):
        yield from _described_like(item, followers[str(item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID)])


def _described_like(first: sr.ImageContentItem, images: Sequence[Dataset]) -> Iterator[Dataset]:
    """Yield the entries of the other images of a series."""
    shared = [(item, _AXES.get(item.name.value)) for item in first.ContentSequence]
    for image in images:
        entry = Dataset(dict(first.items()))
        reference = Dataset()
        reference.ReferencedSOPClassUID, reference.ReferencedSOPInstanceUID = image.SOPClassUID, image.SOPInstanceUID
        entry["ReferencedSOPSequence"] = DataElement(0x00081199, "SQ", [reference])
        position = image.ImagePositionPatient
        replace_content(entry, [item if axis is None else with_number(item, position[axis]) for item, axis in shared])
        yield entry
