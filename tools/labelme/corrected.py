"""Segmentations that people corrected and sent back, as labelme files for the training."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from node.domain.analysis import SegmentedSeries
from node.domain.anatomy import Structure
from node.domain.errors import NodeError, PermanentError, Reason
from node.domain.feedback import Feedback, FeedbackKind
from node.domain.prediction import Keypoints, Masks, ModelIdentity
from node.domain.study import SelectedSeries, SeriesRole
from node.domain.worklist import AnalysisEntry
from node.jobs import JobClient
from node.loading import load_volume
from node.reporting import BrowsedSeries, MeasurementsDocument, read_measurements
from node.store import Store
from tools.labelme.export import short_name, write_slices

_READER = ModelIdentity("reader", "", "")
# Our corners are not the reader's: a slice without them says nothing about them, and so trains nothing.
_NO_CORNERS = Keypoints(-1, {}, _READER)


@dataclass(frozen=True, slots=True)
class Exported:
    """What became of one correction: its folder, or why there is none."""

    feedback: Feedback
    folder: Path | None
    message: str = ""


def export_corrections(jobs: JobClient, store: Store, out_dir: Path) -> Iterator[Exported]:
    """Write the slices of each corrected segmentation that shows cord to ``out_dir/STUDY/SEG``; what is there already is left.

    Of several corrections of one series the last counts.
    """
    latest: dict[tuple[str, SeriesRole], Feedback] = {}
    for one in jobs.feedback():
        if one.kind is FeedbackKind.CORRECTED and one.modality == "SEG":
            try:
                latest[one.study_instance_uid, _opened(one, jobs, store).role] = one
            except NodeError as error:
                yield Exported(one, None, error.message)
    for one in latest.values():
        yield _export(one, jobs, store, out_dir)


def _export(one: Feedback, jobs: JobClient, store: Store, out_dir: Path) -> Exported:
    folder = out_dir / short_name(one.study_instance_uid) / short_name(one.sop_instance_uid)
    if folder.is_dir() and any(folder.iterdir()):
        return Exported(one, folder, "was there already and is left as it is")
    try:
        series = _opened(one, jobs, store)
        masks = Masks(series.masks, _READER)
        files = write_slices({series.role: SegmentedSeries(series.volume, masks)}, _NO_CORNERS, folder, all_slices=True)
    except NodeError as error:
        return Exported(one, None, error.message)
    return Exported(one, folder, f"{len(files)} slices")


def _opened(one: Feedback, jobs: JobClient, store: Store) -> BrowsedSeries:
    """Return the images that were measured with the masks of the correction on their grid.

    Raises
    ------
    PermanentError
        ``no_usable_series`` or ``report_unreadable`` if the images are gone, or the segmentation is not of them.
    """
    path = next(
        (
            instance.path
            for series in store.study(one.study_instance_uid).all_series
            for instance in series.instances
            if instance.sop_instance_uid == one.sop_instance_uid
        ),
        None,
    )
    if path is None:
        raise PermanentError(Reason.NO_USABLE_SERIES, "the store no longer holds the correction")
    document = read_measurements(Path(_analysis(one, jobs).folder or ""))
    problem = "no series was measured"
    for role, uid in _measured(document):
        found = next(
            (series for series in store.study(one.study_instance_uid).all_series if series.series_instance_uid == uid), None
        )
        if found is None:
            continue
        try:
            series = BrowsedSeries.open(role, load_volume(SelectedSeries(role, found)), path)
        except NodeError as error:
            problem = error.message
            continue
        if Structure.SPINAL_CORD in series.masks and series.masks[Structure.SPINAL_CORD].any():
            return series
        problem = "no segment of the correction is a spinal cord on the images that were measured"
    raise PermanentError(Reason.REPORT_UNREADABLE, problem)


def _analysis(one: Feedback, jobs: JobClient) -> AnalysisEntry:
    found = next((entry for entry in jobs.study(one.study_instance_uid).analyses if entry.analysis_id == one.analysis_id), None)
    if found is None:
        raise PermanentError(Reason.REPORT_UNREADABLE, "the version that it corrects is no longer here")
    return found


def _measured(document: MeasurementsDocument) -> Iterator[tuple[SeriesRole, str]]:
    if document.sagittal is not None:
        yield SeriesRole.SAGITTAL_T2, document.sagittal.series_instance_uid
    if document.axial is not None:
        yield SeriesRole.AXIAL_T2, document.axial.series_instance_uid
