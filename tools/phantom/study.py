"""A phantom study as DICOM: sagittal and axial T2 of one synthetic patient with known truth, and series that must be skipped."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from node.domain.geometry import ImagePlane
from tools.phantom.anatomy import Anatomy, draw_anatomy
from tools.phantom.appearance import USUAL_3T, USUAL_15T, degrade
from tools.phantom.dicom import write_series
from tools.phantom.expected import ExpectedValues, expected_mscc, expected_values
from tools.phantom.render import STIR, T1, T2_TSE, Contrast, render_slice
from tools.phantom.series import Acquisition, Encoding, SeriesImages, SliceImage, Subject
from tools.phantom.stack import AXIAL_AXES, CORONAL_AXES, SAGITTAL_AXES, Axes, StackGeometry, stack_planes

Array = npt.NDArray[np.float64]

SAGITTAL_NAME, AXIAL_NAME = "sagittal_t2", "axial_t2"
_MOST_PATIENTS = 300
_SAMPLES, _FEW_SAMPLES = 8, 2  # rays for each pixel
_VARIATION = 1  # apart from the generators of the anatomy and the textures
_NOISE = 12.0  # standard deviation; the cord's signal is about 300

SAGITTAL_T2 = Acquisition("T2_TSE_SAG", 2, repetition_time_ms=3200, echo_time_ms=104)
AXIAL_T2 = Acquisition("T2_TSE_TRA", 5, repetition_time_ms=4100, echo_time_ms=98)
SAGITTAL_T1 = Acquisition(
    "T1_TSE_SAG", 3, repetition_time_ms=620, echo_time_ms=9.5, echo_train_length=3, sequence_name="tse2d1_3"
)
SAGITTAL_STIR = Acquisition(
    "STIR_SAG",
    4,
    repetition_time_ms=4200,
    echo_time_ms=62,
    scanning_sequence=("SE", "IR"),
    inversion_time_ms=220,
    sequence_name="tir2d1_15",
)
LOCALIZER = Acquisition(
    "LOCALIZER",
    1,
    repetition_time_ms=8.6,
    echo_time_ms=3.7,
    echo_train_length=1,
    scanning_sequence=("GR",),
    flip_angle_deg=20,
    image_type=("ORIGINAL", "PRIMARY", "OTHER", "LOCALIZER"),
    sequence_name="fl2d1",
)


SAGITTAL = StackGeometry(15, 3.3, 3.0, (0.65, 0.65), 320, 256)
_LOCALIZER_STACK = StackGeometry(3, 10.0, 8.0, (1.5, 1.5), 128, 128)
AXIAL = StackGeometry(24, 4.0, 3.0, (0.55, 0.55), 256, 256)


@dataclass(frozen=True, slots=True)
class PhantomSettings:
    """What decides a phantom study, to the last bit.

    Parameters
    ----------
    compressions
        Number of narrowed levels; drawn from the seed if None.
    minimum_mscc_percent
        The patient is the first of the seed's whose cord is compressed this much.
    varied
        Draw contrast, disease, pixel size, thickness and what the scanner does to the slices from the seed too; the given pixel
        size and thickness then count for the series that must be skipped only.
    """

    seed: int = 0
    sagittal: StackGeometry = SAGITTAL
    axial: StackGeometry = AXIAL
    encoding: Encoding = field(default_factory=Encoding)
    distractors: bool = True
    with_axial: bool = True
    with_noise: bool = True
    compressions: int | None = 3
    minimum_mscc_percent: float = 20.0
    # not in the text of the settings: the UIDs of a study that is not varied stay what they were
    varied: bool = field(default=False, repr=False)
    patient_name: str = "PHANTOM^CSPINE"
    specific_character_set: str | tuple[str, ...] = "ISO_IR 192"


@dataclass(frozen=True, slots=True, eq=False)
class PhantomStudy:
    """The files of a phantom study by series name, the truth, and the true masks of its two T2 series.

    Parameters
    ----------
    paths
        Files by series: ``sagittal_t2``, ``axial_t2``, ``localizer``, ``sagittal_t1``, ``sagittal_stir``.
    masks
        Share of each pixel's slab, float32 [slice, row, column] in the order of InstanceNumber: ``sagittal_t2_cord`` ...
    """

    subject: Subject
    paths: Mapping[str, tuple[Path, ...]]
    truth: ExpectedValues
    masks: Mapping[str, npt.NDArray[np.float32]]

    @property
    def all_paths(self) -> tuple[Path, ...]:
        """Every file of the study."""
        return tuple(path for paths in self.paths.values() for path in paths)


def write_phantom_study(out_dir: Path, settings: PhantomSettings) -> PhantomStudy:
    """Write the study below ``out_dir``, one folder for each series, with ``truth.json`` and ``masks.npz`` beside them."""
    anatomy = _anatomy(settings)
    subject = _subject(settings)
    centre = np.mean(list(anatomy.truth().landmarks.values()), axis=0)
    paths: dict[str, tuple[Path, ...]] = {}
    masks: dict[str, npt.NDArray[np.float32]] = {}
    for series in _prescribed(settings):
        planes = series.planes(centre)
        rng = np.random.default_rng([settings.seed, series.acquisition.series_number])
        samples = _SAMPLES if series.is_t2 else _FEW_SAMPLES
        rendered = [render_slice(anatomy, plane, series.thickness_mm, series.contrast, rng, samples=samples) for plane in planes]
        signals = [_worn(one.pixels, plane, series, settings, rng) for one, plane in zip(rendered, planes, strict=True)]
        slices = tuple(map(SliceImage, planes, signals))
        images = SeriesImages(slices, series.thickness_mm, series.spacing_mm, series.acquisition, settings.encoding)
        paths[series.name] = write_series(out_dir / series.name, subject, images)
        if series.is_t2:
            masks[f"{series.name}_cord"] = np.stack([one.cord for one in rendered])
            masks[f"{series.name}_canal"] = np.stack([one.canal for one in rendered])
    truth = expected_values(anatomy, *_axial_planes(settings, centre))
    (out_dir / "truth.json").write_text(json.dumps(asdict(truth), indent=2) + "\n", encoding="utf-8")
    np.savez_compressed(out_dir / "masks.npz", allow_pickle=False, **masks)
    return PhantomStudy(subject, paths, truth, masks)


@dataclass(frozen=True, slots=True)
class _Series:
    """One series to be drawn; a localizer has one stack for each plane, everything else one stack."""

    name: str
    acquisition: Acquisition
    contrast: Contrast
    stacks: tuple[tuple[Axes, StackGeometry], ...]

    @property
    def is_t2(self) -> bool:
        return self.name in (SAGITTAL_NAME, AXIAL_NAME)

    @property
    def thickness_mm(self) -> float:
        return self.stacks[0][1].thickness_mm

    @property
    def spacing_mm(self) -> float:
        return self.stacks[0][1].spacing_between_slices_mm

    def planes(self, centre: Array) -> tuple[ImagePlane, ...]:
        return tuple(plane for axes, geometry in self.stacks for plane in stack_planes(centre, axes, geometry))


def _prescribed(settings: PhantomSettings) -> list[_Series]:
    series = [_t2_series(settings, SAGITTAL_NAME)]
    if settings.with_axial:
        series.append(_t2_series(settings, AXIAL_NAME))
    if settings.distractors:
        coarse = _coarse(settings.sagittal)
        series.append(_Series("sagittal_t1", SAGITTAL_T1, T1, ((SAGITTAL_AXES, coarse),)))
        series.append(_Series("sagittal_stir", SAGITTAL_STIR, STIR, ((SAGITTAL_AXES, coarse),)))
        crossed = tuple((axes, _LOCALIZER_STACK) for axes in (SAGITTAL_AXES, CORONAL_AXES, AXIAL_AXES))
        series.append(_Series("localizer", LOCALIZER, T1, crossed))
    return series


def _t2_series(settings: PhantomSettings, name: str) -> _Series:
    sagittal = name == SAGITTAL_NAME
    acquisition, axes = (SAGITTAL_T2, SAGITTAL_AXES) if sagittal else (AXIAL_T2, AXIAL_AXES)
    geometry, contrast = settings.sagittal if sagittal else settings.axial, T2_TSE
    if settings.varied:
        rng = np.random.default_rng([settings.seed, acquisition.series_number, _VARIATION])
        geometry, contrast = _varied(geometry, rng), Contrast.random(rng)
    return _Series(name, acquisition, contrast, ((axes, geometry),))


def _varied(geometry: StackGeometry, rng: np.random.Generator) -> StackGeometry:
    """Return the stack with pixels of 0.4-0.75 mm and slices of 3-4 mm over about the same field."""
    pixel_mm, thickness_mm = float(rng.uniform(0.4, 0.75)), float(rng.uniform(3, 4))
    row_mm, column_mm = geometry.pixel_spacing_mm
    return replace(
        geometry,
        pixel_spacing_mm=(pixel_mm, pixel_mm),
        rows=round(geometry.rows * row_mm / pixel_mm),
        columns=round(geometry.columns * column_mm / pixel_mm),
        thickness_mm=thickness_mm,
        spacing_between_slices_mm=max(geometry.spacing_between_slices_mm, thickness_mm * 1.1),
    )


def _axial_planes(settings: PhantomSettings, centre: Array) -> tuple[tuple[ImagePlane, ...], float]:
    """Return the planes of the axial series, none without one, and the thickness of its slices."""
    if not settings.with_axial:
        return (), settings.axial.thickness_mm
    series = _t2_series(settings, AXIAL_NAME)
    return series.planes(centre), series.thickness_mm


def _coarse(geometry: StackGeometry) -> StackGeometry:
    row_mm, column_mm = geometry.pixel_spacing_mm
    return replace(geometry, rows=geometry.rows // 2, columns=geometry.columns // 2, pixel_spacing_mm=(2 * row_mm, 2 * column_mm))


def _anatomy(settings: PhantomSettings) -> Anatomy:
    for attempt in range(_MOST_PATIENTS):
        rng = np.random.default_rng([settings.seed, attempt])
        # without slips and bends the midline is one sagittal plane, so that one slice shows the truth
        anatomy = draw_anatomy(rng, dents=settings.compressions, slips=False, sway=False, pathology=float(settings.varied))
        if expected_mscc(anatomy).value_percent >= settings.minimum_mscc_percent:
            return anatomy
    raise ValueError(f"no patient of seed {settings.seed} is compressed by {settings.minimum_mscc_percent:g} %")


def _subject(settings: PhantomSettings) -> Subject:
    return Subject(
        key=f"phantom/{settings}" + "/varied" * settings.varied,
        patient_name=settings.patient_name,
        patient_id=f"PHANTOM-{settings.seed}",
        specific_character_set=settings.specific_character_set,
    )


def _worn(
    signal: npt.NDArray[np.float32], plane: ImagePlane, series: _Series, settings: PhantomSettings, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    """Return a slice as the scanner delivers it; all slices of a series suffer the same, each with its own noise."""
    if not settings.with_noise:
        return signal
    if not settings.varied:
        return _noisy(signal, rng)
    scanner = np.random.default_rng([settings.seed, _VARIATION])
    look = (USUAL_15T, USUAL_3T)[int(scanner.integers(2))]
    series_rng = np.random.default_rng([settings.seed, series.acquisition.series_number, _VARIATION, 1])
    return degrade(signal, plane.spacing, series_rng, look, rng)


def _noisy(signal: npt.NDArray[np.float32], rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return the signal with Rician noise: the magnitude of a complex signal with normal noise in both parts."""
    real, imaginary = rng.normal(0, _NOISE, (2, *signal.shape))
    return np.asarray(np.hypot(signal + real, imaginary), dtype=np.float32)
