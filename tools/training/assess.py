"""Measure exported models on held-out people and on phantoms, through the code that the node runs.

::

    python -m tools.training.assess models --real DIR --phantoms 20 --overlays /tmp/overlays
"""

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import LANDMARKS, VERTEBRAE, Corner, Landmark, Structure
from node.domain.geometry import ImagePlane, Spacing, VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume
from node.domain.prediction import Keypoints
from node.inference import ModelLibrary, load_library
from tools.phantom.anatomy import draw_anatomy
from tools.phantom.appearance import USUAL, degrade
from tools.phantom.render import Contrast, render_slice
from tools.training.real import load_volume

Array = npt.NDArray[np.float32]
Floats = npt.NDArray[np.float64]

_NAMES = ("sagittal-segmentation", "axial-segmentation", "keypoints")
_SEED = 90_000
_PER_LEVEL = 9
_STEP_MM = 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One sagittal volume with the truth of its middle slice; cover maps may be missing, landmarks in pixels (row, column)."""

    name: str
    volume: Volume
    middle: int
    cord: Array
    canal: Array
    known_rows: slice
    landmarks: dict[Landmark, Floats]
    volume_cord: Array | None


def volume_of(slices: list[Array], planes: list[ImagePlane]) -> Volume:
    """Return slices as a volume without any DICOM behind it."""
    uids = StudyInstanceUID("1.2"), SeriesInstanceUID("1.2.3"), SOPInstanceUID("1.2.3.4"), SOPClassUID("1.2.840")
    ref = InstanceRef(*uids, Path())
    return Volume(np.stack(slices).astype(np.float32), VolumeGeometry(tuple(planes)), (FrameSource(ref),) * len(slices), "")


def phantom_case(seed: int) -> Case:
    """Return a synthetic volume of 9 slices of 3 mm with 0.4 to 0.7 mm pixels."""
    rng = np.random.default_rng([_SEED, seed])
    anatomy, contrast = draw_anatomy(rng), Contrast.random(rng)
    pixel = float(rng.uniform(0.4, 0.7))
    rows, columns = int(230 / pixel), int(190 / pixel)
    corner = np.array(anatomy.centre("C5")) + np.array([0, rng.uniform(-10, 20) - 95, rng.uniform(-25, 25) + 115])
    lefts = anatomy.curve.midline_mm + np.arange(-12, 13, 3.3)
    spacing = Spacing(pixel, pixel)
    planes = [
        ImagePlane(np.array([left, *corner[1:]]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), spacing, rows, columns)
        for left in lefts
    ]
    rendered = [render_slice(anatomy, plane, 3.0, contrast, rng, samples=6) for plane in planes]
    seed_rng = rng.bit_generator.state
    worn = []
    for one in rendered:
        rng.bit_generator.state = seed_rng
        worn.append(degrade(one.pixels, Spacing(pixel, pixel), rng, USUAL))
    middle = int(np.argmin([abs(p.distance_mm(np.array(anatomy.centre("C5")))) for p in planes]))
    truth = anatomy.truth()
    landmarks = {one: planes[middle].to_pixels(np.array(point)) for one, point in truth.landmarks.items()}
    cord = np.stack([one.cord for one in rendered])
    one = rendered[middle]
    return Case(f"phantom-{seed}", volume_of(worn, planes), middle, one.cord, one.canal, slice(0, rows), landmarks, cord)


def real_case(folder: Path, subject: str) -> Case:
    """Return a real volume in slices of 3 mm about its annotated slice."""
    voxels, zooms = load_volume(folder / f"{subject}_t2.nii.gz")
    annotation = json.loads((folder / f"{subject}_midsagittal.json").read_text())
    middle = annotation["slice_index"]
    starts = list(range(middle - 1 - 3 * 4, middle - 1 + 3 * 4 + 1, 3))
    slices = [voxels[k : k + 3].mean(0)[::-1, ::-1].T.copy() for k in starts]
    shape = slices[0].shape
    # from the patient's left to the right: index 0 of a RAS volume lies furthest left ... right grows with the index
    planes = [
        ImagePlane(
            np.array([-float(k), 0, 0]), np.array([0.0, 1, 0]), np.array([0.0, 0, -1]), Spacing(zooms[2], zooms[1]), *shape
        )
        for k in starts
    ]
    order = np.argsort([p.position[0] for p in planes])
    mask_path = folder / f"{subject}_cord.nii.gz"
    mask = (load_volume(mask_path)[0] > 0.5).astype(np.float32) if mask_path.exists() else None
    covers = None if mask is None else np.stack([mask[starts[i] : starts[i] + 3].mean(0)[::-1, ::-1].T for i in order])
    points = {
        Landmark(v, c): np.array(annotation["keypoints_px"][v.value][i][::-1]) for v in VERTEBRAE for i, c in enumerate(Corner)
    }
    rows = np.array(annotation["canal_polygon"])[:, 1]
    known = slice(int(rows.min()) + 4, int(rows.max()) - 4)
    cord, canal = (polygon_cover(annotation[f"{name}_polygon"], shape) for name in ("cord", "canal"))
    volume = volume_of([slices[i] for i in order], [planes[i] for i in order])
    return Case(subject, volume, int(np.flatnonzero(order == 4)[0]), cord, canal, known, points, covers)


def polygon_cover(points: list[list[float]], shape: tuple[int, int]) -> Array:
    """Return the share of each pixel inside a polygon of [column, row]."""
    fine = 8
    scaled = (np.array(points) * fine + (fine - 1) / 2) * 16
    canvas = np.zeros((shape[0] * fine, shape[1] * fine), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.round(scaled).astype(np.int32)], 1, shift=4)
    return np.asarray(canvas.reshape(shape[0], fine, shape[1], fine).mean((1, 3)), dtype=np.float32)


def dice(one: npt.NDArray[np.bool_], other: npt.NDArray[np.bool_]) -> float:
    """Return the Dice similarity of two masks."""
    return float(2 * (one & other).sum() / max(1, one.sum() + other.sum()))


def widths_mm(cover: Array, landmarks: dict[Landmark, Floats], spacing: Spacing) -> Floats:
    """Return widths at the 0.5 crossing, perpendicular to the posterior wall, from C3 to C7, shape (81,)."""
    corners = (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR)
    wall = [landmarks[Landmark(v, c)] * np.array(spacing) for v in VERTEBRAE for c in corners]
    reach = np.arange(-3, 28, _STEP_MM)
    found = []
    for start, end in pairwise(wall):
        along = (end - start) / np.linalg.norm(end - start)
        across = np.array([-along[1], along[0]])
        for share in (np.arange(_PER_LEVEL) + 0.5) / _PER_LEVEL:
            line = (start + share * (end - start) + reach[:, None] * across) / np.array(spacing)
            values = cv2.remap(cover, line[:, 1].astype(np.float32), line[:, 0].astype(np.float32), cv2.INTER_LINEAR)
            found.append(float((values >= 0.5).sum()) * _STEP_MM)
    return np.array(found)


def assess_case(case: Case, library: ModelLibrary) -> dict[str, float]:
    """Return the figures of one sagittal volume."""
    masks = library.sagittal_segmenter.segment(case.volume)
    keypoints = library.keypoint_detector.detect(case.volume, case.middle, masks)
    spacing = case.volume.geometry.spacing
    structures = (Structure.SPINAL_CORD, Structure.SPINAL_CANAL)
    cord, canal = (masks.probabilities[one][case.middle].astype(np.float32) for one in structures)
    rows = case.known_rows
    result = {
        "cord_dice_middle": dice(cord[rows] >= 0.5, case.cord[rows] >= 0.5),
        "canal_dice_middle": dice(canal[rows] >= 0.5, case.canal[rows] >= 0.5),
    }
    for name, found, true in (("cord", cord, case.cord), ("canal", canal, case.canal)):
        difference = widths_mm(found, case.landmarks, spacing) - widths_mm(true, case.landmarks, spacing)
        result[f"{name}_width_bias_mm"] = float(difference.mean())
        result[f"{name}_width_mae_mm"] = float(np.abs(difference).mean())
    if case.volume_cord is not None:
        result["cord_dice_volume"] = dice(masks.binary(Structure.SPINAL_CORD), case.volume_cord >= 0.5)
    return result | corner_figures(keypoints, case, spacing)


def corner_figures(keypoints: Keypoints, case: Case, spacing: Spacing) -> dict[str, float]:
    """Return detection, error to the nearest true corner of that kind, and whether the names are right."""
    found = keypoints.by_landmark
    if not found:
        return {"detected": 0.0}
    errors, named, nearest = [], [], []
    for landmark, one in found.items():
        true = {v: case.landmarks[Landmark(v, landmark.corner)] - np.array(one.point) for v in VERTEBRAE}
        offsets = {v: float(np.hypot(*(offset * np.array(spacing)))) for v, offset in true.items()}
        errors.append(offsets[landmark.vertebra])
        nearest.append(min(offsets.values()))
        named.append(min(offsets, key=lambda v: offsets[v]) == landmark.vertebra)
    return {
        "detected": len(found) / len(LANDMARKS),
        "corner_error_mm": float(np.mean(errors)),
        "corner_error_if_named_mm": float(np.mean([e for e, n in zip(errors, named, strict=True) if n] or [np.nan])),
        "nearest_error_mm": float(np.mean(nearest)),
        "names_right": float(np.mean(named)),
        "confidence": float(np.mean([one.confidence for one in found.values()])),
        "least_confidence": min(one.confidence for one in found.values()),
    }


def overlay(case: Case, library: ModelLibrary, path: Path) -> None:
    """Draw masks and corners of the middle slice."""
    masks = library.sagittal_segmenter.segment(case.volume)
    keypoints = library.keypoint_detector.detect(case.volume, case.middle, masks)
    pixels = case.volume.voxels[case.middle]
    zoom = 3 if case.volume.geometry.spacing.row_mm > 0.8 else 2
    grey = np.clip(np.sqrt(np.clip(pixels / np.percentile(pixels, 99.5), 0, 1)) * 255, 0, 255).astype(np.uint8)
    image = cv2.resize(cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR), None, fx=zoom, fy=zoom, interpolation=cv2.INTER_CUBIC)
    for structure, colour in ((Structure.SPINAL_CANAL, (0, 200, 255)), (Structure.SPINAL_CORD, (80, 80, 255))):
        probability = cv2.resize(masks.probabilities[structure][case.middle].astype(np.float32), image.shape[1::-1])
        outlines, _ = cv2.findContours((probability >= 0.5).astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, colour, 1)
    for point in case.landmarks.values():
        cv2.circle(image, tuple(int(v * zoom) for v in point[::-1]), 4, (0, 255, 0), 1)
    for landmark, one in keypoints.by_landmark.items():
        place = tuple(int(v * zoom) for v in reversed(one.point))
        cv2.circle(image, place, 2, (255, 120, 0), -1)
        if landmark.corner is Corner.ANTERIOR_SUPERIOR:
            cv2.putText(
                image, landmark.vertebra, (place[0] - 30, place[1] + 15), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 200, 0), 1
            )
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


def summary(rows: list[dict[str, float]]) -> dict[str, str]:
    """Return mean, standard deviation and number of each figure."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    columns = {name: np.array([row[name] for row in rows if name in row]) for name in names}
    return {name: f"{np.nanmean(v):.3f} +- {np.nanstd(v):.3f} (n={len(v)})" for name, v in columns.items()}


@click.command()
@click.argument("models", type=click.Path(exists=True, path_type=Path))
@click.option("--real", type=click.Path(exists=True, path_type=Path), help="Folder with the sagittal volumes.")
@click.option("--subject", "subjects", multiple=True, default=("errsm_21",))
@click.option("--phantoms", default=20)
@click.option("--overlays", type=click.Path(path_type=Path))
def main(models: Path, real: Path | None, subjects: tuple[str, ...], phantoms: int, overlays: Path | None) -> None:
    """Print the figures of the sagittal models."""
    library = load_library(models, _NAMES, ("cpu",), 1)
    for case in [] if real is None else [real_case(real, subject) for subject in subjects]:
        print(case.name, json.dumps({k: round(v, 3) for k, v in assess_case(case, library).items()}))
        if overlays:
            overlay(case, library, overlays / f"{case.name}.png")
    rows = []
    for seed in range(phantoms):
        case = phantom_case(seed)
        rows.append(assess_case(case, library))
        if overlays and seed < 6:
            overlay(case, library, overlays / f"{case.name}.png")
    if rows:
        print(json.dumps(summary(rows), indent=1))


if __name__ == "__main__":
    main()
