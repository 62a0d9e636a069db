"""All results of one analysis as files in one folder."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from node.config import ReportingConfig
from node.domain.analysis import Analysis
from node.domain.errors import Declined, PermanentError, Reason
from node.domain.identity import StudyInstanceUID
from node.domain.report import ReportKind, ReportObject
from node.domain.study import SeriesRole
from node.reporting.canvas import Picture
from node.reporting.conform import freeze
from node.reporting.encoding import ObjectWriter
from node.reporting.folder import write_report
from node.reporting.ko import build_ko
from node.reporting.measurements_json import MEASUREMENTS_NAME, declined_document, encode, measured_document
from node.reporting.overlay import draw_pictures, pictures_written
from node.reporting.page import summary_page
from node.reporting.pr import build_pr
from node.reporting.provenance import Provenance, Software
from node.reporting.references import instance_of
from node.reporting.sc import build_sc
from node.reporting.seg import build_seg
from node.reporting.source import SourceSeries, content_moment, read_source
from node.reporting.sr import as_comprehensive_sr, build_sr
from node.reporting.sr_lines import build_sr_lines, lines_as_comprehensive_sr
from node.reporting.sr_volumes import build_sr_volumes, volumes_as_comprehensive_sr
from node.reporting.subject import Subject, subject_of

_T = TypeVar("_T")


def build_report(analysis: Analysis, settings: ReportingConfig, software: Software, out_dir: Path) -> tuple[ReportObject, ...]:
    """Write the results of an analysis to ``out_dir``, all or nothing, and return its DICOM objects.

    One SEG for each series whose masks are not empty, one SR and one of the segment volumes (each with the same content as
    Comprehensive SR for its fallback), lines over each series (GSPS), a key object selection, overlay pictures and
    ``measurements.json``. The same analysis gives the same bytes.

    Raises
    ------
    PermanentError
        ``report_failed`` if an object cannot be built from these sources; ``patient_mixed``, ``character_set_unsupported``,
        ``not_dicom``, ``output_folder_in_use``.
    """
    sources = {role: read_source(series.volume) for role, series in analysis.series_by_role.items()}
    headers = [header for source in sources.values() for header in source.headers]
    objects = _Objects(
        analysis=analysis,
        sources=sources,
        provenance=Provenance(software, settings, analysis.measurements.models),
        subject=subject_of(headers),
        moment=content_moment(headers),
    )
    return write_report(out_dir, objects.write, analysis.content)


def write_declined(study_instance_uid: StudyInstanceUID, declined: Declined, software: Software, out_dir: Path) -> None:
    """Write a ``measurements.json`` that says why a study is not for us."""

    def write_files(folder: Path) -> tuple[ReportObject, ...]:
        (folder / MEASUREMENTS_NAME).write_bytes(encode(declined_document(study_instance_uid, declined, software)))
        return ()

    write_report(out_dir, write_files)


@dataclass(frozen=True, slots=True, eq=False)
class _Objects:
    """The result objects of one analysis and what they have in common."""

    analysis: Analysis
    sources: Mapping[SeriesRole, SourceSeries]
    provenance: Provenance
    subject: Subject
    moment: tuple[str, str]
    writer: ObjectWriter = field(default_factory=ObjectWriter)

    def write(self, folder: Path) -> tuple[ReportObject, ...]:
        """Write every file of the report but its index into a folder."""
        settings, software = self.provenance.settings, self.provenance.software
        page = summary_page(self.analysis, settings, software)
        pictures = {"summary.png": page, **draw_pictures(self.analysis, settings.language)}
        with pictures_written(pictures, folder):
            objects = self._objects(page, folder)
        document = measured_document(self.analysis, software, objects, tuple(pictures))
        (folder / MEASUREMENTS_NAME).write_bytes(encode(document))
        return objects

    def _objects(self, page: Picture, folder: Path) -> tuple[ReportObject, ...]:
        built = self._segmentations()
        segmentations = [self._save(seg, ReportKind.SEG, folder / f"seg_{role}.dcm") for role, seg in built.items()]
        lines = [*segmentations, self._measurement_report(folder), *self._presentation_states(folder)]
        others = (*self._key_objects(folder), *self._lines(folder), *self._volumes(built, folder))
        return (*lines, *others, self._summary(page, folder))

    def _segmentations(self) -> dict[SeriesRole, Dataset]:
        """Return the SEG of each series whose masks are not empty."""
        found: dict[SeriesRole, Dataset] = {}
        for role, source in self.sources.items():
            masks = self.analysis.series_by_role[role].masks
            built = _built("SEG", partial(build_seg, role, source, masks, self.provenance, self.analysis.fingerprint))
            if built is not None:
                found[role] = built
        return found

    def _measurement_report(self, folder: Path) -> ReportObject:
        document = _built("SR", partial(build_sr, self.analysis, self.sources, self.provenance))
        other = as_comprehensive_sr(document, self.analysis)
        fallback = self._save(other, ReportKind.SR, folder / "sr_comprehensive.dcm")
        return self._save(document, ReportKind.SR, folder / "sr_comprehensive_3d.dcm", fallback)

    def _presentation_states(self, folder: Path) -> Iterator[ReportObject]:
        for role, source in self.sources.items():
            built = _built("PR", partial(build_pr, role, self.analysis, source, self.provenance))
            if built is not None:
                yield self._save(built, ReportKind.PR, folder / f"pr_{role}.dcm")

    def _key_objects(self, folder: Path) -> Iterator[ReportObject]:
        built = _built("KO", partial(build_ko, self.analysis, self.sources, self.provenance))
        if built is not None:
            yield self._save(built, ReportKind.KO, folder / "ko.dcm")

    def _lines(self, folder: Path) -> Iterator[ReportObject]:
        for role in self.sources:
            document = _built("SR", partial(build_sr_lines, role, self.analysis, self.sources, self.provenance))
            if document is not None:
                other = lines_as_comprehensive_sr(document, role, self.analysis)
                fallback = self._save(other, ReportKind.SR_LINES, folder / f"sr_lines_{role}_comprehensive.dcm")
                yield self._save(document, ReportKind.SR_LINES, folder / f"sr_lines_{role}_comprehensive_3d.dcm", fallback)

    def _volumes(self, segmentations: Mapping[SeriesRole, Dataset], folder: Path) -> Iterator[ReportObject]:
        document = _built("SR", partial(build_sr_volumes, self.analysis, self.sources, segmentations, self.provenance))
        if document is not None:
            other = volumes_as_comprehensive_sr(document, self.analysis)
            fallback = self._save(other, ReportKind.SR_VOLUMES, folder / "sr_volumes_comprehensive.dcm")
            yield self._save(document, ReportKind.SR_VOLUMES, folder / "sr_volumes_comprehensive_3d.dcm", fallback)

    def _summary(self, page: Picture, folder: Path) -> ReportObject:
        built = _built("SC", partial(build_sc, page, tuple(self.sources.values()), self.provenance, self.analysis.fingerprint))
        return self._save(built, ReportKind.SC, folder / "sc_summary.dcm")

    def _save(self, built: Dataset, kind: ReportKind, path: Path, fallback: ReportObject | None = None) -> ReportObject:
        self.provenance.contribute(built)
        freeze(built, self.moment)
        self.subject.identify(built)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                self.writer.write(built, path)
        except (LookupError, UnicodeError, UserWarning) as error:
            what = f"the {kind} cannot be written in the character set of its source ({type(error).__name__})"
            raise PermanentError(Reason.CHARACTER_SET_UNSUPPORTED, what) from error
        return ReportObject(kind, instance_of(built, path), str(ExplicitVRLittleEndian), fallback)


def _built(what: str, build: Callable[[], _T]) -> _T:
    """Return what a builder returns; what highdicom objects to becomes a reason."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return build()
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        text = f"the {what} could not be built from these images ({type(error).__name__}: {error})"
        raise PermanentError(Reason.REPORT_FAILED, text) from error
