"""Write an exported model with 8-bit activations and 7-bit weights: half the size and nearly twice as fast on a CPU.

::

    python -m tools.quantise_onnx /tmp/models/axial-segmentation models/axial-segmentation --studies /tmp/calibration --count 6

The ranges of the activations are taken from synthetic studies, prepared by the code of the node. Evaluate both models with
``tools/evaluate`` before one is shipped.
"""

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import onnx
import yaml
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from node.domain.study import SeriesRole
from node.inference import ModelManifest, load_manifest
from node.inference.manifest import View
from node.inference.preprocess import fit_grid, model_input, reference_signal
from tools.evaluate.phantom_cases import FIRST_SEED, phantom_sources

_ROLES = {View.SAGITTAL: SeriesRole.SAGITTAL_T2, View.AXIAL: SeriesRole.AXIAL_T2}
_SLICES = 4  # of each study, about the middle of the stack
#: Synthetic studies for the ranges, apart from those of the test set.
CALIBRATION_SEED = FIRST_SEED - 500


class _Slices(CalibrationDataReader):
    """Model inputs of the middle slices of synthetic studies, one at a time."""

    def __init__(self, manifest: ModelManifest, studies: Path, count: int) -> None:
        self._inputs = _inputs(manifest, studies, count)

    def get_next(self) -> dict[str, npt.NDArray[np.float32]] | None:
        return next(({"image": image} for image in self._inputs), None)


def _inputs(manifest: ModelManifest, studies: Path, count: int) -> Iterator[npt.NDArray[np.float32]]:
    for source in phantom_sources(studies, count, CALIBRATION_SEED):
        volume = source.load().volumes[_ROLES[manifest.view]]
        reference = reference_signal(volume.voxels, manifest.reference_percentile)
        middle = len(volume.planes) // 2
        for index in range(middle - _SLICES // 2, middle - _SLICES // 2 + _SLICES):
            grid = fit_grid(manifest, volume.planes[index], volume.voxels, reference)
            yield model_input(volume.voxels[index], grid, reference)[None, None]


def _with_full_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the model with weights that were stored in half precision widened: the quantiser passes over them otherwise."""
    halved = {one.name: one for one in model.graph.initializer if one.data_type == onnx.TensorProto.FLOAT16}
    casts = [node for node in model.graph.node if node.op_type == "Cast" and node.input[0] in halved]
    for cast in casts:
        weight = halved[cast.input[0]]
        full = onnx.numpy_helper.to_array(weight).astype(np.float32)
        weight.CopyFrom(onnx.numpy_helper.from_array(full, cast.output[0]))
        model.graph.node.remove(cast)
    return model


def quantise(source: Path, target: Path, slices: CalibrationDataReader) -> None:
    """Write a model with 7-bit weights (by output channel) and 8-bit activations."""
    with tempfile.TemporaryDirectory() as folder:
        full, prepared = Path(folder) / "full.onnx", Path(folder) / "prepared.onnx"
        onnx.save(_with_full_weights(onnx.load(source)), full)
        quant_pre_process(full, prepared, skip_symbolic_shape=True)
        quantize_static(
            prepared,
            target,
            slices,
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # 7 bits: where a CPU has no VNNI pairs of products of 8 bits overflow, and masks differ from machine to machine
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )


@click.command()
@click.argument("source", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--studies", type=click.Path(file_okay=False, path_type=Path), required=True, help="Synthetic studies; made if missing."
)
@click.option("--count", default=6, show_default=True, help="Number of synthetic studies.")
def main(source: Path, folder: Path, studies: Path, count: int) -> None:
    """Write the model in SOURCE to FOLDER with 7-bit weights and 8-bit activations."""
    manifest = load_manifest(source)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / manifest.file
    quantise(source / manifest.file, path, _Slices(manifest, studies, count))
    fields = yaml.safe_load((source / "model.yaml").read_text(encoding="utf-8"))
    fields |= {"version": f"{manifest.version}+int8", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "model.yaml").write_text(yaml.safe_dump(fields, sort_keys=False, width=120), encoding="utf-8")
    click.echo(f"{folder.name}: {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
