"""Masks of one series as a DICOM Segmentation."""

from collections.abc import Sequence

import numpy as np
from highdicom.color import CIELabColor
from highdicom.seg import Segmentation, SegmentDescription
from pydicom.uid import SegmentationStorage

from node.domain.anatomy import Structure
from node.domain.prediction import Masks
from node.domain.study import SeriesRole
from node.reporting.codes import ANATOMICAL_STRUCTURE, CERVICAL_SPINE, STRUCTURES
from node.reporting.conform import per_frame_orientation, per_frame_segment_id, refer_to_frames
from node.reporting.provenance import Provenance
from node.reporting.source import SourceSeries
from node.reporting.uids import derived_uid

SEGMENTATION_STORAGE = str(SegmentationStorage)

_SERIES_NUMBERS = {SeriesRole.SAGITTAL_T2: 9301, SeriesRole.AXIAL_T2: 9302}
#: The plane and weighting of a series as its results name it.
PLANES = {SeriesRole.SAGITTAL_T2: "SAG T2", SeriesRole.AXIAL_T2: "AX T2"}
_COLOURS = {Structure.SPINAL_CORD: (255, 214, 0), Structure.SPINAL_CANAL: (0, 176, 240)}
_LABELS = {Structure.SPINAL_CORD: "Spinal cord", Structure.SPINAL_CANAL: "Spinal canal"}
_WORDS = {Structure.SPINAL_CORD: "cord", Structure.SPINAL_CANAL: "canal"}


def build_seg(
    role: SeriesRole, source: SourceSeries, masks: Masks, provenance: Provenance, fingerprint: str
) -> Segmentation | None:
    """Return the masks of a series on its own grid; None if every mask is empty.

    BINARY, because only it can express the overlap of cord and canal. Frames without a mark are omitted; a structure
    without a mark gets no segment. Source: PS3.3 section A.51.
    """
    present = [one for one in Structure if one in masks.probabilities and masks.binary(one).any()]
    if not present:
        return None
    words = "+".join(_WORDS[structure] for structure in present)
    qualification = provenance.settings.content_qualification
    segmentation = Segmentation(
        source_images=source.slice_headers,
        # [slice, row, column, segment] to look at, but each segment in one piece: reading across them is ten times as slow
        pixel_array=np.moveaxis(np.stack([masks.binary(structure) for structure in present]).view(np.uint8), 0, -1),
        segmentation_type="BINARY",
        segment_descriptions=_descriptions(role, present, masks, provenance, fingerprint),
        series_instance_uid=derived_uid(fingerprint, f"SEG {role} series"),
        series_number=_SERIES_NUMBERS[role],
        sop_instance_uid=derived_uid(fingerprint, f"SEG {role}"),
        instance_number=1,
        content_label=f"AI_{PLANES[role].replace(' ', '_')}",
        content_description=f"Spinal {words} by software, not verified, {qualification.lower()}",
        content_creator_name=f"{provenance.software.name}^",
        series_description=f"AI SEG {words} ({PLANES[role]}) {qualification}",
        **provenance.equipment,
    )
    segmentation.BodyPartExamined = "CSPINE"
    per_frame_segment_id(segmentation)
    per_frame_orientation(segmentation, source.volume)
    refer_to_frames(segmentation, source.volume)
    return segmentation


def _descriptions(
    role: SeriesRole, present: Sequence[Structure], masks: Masks, provenance: Provenance, fingerprint: str
) -> list[SegmentDescription]:
    return [
        SegmentDescription(
            segment_number=number,
            segment_label=_LABELS[structure],
            segmented_property_category=ANATOMICAL_STRUCTURE,
            segmented_property_type=STRUCTURES[structure],
            algorithm_type="AUTOMATIC",
            algorithm_identification=provenance.segment_algorithm(masks.model),
            tracking_uid=derived_uid(fingerprint, f"SEG {role} {structure} tracking"),
            tracking_id=f"{_LABELS[structure]} {PLANES[role]}",
            anatomic_regions=[CERVICAL_SPINE],
            display_color=CIELabColor.from_rgb(*_COLOURS[structure]),
        )
        for number, structure in enumerate(present, start=1)
    ]
