"""Write a trained network as a model folder of the node: ONNX, safetensors, ``model.yaml``, with a check that both say the same.

::

    python -m tools.export_onnx /tmp/training/sagittal/last.pt models/keypoints --task keypoints --version 0.1.0
"""

import hashlib
from pathlib import Path

import click
import numpy as np
import onnx
import onnxruntime
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from node.domain.anatomy import CORNERS, VERTEBRAE
from tools.training.network import Exported, build_network
from tools.training.pool import AXIAL_MM, CENTRES, SAGITTAL_MM

_OPSET = 18
_LARGEST_ERROR = 5e-3
_SMALLEST_HALVED = 1024  # numbers in a weight
_TRAINING_DATA = {
    "sagittal": (
        "Synthetic necks (tools/phantom), then 3 adults of the Spinal Cord Toolbox test data of 2014 (errsm_11, 18, 20; MIT)."
    ),
    "axial": (
        "Synthetic necks (tools/phantom), then T2*w of 2 people of the Spinal Cord Grey Matter challenge (CC0) and errsm_18, and "
        "axial reformats of errsm_11 and errsm_18 (Spinal Cord Toolbox test data of 2014, MIT)."
    ),
}
_PLANS = {
    "sagittal": {"kind": "fixed_spacing", "spacing_mm": SAGITTAL_MM, "multiple": 32, "maximum_rows": 448, "maximum_columns": 384},
    "axial": {"kind": "fixed_spacing", "spacing_mm": AXIAL_MM, "multiple": 32, "maximum_rows": 320, "maximum_columns": 288},
}


@click.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--task", type=click.Choice(["sagittal_segmentation", "axial_segmentation", "keypoints"]), required=True)
@click.option("--version", required=True)
def main(source: Path, folder: Path, task: str, version: str) -> None:
    """Export the averaged weights of a checkpoint."""
    state = torch.load(source, map_location="cpu", weights_only=False)
    settings = state["settings"]
    network = build_network(settings)
    network.load_state_dict(state["average"])
    model = Exported(network, 1 if task == "keypoints" else 0).eval()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    _export(model, path)
    difference = _difference(model, path)
    if difference > _LARGEST_ERROR:
        raise click.ClickException(f"torch and ONNX Runtime differ by {difference:.2e}")
    used = {name: value.half().contiguous() for name, value in network.state_dict().items() if value.dtype.is_floating_point}
    save_file(used, folder / "model.safetensors")
    manifest = _manifest(task, version, hashlib.sha256(path.read_bytes()).hexdigest(), folder.name)
    manifest |= {"training_people": state["people"]}
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False, width=120), encoding="utf-8")
    print(f"{folder.name}: step {state['step']}, {path.stat().st_size / 1e6:.1f} MB, torch - ORT at most {difference:.1e}")


def _export(model: nn.Module, path: Path) -> None:
    batch, rows, columns = (torch.export.Dim(name, min=1, max=64) for name in ("batch", "rows", "columns"))
    torch.onnx.export(
        model,
        (torch.rand(2, 1, 192, 160),),
        path,
        input_names=["image"],
        output_names=["maps"],
        dynamo=True,
        external_data=False,
        opset_version=_OPSET,
        dynamic_shapes={"image": {0: batch, 2: 32 * rows, 3: 32 * columns}},
    )
    graph = _with_half_weights(onnx.load(path))
    onnx.checker.check_model(graph)
    onnx.save(graph, path)


def _with_half_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with large weights stored in half precision and widened when it is loaded: half the size."""
    graph, casts = model.graph, []
    for weight in graph.initializer:
        if weight.data_type != onnx.TensorProto.FLOAT or np.prod(weight.dims) < _SMALLEST_HALVED:
            continue
        name = weight.name
        half = onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(weight).astype(np.float16), f"{name}_half")
        weight.CopyFrom(half)
        casts.append(onnx.helper.make_node("Cast", [f"{name}_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = list(graph.node)
    del graph.node[:]
    graph.node.extend([*casts, *nodes])
    return model


def _difference(model: nn.Module, path: Path) -> float:
    """Return the largest difference between torch and ONNX Runtime, over sizes and batches."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    largest = 0.0
    for shape in ((1, 1, 128, 128), (3, 1, 256, 192), (2, 1, 320, 288)):
        image = torch.rand(shape, generator=generator)
        with torch.no_grad():
            expected = model(image).numpy()
        largest = max(largest, float(np.abs(session.run(None, {"image": image.numpy()})[0] - expected).max()))
    return largest


def _manifest(task: str, version: str, sha256: str, name: str) -> dict[str, object]:
    view = "axial" if task.startswith("axial") else "sagittal"
    channels = ["spinal_cord", "spinal_canal"]
    if task == "keypoints":
        channels = [f"{vertebra}.{corner}" for vertebra in VERTEBRAE for corner in CORNERS] + list(CENTRES)
    return {
        "name": name,
        "version": version,
        "task": task,
        "file": "model.onnx",
        "sha256": sha256,
        "view": view,
        "plan": _PLANS[view],
        "reference_percentile": 99.0,
        "stride": 2 if task == "keypoints" else 1,
        "channels": channels,
        "peak_of_certainty": 0.6 if task == "keypoints" else 1.0,
        "licence": "Apache-2.0",
        "training_data": _TRAINING_DATA[view],
    }


if __name__ == "__main__":
    main()
