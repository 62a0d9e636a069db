"""The summary page as a Secondary Capture, through the eyes of programs that are not ours: dciodvfy and DCMTK."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import dcmread

from node.config import ReportingConfig
from node.domain.study import SeriesRole
from node.reporting.canvas import Picture
from node.reporting.conform import freeze
from node.reporting.page import summary_page
from node.reporting.provenance import Provenance, Software
from node.reporting.sc import build_sc
from node.reporting.source import content_moment, read_source
from node.reporting.subject import subject_of
from tests.support.analyses import Scene, synthetic_analysis
from tests.support.external import require_tool
from tests.support.validators import dciodvfy_complaints
from tools.phantom.series import Encoding, Subject

SOFTWARE = Software("cspine-node", "1.2.3")
SCENES = {
    "plain": (Scene(), "en"),
    "enhanced": (Scene(encoding=Encoding(enhanced=True)), "en"),
    "chinese": (Scene(subject=Subject("sc", patient_name="Wang^XiaoDong=王^小东", specific_character_set="GB18030")), "zh-CN"),
}


@dataclass(frozen=True)
class Captured:
    """A page and the file that carries it."""

    page: Picture
    path: Path


def write(path: Path, scene: Scene, language: str, folder: Path) -> Captured:
    """Write the capture of a scene as the node finishes every result."""
    analysis = synthetic_analysis(folder, scene)
    settings = ReportingConfig(language=language)
    source = read_source(analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume)
    subject, moment = subject_of(source.headers), content_moment(source.headers)
    provenance = Provenance(SOFTWARE, settings, analysis.measurements.models)
    page = summary_page(analysis, settings, SOFTWARE)
    built = build_sc(page, [source], provenance, analysis.fingerprint)
    provenance.contribute(built)
    freeze(built, moment)
    subject.identify(built)
    built.save_as(path, enforce_file_format=True)
    return Captured(page, path)


@pytest.fixture(scope="module", params=SCENES)
def captured(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("capture")
    return write(folder / "sc.dcm", *SCENES[request.param], folder / "study")


def test_dciodvfy_has_nothing_to_say(captured):
    assert dciodvfy_complaints(captured.path) == []


def test_dcmtk_shows_the_page_pixel_by_pixel(captured, tmp_path):
    subprocess.run([require_tool("dcm2pnm"), "+Wn", captured.path, tmp_path / "page.ppm"], check=True, capture_output=True)
    with Image.open(tmp_path / "page.ppm") as picture:
        assert (np.asarray(picture) == captured.page).all()


def test_dcmdump_reads_all_of_it_without_a_warning(captured):
    run = subprocess.run([require_tool("dcmdump"), captured.path], capture_output=True, text=True, errors="replace", check=True)
    assert run.stderr == ""
    assert "[AI summary RESEARCH]" in run.stdout


def test_it_is_of_the_patient_and_study_of_its_source(captured):
    built = dcmread(captured.path)
    assert (built.pixel_array == captured.page).all()
    assert built.PatientID == "PHANTOM-1"
    assert str(built.PatientName) in ("PHANTOM^CSPINE", "Wang^XiaoDong=王^小东")
    assert built.Modality == "OT"


@pytest.mark.parametrize("name", SCENES)
def test_the_same_analysis_gives_the_same_bytes(name, tmp_path):
    first, second = (write(tmp_path / f"{run}.dcm", *SCENES[name], tmp_path / run) for run in ("one", "two"))
    assert first.path.read_bytes() == second.path.read_bytes()
