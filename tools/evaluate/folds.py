"""Which models a person is evaluated with, and whether they have seen him."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from node.config import InferenceConfig
from node.domain.prediction import ModelIdentity
from node.domain.study import SeriesRole
from node.inference import ModelLibrary, load_library
from tools.evaluate.case import CaseSource
from tools.training.real import person_of

_DEFAULTS = InferenceConfig()
_SAGITTAL = (_DEFAULTS.sagittal_segmentation, _DEFAULTS.keypoints)
_NAMES = (_DEFAULTS.sagittal_segmentation, _DEFAULTS.axial_segmentation, _DEFAULTS.keypoints)
_MANIFEST = "model.yaml"


@dataclass(frozen=True, slots=True)
class UsedModel:
    """A model as the head of the report names it; ``training_people`` is None where the manifest does not say."""

    identity: ModelIdentity
    folder: str
    training_people: tuple[str, ...] | None


class SeenPeopleError(ValueError):
    """A person would be evaluated with a model that was trained on him."""


class Folds:
    """The models of each person: those of his fold, else those for everyone.

    Parameters
    ----------
    everyone
        Folder of models for people without a fold.
    by_person
        Folder of models by person.
    threads
        Threads for one model.
    """

    def __init__(self, everyone: Path | None, by_person: Mapping[str, Path], threads: int = 1) -> None:
        self._everyone = everyone
        self._by_person = {person_of(person): folder for person, folder in by_person.items()}
        self._threads = threads
        self._loaded: tuple[Path, ModelLibrary] | None = None

    def folder_of(self, person: str) -> Path:
        """Return the folder of a person's models.

        Raises
        ------
        ValueError
            If there is none.
        """
        folder = self._by_person.get(person, self._everyone)
        if folder is None:
            raise ValueError(f"no models for {person}: give --models, or --fold {person}=MODELS_DIR")
        return folder

    def library_of(self, person: str) -> ModelLibrary:
        """Return the loaded models of a person; the models of one fold are in memory at a time."""
        folder = self.folder_of(person)
        if self._loaded is None or self._loaded[0] != folder:
            self._loaded = folder, load_library(folder, _NAMES, ("cpu",), self._threads)
        return self._loaded[1]

    def seen(self, sources: Iterable[CaseSource]) -> tuple[str, ...]:
        """Return the people that a model which they are evaluated with names as trained on."""
        people = {
            one.person
            for one in sources
            for model in _used(self.folder_of(one.person), one.roles)
            if one.person in {person_of(name) for name in model.training_people or ()}
        }
        return tuple(sorted(people))

    def models(self, sources: Iterable[CaseSource]) -> tuple[UsedModel, ...]:
        """Return every model that the cases are evaluated with."""
        used = (model for one in sources for model in _used(self.folder_of(one.person), one.roles))
        return tuple(dict.fromkeys(used))


def refuse_seen(seen: Iterable[str]) -> None:
    """Refuse people that the models were trained on.

    Raises
    ------
    SeenPeopleError
        If there are any.
    """
    people = ", ".join(seen)
    if people:
        text = f"the models were trained on {people}: evaluate with models that never saw them (--fold PERSON=MODELS_DIR)"
        raise SeenPeopleError(f"{text}, or say --seen to get figures of training data, marked as such")


def _used(folder: Path, roles: Iterable[SeriesRole]) -> list[UsedModel]:
    has_sagittal = SeriesRole.SAGITTAL_T2 in roles
    return [_used_model(folder / name) for name in _NAMES if has_sagittal or name not in _SAGITTAL]


def _used_model(folder: Path) -> UsedModel:
    # not through the manifest of the node: an evaluation also reads manifests of before and after its own version
    fields = yaml.safe_load((folder / _MANIFEST).read_text(encoding="utf-8"))
    people = fields.get("training_people")
    identity = ModelIdentity(fields["name"], str(fields["version"]), fields["sha256"])
    return UsedModel(identity, folder.parent.name, None if people is None else tuple(map(str, people)))
