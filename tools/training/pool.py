"""Draw clean phantom slices ahead of training and keep them in shards.

::

    python -m tools.training.pool sagittal /tmp/pool/sagittal --first 0 --count 10
"""

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LANDMARKS
from node.domain.geometry import ImagePlane, Spacing
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.render import Contrast, RenderedSlice, render_slice

Floats = npt.NDArray[np.float64]

#: Body centres that are learnt beside the 20 corners: they carry the counting.
CENTRES = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2")
SAGITTAL_MM, SAGITTAL_SHAPE = 0.6, (384, 304)
AXIAL_MM, AXIAL_SHAPE = 0.5, (272, 272)
_IN_SHARD = 40
_KEYPOINT_REACH_MM = 4.0


def draw_sagittal(
    rng: np.random.Generator, dents: int | None = None, pathology: float = 1.0
) -> tuple[RenderedSlice, npt.NDArray[np.float32]]:
    """Return a sagittal slice on the canonical grid and the points (28, 2) in it; NaN where the slice is too far aside."""
    anatomy = draw_anatomy(rng, dents=dents, pathology=pathology)
    offset = rng.normal(0, 1.0) if rng.random() < 0.6 else rng.choice([-1, 1]) * rng.uniform(1.5, 11)
    roll, yaw = np.deg2rad(rng.normal(0, 2, 2))
    down = np.array([np.sin(roll), 0.0, -np.cos(roll)])
    across = np.array([np.sin(yaw), np.cos(yaw), 0.0])
    across -= down * (across @ down)
    centre = np.array(anatomy.centre("C5")) + np.array([0, rng.uniform(-25, 25), rng.uniform(-45, 45)])
    centre[0] = float(anatomy.curve.midline_mm) + offset
    plane = _plane(centre, across / np.linalg.norm(across), down, SAGITTAL_MM, SAGITTAL_SHAPE)
    rendered = render_slice(anatomy, plane, rng.uniform(1, 4.5), Contrast.for_training(rng), rng, samples=5)
    corners = [anatomy.corner(one.vertebra.value, one.corner) for one in LANDMARKS]
    patient = np.array([*corners, *map(anatomy.centre, CENTRES)])
    points = plane.to_pixels(patient)
    points[np.abs(plane.distance_mm(patient)) > _KEYPOINT_REACH_MM] = np.nan
    return rendered, points.astype(np.float32)


def draw_axial(
    rng: np.random.Generator, dents: int | None = None, pathology: float = 1.0
) -> tuple[RenderedSlice, npt.NDArray[np.float32]]:
    """Return an axial or oblique slice on the canonical grid, and no points."""
    anatomy = draw_anatomy(rng, dents=dents, pathology=pathology)
    along = rng.uniform(anatomy.surroundings.foramen_magnum_along + 2, 130)
    middle, ahead = anatomy.curve.to_patient(np.array([along, along]), np.array([8.0, 7.0]))
    backwards = (middle - ahead) if rng.random() < 0.6 else np.array([0.0, 1.0, 0.0])
    tilt = np.deg2rad(rng.normal(0, 5))
    turn = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    down = turn @ (backwards / np.linalg.norm(backwards))
    centre = middle + [rng.uniform(-12, 12), 0, 0] + rng.uniform(-20, 20) * down
    plane = _plane(centre, np.array([1.0, 0, 0]), down, AXIAL_MM, AXIAL_SHAPE)
    rendered = render_slice(anatomy, plane, rng.uniform(2, 6), Contrast.for_training(rng), rng, samples=5)
    return rendered, np.zeros((0, 2), dtype=np.float32)


def _plane(centre: Floats, along_row: Floats, along_column: Floats, spacing_mm: float, shape: tuple[int, int]) -> ImagePlane:
    corner = centre - along_row * spacing_mm * shape[1] / 2 - along_column * spacing_mm * shape[0] / 2
    return ImagePlane(corner, along_row, along_column, Spacing(spacing_mm, spacing_mm), *shape)


def write_shard(kind: str, seed: int, path: Path, least_dents: int | None, pathology: float = 1.0) -> None:
    """Draw one shard and write it all or nothing.

    ``least_dents`` asks for compressed necks only, ``pathology`` is a factor on the usual chances of disease and surgery.
    """
    rng = np.random.default_rng([2024, {"sagittal": 1, "axial": 2}[kind], seed])
    draw = {"sagittal": draw_sagittal, "axial": draw_axial}[kind]
    dents = (None if least_dents is None else int(rng.integers(least_dents, 5)) for _ in range(_IN_SHARD))
    drawn = [draw(rng, count, pathology) for count in dents]
    arrays: dict[str, npt.NDArray[np.generic]] = {
        "pixels": np.stack([one.pixels for one, _ in drawn]).astype(np.float16),
        "cord": np.round(np.stack([one.cord for one, _ in drawn]) * 255).astype(np.uint8),
        "canal": np.round(np.stack([one.canal for one, _ in drawn]) * 255).astype(np.uint8),
        "points": np.stack([points for _, points in drawn]),
    }
    partial = path.with_suffix(".part.npz")
    np.savez(partial, allow_pickle=False, **arrays)
    partial.rename(path)


def load_shards(paths: Sequence[Path]) -> dict[str, npt.NDArray[np.generic]]:
    """Return the arrays of several shards as one."""
    shards = [dict(np.load(path)) for path in paths]
    return {name: np.concatenate([shard[name] for shard in shards]) for name in shards[0]}


@click.command()
@click.argument("kind", type=click.Choice(["sagittal", "axial"]))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--first", default=0, help="Seed of the first shard.")
@click.option("--count", default=10, help="Number of shards.")
@click.option("--least-dents", type=int, help="Compressed levels that each neck has at least; without it, healthy necks too.")
@click.option("--pathology", default=1.0, help="Factor on the usual chances of disease and surgery; 0 draws none.")
def main(kind: str, folder: Path, first: int, count: int, least_dents: int | None, pathology: float) -> None:
    """Write shards of clean phantom slices."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed in range(first, first + count):
        path = folder / f"{seed:05d}.npz"
        if not path.exists():
            write_shard(kind, seed, path, least_dents, pathology)
            print(path, flush=True)


if __name__ == "__main__":
    main()
