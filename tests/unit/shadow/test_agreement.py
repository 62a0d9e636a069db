"""Both sets of models beside each other: differences, limits of agreement, what only one withholds."""

from pathlib import Path

import pytest

from node.reporting import MeasurementsDocument, read_measurements
from node.shadow import Overlap, ShadowReport
from node.web.shadow_view import agreement_views, shadow_view

OTHER = "f" * 64


def second(document: MeasurementsDocument, mscc: float | None, sha256: str = OTHER) -> ShadowReport:
    assert document.sagittal is not None
    ratio = document.sagittal.mscc.model_copy(update={"value_percent": mscc})
    sagittal = document.sagittal.model_copy(update={"mscc": ratio})
    models = tuple(one.model_copy(update={"sha256": sha256}) for one in document.models)
    changed = document.model_copy(update={"sagittal": sagittal, "models": models})
    return ShadowReport(changed, (Overlap("sagittal_t2", "spinal_cord", 0.9),))


@pytest.fixture
def document(first: Path) -> MeasurementsDocument:
    return read_measurements(first)


def mscc_of(document: MeasurementsDocument) -> float:
    assert document.sagittal is not None
    assert document.sagittal.mscc.value_percent is not None
    return document.sagittal.mscc.value_percent


def test_a_study_shows_both_and_names_the_other_weights(document: MeasurementsDocument):
    view = shadow_view(document, second(document, mscc_of(document) + 2.5))
    value = next(one for one in view.values if one.name == "mscc")
    assert value.difference == pytest.approx(2.5)
    assert [one.difference for one in view.values if one.name != "mscc"] == [0.0] * 3
    assert view.models
    assert all(one.endswith("f" * 12) for one in view.models)


def test_limits_of_agreement_over_studies(document: MeasurementsDocument):
    pairs = [(document, second(document, mscc_of(document) + change)) for change in (1.0, 2.0, 3.0)]
    (view,) = agreement_views([*pairs, (document, second(document, None))])
    line = next(one for one in view.values if one.name == "mscc")
    assert (view.studies, line.count, line.one_sided) == (4, 3, 1)
    assert (line.bias, line.low, line.high) == (pytest.approx(2.0), pytest.approx(0.04), pytest.approx(3.96))
    assert [(one.count, one.mean) for one in view.overlaps] == [(4, pytest.approx(0.9))]


def test_sets_of_other_weights_are_not_mixed_and_one_study_has_no_limits(document: MeasurementsDocument):
    newest, older = agreement_views([(document, second(document, 1.0)), (document, second(document, 2.0, "e" * 64))])
    assert newest.models[0].endswith("f" * 12)
    assert older.models[0].endswith("e" * 12)
    assert {(one.count, one.low) for one in newest.values} == {(1, None)}
    assert agreement_views([]) == ()
