"""SEG and SR through the real Cornerstone adapters and dcmjs, which OHIF and many web viewers are made of."""

import json
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import highdicom
import numpy as np
import pytest

from node.config import ReportingConfig
from node.domain.analysis import Analysis
from node.domain.anatomy import Corner, Landmark, Structure, Vertebra
from node.domain.report import ReportKind
from node.domain.study import SeriesRole
from node.reporting import Software, build_report
from tests.support.analyses import AXIAL, SAGITTAL, Scene, synthetic_analysis
from tests.support.analytic_shapes import StraightSpine
from tests.support.external import require_tool
from tests.support.neighbours import neighbour

SCRIPT = Path(__file__).parents[1] / "support" / "javascript" / "read_results.mjs"
CORD, CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
#: Left of the middle: the same seen from the other side is another study.
SPINE = StraightSpine(top=(4.5, 0.0, 60.0))
#: Square pixels, because Cornerstone swaps the two spacings of an SR's points (cornerstonejs/cornerstone3D#2758).
SQUARE_SAGITTAL, SQUARE_AXIAL = (replace(stack, pixel_spacing_mm=(0.8, 0.8)) for stack in (SAGITTAL, AXIAL))
SCENES = {
    "plain": Scene(SQUARE_SAGITTAL, SQUARE_AXIAL, spine=SPINE),
    "oblique": Scene(
        replace(SQUARE_SAGITTAL, rotation_deg=(0.0, -4.0, -6.0)),
        replace(SQUARE_AXIAL, rotation_deg=(9.0, 0.0, 3.0)),
        spine=SPINE,
    ),
    "reversed": Scene(
        replace(SQUARE_SAGITTAL, flip_columns=True, flip_rows=True, reverse_slices=True),
        replace(SQUARE_AXIAL, flip_columns=True, reverse_slices=True),
        spine=SPINE,
    ),
}
WITHHELD = Scene(
    SQUARE_SAGITTAL,
    SQUARE_AXIAL,
    missing=[Landmark(Vertebra.C5, corner) for corner in Corner],
    empty=[(SeriesRole.AXIAL_T2, CORD)],
    spine=SPINE,
)


@dataclass(frozen=True)
class Read:
    """An analysis, the two forms of its report, and what the adapters read in its SEGs, series by series, and in the forms.

    ``lines`` is what they read in the SRs of its lines.
    """

    analysis: Analysis
    forms: list[Path]
    segmentations: list[dict[str, Any]]
    reports: list[dict[str, Any]]
    lines: list[dict[str, Any]]


@pytest.fixture(scope="module", params=SCENES)
def read(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Read:
    return read_report_of(SCENES[request.param], tmp_path_factory.mktemp(request.param))


def read_report_of(scene: Scene, folder: Path) -> Read:
    analysis = synthetic_analysis(folder / "study", scene)
    objects = build_report(analysis, ReportingConfig(), Software("cspine-node", "1.2.3"), folder / "report")
    (sr,) = (one for one in objects if one.kind is ReportKind.SR)
    assert sr.fallback is not None
    forms = [sr.instance.path, sr.fallback.instance.path]
    segmentations = [folder / "report" / f"seg_{role}.dcm" for role in analysis.series_by_role]
    drawn = [one.instance.path for one in objects if one.kind is ReportKind.SR_LINES]
    images = [source.instance.path for one in analysis.series_by_role.values() for source in one.volume.sources]
    seen = adapters_read([*segmentations, *forms, *drawn, *images])
    reports, lines = seen["reports"][: len(forms)], seen["reports"][len(forms) :]
    return Read(analysis, forms, seen["segmentations"], reports, lines)


def adapters_read(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    command = [require_tool("node"), SCRIPT, *files]
    installed = neighbour("node_modules").parent
    done = subprocess.run(command, cwd=installed, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    answer: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return answer


def test_the_adapters_see_every_segment_on_its_pixels(read):
    for (role, series), segmentation in zip(read.analysis.series_by_role.items(), read.segmentations, strict=True):
        assert segmentation["labels"] == ["Spinal cord", "Spinal canal"]
        index_of = {source.instance.sop_instance_uid: index for index, source in enumerate(series.volume.sources)}
        seen = np.zeros((2, *series.volume.geometry.shape), dtype=bool)
        for one in segmentation["marked"]:
            seen[one["segment"] - 1, index_of[one["image"]]].flat[one["pixels"]] = True
        assert np.array_equal(seen, [series.masks.binary(CORD), series.masks.binary(CANAL)]), role


def test_the_adapters_read_every_number_and_where_it_was_measured(read):
    planes = {
        source.instance.sop_instance_uid: plane
        for series in read.analysis.series_by_role.values()
        for source, plane in zip(series.volume.sources, series.volume.planes, strict=True)
    }
    for path, report in zip(read.forms, read.reports, strict=True):
        written = highdicom.sr.srread(path).content.get_planar_roi_measurement_groups()
        for group, seen in zip(written, report["groups"], strict=True):
            numbers = [[one.name.meaning, one.value, one.unit.value] for one in group.get_measurements()]
            assert seen["name"] == group.tracking_identifier
            assert seen["numbers"] == numbers
            pixels = np.array(group.roi.value)[:, ::-1] - 0.5
            assert np.array(seen["points"]) == pytest.approx(planes[seen["image"]].to_patient(pixels), abs=1e-3)


def test_the_adapters_read_what_was_measured(read):
    sagittal = read.analysis.measurements.sagittal
    ratio = sagittal.ratio(CORD)
    for report in read.reports:
        groups = {one["name"]: one for one in report["groups"]}
        named = {name: (value, unit) for name, value, unit in groups["MSCC (c3-c7)"]["numbers"]}
        assert named["Maximum spinal cord compression"] == (pytest.approx(ratio.ratio.value, abs=0.006), "%")
        for level in sagittal.levels:
            (evidence,) = level.cord_ap.evidence
            plane = read.analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume.planes[evidence.slice_index]
            line = groups[f"Cord AP {level.level}"]
            assert [value for _, value, _ in line["numbers"]] == [pytest.approx(level.cord_ap.value, abs=0.006)]
            ends = plane.to_patient([(point.row, point.column) for point in evidence.points])
            assert np.array(line["points"]) == pytest.approx(ends, abs=1e-3)


def test_nothing_of_ours_becomes_editable(read):
    """A value that a tool would edit could not be told from one that was measured."""
    assert [report["editable"] for report in (*read.reports, *read.lines)] == [[], [], [], []]


def test_what_was_withheld_does_not_become_editable_either(tmp_path):
    read = read_report_of(WITHHELD, tmp_path)
    for report in read.reports:
        assert len([one for one in report["groups"] if not one["numbers"]]) > 5
        assert report["editable"] == []
    (drawn,) = read.lines
    assert drawn["editable"] == []
    assert [one["name"] for one in drawn["groups"]] == ["C3", "C3/C4", "C4", "C6", "C6/C7", "C7"]
