"""Pure tests of a series summary; each returns None, or the finding that says why the series is not for us."""

from collections.abc import Callable
from enum import StrEnum

import numpy as np

from node.config import SelectionConfig
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import LEFT, SUPERIOR
from node.domain.study import SeriesRole
from node.selection import words
from node.selection.patterns import compile_patterns
from node.selection.summary import SeriesSummary
from node.selection.words import Region, matches

Criterion = Callable[[SeriesSummary, SelectionConfig], Finding | None]

OWN_NAME = "CSPINE-NODE"
_RESULT_MODALITIES = frozenset({"SEG", "SR", "PR", "KO"})
# Secondary Capture and its multi-frame kinds all begin so: PS3.4 table B.5-1
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"
_DERIVED = frozenset({"DERIVED", "MPR", "REFORMATTED", "PROJECTION IMAGE", "MIN IP", "MAX IP", "SUBTRACTION"})
_DIFFUSION_TYPES = frozenset({"DIFFUSION", "ADC", "TRACEW", "FA", "DIFFUSION_ANISO"})
_FAT_OPTIONS = frozenset({"FS", "FATSAT", "FAT_SAT", "SPIR", "SPAIR", "STIR"})
_DIXON_TYPES = frozenset({"WATER", "W", "FAT", "F"})
# the null point of fat is 120 to 250 ms from 0.5 T to 3 T; longer inversion times null fluid
_STIR_LONGEST_INVERSION_MS = 350.0
_SHORTEST_T2_STAR_ECHO_MS = 8.0
_LARGEST_T2_STAR_FLIP_DEG = 60.0
_LOCALIZER_SLICES = 5
_LOCALIZER_THICKNESS_MM = 7.0
# planes of one stack differ by rounding; those of a three-plane localizer by about 90 degrees
_PARALLEL_COSINE = float(np.cos(np.deg2rad(1.0)))
_CROSSED_COSINE = float(np.cos(np.deg2rad(60.0)))


class Contrast(StrEnum):
    """What the timing, or without timing the text, says of the contrast."""

    T2_SPIN_ECHO = "T2 spin echo"
    T2_GRADIENT_ECHO = "T2* gradient echo"
    OTHER = "not T2"


def contrast_of(summary: SeriesSummary, config: SelectionConfig) -> Contrast:
    """Return the contrast by EchoTime, RepetitionTime and ScanningSequence; by text only where EchoTime is absent."""
    if not summary.echo_times_ms:
        return _contrast_by_text(summary)
    if "EP" in summary.sequence:
        return Contrast.OTHER
    shortest_echo_ms = min(summary.echo_times_ms)
    if "GR" in summary.sequence and "SE" not in summary.sequence:
        gentle = max(summary.flip_angles_deg, default=0.0) <= _LARGEST_T2_STAR_FLIP_DEG
        return Contrast.T2_GRADIENT_ECHO if gentle and shortest_echo_ms >= _SHORTEST_T2_STAR_ECHO_MS else Contrast.OTHER
    shortest_repetition_ms = min(summary.repetition_times_ms, default=config.minimum_t2_repetition_time_ms)
    long_enough = (
        shortest_echo_ms >= config.minimum_t2_echo_time_ms and shortest_repetition_ms >= config.minimum_t2_repetition_time_ms
    )
    return Contrast.T2_SPIN_ECHO if long_enough else Contrast.OTHER


def role_of(summary: SeriesSummary, config: SelectionConfig) -> SeriesRole | None:
    """Return the role whose plane the slices lie in, within the configured angle; None for any other plane."""
    if not len(summary.normals):
        return None
    least = np.cos(np.deg2rad(config.maximum_plane_angle_deg))
    for role, axis in ((SeriesRole.SAGITTAL_T2, LEFT), (SeriesRole.AXIAL_T2, SUPERIOR)):
        if np.abs(summary.normals @ np.array(axis)).min() >= least:
            return role
    return None


