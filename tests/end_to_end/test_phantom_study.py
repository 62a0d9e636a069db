"""Scanner -> node -> PACS with a phantom: the numbers in the PACS are the phantom's."""

import io
import json

import highdicom as hd
import pydicom
import pytest

from tests.support.live_node import LiveNode


def instances(orthanc, modality: str) -> list[pydicom.Dataset]:
    """Return the instances of a modality that Orthanc holds."""
    found = orthanc.post("/tools/find", {"Level": "Instance", "Expand": False, "Query": {"Modality": modality}})
    return [pydicom.dcmread(io.BytesIO(orthanc.bytes_of(f"/instances/{one}/file"))) for one in found]


def numbers(report: pydicom.Dataset) -> dict[str, list[float]]:
    """Return every NUM of an SR by its concept name."""
    found: dict[str, list[float]] = {}

    def walk(item: pydicom.Dataset) -> None:
        if item.get("ValueType") == "NUM":
            name = item.ConceptNameCodeSequence[0].CodeValue
            found.setdefault(name, []).append(float(item.MeasuredValueSequence[0].NumericValue))
        for child in item.get("ContentSequence", []):
            walk(child)

    walk(report)
    return found


def test_a_study_goes_in_and_seg_and_sr_with_the_true_numbers_come_back(tmp_path, phantom, orthanc):
    folder, study = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(folder)
        assert node.wait_for_end()["state"] == "delivered"
    (report,) = instances(orthanc, "SR")
    segmentations = instances(orthanc, "SEG")
    assert len(segmentations) == 2
    values = numbers(report)
    truth = study.truth
    assert values["MSCC"][0] == pytest.approx(truth.mscc.value_percent, abs=6)
    assert values["MCC"][0] == pytest.approx(truth.mcc.value_percent, abs=6)
    document = json.loads((node.results()[0] / "measurements.json").read_text(encoding="utf-8"))
    assert values["MSCC"][0] == pytest.approx(document["sagittal"]["mscc"]["value_percent"], abs=0.01)
    assert document["axial"]["ta_mm2"] == pytest.approx(truth.axial.ta_mm2, rel=0.15)
    for segmentation in segmentations:
        assert hd.seg.Segmentation.from_dataset(segmentation).number_of_segments == 2


def test_the_segmentation_lies_on_the_phantoms_cord(tmp_path, phantom, orthanc):
    folder, study = phantom
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(folder)
        node.wait_for_end()
    sources = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in study.paths["sagittal_t2"]]
    truth = study.masks["sagittal_t2_cord"] >= 0.5
    for dataset in instances(orthanc, "SEG"):
        segmentation = hd.seg.Segmentation.from_dataset(dataset)
        if (
            dataset.ReferencedSeriesSequence[0].SeriesInstanceUID
            != pydicom.dcmread(study.paths["sagittal_t2"][0]).SeriesInstanceUID
        ):
            continue
        found = (
            segmentation.get_pixels_by_source_instance(sources, segment_numbers=[1], ignore_spatial_locations=True)[..., 0] > 0
        )
        overlap = 2 * (found & truth).sum() / (found.sum() + truth.sum())
        assert overlap > 0.85
        return
    pytest.fail("no SEG of the sagittal series came back")
