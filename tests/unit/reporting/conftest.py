import pytest

from node.domain.anatomy import Corner, Landmark, Vertebra
from tests.support.analyses import Scene, synthetic_analysis


@pytest.fixture(scope="session")
def analysis(tmp_path_factory):
    """A study in which everything was measured."""
    return synthetic_analysis(tmp_path_factory.mktemp("analysis"))


@pytest.fixture(scope="session")
def withheld(tmp_path_factory):
    """A sagittal study in which C5 was not found."""
    scene = Scene(axial=None, missing=[Landmark(Vertebra.C5, corner) for corner in Corner])
    return synthetic_analysis(tmp_path_factory.mktemp("withheld"), scene)
