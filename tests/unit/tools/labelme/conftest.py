import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.domain.study import SeriesRole
from tests.support.analyses import synthetic_analysis
from tools.labelme.export import write_slices

Change = Callable[[dict[str, Any]], object]


@dataclass(frozen=True)
class ExportedFolder:
    """A folder of labelme files that a test may break."""

    folder: Path

    @property
    def sagittal(self) -> Path:
        """The slice with the corners."""
        return next(path for path in self._files("sagittal") if '"20"' in path.read_text(encoding="utf-8"))

    @property
    def beside(self) -> Path:
        """A sagittal slice without corners."""
        return next(path for path in self._files("sagittal") if path != self.sagittal)

    @property
    def axial(self) -> Path:
        return self._files("axial")[8]

    def _files(self, view: str) -> list[Path]:
        return sorted(path for path in self.folder.glob(f"{view}-*.json") if not path.name.endswith(".geometry.json"))

    @staticmethod
    def change(path: Path, change: Change) -> Path:
        """Edit a JSON file in place as labelme might have; return its path."""
        document = json.loads(path.read_text(encoding="utf-8"))
        change(document)
        path.write_text(json.dumps(document), encoding="utf-8")
        return path


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    return synthetic_analysis(tmp_path_factory.mktemp("study"))


@pytest.fixture(scope="session")
def pristine(analysis, tmp_path_factory):
    """Every slice of the analysis as labelme files; not to be written to."""
    folder = tmp_path_factory.mktemp("exported") / "person"
    sagittal = analysis.measurements.sagittal
    write_slices(analysis.series_by_role, sagittal.keypoints, folder, all_slices=True)
    assert set(analysis.series_by_role) == set(SeriesRole)
    return ExportedFolder(folder)


@pytest.fixture
def exported(pristine, tmp_path):
    return ExportedFolder(shutil.copytree(pristine.folder, tmp_path / "annotated" / "person"))
