"""One study in, result objects out.

The node receives a study, selects the series it can use, loads them as volumes, infers masks and keypoints, measures the
cord and canal, reports SEG and SR, and delivers them to the PACS.
"""

import gc
import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from node import __version__
from node.config import Config, InferenceConfig, MeasurementConfig
from node.domain.analysis import Analysis, History, SegmentedSeries
from node.domain.errors import Declined, Finding, PermanentError, Reason, Severity
from node.domain.image import Volume
from node.domain.job import AnalysisOutcome, AnalysisStatus
from node.domain.measurement import Measurements
from node.domain.prediction import Keypoints, ModelIdentity
from node.domain.study import ReceivedStudy, SeriesRole, StudySelection
from node.inference import KeypointDetector, ModelLibrary, load_library
from node.loading import load_volume
from node.measurement import cervical_slice, decisive_slice, measure_study
from node.reporting import Software, build_report, read_measurements, write_declined
from node.selection import select_series
from node.store import content_digest

_log = logging.getLogger(__name__)

#: Models that come with the package: beside it in a source tree, inside it in a wheel.
_MODELS_DIRS = (Path(__file__).parent / "_models", Path(__file__).parent.parent / "models")

_NO_HISTORY = History()


class Pipeline:
    """The stages in order, with their models loaded once.

    Parameters
    ----------
    config
        Each stage is given its own section of it.
    library
        The models, verified and warm.
    """

    def __init__(self, config: Config, library: ModelLibrary) -> None:
        self._config = config
        self._library = library

    @property
    def library(self) -> ModelLibrary:
        """The loaded models."""
        return self._library

    @property
    def software(self) -> Software:
        """Name and version that results carry."""
        return Software("cspine-node", __version__)

    @property
    def models(self) -> tuple[ModelIdentity, ...]:
        """The weights that decide the results."""
        return self._library.identities

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything but the images that decides a result: software, weights, manifests, settings."""
        parts = [__version__, *(one.model_dump_json() for one in self._library.manifests)]
        sections = (self._config.selection, self._config.measurement, self._config.reporting)
        parts += [section.model_dump_json() for section in sections]
        return _sha256(*parts)

    def analyse(self, study: ReceivedStudy, out_dir: Path, history: History = _NO_HISTORY) -> AnalysisOutcome:
        """Analyse one study and write its results to ``out_dir``, all or nothing.

        Parameters
        ----------
        history
            Reports that the new one replaces or compares with.

        Returns
        -------
        AnalysisOutcome
            Its status is ``unchanged``, and nothing is written, if what would be used is what the version before was made from.

        Raises
        ------
        Declined
            If the study is not for us; a ``measurements.json`` that says so has been written.
        TransientError, PermanentError
            If it could not be analysed.
        """
        with collector_paused():
            return self._analysed(study, out_dir, history)

    def _analysed(self, study: ReceivedStudy, out_dir: Path, history: History) -> AnalysisOutcome:
        started = time.monotonic()
        try:
            selection = select_series(study, self._config.selection)
            content = self._content(selection, history)
            if content == history.predecessor_content:
                return AnalysisOutcome(AnalysisStatus.UNCHANGED)
            analysis = self._analyse(selection, content, history)
        except Declined as declined:
            write_declined(study.study_instance_uid, declined, self.software, out_dir)
            raise
        objects = build_report(analysis, self._config.reporting, self.software, out_dir)
        elapsed_s = round(time.monotonic() - started, 2)
        status = analysis.measurements.status
        _log.info("analysed study", extra={"status": status, "objects": len(objects), "seconds": elapsed_s})
        return AnalysisOutcome(
            status=AnalysisStatus(analysis.measurements.status),
            findings=(*analysis.measurements.findings, *history.findings),
            folder=out_dir,
            object_count=len(objects),
            models=self.models,
            reasons=_reasons(out_dir),
        )

    def _analyse(self, selection: StudySelection, content: str, history: History) -> Analysis:
        volumes, unloaded = load_volumes(selection)
        series_by_role, measurements = examine(volumes, self._library, self._config.measurement)
        findings = tuple(dict.fromkeys((*selection.findings, *unloaded, *measurements.findings)))
        return Analysis(
            study_instance_uid=selection.study_instance_uid,
            fingerprint=_sha256(content, *history.identity),
            series_by_role=series_by_role,
            measurements=replace(measurements, findings=findings),
            skipped=selection.skipped,
            history=history,
            content=content,
        )

    def _content(self, selection: StudySelection, history: History) -> str:
        """Return the digest of what decides a result: images, software and prior, and not the version before."""
        used = (image for one in selection.series_by_role.values() for image in one.series.instances)
        images = sorted(f"{image.sop_instance_uid} {content_digest(image.path)}" for image in used)
        return _sha256(self.fingerprint(), selection.study_instance_uid, *images, *replace(history, predecessor=None).identity)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Hold back the collector of reference cycles while a study is analysed.

    A report is built from some hundred thousand small objects, nearly all of which die by their count of references. The
    collector would walk through them, and through all that the node has loaded, again and again: a quarter of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _sha256(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def examine(
    volumes: Mapping[SeriesRole, Volume], library: ModelLibrary, config: MeasurementConfig
) -> tuple[dict[SeriesRole, SegmentedSeries], Measurements]:
    """Return masks and measurements of loaded series: all that happens between loading and reporting.

    Parameters
    ----------
    volumes
        The sagittal series and, if there is one, the axial series.

    Raises
    ------
    Declined
        ``cord_not_found`` if no sagittal slice shows a cervical cord.
    """
    segmenters = {SeriesRole.SAGITTAL_T2: library.sagittal_segmenter, SeriesRole.AXIAL_T2: library.axial_segmenter}
    series = {role: SegmentedSeries(volume, segmenters[role].segment(volume)) for role, volume in volumes.items()}
    sagittal = series[SeriesRole.SAGITTAL_T2]
    keypoints = _detect(sagittal, library.keypoint_detector)
    return series, measure_study(series, keypoints, config)


def _reasons(report: Path) -> tuple[tuple[Reason, Severity], ...]:
    """Return each code and severity that a written report holds: what is counted is what is read."""
    found = {(Reason(one.code), Severity(one.severity)) for one in read_measurements(report).every_reason}
    return tuple(sorted(found))


def _detect(sagittal: SegmentedSeries, detector: KeypointDetector) -> Keypoints:
    """Return the corners on the slice that shows most of the cervical cord."""
    volume, masks = sagittal.volume, sagittal.masks
    first = detector.detect(volume, decisive_slice(volume, masks), masks)
    index = cervical_slice(volume, masks, first)
    if index == first.slice_index:
        return first
    second = detector.detect(volume, index, masks)
    return second if len(second.by_landmark) >= len(first.by_landmark) else first


def load_volumes(selection: StudySelection) -> tuple[dict[SeriesRole, Volume], tuple[Finding, ...]]:
    """Return the volumes by role; a study is measured without its axial series if that is not one regular stack."""
    volumes: dict[SeriesRole, Volume] = {}
    findings: list[Finding] = []
    for role, selected in selection.series_by_role.items():
        try:
            volumes[role] = load_volume(selected)
        except (Declined, PermanentError) as error:
            if role is SeriesRole.SAGITTAL_T2:
                raise
            findings.append(Finding(error.reason, Severity.WITHHOLD, f"the axial series cannot be used: {error.message}"))
    return volumes, tuple(findings)


def models_dir(config: InferenceConfig) -> Path:
    """Return the folder of the models: the configured one, else the one that comes with the package."""
    if config.models_dir is not None:
        return config.models_dir
    return next((folder for folder in _MODELS_DIRS if folder.is_dir()), _MODELS_DIRS[-1])


def open_pipeline(config: Config) -> Pipeline:
    """Return a pipeline with verified and warm models.

    Raises
    ------
    PermanentError
        ``model_missing`` or ``model_corrupt``.
    """
    section = config.inference
    names = (section.sagittal_segmentation, section.axial_segmentation, section.keypoints)
    library = load_library(models_dir(section), names, section.providers, section.threads, section.batch_size)
    return Pipeline(config, library)
