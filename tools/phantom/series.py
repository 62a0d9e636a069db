"""What is written: the subject, the acquisition, the slices and the encoding of one series."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pydicom.uid import ExplicitVRLittleEndian

from node.domain.geometry import ImagePlane

STORED_BITS = 12
_LARGEST_VALUE = 2**STORED_BITS - 1
#: Every date and time of the files: the same settings give the same files.
STUDY_DATE = "20240102"
STUDY_TIME = "101500"


@dataclass(frozen=True, slots=True)
class Subject:
    """The synthetic patient and study; ``key`` decides every UID."""

    key: str
    patient_name: str = "PHANTOM^CSPINE"
    patient_id: str = "PHANTOM-1"
    specific_character_set: str | tuple[str, ...] = "ISO_IR 192"
    study_description: str = "MR CERVICAL SPINE"
    accession_number: str = "PH0001"
    body_part_examined: str = "CSPINE"

    def uid(self, *parts: object) -> str:
        """Return the UID, under 2.25 (PS3.5 section B.2), that belongs to the key and the parts."""
        digest = hashlib.sha256("/".join([self.key, *map(str, parts)]).encode()).digest()
        return f"2.25.{int.from_bytes(digest[:16], 'big')}"


@dataclass(frozen=True, slots=True)
class Acquisition:
    """What the scanner did for one series; times in ms, angles in degrees."""

    description: str
    series_number: int
    repetition_time_ms: float
    echo_time_ms: float
    echo_train_length: int = 17
    scanning_sequence: tuple[str, ...] = ("SE",)
    sequence_variant: tuple[str, ...] = ("SK",)
    scan_options: tuple[str, ...] = ()
    inversion_time_ms: float | None = None
    flip_angle_deg: float = 150.0
    image_type: tuple[str, ...] = ("ORIGINAL", "PRIMARY", "OTHER")
    sequence_name: str = "tse2d1_17"


@dataclass(frozen=True, slots=True)
class Encoding:
    """How the series is stored: one Enhanced instance or classic ones, and in which transfer syntax."""

    transfer_syntax_uid: str = str(ExplicitVRLittleEndian)
    enhanced: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class SliceImage:
    """One slice to be written: its plane and its signal, float [row, column], 0 to 4095 after ``scale``."""

    plane: ImagePlane
    pixels: npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class SeriesImages:
    """The slices of a series in the order in which they are numbered, and their thickness and distance in mm."""

    slices: tuple[SliceImage, ...]
    thickness_mm: float
    spacing_between_slices_mm: float
    acquisition: Acquisition
    encoding: Encoding = field(default_factory=Encoding)

    def stored(self) -> list[npt.NDArray[np.uint16]]:
        """Return the signal rounded to 12 bits; values outside are clipped."""
        return [np.clip(np.rint(image.pixels), 0, _LARGEST_VALUE).astype(np.uint16) for image in self.slices]


def decimal_strings(values: Sequence[float] | npt.NDArray[np.float64]) -> list[str]:
    """Return numbers as DS values: at most 16 characters (PS3.5 section 6.2)."""
    return [f"{float(value) + 0.0:.10f}"[:16] for value in values]
