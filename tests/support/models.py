"""Networks of a few bytes and sessions without a network, for tests of inference."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnx
import yaml
from onnx import TensorProto, helper

from node.domain.geometry import ImagePlane, VolumeGeometry
from node.domain.identity import InstanceRef, SeriesInstanceUID, SOPClassUID, SOPInstanceUID, StudyInstanceUID
from node.domain.image import FrameSource, Volume
from node.inference.chain import channel_names

Array = npt.NDArray[np.float32]

FIXED_SPACING = {"kind": "fixed_spacing", "spacing_mm": 0.75, "multiple": 32, "maximum_rows": 352, "maximum_columns": 320}
FIXED_SIZE = {"kind": "fixed_size", "rows": 256, "columns": 224}


class EchoSession:
    """Says that every structure is as likely as the input is bright (at least 0, at most 1)."""

    provider = "cpu"

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self.shapes: list[tuple[int, ...]] = []

    def run(self, images: Array) -> Array:
        self.shapes.append(images.shape)
        return np.repeat(np.clip(images, 0, 1), self._channels, axis=1)


class ConstantSession:
    """Says the next of its answers of every pixel and structure, once for each call."""

    provider = "cpu"

    def __init__(self, channels: int, answers: Iterator[float]) -> None:
        self._channels, self._answers = channels, answers

    def run(self, images: Array) -> Array:
        rows, columns = images.shape[-2:]
        return np.full((len(images), self._channels, rows, columns), next(self._answers), dtype=np.float32)


class MapSession:
    """Answers every image with the same maps."""

    provider = "cpu"

    def __init__(self, maps: Array) -> None:
        self._maps = maps

    def run(self, images: Array) -> Array:
        return np.repeat(self._maps[None], len(images), axis=0)


def manifest_fields(name: str, task: str, sha256: str = "0" * 64, **changes: object) -> dict[str, object]:
    """Return the content of a valid ``model.yaml``."""
    fields: dict[str, object] = {
        "name": name,
        "version": "1.0.0",
        "task": str(task),
        "file": "model.onnx",
        "sha256": sha256,
        "view": "axial" if task.startswith("axial") else "sagittal",
        "plan": FIXED_SPACING,
        "channels": _channels(task),
        "licence": "Apache-2.0",
        "training_data": "none",
    }
    return fields | changes


def _channels(task: str) -> list[str]:
    return list(channel_names()) if task == "keypoints" else ["spinal_cord", "spinal_canal"]


def brightness_network(channels: int) -> bytes:
    """Return an ONNX network whose output channels are all its input."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", channels, "h", "w"])
    node = helper.make_node("Concat", ["image"] * channels, ["maps"], axis=1)
    graph = helper.make_graph([node], "brightness", [image], [maps])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def heavy_network(channels: int) -> bytes:
    """Return an ONNX network in 8 bits: each of its maps is the sum of so many copies of the image, with the largest weights."""
    given = {
        "step": np.float32(1 / 255),
        "zero": np.uint8(0),
        "weights": np.full((channels, channels, 1, 1), 127, dtype=np.int8),
        "weight_step": np.float32(1 / 127),
        "weight_zero": np.int8(0),
        "sum_step": np.float32(channels / 200),
    }
    nodes = [
        helper.make_node("Concat", ["image"] * channels, ["wide"], axis=1),
        helper.make_node("QuantizeLinear", ["wide", "step", "zero"], ["coarse"]),
        helper.make_node("DequantizeLinear", ["coarse", "step", "zero"], ["input"]),
        helper.make_node("DequantizeLinear", ["weights", "weight_step", "weight_zero"], ["kernel"]),
        helper.make_node("Conv", ["input", "kernel"], ["sums"], kernel_shape=[1, 1]),
        helper.make_node("QuantizeLinear", ["sums", "sum_step", "zero"], ["coarse_sums"]),
        helper.make_node("DequantizeLinear", ["coarse_sums", "sum_step", "zero"], ["maps"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 1, "h", "w"])
    maps = helper.make_tensor_value_info("maps", TensorProto.FLOAT, ["n", channels, "h", "w"])
    constants = [onnx.numpy_helper.from_array(np.asarray(value), name) for name, value in given.items()]
    graph = helper.make_graph(nodes, "heavy", [image], [maps], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def write_model(models_dir: Path, name: str, task: str, channels: int | None = None) -> Path:
    """Write a model folder that loads, unless its network has another number of channels than its manifest; return it."""
    folder = models_dir / name
    folder.mkdir(parents=True)
    network = brightness_network(channels or len(_channels(task)))
    (folder / "model.onnx").write_bytes(network)
    fields = manifest_fields(name, task, hashlib.sha256(network).hexdigest())
    (folder / "model.yaml").write_text(yaml.safe_dump(fields), encoding="utf-8")
    return folder


def volume_of(slices: list[Array], planes: list[ImagePlane]) -> Volume:
    """Return slices as a volume without DICOM behind it."""
    uids = StudyInstanceUID("1.2"), SeriesInstanceUID("1.2.3"), SOPInstanceUID("1.2.3.4"), SOPClassUID("1.2.840")
    ref = InstanceRef(*uids, Path())
    return Volume(np.stack(slices).astype(np.float32), VolumeGeometry(tuple(planes)), (FrameSource(ref),) * len(slices), "")
