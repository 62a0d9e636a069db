"""Tests of what needs torch; without it (the node, and CI, never have it) nothing here is collected."""

from importlib.util import find_spec

import numpy as np
import pytest

collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]


@pytest.fixture(scope="session")
def pool(tmp_path_factory):
    """A folder with one shard of six small sagittal slices: a bright canal with a darker cord, and 28 points."""
    folder = tmp_path_factory.mktemp("pool")
    rng = np.random.default_rng(3)
    pixels = rng.uniform(50, 100, (6, 160, 128)).astype(np.float16)
    cord, canal = (np.zeros((6, 160, 128), dtype=np.uint8) for _ in range(2))
    canal[:, :, 60:80], cord[:, :, 66:74] = 255, 255
    pixels[canal > 0], pixels[cord > 0] = 900, 400
    points = np.stack([np.linspace(20, 140, 28), np.full(28, 50.0)], axis=1)
    np.savez(folder / "00000.npz", pixels=pixels, cord=cord, canal=canal, points=np.stack([points] * 6).astype(np.float32))
    return folder
