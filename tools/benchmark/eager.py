"""The shipped networks in PyTorch, eager, on the same inputs: run by a Python that has torch and timm, which the node's need not.

::

    python -m tools.benchmark.eager models/axial-segmentation/model.safetensors inputs.npz    # prints seconds
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

EAGER = "PyTorch eager"
ROOT = Path(__file__).resolve().parents[2]
_WIDTHS = (96, 64, 48, 32, 16)


def torch_python() -> str | None:
    """Return a Python with torch and timm: this one, or that named in the environment; None if there is none."""
    for python in (sys.executable, os.environ.get("BENCHMARK_TORCH", "")):
        if python and Path(python).exists():
            command = [python, "-c", "import torch, timm, segmentation_models_pytorch, safetensors"]
            if subprocess.run(command, capture_output=True, check=False, timeout=120).returncode == 0:
                return python
    return None


def seconds_in_torch(python: str, weights: Path, inputs: Path) -> float:
    """Return how long the batches of a file take, after one that warms up."""
    command = [python, "-m", "tools.benchmark.eager", str(weights), str(inputs)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    return float(answer.stdout)


def _run(weights: Path, inputs: Path) -> float:
    import torch  # noqa: PLC0415 - only the Python that runs this file as a program has it

    from tools.training.checkpoint import weights as read_weights  # noqa: PLC0415
    from tools.training.network import SpineNet  # noqa: PLC0415

    state = read_weights(weights)
    network = SpineNet("resnet18", _WIDTHS, masks=state["mask_head.weight"].shape[0], heat_maps=0)
    # what the node does not run is left out, the counters of the training are not kept
    network.load_state_dict({key: value for key, value in state.items() if not key.startswith("heat_head.")}, strict=False)
    network.eval()
    batches = [torch.from_numpy(one) for one in np.load(inputs).values()]
    with torch.inference_mode():
        network(batches[0])
        begun = time.perf_counter()
        for batch in batches:
            torch.sigmoid(network(batch)[0])
        return time.perf_counter() - begun


if __name__ == "__main__":
    print(_run(Path(sys.argv[1]), Path(sys.argv[2])))
