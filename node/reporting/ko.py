"""The decisive slices as a Key Object Selection: one click to the level that was measured.

It names images only. Which of our results a peer holds is known after they were sent: each destination has its own list, and one
that refuses a SOP class gets another object. A reference to any of them would point to nothing somewhere; the images are there.
"""

from collections.abc import Iterator, Mapping, Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.domain.analysis import Analysis
from node.domain.study import SeriesRole
from node.reporting.pr_content import notice_of, summary_of
from node.reporting.provenance import Provenance
from node.reporting.references import references_to
from node.reporting.source import SourceSeries
from node.reporting.uids import derived_uid

_SERIES_NUMBER = 9330


def build_ko(analysis: Analysis, sources: Mapping[SeriesRole, SourceSeries], provenance: Provenance) -> Dataset | None:
    """Return the decisive slices as objects of interest; None if no slice was measured.

    Source: PS3.3 section A.35.4; PS3.16 TID 2010 and CID 7010.
    """
    slices = tuple(_decisive_slices(analysis))
    if not slices:
        return None
    qualification = provenance.settings.content_qualification
    images = [_header(sources[role], index) for role, index in slices]
    content = KeyObjectSelection(
        document_title=codes.DCM.OfInterest,
        referenced_objects=images,
        observer_device_context=provenance.observer(),
        description="; ".join((" ".join(notice_of(qualification)), *summary_of(analysis))),
    )
    document: Dataset = KeyObjectSelectionDocument(
        evidence=images,
        content=content,
        series_instance_uid=derived_uid(analysis.fingerprint, "KO series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=derived_uid(analysis.fingerprint, "KO"),
        instance_number=1,
        series_description=f"AI key images {qualification}",
        **provenance.equipment,
    )
    _name_frames(document, [(sources[role], index) for role, index in slices])
    return document


def _decisive_slices(analysis: Analysis) -> Iterator[tuple[SeriesRole, int]]:
    sagittal, axial = analysis.measurements.sagittal, analysis.measurements.axial
    if sagittal is not None:
        yield SeriesRole.SAGITTAL_T2, sagittal.slice_index
    if axial is not None and axial.decisive is not None:
        yield SeriesRole.AXIAL_T2, axial.decisive.slice_index


def _header(source: SourceSeries, index: int) -> Dataset:
    """Return the header of the instance that holds a slice."""
    uid = source.volume.sources[index].instance.sop_instance_uid
    return next(header for header in source.instance_headers if uid == header.SOPInstanceUID)


def _name_frames(root: Dataset, slices: Sequence[tuple[SourceSeries, int]]) -> None:
    """Refer to the frame of a multi-frame instance, highdicom refers to the whole; and without a purpose, as TID 2010 has it."""
    images = [item for item in root.ContentSequence if item.ValueType == "IMAGE"]
    for item, (source, index) in zip(images, slices, strict=False):
        item.ReferencedSOPSequence = references_to([source.volume.sources[index]])
        del item.ConceptNameCodeSequence
