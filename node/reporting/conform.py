"""Named corrections to what highdicom builds, each for one reader or rule that needs it."""

from collections.abc import Mapping

import numpy as np
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import MRImageStorage

from node.domain.image import FrameSource, Volume
from node.reporting.references import references_to
from node.reporting.source import decimal_strings, stand_in_uid
from node.reporting.uids import derived_uid

# Directions that differ by less are one direction: 1e-6 moves a point by a ten-thousandth of a millimetre over 100 mm.
_SAME_DIRECTION = 1e-6


def freeze(result: Dataset, moment: tuple[str, str]) -> None:
    """Replace every date, time and random UID of a result by ones that follow from its content.

    highdicom takes them from the clock and from a random generator; the same SOP Instance UID must mean the same bytes.

    Parameters
    ----------
    moment
        Date and time, DA and TM.
    """
    date, time = moment
    result.InstanceCreationDate, result.InstanceCreationTime = date, time
    result.SeriesDate, result.SeriesTime = date, time
    if "PresentationCreationDate" in result:
        result.PresentationCreationDate, result.PresentationCreationTime = date, time
    else:
        result.ContentDate, result.ContentTime = date, time
    for equipment in result.get("ContributingEquipmentSequence") or ():
        equipment.pop("ContributionDateTime", None)
    organization = derived_uid(result.SOPInstanceUID, "dimension organization")
    for keyword in ("DimensionOrganizationSequence", "DimensionIndexSequence"):
        for item in result.get(keyword) or ():
            item.DimensionOrganizationUID = organization


def per_frame_segment_id(segmentation: Dataset) -> None:
    """Give every frame its own Segment Identification, as with several segments.

    With one segment highdicom writes it once, among the shared groups. That is legal, but readers that look into the frames
    only fail on it (OHIF/Viewers#2252), and so does highdicom's own ``ReferencedSegment.from_segmentation``.
    """
    shared = segmentation.SharedFunctionalGroupsSequence[0]
    if "SegmentIdentificationSequence" not in shared:
        return
    number = shared.SegmentIdentificationSequence[0].ReferencedSegmentNumber
    del shared.SegmentIdentificationSequence
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        item = Dataset()
        item.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = Items([item])


def per_frame_orientation(segmentation: Dataset, volume: Volume) -> None:
    """Give every frame the orientation of its own source slice where the slices are not exactly parallel.

    highdicom writes one orientation for all; over 100 mm a degree moves a border by 1.7 mm.
    """
    directions = [np.concatenate([plane.along_row, plane.along_column]) for plane in volume.planes]
    if max(float(np.abs(one - directions[0]).max()) for one in directions) <= _SAME_DIRECTION:
        return
    by_uid = {stand_in_uid(source): one for source, one in zip(volume.sources, directions, strict=True)}
    del segmentation.SharedFunctionalGroupsSequence[0].PlaneOrientationSequence
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        source = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        item = Dataset()
        item.ImageOrientationPatient = decimal_strings(by_uid[source])
        frame.PlaneOrientationSequence = Items([item])


def refer_to_frames(segmentation: Dataset, volume: Volume) -> None:
    """Point the references of a SEG from the slices of the volume to the instances and frames that hold them.

    A SEG is built from one header for each slice (:mod:`node.reporting.source`); the frames of an Enhanced MR instance stand
    there under UIDs of their own. Classic MR images stand there as themselves.
    """
    if all(source.frame_number is None and source.instance.sop_class_uid == str(MRImageStorage) for source in volume.sources):
        return
    sources = {stand_in_uid(source): source for source in volume.sources}
    for frame in segmentation.PerFrameFunctionalGroupsSequence:
        for derivation in frame.DerivationImageSequence:
            for item in derivation.SourceImageSequence:
                _refer(item, sources)
    for series in segmentation.ReferencedSeriesSequence:
        series.ReferencedInstanceSequence = _refer_to_instances(series.ReferencedInstanceSequence, sources)
    segmentation.SourceImageSequence = _refer_to_instances(segmentation.SourceImageSequence, sources)


def _refer_to_instances(references: Items, sources: Mapping[str, FrameSource]) -> Items:
    """Return one reference for each instance, without frames."""
    return references_to(FrameSource(sources[item.ReferencedSOPInstanceUID].instance) for item in references)


def _refer(item: Dataset, sources: Mapping[str, FrameSource]) -> None:
    source = sources.get(item.ReferencedSOPInstanceUID)
    if source is None:
        # highdicom lets the frames of several segments share one item: it has been corrected already
        return
    item.ReferencedSOPClassUID = source.instance.sop_class_uid
    item.ReferencedSOPInstanceUID = source.instance.sop_instance_uid
    if source.frame_number is not None:
        item.ReferencedFrameNumber = source.frame_number
