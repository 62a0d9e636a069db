"""When a study is complete."""

import math

import pytest
from pydantic import ValidationError

from node.config import CompletionConfig
from node.domain.identity import SeriesInstanceUID, StudyInstanceUID
from node.reception import StudyAssembler

A, B = StudyInstanceUID("1.1"), StudyInstanceUID("1.2")
S, T = SeriesInstanceUID("2.1"), SeriesInstanceUID("2.2")
REQUIRED = CompletionConfig(quiet_s=30, required_series=("sag.*t2", "tra|ax"), required_quiet_s=5, maximum_s=100)


def assembler(**config: object) -> StudyAssembler:
    return StudyAssembler(CompletionConfig.model_validate({"quiet_s": 30, "maximum_s": 100} | config))


def test_a_study_is_complete_after_its_quiet_time_and_then_forgotten():
    study = assembler()
    study.note(A, S, 0)
    study.note(A, T, 20)
    assert study.due(49.9) == ()
    assert study.next_due_s() == 50
    assert study.due(50) == (A,)
    assert study.due(1000) == ()
    assert A not in study
    assert study.next_due_s() == math.inf


def test_studies_are_independent_and_the_longest_due_comes_first():
    study = assembler()
    study.note(B, T, 5)
    study.note(A, S, 0)
    assert study.due(31) == (A,)
    study.note(A, S, 32)
    assert study.due(100) == (B, A)


def test_a_study_that_never_falls_quiet_is_complete_at_the_maximum():
    study = assembler()
    for second in range(0, 100, 10):
        study.note(A, S, second)
        assert study.due(second) == ()
    assert study.due(100) == (A,)


@pytest.mark.parametrize(
    ("arrivals", "complete_at"),
    [
        ([(S, 0, "SAG T2 TSE"), (T, 1, "AX T2")], 6),
        ([(S, 0, "SAG T2 TSE"), (T, 1, "AX T2"), (S, 4, "SAG T2 TSE")], 9),
        ([(S, 0, "SAG T2 TSE")], 30),
        ([(S, 0, "SAG T2 TSE"), (T, 1, "LOCALIZER")], 31),
        ([(S, 0, "T1"), (T, 1, "STIR")], 31),
    ],
)
def test_required_series_complete_a_study_early(arrivals, complete_at):
    study = StudyAssembler(REQUIRED)
    for series, second, description in arrivals:
        study.note(A, series, second, description)
    assert study.due(complete_at - 0.01) == ()
    assert study.due(complete_at) == (A,)


def test_a_second_series_of_the_same_kind_does_not_hold_back_a_requirement_that_is_met():
    study = StudyAssembler(REQUIRED)
    study.note(A, S, 0, "SAG T2")
    study.note(A, T, 0, "AX T2")
    study.note(A, SeriesInstanceUID("2.3"), 4, "AX T2 again")
    assert study.due(5) == (A,)


def test_a_study_that_failed_waits_for_the_quiet_time_again():
    study = assembler()
    study.reopen(A, 10)
    assert study.due(39) == ()
    assert study.due(40) == (A,)


def test_time_that_goes_back_does_not_shorten_the_wait():
    study = assembler()
    study.note(A, S, 20)
    study.note(A, S, 10)
    assert study.next_due_s() == 50


def test_an_expression_that_is_none_is_refused_by_the_configuration():
    with pytest.raises(ValidationError, match="not a regular expression"):
        CompletionConfig(required_series=("(",))
