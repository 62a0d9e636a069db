"""What an object that comes back counts as: real objects of ours, changed as viewers and archives change them."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from pydicom import dcmread

from node.config import ReportingConfig
from node.domain.errors import PermanentError, Reason
from node.domain.feedback import FeedbackKind
from node.domain.job import AnalysisId
from node.feedback import Judgement, OwnResult, judge, own_result, read_content
from node.reporting import Software, build_report
from tests.support.analyses import synthetic_analysis
from tests.support.feedback_objects import (
    EXPIRED,
    OF_INTEREST,
    REJECTED,
    assessment,
    content_assessment,
    copied_seg,
    corrected_seg,
    key_objects,
    report_again,
)

A1 = AnalysisId("a1")
Make = Callable[[Path, Path], Path]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("feedback")
    build_report(synthetic_analysis(folder / "study"), ReportingConfig(), Software("cspine-node", "1.2.3"), folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def ours(report: Path) -> OwnResult:
    objects = sorted(report.glob("*.dcm"))
    named = [str(dcmread(path, stop_before_pixels=True).SOPInstanceUID) for path in objects]
    return own_result(A1, named, [path for path in objects if path.name.startswith(("s", "p")) and path.name != "sc_summary.dcm"])


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (corrected_seg, FeedbackKind.CORRECTED),
        (copied_seg, FeedbackKind.NOTED),
        (partial(report_again, added=0.5), FeedbackKind.CORRECTED),
        (partial(report_again, added=0.5, verified=True), FeedbackKind.CORRECTED),
        (partial(report_again, verified=True), FeedbackKind.ACCEPTED),
        (report_again, FeedbackKind.NOTED),
        (partial(assessment, meaning="AI result accepted"), FeedbackKind.ACCEPTED),
        (partial(assessment, meaning="Result was modified"), FeedbackKind.CORRECTED),
        (partial(assessment, meaning="Rejected"), FeedbackKind.REJECTED),
        (partial(assessment, meaning="Reader disagrees"), FeedbackKind.REJECTED),
        (partial(assessment, meaning="Not seen"), FeedbackKind.NOTED),
        (partial(key_objects, title=REJECTED), FeedbackKind.REJECTED),
        (partial(key_objects, title="113037"), FeedbackKind.REJECTED),
        (partial(key_objects, title="113038"), FeedbackKind.REJECTED),
        (partial(key_objects, title=EXPIRED), FeedbackKind.EXPIRED),
        (partial(key_objects, title=OF_INTEREST), FeedbackKind.NOTED),
        (partial(content_assessment, summary="FAILED"), FeedbackKind.REJECTED),
        (partial(content_assessment, summary="OTHER"), FeedbackKind.NOTED),
    ],
)
def test_what_comes_back_counts_as(make: Make, kind: FeedbackKind, report: Path, ours: OwnResult, tmp_path: Path):
    judgement = judge(read_content(make(report, tmp_path)), [ours])
    assert judgement is not None
    assert (judgement.analysis_id, judgement.kind) == (A1, kind)
    assert "JANE" not in judgement.message


def test_our_own_objects_are_no_feedback(report: Path, ours: OwnResult):
    paths = sorted(path for path in report.glob("*.dcm") if path.name != "sc_summary.dcm")
    assert len(paths) > 5
    assert [judge(read_content(path), [ours]) for path in paths] == [None] * len(paths)


def test_what_names_none_of_ours_is_no_feedback(report: Path, tmp_path: Path):
    other = OwnResult(A1, frozenset({"1.2.3"}), frozenset({"1.2.4"}), {}, frozenset())
    assert judge(read_content(corrected_seg(report, tmp_path)), [other]) is None
    assert judge(read_content(corrected_seg(report, tmp_path)), []) is None


def test_the_latest_version_that_is_named_is_meant(report: Path, ours: OwnResult, tmp_path: Path):
    returned = read_content(corrected_seg(report, tmp_path))
    later = OwnResult(AnalysisId("a2"), frozenset({"1.2.3"}), ours.tracked, {}, frozenset())
    unnamed = OwnResult(AnalysisId("a3"), frozenset(), frozenset(), {}, frozenset())
    judgement = judge(returned, [ours, later, unnamed])
    assert isinstance(judgement, Judgement)
    assert judgement.analysis_id == "a2"


def test_a_damaged_object_is_refused_by_a_reason(report: Path, tmp_path: Path):
    whole = corrected_seg(report, tmp_path).read_bytes()
    broken = tmp_path / "broken.dcm"
    for content in (b"", b"x" * 500, whole[: len(whole) // 2], whole[:132] + b"\xff" * 400):
        broken.write_bytes(content)
        with pytest.raises(PermanentError) as error:
            read_content(broken)
        assert error.value.reason is Reason.NOT_DICOM


def test_what_is_too_large_for_its_kind_is_not_parsed(report: Path, tmp_path: Path):
    path = report_again(report, tmp_path)
    with path.open("ab") as file:
        file.truncate(9 << 20)
    with pytest.raises(PermanentError, match="larger than 8 MiB"):
        read_content(path)


def test_a_number_that_is_none_does_not_raise_anything_else(report: Path, tmp_path: Path):
    path = report_again(report, tmp_path)
    document = dcmread(path)
    raw = path.read_bytes().replace(b"NUM ", b"NUM\x00", 1)
    (tmp_path / "odd.dcm").write_bytes(raw)
    assert read_content(tmp_path / "odd.dcm").sop_instance_uid == document.SOPInstanceUID
