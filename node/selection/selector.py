"""The best eligible series for each role, and why every other series was skipped."""

from collections.abc import Mapping

from node.config import SelectionConfig
from node.domain.errors import Declined, Finding, PermanentError, Reason, Severity
from node.domain.identity import SeriesInstanceUID
from node.domain.study import ReceivedStudy, SelectedSeries, SeriesRole, StudySelection
from node.selection.criteria import Contrast, contrast_of, first_fault, role_of
from node.selection.patterns import compile_patterns
from node.selection.summary import SeriesSummary, summarise_series
from node.selection.words import PLANE_WORDS, Region, matches, regions_of

_PLANE_NAME = {SeriesRole.SAGITTAL_T2: "sagittal", SeriesRole.AXIAL_T2: "axial"}

_Skipped = dict[SeriesInstanceUID, tuple[Finding, ...]]


def select_series(study: ReceivedStudy, config: SelectionConfig) -> StudySelection:
    """Return the best sagittal and axial T2 series of a study, and a finding for every series that was skipped.

    The order in which the series arrived does not matter. A study without an axial series is still selected and has the
    finding ``no_axial_t2``.

    Raises
    ------
    Declined
        ``patient_mixed``, ``no_sagittal_t2`` or ``no_usable_series``, with one finding for each series.
    """
    skipped: _Skipped = {}
    summaries = _summarise(study, skipped)
    _refuse_mixed_patients(study, summaries)
    candidates: list[SeriesSummary] = []
    for summary in summaries:
        fault = first_fault(summary, config)
        if fault is None:
            candidates.append(summary)
        else:
            skipped[summary.series.series_instance_uid] = (fault,)
    chosen = _choose(candidates, config, skipped)
    if SeriesRole.SAGITTAL_T2 not in chosen:
        raise _declined(chosen, skipped)
    return StudySelection(
        study_instance_uid=study.study_instance_uid,
        series_by_role={role: SelectedSeries(role, summary.series) for role, summary in chosen.items()},
        skipped=dict(sorted(skipped.items())),
        findings=() if SeriesRole.AXIAL_T2 in chosen else (_NO_AXIAL,),
    )


_NO_AXIAL = Finding(Reason.NO_AXIAL_T2, Severity.FLAG, "no usable axial T2 series: area and compression ratio are withheld")


def _summarise(study: ReceivedStudy, skipped: _Skipped) -> list[SeriesSummary]:
    summaries = []
    for series in study.all_series:
        try:
            summaries.append(summarise_series(series))
        except PermanentError as error:
            skipped[series.series_instance_uid] = (Finding(error.reason, Severity.ERROR, error.message),)
    return sorted(summaries, key=lambda summary: summary.series.series_instance_uid)


def _refuse_mixed_patients(study: ReceivedStudy, summaries: list[SeriesSummary]) -> None:
    # an absent PatientID is no sign of a second patient
    patients = {patient for summary in summaries for patient in summary.patients} - {""}
    if len(patients) > 1:
        message = f"study {study.study_instance_uid} holds {len(patients)} different PatientIDs; correct it at its source"
        raise Declined(Reason.PATIENT_MIXED, message, (Finding(Reason.PATIENT_MIXED, Severity.DECLINE, message),))


def _choose(candidates: list[SeriesSummary], config: SelectionConfig, skipped: _Skipped) -> Mapping[SeriesRole, SeriesSummary]:
    chosen: dict[SeriesRole, SeriesSummary] = {}
    for role in (SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2):
        eligible = [summary for summary in candidates if role_of(summary, config) is role]
        if not eligible:
            continue
        anchor = chosen.get(SeriesRole.SAGITTAL_T2)
        ranks = [_rank(summary, role, anchor, config) for summary in eligible]
        winner = chosen[role] = eligible[ranks.index(max(ranks))]
        for other in eligible:
            if other is not winner:
                skipped[other.series.series_instance_uid] = (_preferred(role, winner),)
    return chosen


def _rank(
    summary: SeriesSummary, role: SeriesRole, anchor: SeriesSummary | None, config: SelectionConfig
) -> tuple[bool, bool, bool, bool, bool, int, float, str, str]:
    """Return what makes one eligible series better than another, weightiest first; the last entry only breaks ties."""
    return (
        any(matches(pattern, summary.texts) for pattern in compile_patterns(config.include_text)),
        # slices in another frame of reference cannot be related to the sagittal levels
        anchor is None or summary.frames_of_reference == anchor.frames_of_reference,
        contrast_of(summary, config) is Contrast.T2_SPIN_ECHO,
        Region.CERVICAL in regions_of(summary.texts),
        matches(PLANE_WORDS[_PLANE_NAME[role]], summary.texts),
        summary.frame_count,
        -max(max(spacing) for spacing in summary.pixel_spacings_mm),
        summary.acquired,
        summary.series.series_instance_uid,
    )


def _preferred(role: SeriesRole, winner: SeriesSummary) -> Finding:
    message = f"series {winner.series.series_instance_uid} suits {role.value} better"
    return Finding(Reason.PREFERRED_OTHER_SERIES, Severity.NOTE, message)


def _declined(chosen: Mapping[SeriesRole, SeriesSummary], skipped: _Skipped) -> Declined:
    findings = tuple(
        Finding(finding.code, finding.severity, f"series {uid}: {finding.message}")
        for uid, reasons in sorted(skipped.items())
        for finding in reasons
    )
    if chosen:
        return Declined(Reason.NO_SAGITTAL_T2, "the study has an axial but no usable sagittal T2 series", findings)
    return Declined(Reason.NO_USABLE_SERIES, f"none of the {len(skipped)} series of the study can be used", findings)
