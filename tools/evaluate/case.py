"""What is evaluated: volumes of one person with what is known of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Landmark, Level, Structure
from node.domain.geometry import ImagePlane, Points, VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume
from node.domain.prediction import Masks, ModelIdentity
from node.domain.study import SeriesRole
from tools.evaluate.readings import Measure

Cover = npt.NDArray[np.float32]
"""Share 0..1 of each pixel that a structure fills; NaN where nobody knows. float32 [slice, row, column] or [row, column]."""

_TRUTH = ModelIdentity("truth", "", "")


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of a case; what is not known is absent or NaN.

    Parameters
    ----------
    covers
        By series and structure, on the grid of the volume.
    middle
        The sagittal slice on which landmarks and borders are known.
    middle_covers
        Cord and canal on that slice, which may be known better there than in ``covers``, [row, column].
    landmarks
        Patient points, LPS mm, shape (3,).
    numbers
        By measure and place (see :class:`~tools.evaluate.readings.Reading`), in the unit of the measure.
    narrowest
        Level of the smallest diameter.
    """

    covers: Mapping[tuple[SeriesRole, Structure], Cover] = field(default_factory=dict)
    middle: int | None = None
    middle_covers: Mapping[Structure, Cover] = field(default_factory=dict)
    landmarks: Mapping[Landmark, Points] = field(default_factory=dict)
    numbers: Mapping[tuple[Measure, str], float] = field(default_factory=dict)
    narrowest: Mapping[Structure, Level] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """The volumes of one person and their truth. Without a sagittal volume only axial masks and slices are compared."""

    name: str
    person: str
    volumes: Mapping[SeriesRole, Volume]
    truth: Truth


@dataclass(frozen=True, slots=True, eq=False)
class CaseSource:
    """A case that is loaded when its turn comes; ``load`` may raise a :class:`~node.domain.errors.NodeError`."""

    name: str
    person: str
    roles: tuple[SeriesRole, ...]
    load: Callable[[], Case]


def volume_of(slices: list[npt.NDArray[np.float32]], planes: list[ImagePlane], uid: str = "1.2.3") -> Volume:
    """Return slices as a volume without any DICOM behind it, in one frame of reference with all others of this kind."""
    ref = InstanceRef(StudyInstanceUID("1.2"), SeriesInstanceUID(uid), SOPInstanceUID("1.2.3.4"), SOPClassUID("1.2.840"), Path())
    sources = (FrameSource(ref),) * len(slices)
    return Volume(np.stack(slices).astype(np.float32), VolumeGeometry(tuple(planes)), sources, "")


def truth_masks(truth: Truth, role: SeriesRole, shape: tuple[int, int, int]) -> Masks:
    """Return the truth of one series as the masks of a model that is never wrong; what is not known is empty."""
    covers = {structure: truth.covers.get((role, structure)) for structure in Structure}
    empty = np.zeros(shape, dtype=np.float16)
    found = {one: empty.copy() if cover is None else np.nan_to_num(cover).astype(np.float16) for one, cover in covers.items()}
    return Masks(found, _TRUTH)
