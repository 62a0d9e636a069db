"""At which probability of a network the border of a structure lies: where its masks are as large as the truth, over all cases."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import yaml

from node.domain.anatomy import Structure
from node.domain.study import SeriesRole
from node.inference import ModelLibrary
from tools.evaluate.case import Case, CaseSource, Cover
from tools.evaluate.folds import Folds

#: Candidates; further from 0.5 a network needs training, not a correction.
CANDIDATES = tuple(np.round(np.arange(0.2, 0.81, 0.01), 2).tolist())
_MANIFEST = "model.yaml"
_LEAST_PIXELS = 20.0

Pair = tuple[npt.NDArray[np.float16], Cover]
"""Probabilities and true cover of the pixels of one slice of which the truth is known, shape (n,) each."""


@dataclass(frozen=True, slots=True)
class Border:
    """What was fitted for one structure of one plane.

    Parameters
    ----------
    probability
        Where the mean ratio of the areas is 1.
    before, after
        Mean ratio of the areas at 0.5, and at ``probability``.
    cases
        How many counted.
    """

    probability: float
    before: float
    after: float
    cases: int


def fit_borders(
    sources: Sequence[CaseSource], folds: Folds, tell: Callable[[str], None]
) -> dict[SeriesRole, dict[Structure, Border]]:
    """Return the borders that fit the cases, each of which counts the same; models must not have borders yet.

    Raises
    ------
    ValueError
        If a model corrects its borders already: a fit on top would not be what the manifest says.
    """
    known: dict[tuple[SeriesRole, Structure], list[list[Pair]]] = defaultdict(list)
    for source in sources:
        tell(source.name)
        library = folds.library_of(source.person)
        if any(manifest.border_probabilities for manifest in library.manifests):
            raise ValueError("a model has border_probabilities; take them out of its model.yaml before they are fitted again")
        for key, pairs in _case_pairs(source.load(), library):
            known[key].append(pairs)
    fitted: dict[SeriesRole, dict[Structure, Border]] = defaultdict(dict)
    for (role, structure), cases in known.items():
        fitted[role][structure] = fit_border(cases)
    return dict(fitted)


def fit_border(cases: Sequence[Sequence[Pair]]) -> Border:
    """Return the border at which the mean over the cases of masked area by true area is nearest to 1."""
    ratios = np.mean([_area_ratios(pairs) for pairs in cases], axis=0)
    best = int(np.abs(ratios - 1).argmin())
    return Border(CANDIDATES[best], float(ratios[CANDIDATES.index(0.5)]), float(ratios[best]), len(cases))


def _area_ratios(pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
    true = sum(float(cover.sum()) for _, cover in pairs)
    return np.array([sum(int((probabilities >= at).sum()) for probabilities, _ in pairs) / true for at in CANDIDATES])


def write_borders(folder: Path, borders: Mapping[Structure, Border]) -> None:
    """Put borders into the manifest of a segmentation model."""
    path = folder / _MANIFEST
    fields = yaml.safe_load(path.read_text(encoding="utf-8"))
    fields["border_probabilities"] = {structure.value: border.probability for structure, border in borders.items()}
    path.write_text(yaml.safe_dump(fields, sort_keys=False, width=120), encoding="utf-8")


def _case_pairs(case: Case, library: ModelLibrary) -> Iterator[tuple[tuple[SeriesRole, Structure], list[Pair]]]:
    segmenters = {SeriesRole.SAGITTAL_T2: library.sagittal_segmenter, SeriesRole.AXIAL_T2: library.axial_segmenter}
    for role, volume in case.volumes.items():
        masks = segmenters[role].segment(volume)
        for structure in Structure:
            pairs = list(_known(case, role, structure, masks.probabilities[structure]))
            if sum(float(cover.sum()) for _, cover in pairs) >= _LEAST_PIXELS:
                yield (role, structure), pairs


def _known(case: Case, role: SeriesRole, structure: Structure, probabilities: npt.NDArray[np.float16]) -> Iterator[Pair]:
    """Yield what is known of one structure, slice by slice.

    Of sagittal series the middle slice alone, which is measured: at the side of a cord the truth is a matter of partial volume.
    """
    for index, cover in _true_slices(case, role, structure).items():
        where = np.isfinite(cover)
        if float(cover[where].sum()) > 0:
            yield probabilities[index][where], cover[where]


def _true_slices(case: Case, role: SeriesRole, structure: Structure) -> dict[int, Cover]:
    truth = case.truth
    covers = truth.covers.get((role, structure))
    by_index = {} if covers is None else dict(enumerate(covers))
    if role is not SeriesRole.SAGITTAL_T2:
        return by_index
    middle = {} if truth.middle is None else {truth.middle: truth.middle_covers.get(structure, by_index.get(truth.middle))}
    return {index: cover for index, cover in middle.items() if cover is not None}
