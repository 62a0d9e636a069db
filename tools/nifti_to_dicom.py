"""Write a NIfTI volume as matched sagittal and axial MR series of one synthetic study.

::

    python tools/nifti_to_dicom.py T2.nii.gz OUT --mask cord=CORD.nii.gz --axial-range -40 60

Slices are slab averages on planes in patient space (LPS); outside the volume they are 0. Masks are averaged over the same slabs
and saved as ``OUT/masks.npz``, one float32 array [slice, row, column] for each series and mask (``sagittal_cord`` ...), the share
of each slab that the mask fills, in the order of InstanceNumber.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import nibabel
import numpy as np
import numpy.typing as npt

from node.domain.geometry import LEFT, POSTERIOR, SUPERIOR, ImagePlane, Spacing
from tools.phantom.dicom import write_series
from tools.phantom.series import Acquisition, Encoding, SeriesImages, SliceImage, Subject

Array = npt.NDArray[np.float64]
Sampler = Callable[[Array], Array]
"""Values at patient points, LPS mm, shape (..., 3) to (...)."""

_BRIGHT = 2000.0  # stored value of the 99.9th percentile
_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])  # NIfTI world is RAS
_T2: dict[str, Any] = {"repetition_time_ms": 3500.0, "echo_time_ms": 100.0}
_T2_STAR: dict[str, Any] = {
    "repetition_time_ms": 650.0,
    "echo_time_ms": 17.0,
    "flip_angle_deg": 28.0,
    "scanning_sequence": ("GR",),
    "sequence_name": "me2d1",
}


@dataclass(frozen=True, slots=True)
class SliceSettings:
    """How the volume is cut.

    Parameters
    ----------
    thickness_mm
        Slice thickness; slices touch.
    sagittal_pixel_mm, axial_pixel_mm
        In-plane pixel spacing.
    midline_mm
        LPS x on which a sagittal slice is centred; by default the centre of the first mask, else of the volume.
    axial_field_mm
        Largest field of view of the axial slices, centred like the sagittal ones.
    axial_range_mm
        LPS z of the lowest and the highest axial slice; by default the whole volume.
    axial_normal
        Direction that the axial slices are perpendicular to, LPS; by default the patient's axis.
    gradient_echo
        The volume is T2*-weighted; the headers say so.
    """

    thickness_mm: float = 3.0
    sagittal_pixel_mm: float = 0.75
    axial_pixel_mm: float = 0.6
    midline_mm: float | None = None
    axial_field_mm: float = 160.0
    axial_range_mm: tuple[float, float] | None = None
    axial_normal: tuple[float, float, float] = SUPERIOR
    gradient_echo: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedSeries:
    """The files of one series, their planes in the same order, and each mask's share of every pixel's slab."""

    paths: tuple[Path, ...]
    planes: tuple[ImagePlane, ...]
    masks: Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True, slots=True, eq=False)
class ConvertedStudy:
    """The two series of one converted volume."""

    sagittal: ConvertedSeries
    axial: ConvertedSeries


def convert_nifti(
    volume: Path,
    out: Path,
    settings: SliceSettings | None = None,
    masks: Mapping[str, Path] | None = None,
    encoding: Encoding | None = None,
) -> ConvertedStudy:
    """Write ``out/sagittal`` and ``out/axial`` and return their files, planes and resampled masks."""
    settings, encoding = settings or SliceSettings(), encoding or Encoding()
    image, samplers = (
        nibabel.Nifti1Image.from_filename(volume),
        {name: load_sampler(path) for name, path in (masks or {}).items()},
    )
    values = np.asarray(image.dataobj, dtype=np.float64)
    corners = _corners(image.shape, image.affine)
    middle = _middle(settings, corners, masks or {})
    subject = Subject(key=f"nifti/{volume.name}/{settings}/{encoding}", patient_id="NIFTI-1", patient_name="NIFTI^CSPINE")
    timing = _T2_STAR if settings.gradient_echo else _T2
    sampler = _sampler(values * (_BRIGHT / np.percentile(values, 99.9)), image.affine)
    series = []
    for number, (plane_name, planes) in enumerate(
        (
            ("sagittal", _sagittal_planes(corners, float(middle[0]), settings)),
            ("axial", _axial_planes(corners, middle, settings)),
        ),
        start=2,
    ):
        slices = tuple(SliceImage(plane, slab(sampler, plane, settings.thickness_mm)) for plane in planes)
        acquisition = Acquisition(f"T2 {plane_name} from NIfTI", number, **timing)
        images = SeriesImages(slices, settings.thickness_mm, settings.thickness_mm, acquisition, encoding)
        shares = {name: np.stack([slab(s, plane, settings.thickness_mm) for plane in planes]) for name, s in samplers.items()}
        series.append(ConvertedSeries(write_series(out / plane_name, subject, images), planes, shares))
    return ConvertedStudy(*series)


def load_sampler(path: Path) -> Sampler:
    """Return a function that interpolates a NIfTI volume linearly at patient points; 0 outside."""
    image = nibabel.Nifti1Image.from_filename(path)
    return _sampler(np.asarray(image.dataobj, dtype=np.float64), image.affine)


def slab(sampler: Sampler, plane: ImagePlane, thickness_mm: float) -> npt.NDArray[np.float32]:
    """Return the mean over the thickness of a slice, float32 [row, column], from samples at most 0.75 mm apart."""
    rows, columns = np.mgrid[: plane.rows, : plane.columns]
    points = plane.to_patient(np.stack([rows, columns], axis=-1))
    count = max(1, int(np.ceil(thickness_mm / 0.75)))
    offsets = ((np.arange(count) + 0.5) / count - 0.5) * thickness_mm
    samples = np.stack([sampler(points + offset * plane.normal) for offset in offsets])
    return np.asarray(samples.mean(axis=0), dtype=np.float32)


def _sampler(values: Array, affine: Array) -> Sampler:
    to_voxel = np.linalg.inv(_LPS @ affine)
    padded = np.pad(values, 1)
    flat, strides = padded.ravel(), np.array([padded.shape[1] * padded.shape[2], padded.shape[2], 1])

    def sample(points: Array) -> Array:
        voxel = points @ to_voxel[:3, :3].T + to_voxel[:3, 3] + 1
        voxel = np.clip(voxel, 0, np.array(padded.shape) - 1.000001)
        low = voxel.astype(np.intp)
        share = np.moveaxis(voxel - low, -1, 0)
        first = low @ strides
        total = np.zeros(points.shape[:-1])
        for corner in np.ndindex(2, 2, 2):
            weights = [part if far else 1 - part for part, far in zip(share, corner, strict=True)]
            total += weights[0] * weights[1] * weights[2] * flat[first + int(np.dot(corner, strides))]
        return total

    return sample


def _corners(shape: tuple[int, ...], affine: Array) -> Array:
    """Return the smallest and the largest voxel centre in LPS mm, shape (2, 3)."""
    last = np.array(shape[:3]) - 1
    voxels = np.array(list(np.ndindex(2, 2, 2))) * last
    world = voxels @ (_LPS @ affine)[:3, :3].T + (_LPS @ affine)[:3, 3]
    return np.stack([world.min(axis=0), world.max(axis=0)])


def _middle(settings: SliceSettings, corners: Array, masks: Mapping[str, Path]) -> Array:
    """Return the LPS point on which the slices are centred: of the first mask, else of the volume."""
    middle: Array = corners.mean(axis=0)
    if masks:
        mask = nibabel.Nifti1Image.from_filename(next(iter(masks.values())))
        centre = np.argwhere(np.asarray(mask.dataobj) > 0).mean(axis=0)
        middle = np.asarray(_LPS @ mask.affine @ np.array([*centre, 1.0]), dtype=np.float64)[:3]
    if settings.midline_mm is not None:
        middle[0] = settings.midline_mm
    return middle


def _sagittal_planes(corners: Array, midline_mm: float, settings: SliceSettings) -> tuple[ImagePlane, ...]:
    step, pixel = settings.thickness_mm, settings.sagittal_pixel_mm
    low, high = (np.floor((midline_mm - corners[0, 0]) / step), np.floor((corners[1, 0] - midline_mm) / step))
    places = midline_mm + step * np.arange(-low, high + 1)
    rows, columns = (int(extent / pixel) + 1 for extent in (np.ptp(corners[:, 2]), np.ptp(corners[:, 1])))
    down = -np.array(SUPERIOR)
    return tuple(
        ImagePlane(np.array([x, corners[0, 1], corners[1, 2]]), np.array(POSTERIOR), down, Spacing(pixel, pixel), rows, columns)
        for x in places
    )


def _axial_planes(corners: Array, centre: Array, settings: SliceSettings) -> tuple[ImagePlane, ...]:
    step, pixel = settings.thickness_mm, settings.axial_pixel_mm
    normal = np.array(settings.axial_normal) / np.linalg.norm(settings.axial_normal)
    across = np.array(LEFT) - normal[0] * normal
    across /= np.linalg.norm(across)
    down = np.cross(normal, across)
    bottom, top = settings.axial_range_mm or (corners[0, 2], corners[1, 2])
    extents_mm = np.minimum(np.ptp(corners, axis=0), settings.axial_field_mm)
    rows, columns = int(extents_mm[1] / pixel) + 1, int(extents_mm[0] / pixel) + 1
    to_first = -(columns - 1) / 2 * pixel * across - (rows - 1) / 2 * pixel * down
    # the slices are stacked along the normal from where it crosses the lowest wanted height at the volume's centre
    starts = (np.arange(bottom, top + 1e-6, step * normal[2]) - centre[2]) / normal[2]
    return tuple(
        ImagePlane(centre + start * normal + to_first, across, down, Spacing(pixel, pixel), rows, columns) for start in starts
    )


@click.command()
@click.argument("volume", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--mask", "masks", multiple=True, help="NAME=FILE of a mask on the volume's grid; may be repeated.")
@click.option("--thickness", default=3.0, show_default=True, help="Slice thickness in mm.")
@click.option("--sagittal-pixel", default=0.75, show_default=True, help="Sagittal pixel spacing in mm.")
@click.option("--axial-pixel", default=0.6, show_default=True, help="Axial pixel spacing in mm.")
@click.option("--midline", type=float, default=None, help="LPS x in mm on which a sagittal slice is centred.")
@click.option("--axial-range", type=(float, float), default=None, help="LPS z in mm of the lowest and highest axial slice.")
@click.option("--axial-normal", type=(float, float, float), default=SUPERIOR, help="LPS direction across the axial slices.")
@click.option("--gradient-echo", is_flag=True, help="The volume is T2*-weighted.")
@click.option("--enhanced", is_flag=True, help="Write Enhanced MR.")
def main(volume: Path, out: Path, masks: tuple[str, ...], enhanced: bool, **cut: object) -> None:
    """Write VOLUME as sagittal and axial MR series below OUT."""
    names = {"thickness": "thickness_mm", "midline": "midline_mm", "axial_range": "axial_range_mm"}
    names |= {"sagittal_pixel": "sagittal_pixel_mm", "axial_pixel": "axial_pixel_mm"}
    settings = SliceSettings(**{names.get(key, key): value for key, value in cut.items()})  # type: ignore[arg-type]
    named = {name: Path(path) for name, _, path in (text.partition("=") for text in masks)}
    study = convert_nifti(volume, out, settings, named, Encoding(enhanced=enhanced))
    both = {"sagittal": study.sagittal, "axial": study.axial}
    if named:
        arrays = {f"{plane}_{name}": share for plane, series in both.items() for name, share in series.masks.items()}
        np.savez_compressed(out / "masks.npz", allow_pickle=False, **arrays)
    for plane, series in both.items():
        click.echo(f"{plane}: {len(series.planes)} slices in {out / plane}")


if __name__ == "__main__":
    main()
