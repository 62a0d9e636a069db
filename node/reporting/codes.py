"""The one table from domain words to SNOMED CT, DCM, UCUM and our private codes.

Standard codes are those that :mod:`pydicom.sr.codedict` (generated from PS3.16) knows. The private scheme ``99CSMR`` holds
what no standard scheme has: AP and transverse diameter of the cord, compression ratios, and the verdicts of the plausibility
gate. Its rules: a code value has at most 16 characters and a meaning at most 64, both ASCII; a code whose definition changes
gets a new value, never the old one.
"""

from collections.abc import Mapping

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code

from node.domain.anatomy import Level, Structure, Vertebra
from node.domain.errors import Reason
from node.domain.measurement import Quantity, ReferenceMethod, Unit, Verdict

SCHEME = "99CSMR"
_SCHEME_VERSION = "1"


def _private(value: str, meaning: str) -> Code:
    return Code(value, SCHEME, meaning)


CERVICAL_SPINE = codes.SCT.CervicalSpine
ANATOMICAL_STRUCTURE = Code("91723000", "SCT", "Anatomical Structure")
#: ProcedureReported where the source names no procedure (CID 100).
MAGNETIC_RESONANCE_IMAGING = Code("25056-3", "LN", "MRI unspecified body region")

STRUCTURES: Mapping[Structure, Code] = {
    Structure.SPINAL_CORD: Code("2748008", "SCT", "Spinal cord"),
    Structure.SPINAL_CANAL: Code("61853006", "SCT", "Vertebral canal"),
}

VERTEBRAE: Mapping[Vertebra, Code] = {
    Vertebra.C3: Code("113205007", "SCT", "C3 vertebra"),
    Vertebra.C4: Code("5329002", "SCT", "C4 vertebra"),
    Vertebra.C5: Code("36978003", "SCT", "C5 vertebra"),
    Vertebra.C6: Code("36054005", "SCT", "C6 vertebra"),
    Vertebra.C7: Code("87391001", "SCT", "C7 vertebra"),
}

LEVELS: Mapping[Level, Code] = {
    **{Level(vertebra.value): code for vertebra, code in VERTEBRAE.items()},
    Level.C3_C4: Code("243903002", "SCT", "Level of C3/C4 intervertebral disc"),
    Level.C4_C5: Code("243904008", "SCT", "Level of C4/C5 intervertebral disc"),
    Level.C5_C6: Code("243905009", "SCT", "Level of C5/C6 intervertebral disc"),
    Level.C6_C7: Code("243906005", "SCT", "Level of C6/C7 intervertebral disc"),
}

UNITS: Mapping[Unit, Code] = {
    Unit.MM: codes.UCUM.Millimeter,
    Unit.MM2: codes.UCUM.SquareMillimeter,
    Unit.PERCENT: codes.UCUM.Percent,
    Unit.RATIO: Code("{ratio}", "UCUM", "ratio"),
}

_CORD, _CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
QUANTITIES: Mapping[tuple[Quantity, Structure], Code] = {
    (Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION, _CORD): _private("MSCC", "Maximum spinal cord compression"),
    (Quantity.MAXIMUM_CANAL_COMPROMISE, _CANAL): _private("MCC", "Maximum canal compromise"),
    (Quantity.AP_DIAMETER, _CORD): _private("CORD_AP", "Spinal cord AP diameter"),
    (Quantity.AP_DIAMETER, _CANAL): _private("CANAL_AP", "Spinal canal AP diameter"),
    (Quantity.TRANSVERSE_DIAMETER, _CORD): _private("CORD_TR", "Spinal cord transverse diameter"),
    (Quantity.CROSS_SECTIONAL_AREA, _CORD): codes.SCT.Area,
    (Quantity.CROSS_SECTIONAL_AREA, _CANAL): codes.SCT.Area,
    (Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, _CORD): _private("CORD_AREA_PERP", "Spinal cord area perpendicular to the cord"),
    (Quantity.CORD_COMPRESSION_RATIO, _CORD): _private("CORD_CR", "Spinal cord compression ratio (AP/transverse)"),
}

#: A value of the prior report and the change against it (present minus prior), for what is compared over time.
COMPARED: Mapping[tuple[Quantity, Structure], tuple[Code, Code]] = {
    (Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION, _CORD): (
        _private("MSCC_PRIOR", "Prior maximum spinal cord compression"),
        _private("MSCC_CHANGE", "Change of maximum spinal cord compression"),
    ),
    (Quantity.MAXIMUM_CANAL_COMPROMISE, _CANAL): (
        _private("MCC_PRIOR", "Prior maximum canal compromise"),
        _private("MCC_CHANGE", "Change of maximum canal compromise"),
    ),
    (Quantity.CROSS_SECTIONAL_AREA, _CORD): (
        _private("CORD_AREA_PRIOR", "Prior spinal cord area"),
        _private("CORD_AREA_CHG", "Change of spinal cord area"),
    ),
    (Quantity.CORD_COMPRESSION_RATIO, _CORD): (
        _private("CORD_CR_PRIOR", "Prior spinal cord compression ratio"),
        _private("CORD_CR_CHANGE", "Change of spinal cord compression ratio"),
    ),
}

