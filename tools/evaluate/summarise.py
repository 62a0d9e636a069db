"""Results of cases in, the rows of the tables out."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from node.domain.anatomy import VERTEBRAE, Structure, Vertebra
from node.domain.measurement import Verdict
from tools.evaluate.agreement import (
    CORNER_LIMIT_MM,
    Intraclass,
    Mean,
    Reliability,
    bland_altman,
    intraclass,
    mean_of,
    reliability,
    within_limit,
)
from tools.evaluate.evaluation import (
    CornerRow,
    Evaluation,
    Heading,
    LevelRow,
    NumberRow,
    OverlapRow,
    WidthRow,
    WithheldRow,
    WorstCase,
)
from tools.evaluate.readings import HEADLINES, Measure
from tools.evaluate.results import CaseResult, CornerResult, Overlap, PairedReading, Region

_MOST_PICTURES = 6
_LEAST = "least Dice of the"


def summarise(results: Sequence[CaseResult], heading: Heading) -> Evaluation:
    """Return the evaluation of all cases."""
    return Evaluation(
        heading=heading,
        cases=len(results),
        people=len({one.person for one in results}),
        declined=tuple((one.case, one.declined) for one in results if one.declined is not None),
        overlaps=tuple(_overlap_rows(results)),
        widths=tuple(_width_rows(results)),
        numbers=tuple(_number_rows(results)),
        corners=tuple(_corner_rows([corner for one in results for corner in one.corners])),
        levels=tuple(_level_rows(results)),
        chosen_slice_mm=mean_of([one.chosen_slice_mm for one in results]) if any(one.corners for one in results) else None,
        confidence=_confidence(results),
        withheld=tuple(_withheld_rows(results)),
        worst=worst_cases(results),
    )


def mean_over_people(values: Iterable[tuple[str, float]]) -> Mean:
    """Return the mean of (person, value), each person counting once with the mean of his finite values."""
    by_person: dict[str, list[float]] = defaultdict(list)
    for person, value in values:
        if math.isfinite(value):
            by_person[person].append(value)
    return mean_of([float(np.mean(own)) for own in by_person.values()])


def _overlap_rows(results: Sequence[CaseResult]) -> Iterable[OverlapRow]:
    for structure in Structure:
        for region in Region:
            found = [
                (result.person, one)
                for result in results
                for one in result.overlaps
                if one.structure is structure and one.region is region
            ]
            if found:
                yield _overlap_row(structure, region, found)


def _overlap_row(structure: Structure, region: Region, found: Sequence[tuple[str, Overlap]]) -> OverlapRow:
    return OverlapRow(
        structure,
        region,
        len({person for person, _ in found}),
        sum(one.slices for _, one in found),
        _possible(mean_over_people((person, one.dice) for person, one in found), 1.0),
        _possible(mean_over_people((person, one.iou) for person, one in found), 1.0),
        _possible(mean_over_people((person, one.hd95_mm) for person, one in found), math.inf),
    )


def _possible(mean: Mean, most: float) -> Mean:
    """Return a mean whose interval ends where the quantity does, at 0 and at ``most``."""
    # max and min keep their first argument where the interval is NaN
    return replace(mean, low=max(mean.low, 0.0), high=min(mean.high, most))


def _width_rows(results: Sequence[CaseResult]) -> Iterable[WidthRow]:
    for structure in Structure:
        found = [(r.person, w.errors_mm) for r in results for w in r.widths if w.structure is structure and w.errors_mm.size]
        if found:
            yield WidthRow(
                structure,
                len({person for person, _ in found}),
                sum(errors.size for _, errors in found),
                mean_over_people((person, float(errors.mean())) for person, errors in found),
                mean_over_people((person, float(np.abs(errors).mean())) for person, errors in found),
            )


def _number_rows(results: Sequence[CaseResult]) -> Iterable[NumberRow]:
    for measure in Measure:
        found = [(r.person, one) for r in results for one in r.readings if one.tested.measure is measure]
        if found:
            yield _number_row(measure, found)


def _number_row(measure: Measure, found: Sequence[tuple[str, PairedReading]]) -> NumberRow:
    verdicts = [one.tested.verdict for _, one in found]
    people = {person for person, one in found if one.is_pair}
    pairs = tuple(
        (one.tested.value, one.reference) for _, one in found if one.tested.value is not None and one.reference is not None
    )
    both = np.array(pairs, dtype=np.float64).reshape(-1, 2)
    tested, reference = both[:, 0].tolist(), both[:, 1].tolist()
    return NumberRow(
        measure=measure,
        unit=measure.unit,
        n=len(pairs),
        people=len(people),
        report=verdicts.count(Verdict.REPORT),
        flag=verdicts.count(Verdict.FLAG),
        withhold=verdicts.count(Verdict.WITHHOLD),
        tested=_described(tested, measure),
        reference=_described(reference, measure),
        absolute_error=_described(np.abs(both[:, 0] - both[:, 1]).tolist(), measure),
        intraclass=_intraclass(both, measure),
        bland_altman=bland_altman(tested, reference),
        pairs=pairs,
    )


def _described(values: Sequence[float], measure: Measure) -> Mean:
    """Return mean and deviation; without an interval where the values are not independent."""
    found = mean_of(values)
    return Mean(found.n, found.mean, found.sd, math.nan, math.nan) if measure.repeats else found


def _intraclass(both: np.ndarray[tuple[int, ...], np.dtype[np.float64]], measure: Measure) -> Intraclass:
    found = intraclass(both)
    if not measure.repeats:
        return found
    # levels and slices of one person are not independent targets: interval and P would claim too much
    return Intraclass(found.variant, found.n, found.value, math.nan, math.nan, math.nan)


def _corner_rows(corners: Sequence[CornerResult]) -> Iterable[CornerRow]:
    if not corners:
        return
    for vertebra in VERTEBRAE:
        own = [one for one in corners if one.landmark.vertebra is vertebra]
        if own:
            yield _corner_row(vertebra, own)
    yield _corner_row(None, corners)


def _corner_row(vertebra: Vertebra | None, corners: Sequence[CornerResult]) -> CornerRow:
    found = [one for one in corners if one.nearest is not None]
    right = [one.nearest is one.landmark.vertebra for one in found]
    errors = [one.error_mm for one in corners]
    return CornerRow(
        vertebra, len(corners), len(found), mean_of(errors), within_limit(errors), float(np.mean(right)) if right else math.nan
    )


def _level_rows(results: Sequence[CaseResult]) -> Iterable[LevelRow]:
    for structure in Structure:
        apart = [
            abs(one.tested.order - one.reference.order)
            for result in results
            for one in result.narrowest
            if one.structure is structure and one.tested is not None
        ]
        if apart:
            yield LevelRow(structure, len(apart), apart.count(0), sum(steps <= 1 for steps in apart))


def _confidence(results: Sequence[CaseResult]) -> Reliability | None:
    found = [one for result in results for one in result.corners if one.nearest is not None]
    if not found:
        return None
    return reliability([one.confidence for one in found], [one.error_mm <= CORNER_LIMIT_MM for one in found])


def _withheld_rows(results: Sequence[CaseResult]) -> Iterable[WithheldRow]:
    for result in results:
        places: dict[tuple[Measure, tuple[str, ...]], list[str]] = defaultdict(list)
        for one in result.readings:
            if one.tested.verdict is Verdict.WITHHOLD:
                places[one.tested.measure, one.tested.reasons].append(one.tested.place)
        for (measure, reasons), own in places.items():
            yield WithheldRow(result.case, measure, tuple(place for place in own if place), reasons)


def worst_cases(results: Sequence[CaseResult]) -> tuple[WorstCase, ...]:
    """Return the pictures of the cases that are worst in something: Dice of a mask, distance of corners, a headline number."""
    faults = {one.case: _faults(one) for one in results if one.picture}
    pictures = {one.case: one.picture for one in results}
    reasons: dict[str, list[str]] = defaultdict(list)
    for kind in dict.fromkeys(kind for own in faults.values() for kind in own):
        case = max((case for case in faults if kind in faults[case]), key=lambda one: faults[one][kind])
        # a Dice is kept as what it lacks, so that the largest fault is the worst of every kind
        shown = 1 - faults[case][kind] if kind.startswith(_LEAST) else faults[case][kind]
        reasons[case].append(f"{kind} {shown:.3g}")
    return tuple(WorstCase(case, "; ".join(why), pictures[case]) for case, why in list(reasons.items())[:_MOST_PICTURES])


def _faults(result: CaseResult) -> dict[str, float]:
    """Return how bad a case is by kind of fault; larger is worse."""
    faults = {f"{_LEAST} {one.structure.value.replace('_', ' ')}, {one.region}": 1 - one.dice for one in result.overlaps}
    errors = [one.error_mm for one in result.corners if one.nearest is not None]
    if errors:
        faults["largest mean corner error (mm)"] = float(np.mean(errors))
    for one in result.readings:
        if one.tested.measure in HEADLINES and one.tested.value is not None and one.reference is not None:
            faults[f"largest error of {one.tested.measure}"] = abs(one.tested.value - one.reference)
    return {kind: fault for kind, fault in faults.items() if math.isfinite(fault)}
