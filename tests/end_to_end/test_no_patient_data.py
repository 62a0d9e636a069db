"""A patient with an unmistakable name goes through the whole node: nothing but DICOM files may know of him."""

import stat
from pathlib import Path

import pydicom
import pytest
from click.testing import CliRunner

from node.cli.program import program
from tests.support.external import wait_until
from tests.support.live_node import LiveNode

SENTINEL = "Zqxjwv"
BIRTH_DATE = "19470311"
ELEMENTS = {
    "PatientName": f"{SENTINEL}^Name",
    "PatientID": f"{SENTINEL}-ID",
    "IssuerOfPatientID": f"{SENTINEL} Hospital",
    "PatientBirthDate": BIRTH_DATE,
    "PatientComments": f"{SENTINEL} comment",
    "PatientAddress": f"{SENTINEL} Street 1",
    "AccessionNumber": f"{SENTINEL}-ACC",
    "ReferringPhysicianName": f"{SENTINEL}^Doctor",
    "OperatorsName": f"{SENTINEL}^Operator",
    "InstitutionName": f"{SENTINEL} Institution",
    "StationName": f"{SENTINEL} Station",
    "StudyID": f"{SENTINEL}-SID",
    "StudyDescription": f"MR CERVICAL SPINE {SENTINEL}",
    "ProtocolName": f"T2 SAG CERVICAL {SENTINEL}",
    "AdmissionID": f"{SENTINEL}-ADM",
}
COMMANDS = (
    ("studies", "list"),
    ("studies", "list", "--json"),
    ("audit",),
    ("doctor", "--json"),
    ("echo", "orthanc"),
    ("models", "list"),
    ("models", "verify"),
    ("config", "show"),
    ("config", "check"),
    ("conformance",),
    ("studies", "sweep"),
)


@pytest.fixture
def marked(phantom, tmp_path: Path) -> Path:
    """Return the phantom study as that patient's; one more file is broken in a way that libraries complain of."""
    folder, _ = phantom
    for number, path in enumerate(sorted(folder.rglob("*.dcm"))):
        dataset = pydicom.dcmread(path)
        for keyword, value in ELEMENTS.items():
            setattr(dataset, keyword, value)
        dataset.SeriesDescription += f" {SENTINEL}"
        (tmp_path / "sent").mkdir(exist_ok=True)
        dataset.save_as(tmp_path / "sent" / f"{number}.dcm")
    return tmp_path / "sent"


def broken_study(folder: Path, sent: Path) -> Path:
    """Write a study of the same patient whose numbers are words, which libraries like to quote in what they raise and log."""
    folder.mkdir()
    for path in sorted(sent.iterdir())[:4]:
        dataset = pydicom.dcmread(path)
        dataset.StudyInstanceUID += ".9"
        dataset.SOPInstanceUID += ".9"
        dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        dataset.save_as(folder / path.name)
        content = (folder / path.name).read_bytes()
        for tag in (b"\x28\x00\x30\x00DS", b"\x18\x00\x81\x00DS", b"\x20\x00\x13\x00IS", b"\x20\x00\x37\x00DS"):
            content = spoilt(content, tag)
        (folder / path.name).write_bytes(content)
    return folder


def spoilt(content: bytes, head: bytes) -> bytes:
    """Return a file in explicit little endian with the sentinel as the value of an element."""
    before, found, after = content.partition(head)
    assert found, head
    length = int.from_bytes(after[:2], "little")
    return before + head + after[:2] + SENTINEL.encode().ljust(length)[:length] + after[2 + length :]


def printed(node: LiveNode, *command: str) -> str:
    """Return what a command prints and with what it ends; in this process, which spares the start of another."""
    result = CliRunner().invoke(program, [*command, "--config", str(node.config)])
    return f"{result.output}{result.exception or ''}"


def holds(content: bytes) -> bool:
    lowered = content.lower()
    return any(word.lower().encode(encoding) in lowered for word in (SENTINEL, BIRTH_DATE) for encoding in ("utf-8", "utf-16-le"))


def leaks(text: str) -> list[str]:
    return [line for line in text.splitlines() if holds(line.encode())]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_patient_stands_in_dicom_files_only(marked: Path, tmp_path: Path, orthanc):
    node = LiveNode(tmp_path / "node", [orthanc.destination()], {"log": {"level": "DEBUG"}})
    with node.running():
        node.store_scu(marked)
        wait_until(lambda: "delivery ended" in node.text(), f"the results are sent, see {node.log}", deadline_s=240)
        node.store_scu(broken_study(tmp_path / "broken", marked))
        wait_until(lambda: node.text().count("analysis ended") >= 2, f"the broken study ends, see {node.log}", deadline_s=60)
        study = str(pydicom.dcmread(next(marked.iterdir())).StudyInstanceUID)
        outputs = {command: printed(node, *command) for command in COMMANDS}
        outputs |= {
            command: printed(node, *command) for command in (("studies", "show", study), ("studies", "show", study, "--json"))
        }
        outputs["retry",] = printed(node, "studies", "retry", study)
        written = [*(tmp_path / "node").rglob("*")]
        files = {path: path.read_bytes() for path in written if path.is_file()}
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in written if path.is_dir() or path.suffix == ".dcm"}
        outputs["purge",] = printed(node, "studies", "purge", study)
        outputs["trail",] = printed(node, "audit", study)
    assert outputs["audit",].count("study received") >= 2
    assert outputs["trail",].count("study purged") == 1
    assert leaks(node.text()) == []
    assert {command: found for command, text in outputs.items() if (found := leaks(text))} == {}
    assert [path for path in written if holds(str(path.relative_to(tmp_path)).encode())] == []
    assert any(path.name == "jobs.db" for path in files)
    assert [path for path, content in files.items() if path.suffix != ".dcm" and holds(content)] == []
    assert any(holds(content) for path, content in files.items() if path.suffix == ".dcm"), "the results name the patient"
    assert [path for path, mode in modes.items() if mode & 0o077] == []