def own_result(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse what this node, or another maker of results, produced: no result is ever analysed again."""
    ours = any(OWN_NAME in device for device in summary.devices)
    results = summary.modalities & _RESULT_MODALITIES
    if ours or results:
        return _skip(Reason.OWN_RESULT, f"a result object ({'/'.join(sorted(results)) or OWN_NAME}), not an acquisition")
    return None


def modality(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Ask for Modality MR; a secondary capture is named as such."""
    if summary.converted or any(uid.startswith(_SECONDARY_CAPTURE) for uid in summary.sop_class_uids):
        return _skip(Reason.SECONDARY_CAPTURE, "a secondary capture has no reliable geometry")
    if summary.modalities != {"MR"}:
        return _skip(Reason.WRONG_MODALITY, f"Modality is {'/'.join(sorted(summary.modalities)) or 'missing'}, not MR")
    return None


def excluded_text(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Refuse what ``selection.exclude_text`` names."""
    if any(matches(pattern, summary.texts) for pattern in compile_patterns(config.exclude_text)):
        return _skip(Reason.EXCLUDED_BY_CONFIG, "a text of the series matches selection.exclude_text")
    return None


def pixels(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Ask for pixel data in every instance."""
    if summary.has_pixels and summary.sizes:
        return None
    return _skip(Reason.NO_PIXELS, "an instance has no pixel data, or its file ends before them")


def geometry(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Ask for orientation, position and spacing of every plane."""
    if summary.planes_complete and len(summary.normals) == summary.frame_count:
        return None
    return _skip(Reason.NO_GEOMETRY, "ImageOrientationPatient, ImagePositionPatient or PixelSpacing is missing")


def original(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Refuse reformatted and calculated images unless ``selection.allow_derived``."""
    derived = summary.image_type & _DERIVED
    if config.allow_derived or not (derived or matches(words.REFORMATTED, summary.texts)):
        return None
    return _skip(Reason.NOT_ORIGINAL, f"ImageType says {'/'.join(sorted(derived)) or 'nothing, but the text says reformatted'}")


def localizer(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse localizers: by ImageType, text, crossed planes, or a few thick slices."""
    thick = min(summary.slice_thicknesses_mm, default=0.0) >= _LOCALIZER_THICKNESS_MM
    marked = "LOCALIZER" in summary.image_type or matches(words.LOCALIZER, summary.texts)
    if marked or _least_cosine(summary) < _CROSSED_COSINE or (thick and summary.frame_count <= _LOCALIZER_SLICES):
        return _skip(Reason.LOCALIZER, "a localizer: crossed planes, few thick slices, or named so")
    return None


def diffusion(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse diffusion images and maps."""
    kinds = (summary.image_type | summary.acquisition_contrast) & _DIFFUSION_TYPES
    if kinds or max(summary.b_values, default=0.0) > 0 or matches(words.DIFFUSION, summary.texts):
        return _skip(Reason.DIFFUSION, "a diffusion series")
    return None


def post_contrast(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse images taken after a contrast agent."""
    if summary.contrast_agent or matches(words.POST_CONTRAST, summary.texts):
        return _skip(Reason.POST_CONTRAST, "taken after a contrast agent")
    return None


def fat_suppressed(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse STIR, spectral fat suppression and Dixon water or fat images."""
    inversion_ms = max(summary.inversion_times_ms, default=0.0)
    inverted = "IR" in summary.sequence or inversion_ms > 0
    dixon = summary.image_type & _DIXON_TYPES
    spectral = summary.scan_options & _FAT_OPTIONS or summary.suppression & {"FAT", "FAT_AND_WATER"}
    if (inverted and inversion_ms <= _STIR_LONGEST_INVERSION_MS) or "STIR" in summary.acquisition_contrast:
        return _skip(Reason.FAT_SUPPRESSED, "an inversion recovery that suppresses fat (STIR)")
    if dixon or spectral or matches(words.FAT_SUPPRESSED, summary.texts):
        return _skip(Reason.FAT_SUPPRESSED, "fat is suppressed")
    return None


def t2_contrast(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Ask for T2 weighting; a gradient echo only in the axial plane and only where the configuration allows it."""
    contrast = contrast_of(summary, config)
    if "FLUID_ATTENUATED" in summary.acquisition_contrast or max(summary.inversion_times_ms, default=0.0) > 0:
        return _skip(Reason.WRONG_CONTRAST, "an inversion recovery, not T2-weighted")
    if contrast is Contrast.OTHER or matches(words.MYELOGRAPHY, summary.texts):
        return _skip(Reason.WRONG_CONTRAST, f"not T2-weighted ({_timing(summary)})")
    axial = role_of(summary, config) is SeriesRole.AXIAL_T2
    if contrast is Contrast.T2_GRADIENT_ECHO and not (axial and config.allow_gradient_echo_axial):
        return _skip(Reason.WRONG_CONTRAST, "a gradient echo: used only as axial series, by selection.allow_gradient_echo_axial")
    return None


def body_part(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse another part of the body, and texts that contradict each other; silence is accepted."""
    said = words.regions_of(summary.texts)
    said_of_study = words.regions_of(summary.study_texts)
    combined = any({Region.CERVICAL, Region.THORACIC} <= words.regions_of((text,)) for text in summary.texts)
    foreign = said - {Region.CERVICAL} - ({Region.THORACIC} if combined else set())
    if not said:
        foreign = said_of_study - {Region.CERVICAL, Region.THORACIC if Region.CERVICAL in said_of_study else Region.CERVICAL}
    elif not foreign and said_of_study and Region.CERVICAL not in said_of_study:
        foreign = said_of_study
    if not foreign:
        return None
    names = ", ".join(sorted(region.value for region in foreign))
    contradicts = Region.CERVICAL in said | said_of_study
    return _skip(Reason.WRONG_BODY_PART, f"the texts {'contradict each other: cervical and' if contradicts else 'name'} {names}")


def one_orientation(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Ask for parallel planes."""
    if _least_cosine(summary) >= _PARALLEL_COSINE:
        return None
    return _skip(Reason.ORIENTATION_MIXED, "the slices are not parallel")


def plane(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Ask for the sagittal or the axial plane."""
    if role_of(summary, config) is not None:
        return None
    return _skip(Reason.WRONG_PLANE, f"neither sagittal nor axial within {config.maximum_plane_angle_deg:g} degrees")


def one_frame_of_reference(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Refuse a series whose instances state different frames of reference."""
    if len(summary.frames_of_reference) <= 1:
        return None
    return _skip(Reason.FRAME_OF_REFERENCE_MIXED, f"{len(summary.frames_of_reference)} frames of reference in one series")


def one_size(summary: SeriesSummary, _config: SelectionConfig) -> Finding | None:
    """Ask for one image size and one pixel spacing."""
    if len(summary.sizes) == 1 and len(summary.pixel_spacings_mm) == 1:
        return None
    return _skip(Reason.SIZE_MIXED, "images of different size or pixel spacing in one series")


def slice_count(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Ask for a number of slices within the configured bounds."""
    if summary.frame_count < config.minimum_slices:
        return _skip(Reason.TOO_FEW_SLICES, f"{summary.frame_count} slices; selection.minimum_slices is {config.minimum_slices}")
    if summary.frame_count > config.maximum_slices:
        return _skip(Reason.TOO_MANY_SLICES, f"{summary.frame_count} slices; selection.maximum_slices is {config.maximum_slices}")
    return None


def fine_pixels(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Refuse pixels that are too coarse to measure a cord of 5 mm."""
    coarsest_mm = max((max(spacing) for spacing in summary.pixel_spacings_mm), default=0.0)
    if coarsest_mm <= config.maximum_pixel_spacing_mm:
        return None
    limit_mm = config.maximum_pixel_spacing_mm
    return _skip(Reason.SPACING_TOO_COARSE, f"pixels of {coarsest_mm:g} mm; selection.maximum_pixel_spacing_mm is {limit_mm:g}")


#: In the order of telling: the first that fails is the reason that a person reads.
CRITERIA: tuple[Criterion, ...] = (
    own_result,
    modality,
    excluded_text,
    pixels,
    geometry,
    localizer,
    original,
    diffusion,
    post_contrast,
    fat_suppressed,
    t2_contrast,
    body_part,
    one_orientation,
    plane,
    one_frame_of_reference,
    one_size,
    slice_count,
    fine_pixels,
)


def first_fault(summary: SeriesSummary, config: SelectionConfig) -> Finding | None:
    """Return the finding of the first criterion that a series fails; None for an eligible series."""
    return next((fault for criterion in CRITERIA if (fault := criterion(summary, config)) is not None), None)


def _skip(reason: Reason, message: str) -> Finding:
    return Finding(reason, Severity.DECLINE, message)


def _least_cosine(summary: SeriesSummary) -> float:
    return float(np.abs(summary.normals @ summary.normals[0]).min()) if len(summary.normals) else 1.0


def _contrast_by_text(summary: SeriesSummary) -> Contrast:
    if matches(words.T2_STAR, summary.texts):
        return Contrast.T2_GRADIENT_ECHO
    named = matches(words.T2, summary.texts) or "T2" in summary.acquisition_contrast
    return Contrast.T2_SPIN_ECHO if named and not matches(words.NOT_T2, summary.texts) else Contrast.OTHER


def _timing(summary: SeriesSummary) -> str:
    echo = ", ".join(f"{time:g}" for time in sorted(summary.echo_times_ms)) or "unknown"
    repetition = ", ".join(f"{time:g}" for time in sorted(summary.repetition_times_ms)) or "unknown"
    return f"EchoTime {echo} ms, RepetitionTime {repetition} ms, sequence {'/'.join(sorted(summary.sequence)) or 'unknown'}"
