"""Verify, load and warm the models that the configuration names."""

import hashlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime

from node.domain.errors import PermanentError, Reason
from node.domain.prediction import ModelIdentity
from node.inference.keypoint_detector import KeypointDetector
from node.inference.manifest import MANIFEST_NAME, FixedSpacingPlan, ModelManifest, Task, load_manifest
from node.inference.segmenter import Segmenter
from node.inference.session import OnnxSession, Session, choose_providers


@dataclass(frozen=True, slots=True, eq=False)
class LoadedModel:
    """A manifest and its running network."""

    manifest: ModelManifest
    session: Session
    witness: "LoadedModel | None" = None


class ModelLibrary:
    """The models of one node, one for each task.

    Parameters
    ----------
    models
        Loaded models by task.
    batch_size
        Slices in one batch of the segmenters.

    Raises
    ------
    PermanentError
        ``model_missing`` if a task has no model.
    """

    def __init__(self, models: dict[Task, LoadedModel], batch_size: int) -> None:
        for task in Task:
            if task not in models:
                raise PermanentError(Reason.MODEL_MISSING, f"no model for the task {task}; check the names in section inference")
        self._models = models
        self.sagittal_segmenter = self._segmenter(Task.SAGITTAL_SEGMENTATION, batch_size)
        self.axial_segmenter = self._segmenter(Task.AXIAL_SEGMENTATION, batch_size)
        self.keypoint_detector = _detector(models[Task.KEYPOINTS])

    def _segmenter(self, task: Task, batch_size: int) -> Segmenter:
        model = self._models[task]
        return Segmenter(model.session, model.manifest, batch_size)

    @property
    def _every(self) -> tuple[LoadedModel, ...]:
        chosen = (self._models[task] for task in Task)
        return tuple(one for model in chosen for one in (model, model.witness) if one is not None)

    @property
    def manifests(self) -> tuple[ModelManifest, ...]:
        """What is loaded."""
        return tuple(model.manifest for model in self._every)

    @property
    def identities(self) -> tuple[ModelIdentity, ...]:
        """Which weights decide the results."""
        return tuple(manifest.identity for manifest in self.manifests)

    @property
    def providers(self) -> dict[str, str]:
        """Return the execution provider that each model really uses, by name of the model."""
        return {model.manifest.name: model.session.provider for model in self._every}


def _detector(model: LoadedModel) -> KeypointDetector:
    return KeypointDetector(model.session, model.manifest, None if model.witness is None else _detector(model.witness))


def load_library(
    models_dir: Path, names: Sequence[str], providers: Sequence[str], threads: int, batch_size: int = 4
) -> ModelLibrary:
    """Return the named models, verified against their hashes and warmed with one empty image each.

    Parameters
    ----------
    models_dir
        Folder with one folder for each model.
    names
        Folder names of the models, one for each task.
    providers, threads, batch_size
        As in section ``inference`` of the configuration.

    Raises
    ------
    PermanentError
        ``model_missing``, ``model_corrupt`` or ``provider_unavailable``.
    """
    chosen = choose_providers(providers, onnxruntime.get_available_providers())
    # most of it is ONNX Runtime optimising a graph, which holds no interpreter lock
    with ThreadPoolExecutor() as pool:
        models = list(pool.map(lambda name: _load(models_dir / name, chosen, threads), names))
    return ModelLibrary({model.manifest.task: model for model in models}, batch_size)


def list_manifests(models_dir: Path) -> Mapping[str, ModelManifest | PermanentError]:
    """Return what each model of a folder says of itself, by folder name in order; the error where that cannot be read.

    Raises
    ------
    PermanentError
        ``model_missing`` if the folder is not there or holds no model.
    """
    names = sorted(path.parent.name for path in models_dir.glob(f"*/{MANIFEST_NAME}"))
    if not names:
        raise PermanentError(Reason.MODEL_MISSING, f"no model in {models_dir}; fetch the models or correct inference.models_dir")
    return {name: _manifest_or_error(models_dir / name) for name in names}


def _manifest_or_error(folder: Path) -> ModelManifest | PermanentError:
    try:
        return load_manifest(folder)
    except PermanentError as error:
        return error


def verify_manifest(folder: Path) -> ModelManifest:
    """Return the manifest of a model whose weights, and those of its witness, are the bytes that are named.

    Raises
    ------
    PermanentError
        ``model_missing`` or ``model_corrupt``.
    """
    manifest = load_manifest(folder)
    verified_bytes(folder, manifest)
    if manifest.witness is not None:
        verify_manifest(folder / manifest.witness)
    return manifest


def verified_bytes(folder: Path, manifest: ModelManifest) -> bytes:
    """Return the weights of a model.

    Raises
    ------
    PermanentError
        ``model_missing`` if they are not there, ``model_corrupt`` if they are not the bytes that the manifest names.
    """
    try:
        content = (folder / manifest.file).read_bytes()
    except OSError as error:
        message = f"weights {manifest.file!r} of model {folder.name!r} are not there; fetch them or correct inference.models_dir"
        raise PermanentError(Reason.MODEL_MISSING, message) from error
    found = hashlib.sha256(content).hexdigest()
    if found != manifest.sha256:
        message = (
            f"weights {manifest.file!r} of model {folder.name!r} have SHA-256 {found[:12]}..., "
            f"the manifest says {manifest.sha256[:12]}...; fetch them again"
        )
        raise PermanentError(Reason.MODEL_CORRUPT, message)
    return content


def _load(folder: Path, providers: Sequence[str], threads: int) -> LoadedModel:
    manifest = load_manifest(folder)
    session = OnnxSession(verified_bytes(folder, manifest), manifest.name, providers, threads)
    _warm(session, manifest)
    witness = None if manifest.witness is None else _witness(folder, manifest.witness, providers, threads)
    return LoadedModel(manifest, session, witness)


def _witness(folder: Path, name: str, providers: Sequence[str], threads: int) -> LoadedModel:
    witness = _load(folder / name, providers, threads)
    if witness.manifest.task is not Task.KEYPOINTS or witness.manifest.witness is not None:
        message = f"the witness {name!r} of model {folder.name!r} has to be a model for keypoints without a witness of its own"
        raise PermanentError(Reason.MODEL_CORRUPT, message)
    return witness


def _warm(session: Session, manifest: ModelManifest) -> None:
    """Run once on nothing, so that the first study does not wait and a wrong network is noticed now."""
    rows, columns = _warm_shape(manifest)
    found = session.run(np.zeros((1, 1, rows, columns), dtype=np.float32)).shape
    expected = (1, len(manifest.channels), rows // manifest.stride, columns // manifest.stride)
    if found != expected:
        message = f"model {manifest.name!r} answers with maps of shape {found}, its manifest says {expected}; fetch it again"
        raise PermanentError(Reason.MODEL_CORRUPT, message)


def _warm_shape(manifest: ModelManifest) -> tuple[int, int]:
    if isinstance(manifest.plan, FixedSpacingPlan):
        return 4 * manifest.plan.multiple, 4 * manifest.plan.multiple
    return manifest.plan.rows, manifest.plan.columns
