"""UIDs, analysis ids and headers that try to leave the store or to break the reader."""

import re
import tempfile
import warnings
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import config
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from node.domain.errors import NodeError
from node.domain.identity import StudyInstanceUID
from node.store import InstanceHead, PatientStudy, collect_studies, commitment_answer, open_store, read_head
from node.store.head import parse_head
from node.store.scan import scanned
from tests.support.dicom_peers import Uids, mr_instance, write_instance

WANTED = frozenset((0x00080005, 0x00080016, 0x00080018, 0x0020000D, 0x0020000E))
HOSTILE = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="0123456789./\\\0 ~", max_size=70),
    st.sampled_from(["..", "../..", "/etc/passwd", "1/2", "1.2/../../3", "\0", "1.2.3\n", "C:\\x", "1..2", ".1", "1."]),
)


@given(study=HOSTILE, series=HOSTILE, instance=HOSTILE)
@settings(max_examples=150, deadline=None)
def test_nothing_is_ever_written_outside_the_series_folder(study: str, series: str, instance: str):
    with tempfile.TemporaryDirectory() as folder:
        outside = Path(folder) / "outside"
        store = open_store(f"file:{outside / 'a' / 'store'}")
        arrived = store.incoming / "arrived"
        arrived.touch()
        try:
            ref = store.receive(arrived, InstanceHead(study, series, instance, "1.2", "MR", ""))
        except NodeError:
            assert arrived.is_file()
            assert [path for path in outside.rglob("*") if path.is_file()] == [arrived]
        else:
            assert ref.path.resolve().parent.parent.parent == (store.root / "studies").resolve()


@given(study=HOSTILE, analysis=HOSTILE)
@settings(max_examples=150, deadline=None)
def test_results_folders_stay_below_the_results(study: str, analysis: str):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"file:{folder}")
        try:
            made = store.results_folder(StudyInstanceUID(study), analysis)
        except NodeError:
            return
        assert made.resolve().parent.parent == (Path(folder) / "results").resolve()


@given(transaction=HOSTILE, instance=HOSTILE)
@settings(max_examples=60, deadline=None)
def test_a_commitment_report_writes_nothing_that_was_not_asked_for(transaction: str, instance: str):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"file:{folder}/a/store")
        before = sorted(Path(folder).rglob("*"))
        report, item = Dataset(), Dataset()
        with config.disable_value_validation():
            report.TransactionUID, item.ReferencedSOPInstanceUID = transaction, instance
            report.FailedSOPSequence = [item]
            with suppress(NodeError):
                assert not store.commitments.record(commitment_answer(report))
        assert sorted(Path(folder).rglob("*")) == before


@given(name=HOSTILE, number=HOSTILE, born=HOSTILE, study=HOSTILE)
@settings(max_examples=60, deadline=None)
def test_no_file_is_named_after_a_patient(name: str, number: str, born: str, study: str):
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(f"file:{folder}/a/store")
        identity = "\n".join((name, number, born)).encode("utf-8", "replace")
        who = PatientStudy(sha256(identity).hexdigest(), "20260101000000")
        with suppress(NodeError):
            store.results_folder(StudyInstanceUID(study), "a1")
            store.note_analysis(who, StudyInstanceUID(study), "a1")
        for path in Path(folder).rglob("*"):
            assert (Path(folder) / "a" / "store") in (path, *path.parents, path / "store")
            assert re.fullmatch(r"[a-z]+|a1|[0-9.]+|[0-9a-f]{64}|\.patient", path.name)


@pytest.fixture(scope="module", params=[ExplicitVRLittleEndian, ImplicitVRLittleEndian, DeflatedExplicitVRLittleEndian])
def instance_bytes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("instance") / "a.dcm"
    return write_instance(path, mr_instance(Uids("1.2.3", "1.2.4", "1.2.5")), request.param).read_bytes()


@pytest.mark.filterwarnings("ignore")  # pydicom warns of much that is wrong with a damaged file
@given(data=st.data())
@settings(max_examples=200, deadline=None)
def test_a_damaged_header_is_read_or_refused_but_never_an_unknown_error(instance_bytes: bytes, data: st.DataObject):
    damaged = bytearray(instance_bytes[: data.draw(st.integers(0, len(instance_bytes)))])
    for _ in range(data.draw(st.integers(0, 4))):
        if damaged:
            damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.dcm"
        path.write_bytes(damaged)
        collected = collect_studies([path])
        assert len(collected.studies) + len(collected.unusable) == 1
        with suppress(NodeError):
            read_head(path)


ELEMENTS = st.dictionaries(
    st.sampled_from(["Manufacturer", "InstitutionName", "SeriesDescription", "PatientName", "ProtocolName"]),
    st.text(alphabet="AB12 ^", max_size=40),
)


@given(
    elements=ELEMENTS,
    syntax=st.sampled_from([ExplicitVRLittleEndian, ImplicitVRLittleEndian]),
    changes=st.lists(st.tuples(st.integers(128, 800), st.integers(0, 255)), max_size=2),
)
@settings(max_examples=200, deadline=None)
def test_the_quick_look_at_a_head_finds_what_pydicom_finds(elements: dict[str, str], syntax, changes: list[tuple[int, int]]):
    instance = mr_instance()
    for keyword, value in elements.items():
        setattr(instance, keyword, value)
    with tempfile.TemporaryDirectory() as folder:
        content = bytearray(write_instance(Path(folder) / "a.dcm", instance, syntax).read_bytes())
    assert scanned(bytes(content), WANTED, max(WANTED)) is not None
    for position, value in changes:
        content[position] = value
    values = scanned(bytes(content[:1024]), WANTED, max(WANTED))
    with suppress(NodeError), warnings.catch_warnings(action="ignore"):
        theirs = parse_head(BytesIO(content), lambda tag, _vr, _length: tag > max(WANTED))
        if values is not None:
            assert {tag: value.decode("latin-1").strip(" \0") for tag, value in values.items() if tag >> 16 == 0x20} == {
                0x0020000D: theirs.study_instance_uid,
                0x0020000E: theirs.series_instance_uid,
            }
