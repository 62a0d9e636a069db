"""All slices of a measured series with the outlines of its SEG, as a browser shows them one by one."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from highdicom.seg import Segmentation, segread

from node.domain.anatomy import Structure
from node.domain.errors import PermanentError, Reason
from node.domain.image import Volume
from node.domain.prediction import Probabilities
from node.domain.study import SeriesRole
from node.reporting.canvas import CANAL_COLOUR, CORD_COLOUR, png
from node.reporting.codes import STRUCTURES
from node.reporting.hanging import AXIAL_VIEW, SAGITTAL_VIEW, slice_picture, upright_view
from node.reporting.overlay import draw_edges

_SIZE = (768, 768)
_COLOURS = {Structure.SPINAL_CORD: CORD_COLOUR, Structure.SPINAL_CANAL: CANAL_COLOUR}
_VIEWS = {
    SeriesRole.SAGITTAL_T2: (SAGITTAL_VIEW, ("A", "P", "S", "I")),
    SeriesRole.AXIAL_T2: (AXIAL_VIEW, ("R", "L", "A", "P")),
}


@dataclass(frozen=True, slots=True, eq=False)
class BrowsedSeries:
    """A series and the masks of its SEG on the grid of its slices; a structure without a segment is absent."""

    role: SeriesRole
    volume: Volume
    masks: Mapping[Structure, Probabilities]

    @classmethod
    def open(cls, role: SeriesRole, volume: Volume, seg: Path | None) -> "BrowsedSeries":
        """Return a series to browse; without a SEG it has no outlines.

        Raises
        ------
        PermanentError
            ``report_unreadable`` if the file is not a SEG of this series.
        """
        try:
            return cls(role, volume, {} if seg is None else _masks(segread(seg), volume))
        except (OSError, ValueError, KeyError, AttributeError) as error:
            what = f"{role}: the SEG does not fit its series ({type(error).__name__}); analyse the study again"
            raise PermanentError(Reason.REPORT_UNREADABLE, what) from error

    def __len__(self) -> int:
        return len(self.volume.planes)

    def picture(self, index: int, *, with_outlines: bool) -> bytes:
        """Return a slice as PNG in the usual hanging, square pixels, with the letters of the patient directions."""
        axes, letters = _VIEWS[self.role]
        shown = slice_picture(self.volume.voxels[index], upright_view(self.volume.planes[index], axes, (), 0.0, _SIZE))
        for structure, mask in self.masks.items() if with_outlines else ():
            shown.outline(mask[index], _COLOURS[structure])
        draw_edges(_SIZE, shown, letters)
        return png(shown.drawing.finished())


def _masks(seg: Segmentation, volume: Volume) -> dict[Structure, Probabilities]:
    found = {}
    for structure, code in STRUCTURES.items():
        numbers = seg.get_segment_numbers(segmented_property_type=code)
        if numbers:
            found[structure] = _pixels(seg, volume, numbers[0]).astype(np.float16)
    return found


def _pixels(seg: Segmentation, volume: Volume, number: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]":
    frames = [source.frame_number for source in volume.sources if source.frame_number is not None]
    instance = volume.sources[0].instance.sop_instance_uid
    if not frames:
        instances = [source.instance.sop_instance_uid for source in volume.sources]
        pixels = seg.get_pixels_by_source_instance(
            instances, segment_numbers=[number], assert_missing_frames_are_empty=True, ignore_spatial_locations=True
        )
    else:
        pixels = seg.get_pixels_by_source_frame(
            instance, frames, segment_numbers=[number], assert_missing_frames_are_empty=True, ignore_spatial_locations=True
        )
    return np.asarray(pixels[..., 0], dtype=np.uint8)
