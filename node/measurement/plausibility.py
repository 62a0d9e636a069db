"""The plausibility gate of the sagittal plane: what speaks against corners, masks and levels."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import cv2
import numpy as np
import numpy.typing as npt

from node.config import MeasurementConfig
from node.domain.anatomy import CORNERS, LANDMARKS, LEVELS, VERTEBRAE, Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import Finding, Reason, Severity
from node.domain.geometry import POSTERIOR, SUPERIOR, ImagePlane
from node.domain.prediction import Keypoint
from node.measurement.borders import Borders
from node.measurement.sampling import FloatArray

# Vertebral bodies C3 to C7 of adults: height 10 to 18 mm, depth 13 to 21 mm; taken wide, so that only an error falls outside.
_BODY_HEIGHT_MM = (5.0, 28.0)
_BODY_DEPTH_MM = (8.0, 32.0)
_DISC_HEIGHT_MM = (-1.0, 14.0)
# A second piece of cord smaller than this is noise; a larger one is a broken mask.
_NOISE_AREA_MM2 = 15.0
# The cord border may leave the canal border by this much before the two masks contradict each other.
_OUTSIDE_FLAG_MM = 0.5
_OUTSIDE_WITHHOLD_MM = 1.5
# A cord that is wider than its canal by this much is drawn wrongly: both are known within 0.2 mm.
_WIDER_WITHHOLD_MM = 0.45
_CERTAINTY_FLAG = 0.8
# The canal begins behind the wall that bounds it. In front of it by this much, over a whole vertebra, it has leaked into the
# body, or the corners lie in the canal.
_BEFORE_WALL_FLAG_MM = 2.0
_BEFORE_WALL_WITHHOLD_MM = 3.5
# A cord that runs out of the decisive slice (scoliosis, a tilted slice) looks compressed there and is not. At mid-level a
# neighbouring slice then shows it much thicker. A cord compressed in the middle is not that much thicker 3 mm beside it:
# an oval of 13 mm width has lost 11 % of its thickness there before anything presses on it.
_LEAVING_FLAG = 0.85
_LEAVING_WITHHOLD = 0.65
# Thicknesses are compared as means over this far along the wall: about a disc, so that the end of a vertebra counts by itself.
_STRETCH_MM = 5.0


def sound_keypoints(
    by_landmark: Mapping[Landmark, Keypoint], plane: ImagePlane, config: MeasurementConfig
) -> tuple[dict[Landmark, Keypoint], dict[Level, tuple[Finding, ...]]]:
    """Return the corners that can be used, and by level what was found wrong with the others.

    Corners of low confidence, and all corners of a vertebra whose shape or place is impossible, are left out.
    """
    findings: dict[Level, list[Finding]] = {level: [] for level in LEVELS}
    sound = {landmark: by_landmark[landmark] for landmark in LANDMARKS if landmark in by_landmark}
    for landmark in LANDMARKS:
        _judge_confidence(landmark, sound, findings, config)
    for vertebra in VERTEBRAE:
        wrong = _shape_findings(vertebra, sound, plane)
        if wrong:
            for corner in CORNERS:
                sound.pop(Landmark(vertebra, corner), None)
            _add(findings, vertebra, wrong)
    for upper, lower in pairwise(VERTEBRAE):
        wrong = _order_findings(upper, lower, sound, plane)
        _add(findings, upper, wrong)
        _add(findings, lower, wrong)
    return sound, {level: tuple(dict.fromkeys(found)) for level, found in findings.items() if found}


def _add(findings: dict[Level, list[Finding]], vertebra: Vertebra, wrong: list[Finding]) -> None:
    """Attach findings to a vertebra and to the discs beside it."""
    order = Level(vertebra.value).order
    for level in LEVELS[max(0, order - 1) : order + 2]:
        findings[level] += wrong


def _judge_confidence(
    landmark: Landmark, sound: dict[Landmark, Keypoint], findings: dict[Level, list[Finding]], config: MeasurementConfig
) -> None:
    name = f"{landmark.vertebra} {landmark.corner.value.replace('_', ' ')} corner"
    keypoint = sound.get(landmark)
    # Only posterior corners cut the layers; an anterior corner alone takes no level away.
    is_posterior = landmark.corner in (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR)
    gone = Severity.WITHHOLD if is_posterior else Severity.FLAG
    if keypoint is None:
        _add(findings, landmark.vertebra, [Finding(Reason.LEVEL_MISSING, gone, f"the {name} was not found")])
    elif keypoint.confidence < config.minimum_keypoint_confidence:
        del sound[landmark]
        text = f"the {name} has confidence {keypoint.confidence:.2f}, below {config.minimum_keypoint_confidence:g}"
        _add(findings, landmark.vertebra, [Finding(Reason.KEYPOINT_CONFIDENCE_LOW, gone, text)])
    elif keypoint.confidence < config.flag_keypoint_confidence:
        text = f"the {name} has confidence {keypoint.confidence:.2f}, below {config.flag_keypoint_confidence:g}"
        _add(findings, landmark.vertebra, [Finding(Reason.KEYPOINT_CONFIDENCE_LOW, Severity.FLAG, text)])


def _shape_findings(vertebra: Vertebra, sound: Mapping[Landmark, Keypoint], plane: ImagePlane) -> list[Finding]:
    """Return what is impossible about the corners of one vertebra that are present."""
    superior, posterior = plane.direction_in_plane(SUPERIOR), plane.direction_in_plane(POSTERIOR)
    at = {corner: plane.to_plane_mm(sound[mark].point) for corner in CORNERS if (mark := Landmark(vertebra, corner)) in sound}
    checks = (
        (Corner.ANTERIOR_SUPERIOR, Corner.ANTERIOR_INFERIOR, superior, _BODY_HEIGHT_MM, "anterior height"),
        (Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR, superior, _BODY_HEIGHT_MM, "posterior height"),
        (Corner.POSTERIOR_SUPERIOR, Corner.ANTERIOR_SUPERIOR, posterior, _BODY_DEPTH_MM, "upper depth"),
        (Corner.POSTERIOR_INFERIOR, Corner.ANTERIOR_INFERIOR, posterior, _BODY_DEPTH_MM, "lower depth"),
    )
    wrong: list[Finding] = []
    for first, second, direction, (lowest, highest), name in checks:
        if first not in at or second not in at:
            continue
        difference = at[first] - at[second]
        if difference @ direction <= 0:
            text = f"the corners of {vertebra} are not in anatomical order ({name})"
            wrong.append(Finding(Reason.CORNERS_OUT_OF_ORDER, Severity.WITHHOLD, text))
        elif not lowest <= (length := float(np.linalg.norm(difference))) <= highest:
            text = f"{vertebra} {name} of {length:.1f} mm is outside {lowest:g} to {highest:g} mm"
            wrong.append(Finding(Reason.VERTEBRA_SIZE_IMPLAUSIBLE, Severity.WITHHOLD, text))
    return wrong


def _order_findings(upper: Vertebra, lower: Vertebra, sound: Mapping[Landmark, Keypoint], plane: ImagePlane) -> list[Finding]:
    """Return what is impossible between two neighbouring vertebrae: the lower must lie under the upper, a disc apart."""
    superior = plane.direction_in_plane(SUPERIOR)
    wrong: list[Finding] = []
    for above, below in (
        (Corner.POSTERIOR_INFERIOR, Corner.POSTERIOR_SUPERIOR),
        (Corner.ANTERIOR_INFERIOR, Corner.ANTERIOR_SUPERIOR),
    ):
        first, second = sound.get(Landmark(upper, above)), sound.get(Landmark(lower, below))
        if first is None or second is None:
            continue
        apart_mm = float((plane.to_plane_mm(first.point) - plane.to_plane_mm(second.point)) @ superior)
        if not _DISC_HEIGHT_MM[0] <= apart_mm <= _DISC_HEIGHT_MM[1]:
            text = f"{upper} and {lower} are {apart_mm:.1f} mm apart, outside {_DISC_HEIGHT_MM[0]:g} to {_DISC_HEIGHT_MM[1]:g} mm"
            wrong.append(Finding(Reason.CORNERS_OUT_OF_ORDER, Severity.WITHHOLD, text))
    return wrong


def cord_level_findings(cord: Borders, canal: Borders) -> dict[Level, tuple[Finding, ...]]:
    """Return by level what speaks against the cord: outside the canal, without one, in pieces, or uncertain."""
    outside_mm = np.fmax(canal.anterior_mm - cord.anterior_mm, cord.posterior_mm - canal.posterior_mm)
    found: dict[Level, tuple[Finding, ...]] = {}
    for level in LEVELS:
        layers = cord.layers.of(level)
        if layers.size == 0:
            continue
        wrong = [
            *outside_findings(float(np.nanmax(outside_mm[layers], initial=0.0)), f"at {level}"),
            *_wider(level, cord.widths_mm[layers] - canal.widths_mm[layers]),
            *_pieces(level, cord.runs[layers]),
            *_uncertain(level, cord.certainty[layers]),
            *_bare(level, cord.widths_mm[layers], canal.widths_mm[layers]),
        ]
        if wrong:
            found[level] = tuple(wrong)
    return found


def leaving_findings(
    cord_by_slice: Sequence[Borders], measured: Borders, slices: npt.NDArray[np.intp]
) -> dict[Level, tuple[Finding, ...]]:
    """Return by level a finding if a slice beside shows the cord much thicker than it was measured: it was not met in its middle.

    ``slices`` is the slice on which each layer was measured; further aside a thick cord is an island of the mask.
    """
    widths_mm = np.stack([measured.widths_mm, *(one.widths_mm for one in cord_by_slice)])
    here_mm, *by_slice_mm = _running_mean(widths_mm, measured.layers.positions_mm)
    found: dict[Level, tuple[Finding, ...]] = {}
    for level in LEVELS:
        layers = measured.layers.of(level)
        if layers.size == 0:
            continue
        beside_mm = np.stack(by_slice_mm[max(0, slices[layers].min() - 1) : slices[layers].max() + 2])
        thickest_mm = np.nan_to_num(beside_mm[:, layers]).max(axis=0)
        shares = here_mm[layers] / np.maximum(thickest_mm, 1e-9)
        share = float(np.nanmin(shares, initial=1.0))
        if share >= _LEAVING_FLAG:
            continue
        severity = Severity.WITHHOLD if share < _LEAVING_WITHHOLD else Severity.FLAG
        text = f"the cord seems to run out of the slice at {level}: here it is {100 * share:.0f} % as thick as on another slice"
        found[level] = (Finding(Reason.CORD_LEAVES_SLICE, severity, text),)
    return found


def _running_mean(widths_mm: FloatArray, positions_mm: FloatArray) -> FloatArray:
    """Return widths, shape (slices, layers), averaged along the wall; NaN where the cord is absent from a part of the stretch."""
    near = (np.abs(positions_mm[:, None] - positions_mm[None, :]) <= _STRETCH_MM / 2).astype(np.float64)
    absent = np.isnan(widths_mm).astype(np.float64) @ near > 0
    return np.asarray(np.where(absent, np.nan, np.nan_to_num(widths_mm) @ near / near.sum(axis=0)))


def outside_findings(worst_mm: float, where: str) -> tuple[Finding, ...]:
    """Return a finding if the cord leaves the canal by more than the two borders are uncertain."""
    if worst_mm <= _OUTSIDE_FLAG_MM:
        return ()
    severity = Severity.WITHHOLD if worst_mm > _OUTSIDE_WITHHOLD_MM else Severity.FLAG
    return (Finding(Reason.CORD_OUTSIDE_CANAL, severity, f"the cord leaves the canal by {worst_mm:.1f} mm {where}"),)


def _wider(level: Level, excess_mm: FloatArray) -> list[Finding]:
    """Return a finding if the cord is drawn wider than the canal that it lies in."""
    worst_mm = float(np.nanmax(excess_mm, initial=0.0))
    if worst_mm <= _WIDER_WITHHOLD_MM:
        return []
    text = f"the cord is drawn {worst_mm:.1f} mm wider than the canal at {level}"
    return [Finding(Reason.CORD_OUTSIDE_CANAL, Severity.WITHHOLD, text)]


def _pieces(level: Level, runs: npt.NDArray[np.int64]) -> list[Finding]:
    if (runs > 1).mean() < 0.2:
        return []
    return [Finding(Reason.CORD_MULTIPLE_COMPONENTS, Severity.FLAG, f"the cord mask is in more than one piece at {level}")]


def _bare(level: Level, cord_mm: FloatArray, canal_mm: FloatArray) -> list[Finding]:
    """Return a finding where a cord is drawn and no canal around it: every cord lies in one, so one of the masks is wrong."""
    if not (np.isfinite(cord_mm) & np.isnan(canal_mm)).any():
        return []
    return [Finding(Reason.CANAL_NOT_FOUND, Severity.FLAG, f"no spinal canal was found around the cord at {level}")]


def _uncertain(level: Level, certainty: npt.NDArray[np.float64]) -> list[Finding]:
    if not np.isfinite(certainty).any() or (mean := float(np.nanmean(certainty))) >= _CERTAINTY_FLAG:
        return []
    return [Finding(Reason.MASK_CONFIDENCE_LOW, Severity.FLAG, f"mean probability {mean:.2f} inside the cord at {level}")]


def canal_level_findings(canal: Borders) -> dict[Level, tuple[Finding, ...]]:
    """Return by level a finding if the canal begins in the vertebral body."""
    found: dict[Level, tuple[Finding, ...]] = {}
    for level in (Level(vertebra.value) for vertebra in VERTEBRAE):
        anterior_mm = canal.anterior_mm[canal.layers.of(level)]
        before_mm = -float(np.nanmean(anterior_mm)) if np.isfinite(anterior_mm).any() else 0.0
        if before_mm > _BEFORE_WALL_FLAG_MM:
            severity = Severity.WITHHOLD if before_mm > _BEFORE_WALL_WITHHOLD_MM else Severity.FLAG
            text = f"the canal begins {before_mm:.1f} mm in front of the posterior wall of {level}: a mask or corners are wrong"
            found[level] = (Finding(Reason.VALUE_IMPOSSIBLE, severity, text),)
    return found


def border_findings(borders: Borders, plane: ImagePlane, structure: Structure) -> dict[Level, tuple[Finding, ...]]:
    """Return by level a withholding finding if a measured border lies on the edge of the image: the structure may go on there."""
    ends = plane.from_plane_mm(borders.both_ends())
    edge = np.array([plane.rows, plane.columns]) - 1.0
    touching = np.asarray(((ends < 0.5) | (ends > edge - 0.5)).any(axis=(1, 2)))
    name = structure.value.replace("_", " ")
    return {
        level: (Finding(Reason.MASK_TOUCHES_BORDER, Severity.WITHHOLD, f"the {name} reaches the edge of the image at {level}"),)
        for level in LEVELS
        if touching[borders.layers.of(level)].any()
    }


def component_findings(mask: npt.NDArray[np.bool_], plane: ImagePlane) -> tuple[Finding, ...]:
    """Return a finding if the cord of one slice, bool [row, column], is in more than one piece of more than noise size."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    areas_mm2 = np.sort(stats[1:, cv2.CC_STAT_AREA] * plane.pixel_area_mm2)[::-1]
    large = int((areas_mm2 > _NOISE_AREA_MM2).sum())
    if large <= 1:
        return ()
    text = f"the cord mask of the decisive slice is in {large} pieces"
    return (Finding(Reason.CORD_MULTIPLE_COMPONENTS, Severity.FLAG, text),)
