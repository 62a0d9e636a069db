"""Measure the axial model on held-out people and on phantoms, through the code that the node runs.

::

    python -m tools.training.assess_axial models --real DIR --phantoms 40 --overlays /tmp/overlays
"""

import json
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import Structure
from node.domain.geometry import ImagePlane, Spacing
from node.domain.image import Volume
from node.inference import Segmenter, load_library
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.appearance import USUAL, degrade
from tools.phantom.render import Contrast, render_slice
from tools.training.assess import dice, summary, volume_of
from tools.training.real import load_volume

Array = npt.NDArray[np.float32]

_NAMES = ("sagittal-segmentation", "axial-segmentation", "keypoints")
_SEED = 91_000


def real_volume(pixels_path: Path, cord_path: Path, slab: int) -> tuple[Volume, Array]:
    """Return a real volume as axial slices of ``slab`` voxels, and the share of cord in each pixel."""
    voxels, zooms = load_volume(pixels_path)
    cord = (load_volume(cord_path)[0] > 0.5).astype(np.float32)
    starts = [k for k in range(0, voxels.shape[2] - slab + 1, slab) if cord[..., k : k + slab].any()]
    slices, covers = ([a[..., k : k + slab].mean(2)[::-1, ::-1].T for k in starts] for a in (voxels, cord))
    spacing = Spacing(zooms[1], zooms[0])
    planes = [
        ImagePlane(np.array([0, 0, k * zooms[2]]), np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), spacing, *slices[0].shape)
        for k in starts
    ]
    return volume_of(slices, planes), np.stack(covers)


def phantom_slice(seed: int) -> tuple[Volume, Array, Array]:
    """Return one synthetic axial slice with its cord and canal."""
    rng = np.random.default_rng([_SEED, seed])
    anatomy, contrast = draw_anatomy(rng), Contrast.random(rng)
    pixel = float(rng.uniform(0.35, 0.8))
    count = int(180 / pixel)
    along = rng.uniform(-10, 100)
    centre = anatomy.curve.to_patient(np.array(along), np.array(10.0)) + np.array([rng.uniform(-5, 5), rng.uniform(-20, 20), 0])
    corner = centre - np.array([90, 90, 0])
    plane = ImagePlane(corner, np.array([1.0, 0, 0]), np.array([0.0, 1, 0]), Spacing(pixel, pixel), count, count)
    one = render_slice(anatomy, plane, rng.uniform(2.5, 4), contrast, rng)
    return volume_of([degrade(one.pixels, plane.spacing, rng, USUAL)], [plane]), one.cord[None], one.canal[None]


def figures(segmenter: Segmenter, volume: Volume, cord: Array, canal: Array | None = None) -> dict[str, float]:
    """Return Dice over the volume, Dice of the worst slice, and the mean signed error of the area."""
    masks = segmenter.segment(volume)
    found, true = masks.binary(Structure.SPINAL_CORD), cord >= 0.5
    area = volume.geometry.spacing.row_mm * volume.geometry.spacing.column_mm
    shown = [k for k in range(len(true)) if true[k].sum() * area > 20]
    result = {
        "cord_dice": dice(found[shown], true[shown]),
        "cord_dice_worst": min(dice(found[k], true[k]) for k in shown) if shown else np.nan,
        "cord_area_bias_mm2": float((found[shown].sum((1, 2)) - true[shown].sum((1, 2))).mean()) * area,
        "cord_area_mm2": float(true[shown].sum((1, 2)).mean()) * area,
        "slices": len(shown),
    }
    if canal is not None:
        result["canal_dice"] = dice(masks.binary(Structure.SPINAL_CANAL), canal >= 0.5)
    return result


def overlay(segmenter: Segmenter, volume: Volume, path: Path) -> None:
    """Draw the masks of up to six slices."""
    masks = segmenter.segment(volume)
    tiles = []
    for k in np.linspace(0, len(volume.voxels) - 1, min(6, len(volume.voxels))).astype(int):
        pixels = volume.voxels[k]
        grey = np.clip(np.sqrt(np.clip(pixels / np.percentile(pixels, 99.7), 0, 1)) * 255, 0, 255).astype(np.uint8)
        image = cv2.resize(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), (420, 420))
        for structure, colour in ((Structure.SPINAL_CANAL, (0, 200, 255)), (Structure.SPINAL_CORD, (80, 80, 255))):
            probability = cv2.resize(masks.probabilities[structure][k].astype(np.float32), (420, 420))
            outlines, _ = cv2.findContours((probability >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
            cv2.drawContours(image, outlines, -1, colour, 1)
        tiles.append(image)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.hstack(tiles))


@click.command()
@click.argument("models", type=click.Path(exists=True, path_type=Path))
@click.option("--real", type=click.Path(exists=True, path_type=Path), help="Folder with the folders axial and sagittal.")
@click.option("--phantoms", default=40)
@click.option("--overlays", type=click.Path(path_type=Path), required=True)
def main(models: Path, real: Path | None, phantoms: int, overlays: Path) -> None:
    """Print the figures of the axial model."""
    segmenter = load_library(models, _NAMES, ("cpu",), 1).axial_segmenter
    if real:
        series = {
            "gm_9604": real_volume(real / "axial" / "gm_9604_t2s.nii.gz", real / "axial" / "gm_9604_cord.nii.gz", 1),
            "errsm_21": real_volume(real / "sagittal" / "errsm_21_t2.nii.gz", real / "sagittal" / "errsm_21_cord.nii.gz", 4),
        }
        for name, (volume, cord) in series.items():
            print(name, json.dumps({k: round(v, 3) for k, v in figures(segmenter, volume, cord).items()}))
            overlay(segmenter, volume, overlays / f"axial-{name}.png")
    rows = []
    for seed in range(phantoms):
        volume, cord, canal = phantom_slice(seed)
        rows.append(figures(segmenter, volume, cord, canal))
        if seed < 3:
            overlay(segmenter, volume, overlays / f"axial-phantom-{seed}.png")
    print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main()
