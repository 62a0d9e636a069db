"""Ask what the keypoint model says when the top of the neck is out of view: a wrong name with confidence is the worst it can do.

::

    python -m tools.training.assess_cuts models --real DIR --phantoms 8
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import click

from node.domain.geometry import ImagePlane
from node.inference import ModelLibrary, load_library
from tools.training.assess import Case, corner_figures, phantom_case, real_case, volume_of

_NAMES = ("sagittal-segmentation", "axial-segmentation", "keypoints")
#: Image left above the posterior-superior corner of C3, in mm: dens whole, dens in part, C2 in part, C3 cut, C4 cut.
CUTS_MM = (45.0, 35.0, 25.0, 15.0, 8.0, 0.0, -8.0, -16.0, -25.0)
_LEAST_CONFIDENCE = 0.3


def cut_above_c3(case: Case, left_mm: float) -> Case | None:
    """Return the case without the rows further than ``left_mm`` above C3, or None if there are none to drop."""
    spacing = case.volume.geometry.spacing
    first = int(min(point[0] for point in case.landmarks.values()) - left_mm / spacing.row_mm)
    if first <= 0:
        return None
    _, rows, columns = case.volume.geometry.shape
    planes = [
        ImagePlane(p.to_patient([first, 0]), p.along_row, p.along_column, p.spacing, rows - first, columns)
        for p in case.volume.planes
    ]
    volume = volume_of([pixels[first:] for pixels in case.volume.voxels], planes)
    landmarks = {one: point - [first, 0] for one, point in case.landmarks.items()}
    return replace(case, volume=volume, landmarks=landmarks)


def verdict(case: Case, library: ModelLibrary) -> str:
    """Return what would leave the node: right, wrong or declined."""
    keypoints = library.keypoint_detector.detect(case.volume, case.middle)
    figures = corner_figures(keypoints, case, case.volume.geometry.spacing)
    if figures.get("least_confidence", 0.0) < _LEAST_CONFIDENCE:
        return "declined"
    return "right" if figures["names_right"] > 0.9 else "WRONG"


@click.command()
@click.argument("models", type=click.Path(exists=True, path_type=Path))
@click.option("--real", type=click.Path(exists=True, path_type=Path), help="Folder with the sagittal volumes.")
@click.option("--subject", "subjects", multiple=True, default=("errsm_21",))
@click.option("--phantoms", default=8)
def main(models: Path, real: Path | None, subjects: tuple[str, ...], phantoms: int) -> None:
    """Print a table of verdicts by what is left above C3."""
    library = load_library(models, _NAMES, ("cpu",), 1)
    cases = [real_case(real, subject) for subject in subjects] if real else []
    cases += [phantom_case(seed) for seed in range(1000, 1000 + phantoms)]
    print("| left above C3 (mm) | right | declined | WRONG |\n|---|---|---|---|")
    for left in (float("inf"), *CUTS_MM):
        cut = [case if left == float("inf") else cut_above_c3(case, left) for case in cases]
        counts = Counter(verdict(case, library) for case in cut if case is not None)
        print(
            f"| {'all' if left == float('inf') else left} | {counts['right']} | {counts['declined']} | {counts['WRONG']} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
