"""Heat maps to named corners: the vertebrae are told apart as one chain, never one by one.

Peaks of all body centres are candidates. Dynamic programming finds the chain C2 to T2 (C2, T1 and T2 may be missing) whose names,
order and distances fit best; a chain that is moved by one level has to explain both ends wrongly. Corners are then looked for
where the chain expects them, in the maps of all vertebrae, so that one body cannot be split over two levels.

All bodies below C2 look much alike: names are counted from C2, which is known by its dens. Where C2 is not seen, or too near the
upper edge of the image for the dens to be seen, the names are a guess, and the certainty says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from node.domain.anatomy import CORNERS, VERTEBRAE, Corner, Landmark, Vertebra
from node.domain.geometry import Points

Maps = npt.NDArray[np.float32]

#: Body centres from head to feet, as channels are named in a manifest.
CHAIN = ("C2", "C3", "C4", "C5", "C6", "C7", "T1", "T2")
_NEEDED = range(1, 6)
_LEAST_PEAK = 0.08
_MOST_CANDIDATES = 24
# Distance between neighbouring body centres in adults.
_PITCH_MM, _PITCH_SPREAD_MM = np.array([20.0, 18.5, 18.5, 18.5, 19.0, 20.0, 21.5]), 3.0
_PITCH_LIMITS_MM = (10.0, 30.0)
# log-likelihood of not seeing an end of the chain; cheaper than a wrong name, dearer than a weak peak
_MISSING = float(np.log(0.02))
_FLOOR = 1e-3
# Image that is needed above the centre of C2, a little more than training hides it below; without the anchor a certainty is
# multiplied by the second number, and a peak of C2 counts for nothing at the first height and fully at the second.
_ANCHOR_MARGIN_MM, _WITHOUT_ANCHOR, _ANCHOR_HEIGHTS = 14.0, 0.25, (0.2, 0.5)
# Half the length of an endplate, and half the height of a body as a share of the pitch.
_HALF_DEPTH_MM, _HALF_HEIGHT = 7.8, 0.37
_CORNER_SPREAD_MM = 3.5
# Two chains name the same bodies if their centres are this near: less than half of the shortest distance between two bodies.
_SAME_BODY_MM = 8.0


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """Body centres by name, in cells (row, column), and how sure the naming is, 0..1.

    The certainty is the posterior of the chain against its best rival, the likeliest chain that puts C3 on another body.
    """

    centres: Mapping[str, Points]
    certainty: float


@dataclass(frozen=True, slots=True)
class Peak:
    """A corner in cells (row, column) with the height of its peak, 0..1."""

    landmark: Landmark
    row: float
    column: float
    height: float


def chain_of(maps: Mapping[str, Maps], cell_mm: float, top_row: float = 0.0) -> Chain | None:
    """Return the best chain through the centre maps among the maps of a network, or None; see :func:`find_chain`."""
    return find_chain(np.stack([maps[name] for name in CHAIN]), cell_mm, top_row)


def find_corners(maps: Mapping[str, Maps], chain: Chain, cell_mm: float) -> list[Peak]:
    """Return the 20 corners about a chain.

    Parameters
    ----------
    maps
        Heat maps 0..1, float32 [row, column], by channel name: ``C3.anterior_superior`` ...
    chain
        Where the bodies are, in cells of the maps.
    cell_mm
        Size of a cell; rows run towards the feet, columns towards the back.
    """
    by_corner = {corner: np.max([maps[f"{v}.{corner}"] for v in VERTEBRAE], axis=0) for corner in CORNERS}
    return [
        _corner(by_corner[corner], chain, Landmark(vertebra, corner), cell_mm) for vertebra in VERTEBRAE for corner in CORNERS
    ]


def agreed(chain: Chain, witness: Chain | None, cell_mm: float) -> Chain:
    """Return the surer of two chains of two networks where both give C3 to C7 to the same bodies.

    Two networks that were trained apart are seldom wrong in the same way: where they agree, one that sees the dens is enough.
    Where they do not, no name is sure, however certain one of them is.

    Parameters
    ----------
    witness
        In the cells of ``chain``; None if the second network found no chain.
    """
    if witness is None:
        return Chain(chain.centres, 0.0)
    apart = [np.linalg.norm(chain.centres[CHAIN[i]] - witness.centres[CHAIN[i]]) * cell_mm for i in _NEEDED]
    if max(apart) > _SAME_BODY_MM:
        return Chain(chain.centres, _WITHOUT_ANCHOR * min(chain.certainty, witness.certainty))
    return max(chain, witness, key=lambda one: one.certainty)


def find_chain(centre_maps: Maps, cell_mm: float, top_row: float = 0.0) -> Chain | None:
    """Return the best chain through heat maps of ``CHAIN``, or None if C3 to C7 cannot be placed.

    Parameters
    ----------
    centre_maps
        Heat maps 0..1, float32 [name, row, column].
    cell_mm
        Size of a cell; rows run towards the feet, columns towards the back.
    top_row
        Row of cells at which the image begins; above it the maps show nothing.
    """
    candidates = local_peaks(centre_maps.max(axis=0), round(5 / cell_mm))
    if len(candidates) < len(_NEEDED):
        return None
    scores = np.log(_named(centre_maps, candidates, round(3 / cell_mm)) + _FLOOR)
    places_mm = candidates * cell_mm
    score, path = _best_path(scores, places_mm)
    if not path:
        return None
    first = _NEEDED[0]
    elsewhere = scores.copy()
    elsewhere[np.linalg.norm(places_mm - places_mm[path[first]], axis=1) < _PITCH_LIMITS_MM[0], first] = -np.inf
    rival, _ = _best_path(elsewhere, places_mm)
    centres = {CHAIN[name]: refine(centre_maps.max(axis=0), candidates[i]) for name, i in path.items()}
    anchor = float(np.exp(scores[path[0], 0])) if 0 in path else 0.0
    if 0 in path and (places_mm[path[0], 0] - top_row * cell_mm) < _ANCHOR_MARGIN_MM:
        anchor = 0.0
    seen = float(np.interp(anchor, _ANCHOR_HEIGHTS, (_WITHOUT_ANCHOR, 1.0)))
    return Chain(centres, seen / (1 + float(np.exp(rival - score))))


def local_peaks(heat: Maps, radius: int) -> Points:
    """Return the cells (row, column) of the highest local maxima, from head to feet, shape (n, 2)."""
    size = 2 * max(radius, 1) + 1
    highest = cv2.dilate(heat, np.ones((size, size), dtype=np.uint8))
    cells = np.argwhere((heat == highest) & (heat > _LEAST_PEAK))
    order = np.argsort(-heat[cells[:, 0], cells[:, 1]])[:_MOST_CANDIDATES]
    kept = cells[order]
    return np.asarray(kept[np.argsort(kept[:, 0], kind="stable")], dtype=np.float64)


def _named(maps: Maps, candidates: Points, radius: int) -> npt.NDArray[np.float64]:
    """Return the highest value of each map near each candidate, shape (candidate, map)."""
    size = 2 * max(radius, 1) + 1
    kernel = np.ones((size, size), dtype=np.uint8)
    rows, columns = candidates.astype(int).T
    return np.stack([cv2.dilate(one, kernel)[rows, columns] for one in maps], axis=1).astype(np.float64)


def _best_path(scores: npt.NDArray[np.float64], places_mm: Points) -> tuple[float, dict[int, int]]:
    """Return the log-likelihood of the likeliest chain and its candidates by chain position, by dynamic programming."""
    count, length = scores.shape
    best = np.full((length, count), -np.inf)
    back = np.full((length, count), -1)
    for name in range(length):
        # the chain may begin at C2 or at C3
        if name <= _NEEDED[0]:
            best[name] = scores[:, name] + name * _MISSING
        for here in range(count) if name else ():
            arrivals = best[name - 1] + _pitch_score(places_mm[here] - places_mm, name - 1) + scores[here, name]
            before = int(np.argmax(arrivals))
            if arrivals[before] > best[name, here]:
                best[name, here], back[name, here] = arrivals[before], before
    ends = [(float(best[n].max()) + (length - 1 - n) * _MISSING, n) for n in range(_NEEDED[-1], length)]
    score, last = max(ends)
    return score, _traced(best, back, last) if np.isfinite(score) else {}


def _pitch_score(steps_mm: Points, gap: int) -> npt.NDArray[np.float64]:
    length = np.linalg.norm(steps_mm, axis=1)
    score = -0.5 * ((length - _PITCH_MM[gap]) / _PITCH_SPREAD_MM) ** 2
    possible = (length > _PITCH_LIMITS_MM[0]) & (length < _PITCH_LIMITS_MM[1]) & (steps_mm[:, 0] > 0)
    return np.where(possible, score, -np.inf)


def _traced(best: npt.NDArray[np.float64], back: npt.NDArray[np.int_], last: int) -> dict[int, int]:
    path = {last: int(np.argmax(best[last]))}
    for name in range(last, 0, -1):
        before = int(back[name, path[name]])
        if before < 0:
            break
        path[name - 1] = before
    return path


def _corner(heat: Maps, chain: Chain, landmark: Landmark, cell_mm: float) -> Peak:
    """Return the peak nearest to where the chain expects a corner."""
    expected = _expected(chain, landmark, cell_mm)
    rows, columns = np.ogrid[: heat.shape[0], : heat.shape[1]]
    squares = ((rows - expected[0]) ** 2 + (columns - expected[1]) ** 2) * cell_mm**2
    weighted = heat * np.exp(-squares / (2 * _CORNER_SPREAD_MM**2))
    row, column = np.unravel_index(int(np.argmax(weighted)), heat.shape)
    place = refine(heat, np.array([row, column], dtype=np.float64))
    return Peak(landmark, float(place[0]), float(place[1]), float(heat[row, column]))


def _expected(chain: Chain, landmark: Landmark, cell_mm: float) -> Points:
    index = CHAIN.index(landmark.vertebra)
    here = chain.centres[landmark.vertebra]
    above, below = (chain.centres.get(CHAIN[i], here) for i in (index - 1, index + 1))
    span = 2 if above is not here and below is not here else 1
    down = (below - above) / span
    pitch = float(np.linalg.norm(down))
    backwards = np.array([-down[1], down[0]]) / pitch
    superior = landmark.corner in (Corner.ANTERIOR_SUPERIOR, Corner.POSTERIOR_SUPERIOR)
    anterior = landmark.corner in (Corner.ANTERIOR_SUPERIOR, Corner.ANTERIOR_INFERIOR)
    offset = down * _HALF_HEIGHT * (-1 if superior else 1)
    return np.asarray(here + offset + backwards * _HALF_DEPTH_MM / cell_mm * (-1 if anterior else 1))


def refine(heat: Maps, cell: Points) -> Points:
    """Return the top of the parabola through the logarithms around a peak, at most one cell away, in cells (row, column)."""
    row, column = (int(np.clip(value, 1, size - 2)) for value, size in zip(cell, heat.shape, strict=True))
    logs = np.log(np.maximum(heat[row - 1 : row + 2, column - 1 : column + 2], 1e-6)).astype(np.float64)
    return np.array([row + _vertex(logs.mean(axis=1)), column + _vertex(logs.mean(axis=0))])


def _vertex(values: npt.NDArray[np.float64]) -> float:
    bend = values[0] - 2 * values[1] + values[2]
    return float(np.clip((values[0] - values[2]) / (2 * bend), -1, 1)) if bend < -1e-9 else 0.0


def channel_names() -> Sequence[str]:
    """Return the names of the channels in the order of training: 20 corners, then the chain."""
    return [f"{v}.{c}" for v in Vertebra for c in Corner] + list(CHAIN)