#: The diameters that a compression ratio is made of: at the level, above, below.
RATIO_DIAMETERS: Mapping[Structure, tuple[Code, Code, Code]] = {
    _CORD: (
        _private("CORD_DI", "Smallest spinal cord AP diameter"),
        _private("CORD_DA", "Reference spinal cord AP diameter above"),
        _private("CORD_DB", "Reference spinal cord AP diameter below"),
    ),
    _CANAL: (
        _private("CANAL_DI", "Smallest spinal canal AP diameter"),
        _private("CANAL_DA", "Reference spinal canal AP diameter above"),
        _private("CANAL_DB", "Reference spinal canal AP diameter below"),
    ),
}

METHODS: Mapping[ReferenceMethod, Code] = {
    ReferenceMethod.C3_C7: _private("M_C3_C7", "Reference: mean of C3 and mean of C7"),
    ReferenceMethod.INNER: _private("M_INNER", "Reference: C3 and C7; minimum from C3/C4 to C6/C7"),
    ReferenceMethod.ADJACENT: _private("M_ADJACENT", "Reference: adjacent mid-vertebral levels"),
}

MAXIMUM_LEVEL = _private("MAXLEVEL", "Level of the smallest diameter")
VERTEBRAL_BODY_CORNERS = _private("VB_CORNERS", "Vertebral body corner points")
CORNER_CONFIDENCE = _private("KP_CONF", "Lowest confidence of the corner points")

QUALITY = _private("QC_STATUS", "Plausibility")
VERDICTS: Mapping[Verdict, Code] = {
    Verdict.REPORT: _private("QC_PASS", "Plausible"),
    Verdict.FLAG: _private("QC_REVIEW", "To be reviewed"),
    Verdict.WITHHOLD: _private("QC_WITHHELD", "Withheld: no value is reported"),
}

