"""Write a phantom study as DICOM, with its truth.

::

    python tools/make_phantom_study.py OUT --seed 3
    python tools/make_phantom_study.py OUT --enhanced --transfer-syntax jpeg-ls
"""

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import click
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from tools.phantom.series import Encoding
from tools.phantom.study import PhantomSettings, write_phantom_study

TRANSFER_SYNTAXES = {
    "explicit": ExplicitVRLittleEndian,
    "implicit": ImplicitVRLittleEndian,
    "deflated": DeflatedExplicitVRLittleEndian,
    "rle": RLELossless,
    "jpeg-ls": JPEGLSLossless,
    "jpeg-2000": JPEG2000Lossless,
    "jpeg": JPEGLosslessSV1,
}
_ROTATION = (float, float, float)


@click.command()
@click.argument("out", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seed", default=0, show_default=True, help="Decides the anatomy, the noise and every UID.")
@click.option("--compressions", type=int, default=3, show_default=True, help="Number of narrowed levels.")
@click.option("--minimum-mscc", "minimum_mscc_percent", default=20.0, show_default=True, help="Least compression, percent.")
@click.option("--enhanced", is_flag=True, help="Write one Enhanced MR instance for each series.")
@click.option("--transfer-syntax", type=click.Choice(list(TRANSFER_SYNTAXES)), default="explicit", show_default=True)
@click.option("--distractors/--no-distractors", default=True, help="Add localizer, T1 and STIR.")
@click.option("--axial/--no-axial", "with_axial", default=True, help="Write the axial series.")
@click.option("--noise/--no-noise", "with_noise", default=True, help="Add Rician noise.")
@click.option("--rotate-sagittal", type=_ROTATION, default=(0, 0, 0), help="Turns about left, posterior, superior, degrees.")
@click.option("--rotate-axial", type=_ROTATION, default=(0, 0, 0), help="Turns about left, posterior, superior, degrees.")
@click.option("--patient-name", default="PHANTOM^CSPINE", show_default=True)
@click.option("--character-set", "specific_character_set", default="ISO_IR 192", show_default=True, help="SpecificCharacterSet.")
def main(out: Path, enhanced: bool, transfer_syntax: str, **values: object) -> None:
    """Write a phantom study below OUT."""
    turns = {"sagittal": values.pop("rotate_sagittal"), "axial": values.pop("rotate_axial")}
    chosen = PhantomSettings(encoding=Encoding(str(TRANSFER_SYNTAXES[transfer_syntax]), enhanced))
    stacks = {plane: replace(getattr(chosen, plane), rotation_deg=turn) for plane, turn in turns.items()}
    settings = replace(chosen, **cast("dict[str, Any]", values | stacks))
    study = write_phantom_study(out, settings)
    for name, paths in study.paths.items():
        click.echo(f"{name}: {len(paths)} files")
    truth = study.truth
    click.echo(
        f"MSCC {truth.mscc.value_percent:.1f} % at {truth.mscc.level}, MCC {truth.mcc.value_percent:.1f} % at {truth.mcc.level}"
    )
    if truth.axial is not None:
        click.echo(f"TA {truth.axial.ta_mm2:.1f} mm2, compression ratio {truth.axial.cr:.2f}")


if __name__ == "__main__":
    main()
