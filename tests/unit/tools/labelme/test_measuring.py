"""A reader who changes nothing measures what the node measured."""

import json
import shutil

import pytest

from node.config import MeasurementConfig
from node.domain.anatomy import Level, Structure
from node.domain.errors import Reason
from node.domain.study import SeriesRole
from tools.labelme import annotation_paths, read_annotation
from tools.labelme.measuring import measure_annotations, write_measurements


def measured(folder):
    (analysis,) = measure_annotations([read_annotation(path) for path in annotation_paths(folder)], MeasurementConfig())
    return analysis


@pytest.fixture(scope="module")
def reader(pristine):
    return measured(pristine.folder)


def test_ratios_are_those_of_the_node(analysis, reader):
    for structure in Structure:
        node, person = (one.measurements.sagittal.ratio(structure).ratio for one in (analysis, reader))
        assert person.level is node.level
        assert person.value == pytest.approx(node.value, abs=1.2)


def test_axial_values_are_those_of_the_node(analysis, reader):
    node, person = (one.measurements.axial.decisive for one in (analysis, reader))
    assert person.level is node.level
    assert person.area.value == pytest.approx(node.area.value, rel=0.015)
    assert person.compression_ratio.value == pytest.approx(node.compression_ratio.value, rel=0.02)
    assert len(reader.measurements.axial.slices) == len(analysis.measurements.axial.slices)


def test_the_document_names_study_slice_and_reader(analysis, reader, tmp_path):
    document = json.loads(write_measurements(reader, tmp_path).read_text(encoding="utf-8"))
    assert document["study_instance_uid"] == analysis.study_instance_uid
    assert [model["name"] for model in document["models"]] == ["reader"]
    sagittal = analysis.series_by_role[SeriesRole.SAGITTAL_T2].volume.sources[analysis.measurements.sagittal.slice_index]
    assert document["sagittal"]["sop_instance_uid"] == sagittal.instance.sop_instance_uid
    assert document["status"] == "measured"


def test_a_change_of_a_file_is_another_reader(exported, reader):
    exported.change(exported.beside, lambda document: document.update(flags={"seen": True}))
    assert measured(exported.folder).measurements.models != reader.measurements.models


def test_axial_slices_alone_have_values_but_no_level(exported):
    for path in annotation_paths(exported.folder):
        if path.name.startswith("sagittal"):
            path.unlink()
    axial = measured(exported.folder).measurements.axial
    assert axial.decisive is None
    assert all(one.area.value is not None for one in axial.slices)


def test_without_corners_nothing_has_a_level_and_that_is_said(exported):
    exported.change(exported.sagittal, lambda document: document.update(shapes=document["shapes"][:2]))
    measurements = measured(exported.folder).measurements
    assert measurements.sagittal is None
    assert all(one.level is None for one in measurements.axial.slices)
    assert [finding.code for finding in measurements.findings] == [Reason.LEVEL_MISSING]


def test_without_one_vertebra_the_rest_is_measured_and_the_ratios_are_withheld(exported):
    def without_c7(document):
        document["shapes"] = [shape for shape in document["shapes"] if shape["label"] not in ("17", "18", "19", "20")]

    exported.change(exported.sagittal, without_c7)
    sagittal = measured(exported.folder).measurements.sagittal
    assert sagittal.ratio(Structure.SPINAL_CORD).ratio.value is None
    assert {one.level for one in sagittal.levels} >= {Level.C3, Level.C6}


def test_a_slice_that_is_there_twice_is_refused(exported):
    for path in exported.folder.glob(f"{exported.axial.stem}*"):
        shutil.copy(path, path.with_name("copy" + path.name[len(exported.axial.stem) :]))
    with pytest.raises(ValueError, match="twice"):
        measured(exported.folder)


def test_slices_of_several_series_are_refused(exported):
    geometry = exported.axial.with_suffix(".geometry.json")
    exported.change(geometry, lambda document: document.update(series_instance_uid="1.2.3"))
    with pytest.raises(ValueError, match="several series"):
        measured(exported.folder)
