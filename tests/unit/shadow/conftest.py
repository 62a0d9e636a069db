from pathlib import Path

import pytest

from node.config import ReportingConfig
from node.reporting import Software, build_report
from tests.support.analyses import synthetic_analysis


@pytest.fixture(scope="session")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a study by the first set of models; not to be written to."""
    folder = tmp_path_factory.mktemp("shadow")
    build_report(synthetic_analysis(folder / "study"), ReportingConfig(), Software("cspine-node", "1.2.3"), folder / "report")
    return folder / "report"
