"""A phantom study and the means to break it: in its files, or in its true masks and corners.

Geometry is broken in the DICOM files and goes through selection and loading; what a model would get wrong is broken in the true
masks and corners.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from pydicom import dcmread
from pydicom.dataset import Dataset

from node.config import MeasurementConfig, SelectionConfig
from node.domain.analysis import Analysis, SegmentedSeries
from node.domain.anatomy import LANDMARKS, Corner, Landmark, Level, Structure, Vertebra
from node.domain.errors import Reason, Severity
from node.domain.geometry import ImagePlane, PixelPoint
from node.domain.image import Volume
from node.domain.prediction import Keypoint, Keypoints, Masks, ModelIdentity
from node.domain.study import SeriesRole
from node.measurement import decisive_slice, measure_study
from node.pipeline import load_volumes
from node.selection import select_series
from tests.support.phantom_study import received_study
from tools.phantom.series import decimal_strings
from tools.phantom.stack import StackGeometry, rotation
from tools.phantom.study import PhantomSettings, PhantomStudy, write_phantom_study

CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
SAGITTAL, AXIAL = SeriesRole.SAGITTAL_T2, SeriesRole.AXIAL_T2
TRUTH = ModelIdentity("truth", "1", "0" * 64)
_NAMES = {CORD: "cord", CANAL: "canal"}
SETTINGS = PhantomSettings(
    sagittal=StackGeometry(5, 3.3, 3.0, (0.8, 0.8), 190, 120),
    axial=StackGeometry(19, 5.0, 3.0, (0.8, 0.8), 120, 100),
    distractors=False,
)

Maps = dict[tuple[SeriesRole, Structure], npt.NDArray[np.float16]]
"""Probability maps that may be changed, [slice, row, column]."""
Corners = dict[Landmark, Keypoint]
"""Corners on the decisive sagittal slice that may be changed."""
Images = list[Dataset]
"""The files of one series, in the order of their numbers."""


@dataclass(frozen=True, eq=False)
class Sound:
    """The phantom study as it was drawn, and the analysis on its true masks and corners."""

    phantom: PhantomStudy
    analysis: Analysis

    @property
    def axial_index(self) -> int:
        """Index of the decisive axial slice in the volume, which is also its place among the files."""
        decisive = self.analysis.measurements.axial.decisive
        (source,) = {self.volume(AXIAL).sources[decisive.slice_index].instance.path.name}
        return [path.name for path in self.phantom.paths[AXIAL.value]].index(source)

    def volume(self, role: SeriesRole) -> Volume:
        return self.analysis.series_by_role[role].volume

    def rows(self, level: Level) -> slice:
        """Return the rows of the decisive sagittal slice beside a vertebra or a disc."""
        keypoints = self.analysis.measurements.sagittal.keypoints.by_landmark
        above, below = level.value.split("/") if level.is_disc else (level.value, level.value)
        top, bottom = (Corner.POSTERIOR_INFERIOR, Corner.POSTERIOR_SUPERIOR)[:: 1 if level.is_disc else -1]
        ends = [keypoints[Landmark(Vertebra(v), c)].point.row for v, c in ((above, top), (below, bottom))]
        return slice(round(min(ends)), round(max(ends)) + 1)


def _nothing(_: Maps, __: Corners, ___: Sound) -> None:
    """Leave the predictions as they are."""


@dataclass(frozen=True, eq=False)
class Broken:
    """One change to the sound study and what must come of it.

    Parameters
    ----------
    on
        Groups of the SR that carry the reason; without any, the study or the series is declined.
    kept
        Groups whose values stay as they were.
    files
        By series, what is done to its files; a series that is left out stays as it is.
    predictions
        What is done to the masks and corners.
    """

    reason: Reason
    severity: Severity
    on: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    files: Mapping[SeriesRole, Callable[[Images, Sound], Images]] = field(default_factory=dict)
    predictions: Callable[[Maps, Corners, Sound], None] = _nothing
    settings: PhantomSettings = SETTINGS


def sound_study(folder: Path, settings: PhantomSettings = SETTINGS) -> Sound:
    """Write the phantom study and measure it on its truth."""
    phantom = write_phantom_study(folder, settings)
    return Sound(phantom, _analysed(phantom, phantom.all_paths, lambda maps, corners: None))


def broken_study(broken: Broken, sound: Sound, folder: Path) -> Analysis:
    """Return the analysis of the broken study, whose changed files are written into ``folder``."""
    paths: list[Path] = []
    for role in (SAGITTAL, AXIAL):
        originals = sound.phantom.paths[role.value]
        if role not in broken.files:
            paths += originals
            continue
        (folder / role.value).mkdir(parents=True)
        for image in broken.files[role]([dcmread(path) for path in originals], sound):
            paths.append(folder / role.value / Path(image.filename).name)
            image.save_as(paths[-1])
    return _analysed(sound.phantom, paths, lambda maps, corners: broken.predictions(maps, corners, sound))


def _analysed(phantom: PhantomStudy, paths: Sequence[Path], change: Callable[[Maps, Corners], None]) -> Analysis:
    """Do what the pipeline does, with the truth in place of the models."""
    selection = select_series(received_study(paths), SelectionConfig())
    volumes, unloaded = load_volumes(selection)
    maps: Maps = {(role, one): _true_map(phantom, role, one, volume) for role, volume in volumes.items() for one in Structure}
    index = decisive_slice(volumes[SAGITTAL], _masks(maps, SAGITTAL))
    plane = volumes[SAGITTAL].planes[index]
    corners = {one: _true_corner(phantom, one, plane) for one in LANDMARKS}
    change(maps, corners)
    decisive_slice(volumes[SAGITTAL], _masks(maps, SAGITTAL))
    series = {role: SegmentedSeries(volume, _masks(maps, role)) for role, volume in volumes.items()}
    measured = measure_study(series, Keypoints(index, corners, TRUTH), MeasurementConfig(layer_step_mm=0.5))
    findings = tuple(dict.fromkeys((*selection.findings, *unloaded, *measured.findings)))
    return Analysis(selection.study_instance_uid, "f" * 64, series, replace(measured, findings=findings), selection.skipped)


def _true_map(phantom: PhantomStudy, role: SeriesRole, structure: Structure, volume: Volume) -> npt.NDArray[np.float16]:
    """Return the truth on the pixels of a volume, whose slices may be cut out of those that were drawn."""
    drawn = phantom.masks[f"{role.value}_{_NAMES[structure]}"]
    rows, columns = volume.geometry.shape[1:]
    slices = []
    for source in volume.sources:
        image = dcmread(source.instance.path, stop_before_pixels=True)
        top, left = (int(n) for n in image.get("ImageComments", "0 0").split())
        slices.append(drawn[image.InstanceNumber - 1, top : top + rows, left : left + columns])
    return np.stack(slices).astype(np.float16)


def _true_corner(phantom: PhantomStudy, landmark: Landmark, plane: ImagePlane) -> Keypoint:
    point = plane.to_pixels(phantom.truth.landmarks[f"{landmark.vertebra} {landmark.corner}"])
    return Keypoint(landmark, PixelPoint(*map(float, point)), 0.95)


def _masks(maps: Maps, role: SeriesRole) -> Masks:
    return Masks({structure: maps[role, structure].copy() for structure in Structure}, TRUTH)


def without(chosen: Callable[[int, Sound], bool]) -> Callable[[Images, Sound], Images]:
    """Return the change that leaves out the files whose place is chosen."""
    return lambda images, sound: [one for index, one in enumerate(images) if not chosen(index, sound)]


def each(change: Callable[[Dataset, Sound], None], only: Callable[[int, Sound], bool] = lambda index, sound: True):
    """Return the change that does the same to every file whose place is chosen."""

    def changed(images: Images, sound: Sound) -> Images:
        for index, image in enumerate(images):
            if only(index, sound):
                change(image, sound)
        return images

    return changed


def at_level(index: int, sound: Sound) -> bool:
    """Whether a file is the decisive axial slice."""
    return index == sound.axial_index


def one_of(number: int) -> Callable[[int, Sound], bool]:
    """Return whether a file is the one with a given place."""
    return lambda index, _: index == number


def setting(**values: object) -> Callable[[Dataset, Sound], None]:
    """Return the change of a file that sets attributes by keyword; None deletes."""

    def change(image: Dataset, _: Sound) -> None:
        for keyword, value in values.items():
            if value is None:
                delattr(image, keyword)
            else:
                setattr(image, keyword, value)

    return change


def moved(offset_mm: Sequence[float]) -> Callable[[Dataset, Sound], None]:
    def change(image: Dataset, _: Sound) -> None:
        image.ImagePositionPatient = decimal_strings(np.array(image.ImagePositionPatient, dtype=float) + offset_mm)

    return change


def turned(angles_deg: tuple[float, float, float]) -> Callable[[Dataset, Sound], None]:
    """Return the change of a file that turns its slice about the narrowest point of the cord."""

    def change(image: Dataset, sound: Sound) -> None:
        turn, about = rotation(angles_deg), np.array(sound.phantom.truth.narrowest_point)
        directions = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3) @ turn.T
        image.ImageOrientationPatient = decimal_strings(directions.ravel())
        image.ImagePositionPatient = decimal_strings(about + turn @ (np.array(image.ImagePositionPatient, dtype=float) - about))

    return change


def doubled_pixels(image: Dataset, sound: Sound) -> None:
    """Say that the pixels are twice as large, about the narrowest point of the cord."""
    about = np.array(sound.phantom.truth.narrowest_point)
    position = np.array(image.ImagePositionPatient, dtype=float)
    in_plane = (position - about) * np.array([1, 1, 0])
    image.ImagePositionPatient = decimal_strings(position + in_plane)
    image.PixelSpacing = decimal_strings(2 * np.array(image.PixelSpacing, dtype=float))


def faded(image: Dataset, sound: Sound) -> None:
    """Give everything beside C5 one signal: no border can be seen there."""
    pixels = image.pixel_array.copy()
    pixels[sound.rows(Level.C5)] = int(np.median(pixels))
    image.PixelData = pixels.tobytes()


def cut(top: int, left: int, rows: int, columns: int) -> Callable[[Dataset, Sound], None]:
    """Return the change of a file that keeps a part of its image; the truth is cut alike, by ImageComments."""

    def change(image: Dataset, _: Sound) -> None:
        kept = image.pixel_array[top : top + rows, left : left + columns]
        along = np.array(image.ImageOrientationPatient, dtype=float).reshape(2, 3)
        down_mm, across_mm = (float(x) for x in image.PixelSpacing)
        position = np.array(image.ImagePositionPatient, dtype=float) + top * down_mm * along[1] + left * across_mm * along[0]
        image.ImagePositionPatient = decimal_strings(position)
        image.Rows, image.Columns = kept.shape
        image.PixelData = np.ascontiguousarray(kept).tobytes()
        image.ImageComments = f"{top} {left}"

    return change


def copied(source: int, target: int) -> Callable[[Images, Sound], Images]:
    """Return the change that puts the pixels of one file into another."""

    def changed(images: Images, _: Sound) -> Images:
        images[target].PixelData = images[source].PixelData
        return images

    return changed


def corner(vertebra: Vertebra, corner: Corner, **change: object) -> Callable[[Maps, Corners, Sound], None]:
    landmark = Landmark(vertebra, corner)

    def changed(_: Maps, corners: Corners, __: Sound) -> None:
        corners[landmark] = replace(corners[landmark], **change)

    return changed


def swapped(one: Corner, other: Corner) -> Callable[[Maps, Corners, Sound], None]:
    """Return the change that takes two corners of C5 for each other."""
    first, second = Landmark(Vertebra.C5, one), Landmark(Vertebra.C5, other)

    def changed(_: Maps, corners: Corners, __: Sound) -> None:
        corners[first], corners[second] = (
            replace(corners[first], point=corners[second].point),
            replace(corners[second], point=corners[first].point),
        )

    return changed


def stretched(_: Maps, corners: Corners, __: Sound) -> None:
    """Put the front of C3 20 mm too far forward."""
    front = Landmark(Vertebra.C3, Corner.ANTERIOR_SUPERIOR)
    point = corners[front].point
    corners[front] = replace(corners[front], point=PixelPoint(point.row, point.column - 25))


def on_rows(structure: Structure, level: Level, edit: Callable[[npt.NDArray[np.float16]], npt.NDArray[np.float16] | float]):
    """Return the change of a sagittal mask on all slices beside one level."""

    def changed(maps: Maps, _: Corners, sound: Sound) -> None:
        rows = sound.rows(level)
        maps[SAGITTAL, structure][:, rows] = edit(maps[SAGITTAL, structure][:, rows])

    return changed


def at_slice(structure: Structure, edit: Callable[[npt.NDArray[np.float16]], npt.NDArray[np.float16] | float], offsets=(0,)):
    """Return the change of an axial mask on the decisive slice, or on those beside it."""

    def changed(maps: Maps, _: Corners, sound: Sound) -> None:
        decisive = sound.analysis.measurements.axial.decisive.slice_index
        for offset in offsets:
            maps[AXIAL, structure][decisive + offset] = edit(maps[AXIAL, structure][decisive + offset])

    return changed


def filled(maps: Maps, _: Corners, sound: Sound) -> None:
    """Draw the cord of one level as wide as the canal."""
    rows = sound.rows(Level.C5)
    maps[SAGITTAL, CORD][:, rows] = maps[SAGITTAL, CANAL][:, rows]


def shifted(rows: int, columns: int):
    """Return the edit that shifts a map by whole pixels."""
    return lambda one: np.roll(one, (rows, columns), axis=(-2, -1))


def trimmed(axis: int, share: float):
    """Return the edit that takes a share of a mask away along rows (0) or columns (1), half on either side."""

    def edit(one: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
        kept = one.copy()
        where = np.flatnonzero((one > 0.5).any(axis=1 - axis))
        side = round(share * len(where) / 2)
        index = np.arange(one.shape[axis])
        gone = (index < where[0] + side) | (index > where[-1] - side)
        kept[gone if axis == 0 else (slice(None), gone)] = 0
        return kept

    return edit


def halved(one: npt.NDArray[np.float16]) -> npt.NDArray[np.float16]:
    """Cut a mask in two across its columns."""
    kept = one.copy()
    where = np.flatnonzero((one > 0.5).any(axis=0))
    kept[:, (where[0] + where[-1]) // 2 + np.arange(2)] = 0
    return kept


def thinned(maps: Maps, _: Corners, sound: Sound) -> None:
    """Show half of the cord on the middle slice beside C6 and C7, and all of it on the slices beside."""
    middle = sound.analysis.measurements.sagittal.slice_index
    for row in range(sound.rows(Level.C6).start, sound.rows(Level.C7).stop):
        cord = maps[SAGITTAL, CORD]
        for beside in (middle - 1, middle + 1):
            cord[beside, row] = cord[middle, row]
        columns = np.flatnonzero(cord[middle, row] > 0)
        cord[middle, row, columns[len(columns) // 2 :]] = 0


def notched(maps: Maps, _: Corners, sound: Sound) -> None:
    """Take 3 mm of the front of the cord away beside C4/C5, on every sagittal slice."""
    cord, rows = maps[SAGITTAL, CORD], sound.rows(Level.C4_C5)
    cord[:, rows] = np.minimum(cord[:, rows], np.roll(cord[:, rows], 4, axis=-1))


def islanded(maps: Maps, _: Corners, __: Sound) -> None:
    """Call a patch behind the neck cord, on every sagittal slice."""
    maps[SAGITTAL, CORD][:, 20:32, -14:-4] = 1


def leaking(maps: Maps, _: Corners, sound: Sound) -> None:
    """Let the canal reach 8 mm into the body of C3."""
    canal, rows = maps[SAGITTAL, CANAL], sound.rows(Level.C3)
    canal[:, rows] = np.maximum.reduce([np.roll(canal[:, rows], -shift, axis=-1) for shift in range(11)])


def capped(role: SeriesRole, structure: Structure, most: float) -> Callable[[Maps, Corners, Sound], None]:
    def changed(maps: Maps, _: Corners, __: Sound) -> None:
        np.minimum(maps[role, structure], most, out=maps[role, structure])

    return changed


def emptied(role: SeriesRole, structure: Structure) -> Callable[[Maps, Corners, Sound], None]:
    def changed(maps: Maps, _: Corners, __: Sound) -> None:
        maps[role, structure][:] = 0

    return changed
