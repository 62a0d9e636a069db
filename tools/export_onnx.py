"""Write a trained network as a model folder of the node: ONNX, safetensors, ``model.yaml``, with a check that both say the same.

::

    python -m tools.export_onnx /tmp/training/sagittal/last.pt models/keypoints --task keypoints --version 0.1.0
"""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

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
# Where people of these names come from.
_SOURCES = {
    "errsm": "Spinal Cord Toolbox test data of 2014, MIT",
    "gm": "Spinal Cord Grey Matter challenge, CC0",
}
_PLANS: dict[str, dict[str, Any]] = {
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
    plan = _plan(task, settings["architecture"])
    _export(model, path, plan)
    difference = _difference(model, path, plan)
    if difference > _LARGEST_ERROR:
        raise click.ClickException(f"torch and ONNX Runtime differ by {difference:.2e}")
    used = {name: value.half().contiguous() for name, value in network.state_dict().items() if value.dtype.is_floating_point}
    save_file(used, folder / "model.safetensors")
    manifest = _manifest(task, version, path, (plan, state["people"]))
    (folder / "model.yaml").write_text(yaml.safe_dump(manifest, sort_keys=False, width=120), encoding="utf-8")
    print(f"{folder.name}: step {state['step']}, {path.stat().st_size / 1e6:.1f} MB, torch - ORT at most {difference:.1e}")


def _export(model: nn.Module, path: Path, plan: Mapping[str, Any]) -> None:
    batch, rows, columns = (torch.export.Dim(name, min=1, max=64) for name in ("batch", "rows", "columns"))
    torch.onnx.export(
        model,
        (torch.rand(2, 1, *_sizes(plan)[0]),),
        path,
        input_names=["image"],
        output_names=["maps"],
        dynamo=True,
        external_data=False,
        opset_version=_OPSET,
        dynamic_shapes={"image": {0: batch} if _has_one_size(plan) else {0: batch, 2: 32 * rows, 3: 32 * columns}},
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


def _plan(task: str, architecture: str) -> dict[str, Any]:
    """Return the input plan; the windows of a Swin Transformer are exported for one size."""
    plan = _PLANS["axial" if task.startswith("axial") else "sagittal"]
    if architecture != "upernet-swin":
        return plan
    return plan | {"minimum_rows": plan["maximum_rows"], "minimum_columns": plan["maximum_columns"]}


def _has_one_size(plan: Mapping[str, Any]) -> bool:
    return "minimum_rows" in plan


def _sizes(plan: Mapping[str, Any]) -> list[tuple[int, int]]:
    """Return sizes (rows, columns) that the network has to serve."""
    return [(plan["maximum_rows"], plan["maximum_columns"])] if _has_one_size(plan) else [(192, 160), (128, 128), (320, 288)]


def _difference(model: nn.Module, path: Path, plan: Mapping[str, Any]) -> float:
    """Return the largest difference between torch and ONNX Runtime, over sizes and batches."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(1)
    largest = 0.0
    for batch, size in enumerate(_sizes(plan), start=1):
        image = torch.rand((batch, 1, *size), generator=generator)
        with torch.no_grad():
            expected = model(image).numpy()
        largest = max(largest, float(np.abs(session.run(None, {"image": image.numpy()})[0] - expected).max()))
    return largest


def _training_data(people: Sequence[str]) -> str:
    """Return in words what a model was trained on."""
    if not people:
        return "Synthetic necks (tools/phantom)."
    sources = [words for prefix, words in _SOURCES.items() if any(one.startswith(prefix) for one in people)]
    return f"Synthetic necks (tools/phantom), then real slices of {len(people)} people ({'; '.join(sources) or 'own data'})."


def _manifest(task: str, version: str, path: Path, made: tuple[Mapping[str, Any], Sequence[str]]) -> dict[str, object]:
    """Return the fields of ``model.yaml``; ``made`` is the input plan, and the people that were trained on."""
    plan, people = made
    view = "axial" if task.startswith("axial") else "sagittal"
    channels = ["spinal_cord", "spinal_canal"]
    if task == "keypoints":
        channels = [f"{vertebra}.{corner}" for vertebra in VERTEBRAE for corner in CORNERS] + list(CENTRES)
    return {
        "name": path.parent.name,
        "version": version,
        "task": task,
        "file": path.name,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "view": view,
        "plan": dict(plan),
        "reference_percentile": 99.0,
        "stride": 2 if task == "keypoints" else 1,
        "channels": channels,
        "licence": "Apache-2.0",
        "training_data": _training_data(people),
        "training_people": list(people),
    }


if __name__ == "__main__":
    main()
