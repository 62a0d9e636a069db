import numpy as np
import onnxruntime
import pytest

from node.domain.errors import PermanentError, Reason
from node.inference import choose_providers
from node.inference.session import OnnxSession, provider_options
from tests.support.models import brightness_network, heavy_network

CUDA, CPU, TENSORRT = "CUDAExecutionProvider", "CPUExecutionProvider", "TensorrtExecutionProvider"


@pytest.mark.parametrize(
    ("wanted", "available", "expected"),
    [
        (("tensorrt", "cuda", "cpu"), [TENSORRT, CUDA, CPU], ("tensorrt", "cuda", "cpu")),
        (("tensorrt", "cuda", "cpu"), [CPU], ("cpu",)),
        (("cpu", "cuda"), [CUDA, CPU], ("cpu", "cuda")),
        (("cuda", "cuda"), [CUDA, CPU], ("cuda",)),
    ],
)
def test_providers_keep_the_wanted_order(wanted, available, expected):
    assert choose_providers(wanted, available) == expected


def test_no_provider_is_an_error_that_says_what_to_do():
    with pytest.raises(PermanentError, match=r"cuda.*add cpu to inference\.providers") as error:
        choose_providers(("cuda",), [CPU])
    assert error.value.reason is Reason.PROVIDER_UNAVAILABLE


def test_an_unknown_provider_is_named():
    with pytest.raises(PermanentError, match="'rocm'"):
        choose_providers(("rocm", "cpu"), [CPU])


@pytest.mark.parametrize("provider", ["cuda", "cpu"])
def test_only_tensorrt_keeps_engines(provider):
    assert provider_options(provider) == {}
    kept = provider_options("tensorrt")
    assert (kept["trt_engine_cache_enable"], kept["trt_timing_cache_enable"]) == ("True", "True")
    assert kept["trt_engine_cache_path"] == kept["trt_timing_cache_path"]
    assert kept["trt_engine_cache_path"].endswith("/cspine-node/tensorrt")


@pytest.mark.filterwarnings("ignore:Specified provider 'TensorrtExecutionProvider'")
def test_tensorrt_that_is_not_there_falls_back_with_its_options():
    session = OnnxSession(brightness_network(1), "toy", ("tensorrt", "cpu"), threads=1)
    assert session.provider in {"tensorrt", "cpu"}


def test_a_network_runs_in_batches_of_any_size():
    session = OnnxSession(brightness_network(3), "toy", ("cpu",), threads=1)
    images = np.random.default_rng(0).random((5, 1, 32, 64), dtype=np.float32)
    assert session.provider == "cpu"
    np.testing.assert_array_equal(session.run(images), np.repeat(images, 3, axis=1))


def test_bytes_that_are_no_network_are_reported():
    with pytest.raises(PermanentError, match="'toy' cannot be loaded") as error:
        OnnxSession(b"no network", "toy", ("cpu",), threads=1)
    assert error.value.reason is Reason.MODEL_CORRUPT


def test_an_input_that_the_network_refuses_is_reported():
    session = OnnxSession(brightness_network(1), "toy", ("cpu",), threads=1)
    with pytest.raises(PermanentError, match="failed on input 1x2x8x8") as error:
        session.run(np.zeros((1, 2, 8, 8), dtype=np.float32))
    assert error.value.reason is Reason.MODEL_CORRUPT


@pytest.mark.skipif("CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="needs a machine without CUDA")
@pytest.mark.filterwarnings("ignore:Specified provider 'CUDAExecutionProvider'")
class TestAProviderThatDoesNotStart:
    def test_is_logged_and_the_next_one_is_used(self, caplog):
        session = OnnxSession(brightness_network(1), "toy", ("cuda", "cpu"), threads=1)
        assert session.provider == "cpu"
        dropped = caplog.records[0]
        assert (dropped.levelname, dropped.provider, dropped.model) == ("WARNING", "cuda", "toy")

    def test_is_an_error_if_it_is_the_only_one(self):
        with pytest.raises(PermanentError, match=r"cuda starts; add cpu") as error:
            OnnxSession(brightness_network(1), "toy", ("cuda",), threads=1)
        assert error.value.reason is Reason.PROVIDER_UNAVAILABLE


def test_eight_bits_give_the_same_sums_on_every_cpu():
    """Without VNNI, and without being told, ONNX Runtime adds pairs in 16 bits, and 16 comes out where 32 is right."""
    session = OnnxSession(heavy_network(32), "heavy", ("cpu",), 1)
    assert session.run(np.ones((1, 1, 16, 16), dtype=np.float32)) == pytest.approx(32.0, abs=0.1)
