"""The decisive slices and the results as a Key Object Selection: one click to the level that was measured."""

from collections.abc import Iterator, Mapping, Sequence

from highdicom.ko import KeyObjectSelection, KeyObjectSelectionDocument
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from node.domain.analysis import Analysis
from node.domain.identity import InstanceRef
from node.domain.study import SeriesRole
from node.reporting.pr_content import notice_of, summary_of
from node.reporting.provenance import Provenance
from node.reporting.references import reference_of, references_to
from node.reporting.seg import SEGMENTATION_STORAGE
from node.reporting.source import SourceSeries
from node.reporting.uids import derived_uid

_SERIES_NUMBER = 9330


def build_ko(
    analysis: Analysis, sources: Mapping[SeriesRole, SourceSeries], results: Sequence[InstanceRef], provenance: Provenance
) -> Dataset | None:
    """Return the decisive slices and results as objects of interest; None if no slice was measured.

    Source: PS3.3 section A.35.4; PS3.16 TID 2010 and CID 7010.

    Parameters
    ----------
    results
        Result objects to refer to, beside the slices.
    """
    slices = tuple(_decisive_slices(analysis))
    if not slices:
        return None
    qualification = provenance.settings.content_qualification
    images = [_header(sources[role], index) for role, index in slices]
    objects = [*images, *map(_reference, results)]
    content = KeyObjectSelection(
        document_title=codes.DCM.OfInterest,
        referenced_objects=objects,
        observer_device_context=provenance.observer(),
        description="; ".join((" ".join(notice_of(qualification)), *summary_of(analysis))),
    )
    _name_frames(content[0], [(sources[role], index) for role, index in slices])
    document: Dataset = KeyObjectSelectionDocument(
        evidence=objects,
        content=content,
        series_instance_uid=derived_uid(analysis.fingerprint, "KO series"),
        series_number=_SERIES_NUMBER,
        sop_instance_uid=derived_uid(analysis.fingerprint, "KO"),
        instance_number=1,
        series_description=f"AI key images {qualification}",
        **provenance.equipment,
    )
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


def _reference(result: InstanceRef) -> Dataset:
    reference = reference_of(result)
    if result.sop_class_uid == SEGMENTATION_STORAGE:
        # by its size highdicom knows an image, which content items refer to as such (PS3.3 section C.18.4)
        reference.Rows = reference.Columns = None
    return reference


def _name_frames(root: Dataset, slices: Sequence[tuple[SourceSeries, int]]) -> None:
    """Refer to the frame of a multi-frame instance; highdicom refers to the whole."""
    images = [item for item in root.ContentSequence if item.ValueType == "IMAGE"]
    for item, (source, index) in zip(images, slices, strict=False):
        item.ReferencedSOPSequence = references_to([source.volume.sources[index]])
