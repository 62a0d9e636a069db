from dataclasses import asdict, replace

import numpy as np
import onnxruntime
import pytest
import torch
import yaml
from click.testing import CliRunner

from node.inference import load_manifest
from tools.export_onnx import main as export
from tools.training.network import Exported, build_network
from tools.training.train_sagittal import SETTINGS

SMALL = replace(SETTINGS, widths=(8, 8, 8, 8, 8))


@pytest.mark.parametrize(
    ("architecture", "masks", "heat"),
    [("unet", (2, 2, 128, 96), (2, 28, 64, 48)), ("upernet-swin", (2, 2, 128, 96), None), ("hrnet", None, (2, 28, 64, 48))],
)
def test_each_network_gives_what_it_is_for(architecture, masks, heat):
    network = build_network(asdict(replace(SMALL, architecture=architecture))).eval()
    with torch.no_grad():
        found = network(torch.rand(2, 1, 128, 96))
    assert [None if one is None else tuple(one.shape) for one in found] == [masks, heat]


def test_an_output_that_a_network_has_not_is_refused():
    network = build_network(asdict(replace(SMALL, architecture="hrnet")))
    with pytest.raises(ValueError, match="no output for masks"):
        Exported(network, 0)(torch.rand(1, 1, 64, 64))


@pytest.mark.parametrize(
    ("architecture", "task"),
    [("unet", "sagittal_segmentation"), ("unet", "keypoints"), ("upernet-swin", "sagittal_segmentation"), ("hrnet", "keypoints")],
)
def test_an_exported_network_says_what_torch_says_at_every_size_of_its_plan(tmp_path, architecture, task):
    torch.manual_seed(5)
    settings = asdict(replace(SMALL, architecture=architecture))
    network = build_network(settings).eval()
    source = tmp_path / "last.pt"
    torch.save({"settings": settings, "average": network.state_dict(), "step": 1, "people": ["somebody"]}, source)
    result = CliRunner().invoke(export, [str(source), str(tmp_path / "m"), "--task", task, "--version", "1"])
    assert result.exit_code == 0, result.output
    manifest = load_manifest(tmp_path / "m")
    assert manifest.training_people == ("somebody",)
    assert yaml.safe_load((tmp_path / "m" / "model.yaml").read_text(encoding="utf-8"))["task"] == task
    session = onnxruntime.InferenceSession(tmp_path / "m" / "model.onnx", providers=["CPUExecutionProvider"])
    plan = manifest.plan
    smallest, largest = (plan.minimum_rows, plan.minimum_columns), (plan.maximum_rows, plan.maximum_columns)
    for batch, size in ((1, smallest if smallest == largest else (64, 96)), (2, largest)):
        image = torch.rand((batch, 1, *size))
        with torch.no_grad():
            expected = Exported(network, int(task == "keypoints"))(image).numpy()
        np.testing.assert_allclose(session.run(None, {"image": image.numpy()})[0], expected, atol=5e-3)
