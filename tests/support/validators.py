"""What other programs say of DICOM objects: dciodvfy, DCMTK, dcmqi and PixelMed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np

from tests.support.external import require_tool

#: Every private coding scheme draws this from dciodvfy; PS3.16 section 8.2 allows them, and the object declares ours.
_PRIVATE_SCHEME = re.compile(r"Unrecognized defined term( =)? <99CSMR>")
#: Younger than the dciodvfy of 2022, but standard in an item of Contributing Equipment (PS3.3 table C.12-1).
_NEWER_ATTRIBUTE = "(0x0018,0x1002) UI Device UID"
_EXTENSION = re.compile(r"Attribute is not present in standard DICOM IOD|this is a Standard Extended SOP Class")
#: DCMTK checks names in few character sets, and reads SR in those without code extensions; for the others it says so.
_CHARACTER_SETS = re.compile(r"VR checker does not support|unknown/unsupported SpecificCharacterSet")
#: DCMTK says of every Key Object Selection that it has not learnt the template yet.
_TEMPLATES = re.compile(r"Check for template constraints not yet supported")


#: Java counts the XPath operators of the templates, and stops at 10,000 of them.
_JAVA = {"JAVA_TOOL_OPTIONS": "-Djdk.xml.xpathExprOpLimit=0 -Djdk.xml.xpathTotalOpLimit=0 -Djdk.xml.xpathExprGrpLimit=0"}


def dciodvfy_complaints(path: Path) -> list[str]:
    """Return the errors and warnings of dciodvfy, without those about our private coding scheme."""
    run = subprocess.run([require_tool("dciodvfy"), path], capture_output=True, text=True, errors="replace", check=False)
    lines = (run.stdout + run.stderr).splitlines()
    complaints = [line for line in lines if line.startswith(("Error", "Warning")) and not _PRIVATE_SCHEME.search(line)]
    extensions = [line for line in complaints if _EXTENSION.search(line)]
    # each foreign attribute has a line of its own, and one more counts for all
    if sum(_NEWER_ATTRIBUTE not in line for line in extensions) == 1:
        complaints = [line for line in complaints if line not in extensions]
    return complaints


def dcmpschk_complaints(path: Path) -> list[str]:
    """Return what DCMTK objects to in a presentation state, its last word included if that is not that it passed."""
    run = subprocess.run([require_tool("dcmpschk"), path], capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in (run.stdout + run.stderr).splitlines() if line.strip() and not _CHARACTER_SETS.search(line)]
    return [line for line in lines if "Testing: " not in line and not line.endswith("Test passed.")]


def dsrdump(path: Path) -> tuple[str, list[str]]:
    """Return an SR as DCMTK prints it, and what DCMTK objects to."""
    run = subprocess.run([require_tool("dsrdump"), path], capture_output=True, text=True, errors="replace", check=False)
    lines = [line for line in run.stderr.splitlines() if line.strip()]
    objections = [line for line in lines if not _CHARACTER_SETS.search(line) and not _TEMPLATES.search(line)]
    return run.stdout, [*objections, *([] if run.returncode == 0 else [f"exit code {run.returncode}"])]


def template_errors(path: Path) -> list[str]:
    """Return what PixelMed, which checks the templates of PS3.16, finds wrong about an SR or a Key Object Selection.

    It warns of every item that a template does not name. Ours are extensible, and the items are those of this node.
    """
    command = [require_tool("DicomSRValidator"), path]
    run = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False, env={**os.environ, **_JAVA})
    lines = (run.stdout + run.stderr).splitlines()
    finished = "Root Template Validation Complete" in lines
    return [line for line in lines if line.startswith("Error")] + ([] if finished else lines[-1:])


def tid1500_groups(path: Path, scratch: Path) -> list[dict]:
    """Return the measurement groups of an SR as dcmqi reads them."""
    target = scratch / f"{path.stem}.json"
    subprocess.run(
        [_dcmqi("tid1500reader"), "--inputDICOM", path, "--outputMetadata", target], capture_output=True, text=True, check=True
    )
    return json.loads(target.read_text(encoding="utf-8"))["Measurements"]


def segment_voxels(path: Path, scratch: Path) -> list[np.ndarray]:
    """Return the segments of a SEG as dcmqi reads them: for each its voxels as LPS points in mm, shape (n, 3)."""
    scratch.mkdir(parents=True, exist_ok=True)
    command = [_dcmqi("segimage2itkimage"), "--inputDICOM", path, "--outputDirectory", scratch, "--outputType", "nifti"]
    subprocess.run(command, capture_output=True, text=True, check=True)
    return [_marked_points(one) for one in sorted(scratch.glob("*.nii.gz"))]


def _marked_points(path: Path) -> np.ndarray:
    image = nibabel.load(path)
    indices = np.argwhere(np.asarray(image.dataobj) > 0)
    right_anterior_superior = indices @ image.affine[:3, :3].T + image.affine[:3, 3]
    return right_anterior_superior * (-1, -1, 1)


def _dcmqi(name: str) -> Path | str:
    """Return a program of dcmqi: a Python package, so beside the interpreter rather than on the path."""
    beside = Path(sys.executable).with_name(name)
    return beside if beside.exists() else require_tool(name)
