"""ONNX Runtime behind a small protocol: one float32 array in, one out."""

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import onnxruntime

from node.domain.errors import PermanentError, Reason

_log = logging.getLogger(__name__)

Array = npt.NDArray[np.float32]

#: Names of the configuration by the names of ONNX Runtime.
PROVIDERS = {"tensorrt": "TensorrtExecutionProvider", "cuda": "CUDAExecutionProvider", "cpu": "CPUExecutionProvider"}


class Session(Protocol):
    """A loaded network."""

    @property
    def provider(self) -> str:
        """What it runs on: ``tensorrt``, ``cuda`` or ``cpu``."""
        ...

    def run(self, images: Array) -> Array:
        """Return output maps (n, channel, row, column) of images (n, 1, row, column)."""
        ...


def choose_providers(wanted: Sequence[str], available: Sequence[str]) -> tuple[str, ...]:
    """Return the wanted execution providers that are available, in the wanted order, by their short names.

    Parameters
    ----------
    wanted
        Short names in order of preference: ``tensorrt``, ``cuda``, ``cpu``.
    available
        What ONNX Runtime was built with, by its own names.

    Raises
    ------
    PermanentError
        ``provider_unavailable`` if none of them is available or a name is unknown.
    """
    unknown = [name for name in wanted if name not in PROVIDERS]
    if unknown:
        message = f"unknown execution provider {unknown[0]!r} in inference.providers; known: {', '.join(PROVIDERS)}"
        raise PermanentError(Reason.PROVIDER_UNAVAILABLE, message)
    chosen = tuple(name for name in dict.fromkeys(wanted) if PROVIDERS[name] in available)
    if not chosen:
        message = f"none of the execution providers {', '.join(wanted) or '(none)'} is available; add cpu to inference.providers"
        raise PermanentError(Reason.PROVIDER_UNAVAILABLE, message)
    return chosen


def provider_options(provider: str) -> dict[str, str]:
    """Return the options of an execution provider, by its short name.

    TensorRT builds an engine for each network, which takes minutes; it is kept, so that only the first start pays.
    """
    if provider != "tensorrt":
        return {}
    cache = str(Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cspine-node" / "tensorrt")
    return {
        "trt_engine_cache_enable": "True",
        "trt_engine_cache_path": cache,
        "trt_timing_cache_enable": "True",
        "trt_timing_cache_path": cache,
    }


class OnnxSession:
    """A network in ONNX Runtime, on the first provider that really starts.

    Parameters
    ----------
    model
        Bytes of the ONNX file.
    name
        Name of the model, for messages.
    providers
        Short names in order of preference, as :func:`choose_providers` returns them.
    threads
        Threads on the CPU; 0: one for each core.

    Raises
    ------
    PermanentError
        ``model_corrupt`` if the bytes are not a usable network, ``provider_unavailable`` if no provider starts.
    """

    def __init__(self, model: bytes, name: str, providers: Sequence[str], threads: int) -> None:
        self._name = name
        self._session, self._provider = _start(model, name, providers, threads)
        self._input = self._session.get_inputs()[0].name

    @property
    def provider(self) -> str:
        """What it really runs on."""
        return self._provider

    def run(self, images: Array) -> Array:
        """Return output maps (n, channel, row, column) of images (n, 1, row, column).

        Raises
        ------
        PermanentError
            ``model_corrupt`` if the network fails on them.
        """
        try:
            output = self._session.run(None, {self._input: images})[0]
        except _ONNX_ERRORS as error:
            shape = "x".join(map(str, images.shape))
            raise PermanentError(
                Reason.MODEL_CORRUPT, f"model {self._name!r} failed on input {shape}: {_short(error)}"
            ) from error
        return np.asarray(output, dtype=np.float32)


_STATE = onnxruntime.capi.onnxruntime_pybind11_state
# ONNX Runtime has no common base class for what it raises.
_ONNX_ERRORS = (
    _STATE.Fail,
    _STATE.InvalidArgument,
    _STATE.InvalidGraph,
    _STATE.InvalidProtobuf,
    _STATE.NoSuchFile,
    _STATE.NotImplemented,
    _STATE.RuntimeException,
    _STATE.EPFail,
    ValueError,
    RuntimeError,
)

# These say that the bytes are wrong, whichever provider reads them.
_NOT_A_NETWORK = (_STATE.InvalidProtobuf, _STATE.InvalidGraph)


def _start(model: bytes, name: str, providers: Sequence[str], threads: int) -> tuple[onnxruntime.InferenceSession, str]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # Without VNNI a CPU adds pairs of products of 8 bits in 16 and overflows: the same weights would give other masks there.
    options.add_session_config_entry("session.x64quantprecision", "1")
    # Threads that wait by spinning take the cores from other roles and from what follows a network: a sixth of an analysis' CPU.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for provider in providers:
        try:
            named = (PROVIDERS[provider], provider_options(provider))
            session = onnxruntime.InferenceSession(model, options, providers=[named])
        except _ONNX_ERRORS as error:
            if provider == "cpu" or isinstance(error, _NOT_A_NETWORK):
                raise PermanentError(Reason.MODEL_CORRUPT, f"model {name!r} cannot be loaded: {_short(error)}") from error
            _log_dropped(name, provider, _short(error))
            continue
        # without its driver a provider is dropped silently and the CPU takes over: that is not what was asked for
        if session.get_providers()[0] == PROVIDERS[provider]:
            return session, provider
        _log_dropped(name, provider, "its driver or libraries are missing")
    message = f"none of the execution providers {', '.join(providers)} starts; add cpu to inference.providers"
    raise PermanentError(Reason.PROVIDER_UNAVAILABLE, message)


def _log_dropped(name: str, provider: str, why: str) -> None:
    _log.warning("execution provider does not start", extra={"model": name, "provider": provider, "why": why})


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
