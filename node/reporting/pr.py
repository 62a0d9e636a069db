"""The measured lines over their source images as Grayscale Softcopy Presentation States: the graphics that most PACS draw."""

from collections.abc import Iterator, Sequence

import numpy as np
from highdicom.color import CIELabColor
from highdicom.pr import GraphicLayer, GraphicObject, GrayscaleSoftcopyPresentationState, TextObject
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from node.domain.analysis import Analysis
from node.domain.geometry import ImagePlane
from node.domain.study import SeriesRole
from node.reporting.canvas import CANAL_COLOUR, CORD_COLOUR, CORNER_COLOUR, WHITE
from node.reporting.contrast import add_contrast
from node.reporting.labels import Label, Layer
from node.reporting.pr_content import Sheet, notice_of, sheets_of
from node.reporting.provenance import Provenance
from node.reporting.references import references_to
from node.reporting.seg import PLANES
from node.reporting.source import SourceSeries, decimal_strings
from node.reporting.sr import graphic_data
from node.reporting.sr_content import Group
from node.reporting.uids import derived_uid

_SERIES_NUMBERS = {SeriesRole.SAGITTAL_T2: 9350, SeriesRole.AXIAL_T2: 9351}
_COLOURS = {
    Layer.CORNERS: CORNER_COLOUR,
    Layer.CANAL: CANAL_COLOUR,
    Layer.CORD: CORD_COLOUR,
    Layer.LEVELS: WHITE,
    Layer.RATIOS: (255, 120, 90),
    Layer.NOTES: WHITE,
}
# Of the window: below the spine, between the words that viewers set into the corners.
_NOTES_LEFT, _NOTES_RIGHT, _NOTES_BOTTOM, _NOTES_LINE = 0.25, 0.75, 0.96, 0.028


def build_pr(role: SeriesRole, analysis: Analysis, source: SourceSeries, provenance: Provenance) -> Dataset | None:
    """Return lines and words over the measured slices of a series as GSPS; None if nothing was measured on it.

    One for each series, because all images of one GSPS share their SOP class and their rescale. The contrast is that which the
    slices themselves ask for. Source: PS3.3 section A.33.1.
    """
    qualification = provenance.settings.content_qualification
    sheets = sheets_of(analysis, role, notice_of(qualification))
    if not sheets:
        return None
    frames = [source.volume.sources[sheet.slice_index] for sheet in sheets]
    header = Dataset(dict(source.slice_headers[sheets[0].slice_index].items()))
    header.SamplesPerPixel = 1
    state: Dataset = GrayscaleSoftcopyPresentationState(
        referenced_images=[header],
        series_instance_uid=derived_uid(analysis.fingerprint, f"PR {role} series"),
        series_number=_SERIES_NUMBERS[role],
        sop_instance_uid=derived_uid(analysis.fingerprint, f"PR {role}"),
        instance_number=1,
        content_label=f"AI_{PLANES[role].replace(' ', '_')}",
        content_description=f"Measured lines by software, not verified, {qualification.lower()}",
        content_creator_name=f"{provenance.software.name}^",
        graphic_layers=_layers(),
        series_description=f"AI measured lines ({PLANES[role]}) {qualification}",
        **provenance.equipment,
    )
    state.BodyPartExamined = "CSPINE"
    state.ReferencedSeriesSequence[0].ReferencedImageSequence = references_to(frames)
    state.DisplayedAreaSelectionSequence = Items([_displayed_area(source.volume.planes[0])])
    add_contrast(state, source, [sheet.slice_index for sheet in sheets])
    state.GraphicAnnotationSequence = Items(
        annotation for sheet in sheets for annotation in _annotations(sheet, source, analysis.fingerprint)
    )
    return state


def _layers() -> list[GraphicLayer]:
    return [
        GraphicLayer(layer.value, order, display_color=CIELabColor.from_rgb(*_COLOURS[layer]))
        for order, layer in enumerate(Layer, start=1)
    ]


def _displayed_area(plane: ImagePlane) -> Dataset:
    """Return the whole slice in its true proportions; highdicom takes every pixel for a square. Source: PS3.3 section C.10.4."""
    area = Dataset()
    area.DisplayedAreaTopLeftHandCorner = [1, 1]
    area.DisplayedAreaBottomRightHandCorner = [plane.columns, plane.rows]
    area.PresentationSizeMode = "SCALE TO FIT"
    area.PresentationPixelSpacing = decimal_strings(np.array(plane.spacing))
    return area


def _annotations(sheet: Sheet, source: SourceSeries, fingerprint: str) -> Iterator[Dataset]:
    plane = source.volume.planes[sheet.slice_index]
    for layer in Layer:
        lines = [_line(group, plane.rows, plane.columns, fingerprint) for its_layer, group in sheet.lines if its_layer is layer]
        words = [_text(label) for label in sheet.labels if label.layer is layer]
        words += [_notes(sheet.notes)] if layer is Layer.NOTES else []
        if not lines and not words:
            continue
        item = Dataset()
        item.ReferencedImageSequence = references_to([source.volume.sources[sheet.slice_index]])
        item.GraphicLayer = layer.value
        if lines:
            item.GraphicObjectSequence = Items(lines)
        if words:
            item.TextObjectSequence = Items(words)
        yield item


def _line(group: Group, rows: int, columns: int, fingerprint: str) -> GraphicObject:
    """Return the place of a group, tracked as in the SR.

    Source: PS3.3 section C.10.5.1.2: PIXEL coordinates begin at the corner of the first pixel, as those of SCOORD.
    """
    return GraphicObject(
        "POLYLINE",
        graphic_data(group.place.evidence, rows, columns),
        units="PIXEL",
        tracking_id=group.name,
        tracking_uid=derived_uid(fingerprint, f"SR tracking {group.name}"),
    )


def _text(label: Label) -> TextObject:
    return TextObject(
        label.text,
        units="PIXEL",
        bounding_box=(label.left, label.top, label.right, label.bottom),
        anchor_point=None if label.anchor is None else (label.anchor.column + 0.5, label.anchor.row + 0.5),
        text_justification="RIGHT" if label.is_right_aligned else "LEFT",
    )


def _notes(lines: Sequence[str]) -> TextObject:
    box = (_NOTES_LEFT, max(0.0, _NOTES_BOTTOM - _NOTES_LINE * len(lines)), _NOTES_RIGHT, _NOTES_BOTTOM)
    return TextObject("\r\n".join(lines), units="DISPLAY", bounding_box=box, text_justification="LEFT")
