"""A real cervical MR volume through the whole node: the SEG lies on the given cord mask, the numbers are a person's."""

import io
import json

import highdicom as hd
import numpy as np
import pydicom
import pytest

from tests.support.live_node import ROOT, LiveNode
from tools.nifti_to_dicom import SliceSettings, convert_nifti

REAL = ROOT.parent / "shared" / "data" / "real" / "sagittal"
# The masks were trained on this person too, the corners were not: this tests the chain, not how good the models are.
PERSON = "errsm_21"


@pytest.fixture(scope="module")
def real_study(tmp_path_factory):
    volume = REAL / f"{PERSON}_t2.nii.gz"
    if not volume.exists():
        pytest.skip("the real volumes are not here")
    folder = tmp_path_factory.mktemp("real")
    return folder, convert_nifti(volume, folder, SliceSettings(), {"cord": REAL / f"{PERSON}_cord.nii.gz"})


def dice(found: np.ndarray, truth: np.ndarray) -> float:
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


def test_a_real_volume_is_measured_and_its_segmentation_lies_on_the_cord(tmp_path, real_study, orthanc):
    folder, study = real_study
    node = LiveNode(tmp_path / "node", [orthanc.destination()])
    with node.running():
        node.store_scu(folder)
        assert node.wait_for_end()["state"] == "delivered"

    found = orthanc.post("/tools/find", {"Level": "Instance", "Query": {"Modality": "SEG"}})
    overlaps = {}
    for one in found:
        dataset = pydicom.dcmread(io.BytesIO(orthanc.bytes_of(f"/instances/{one}/file")))
        series = study.sagittal if "SAG" in dataset.ContentLabel else study.axial
        uids = [pydicom.dcmread(path, stop_before_pixels=True).SOPInstanceUID for path in series.paths]
        segmentation = hd.seg.Segmentation.from_dataset(dataset)
        pixels = segmentation.get_pixels_by_source_instance(uids, segment_numbers=[1], ignore_spatial_locations=True)[..., 0] > 0
        truth = series.masks["cord"] >= 0.5
        marked = truth.any(axis=(1, 2))
        overlaps[dataset.ContentLabel] = dice(pixels[marked], truth[marked])
    assert len(overlaps) == 2
    assert min(overlaps.values()) > 0.8

    document = json.loads((node.results()[0] / "measurements.json").read_text(encoding="utf-8"))
    reference = json.loads((REAL / f"{PERSON}_midsagittal.json").read_text(encoding="utf-8"))
    assert document["sagittal"]["mscc"]["value_percent"] == pytest.approx(reference["MSCC_percent"], abs=8)
    assert document["sagittal"]["mcc"]["value_percent"] == pytest.approx(reference["MCC_percent"], abs=8)

    (report,) = orthanc.post("/tools/find", {"Level": "Instance", "Query": {"Modality": "SR"}})
    dataset = pydicom.dcmread(io.BytesIO(orthanc.bytes_of(f"/instances/{report}/file")))
    content = hd.sr.Comprehensive3DSR.from_dataset(dataset).content
    names = {one.name for group in content.get_planar_roi_measurement_groups() for one in group.get_measurements()}
    assert any(name.meaning.startswith("Maximum spinal cord compression") or name.value == "MSCC" for name in names)
