"""Studies that the end-to-end tests send; written once for the whole run."""

from pathlib import Path

import pytest

from tests.support.orthanc import Orthanc, running_orthanc
from tools.phantom.study import PhantomSettings, PhantomStudy, write_phantom_study


@pytest.fixture(scope="session")
def phantom(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, PhantomStudy]:
    """Return a phantom study's folder and its truth."""
    folder = tmp_path_factory.mktemp("phantom")
    return folder, write_phantom_study(folder, PhantomSettings(seed=12, compressions=1, minimum_mscc_percent=12))


@pytest.fixture
def orthanc(tmp_path: Path):
    """Run an Orthanc for one test."""
    with running_orthanc(tmp_path / "orthanc") as pacs:
        assert isinstance(pacs, Orthanc)
        yield pacs
