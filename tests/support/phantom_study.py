"""Small phantom studies for tests, and files as the study that the node would receive."""

from collections.abc import Iterable
from pathlib import Path

from node.domain.study import ReceivedStudy
from node.store import collect_studies
from tools.phantom.stack import StackGeometry
from tools.phantom.study import PhantomSettings

#: Drawn in about a second: large enough to be measured by eye, too small for the models.
SMALL_SAGITTAL = StackGeometry(7, 3.3, 3.0, (1.0, 1.0), 176, 128)
SMALL_AXIAL = StackGeometry(12, 8.0, 3.0, (0.8, 0.8), 128, 128)
SMALL = PhantomSettings(sagittal=SMALL_SAGITTAL, axial=SMALL_AXIAL)


def received_study(paths: Iterable[Path]) -> ReceivedStudy:
    """Return the one study that the files make up."""
    (study,) = collect_studies(paths).studies
    return study