QUALITY_REASON = _private("QC_REASON", "Reason of the plausibility verdict")
_OTHER_REASON = _private("R_OTHER", "Other reason, see measurements.json")
REASONS: Mapping[Reason, Code] = {
    # why a plane could not be used
    Reason.NO_USABLE_SERIES: _private("R_NO_SERIES", "No usable series"),
    Reason.NO_SAGITTAL_T2: _private("R_NO_SAG", "No usable sagittal T2 series"),
    Reason.NO_AXIAL_T2: _private("R_NO_AX", "No usable axial T2 series"),
    Reason.WRONG_MODALITY: _private("R_MODALITY", "Not a magnetic resonance image"),
    Reason.OWN_RESULT: _private("R_OWN_RESULT", "Result of this software"),
    Reason.NOT_ORIGINAL: _private("R_NOT_ORIGINAL", "Not an original image"),
    Reason.SECONDARY_CAPTURE: _private("R_CAPTURE", "Secondary capture"),
    Reason.LOCALIZER: _private("R_LOCALIZER", "Localizer"),
    Reason.WRONG_CONTRAST: _private("R_CONTRAST", "Other contrast than T2"),
    Reason.FAT_SUPPRESSED: _private("R_FAT_SUPP", "Fat-suppressed series"),
    Reason.DIFFUSION: _private("R_DIFFUSION", "Diffusion-weighted series"),
    Reason.POST_CONTRAST: _private("R_POST_CONTRAST", "Series after contrast agent"),
    Reason.WRONG_BODY_PART: _private("R_BODY_PART", "Other part of the body"),
    Reason.WRONG_PLANE: _private("R_PLANE", "Other imaging plane"),
    Reason.NO_GEOMETRY: _private("R_NO_GEOMETRY", "Position or orientation missing"),
    Reason.NO_PIXELS: _private("R_NO_PIXELS", "No pixel data"),
    Reason.TOO_FEW_SLICES: _private("R_FEW_SLICES", "Too few slices"),
    Reason.TOO_MANY_SLICES: _private("R_MANY_SLICES", "Too many slices"),
    Reason.SLICE_MISSING: _private("R_SLICE_MISSING", "Slices missing from the series"),
    Reason.SLICE_DUPLICATED: _private("R_SLICE_TWICE", "Slice present more than once"),
    Reason.SPACING_UNEQUAL: _private("R_SPACING", "Distances between slices unequal"),
    Reason.SPACING_TOO_COARSE: _private("R_COARSE", "Pixels too coarse"),
    Reason.SIZE_MIXED: _private("R_SIZE_MIXED", "Images of different sizes in the series"),
    Reason.ORIENTATION_MIXED: _private("R_ORIENT_MIXED", "Images of different orientations in the series"),
    Reason.FRAME_OF_REFERENCE_MIXED: _private("R_FOR_MIXED", "Several frames of reference in the series"),
    Reason.PATIENT_MIXED: _private("R_PATIENT_MIXED", "Images of several patients"),
    Reason.CHARACTER_SET_UNSUPPORTED: _private("R_CHARACTER_SET", "Character set not supported"),
    Reason.PREFERRED_OTHER_SERIES: _private("R_OTHER_SERIES", "Another series was preferred"),
    Reason.EXCLUDED_BY_CONFIG: _private("R_EXCLUDED", "Excluded by configuration"),
    Reason.NOT_DICOM: _private("R_NOT_DICOM", "File is not DICOM"),
    Reason.FILE_TRUNCATED: _private("R_TRUNCATED", "File incomplete"),
    Reason.PIXELS_UNDECODABLE: _private("R_UNDECODABLE", "Pixel data cannot be decoded"),
    Reason.PIXELS_CONSTANT: _private("R_PIXELS_EMPTY", "Image without content"),
    # what speaks against a measurement
    Reason.CORD_NOT_FOUND: _private("R_NO_CORD", "Spinal cord not found"),
    Reason.CANAL_NOT_FOUND: _private("R_NO_CANAL", "Spinal canal not found"),
    Reason.LEVEL_MISSING: _private("R_LEVEL_MISSING", "Level not found or not measured as a whole"),
    Reason.KEYPOINT_CONFIDENCE_LOW: _private("R_KP_CONF", "Low confidence of corner points"),
    Reason.CORNERS_OUT_OF_ORDER: _private("R_KP_ORDER", "Corner points not in anatomical order"),
    Reason.VERTEBRA_SIZE_IMPLAUSIBLE: _private("R_VB_SIZE", "Implausible size of a vertebral body"),
    Reason.CORD_OUTSIDE_CANAL: _private("R_CORD_OUTSIDE", "Spinal cord outside the canal"),
    Reason.CORD_FILLS_CANAL: _private("R_CORD_FILLS", "Spinal cord fills the canal"),
    Reason.CORD_LEAVES_SLICE: _private("R_CORD_LEAVES", "Spinal cord leaves the slice"),
    Reason.CORD_MULTIPLE_COMPONENTS: _private("R_CORD_PIECES", "Spinal cord in several pieces"),
    Reason.CANAL_MULTIPLE_COMPONENTS: _private("R_CANAL_PIECES", "Spinal canal in several pieces"),
    Reason.MASK_TOUCHES_BORDER: _private("R_BORDER", "Mask touches the border of the image"),
    Reason.MASK_CONFIDENCE_LOW: _private("R_MASK_CONF", "Low confidence of the mask"),
    Reason.SLICES_GAP: _private("R_SLICES_GAP", "No slice near enough"),
    Reason.PLANES_DISAGREE: _private("R_PLANES", "Sagittal and axial diameters disagree"),
    Reason.VALUE_IMPOSSIBLE: _private("R_IMPOSSIBLE", "Value outside physical limits"),
    Reason.VALUE_OUTSIDE_HEALTHY_RANGE: _private("R_RANGE", "Value outside the healthy range"),
    Reason.REFERENCE_MISSING: _private("R_NO_REFERENCE", "Reference level missing"),
    Reason.NO_AXIAL_AT_LEVEL: _private("R_NO_AX_LEVEL", "No axial slice covers the level"),
    Reason.FRAME_OF_REFERENCE_DIFFERS: _private("R_FRAME_OF_REF", "Series do not share a frame of reference"),
    Reason.AXIAL_OBLIQUE: _private("R_OBLIQUE", "Axial slice oblique to the spinal cord"),
    Reason.CORD_ROTATED: _private("R_CORD_ROTATED", "Axes of the spinal cord rotated against the patient"),
    Reason.PRIOR_NOT_COMPARABLE: _private("R_PRIOR", "Prior measured with other trained networks"),
    Reason.PRIOR_NOT_LOOKED_UP: _private("R_PRIOR_UNASKED", "Prior not looked up: the archive did not answer"),
}


def reason_code(reason: Reason) -> Code:
    """Return the code of a reason; a general one for reasons that never concern a single measurement."""
    return REASONS.get(reason, _OTHER_REASON)


def private_codes() -> tuple[Code, ...]:
    """Return the whole private scheme, for the conformance statement."""
    tables = (QUANTITIES, METHODS, VERDICTS, REASONS)
    listed = [code for table in tables for code in table.values()]
    listed += [code for some in (*RATIO_DIAMETERS.values(), *COMPARED.values()) for code in some]
    listed += [MAXIMUM_LEVEL, VERTEBRAL_BODY_CORNERS, CORNER_CONFIDENCE, QUALITY, QUALITY_REASON, _OTHER_REASON]
    return tuple(dict.fromkeys(code for code in listed if code.scheme_designator == SCHEME))


def coding_scheme(responsible_organization: str) -> CodingSchemeIdentificationItem:
    """Return the declaration of the private scheme that every object with its codes must hold (PS3.3 section C.12.1)."""
    return CodingSchemeIdentificationItem(
        designator=SCHEME,
        name="Cervical spine MR measurements",
        version=_SCHEME_VERSION,
        responsible_organization=responsible_organization,
    )
