"""For each rule of the plausibility gate, and of the geometry of a series, one change to a sound study that breaks it."""

from collections.abc import Mapping
from dataclasses import replace

from node.domain.anatomy import Corner, Level, Vertebra
from node.domain.errors import Reason, Severity
from node.domain.geometry import PixelPoint
from tests.support import breakage as b
from tests.support.breakage import AXIAL, CANAL, CORD, SAGITTAL, Broken

MSCC, MCC = "MSCC (c3-c7)", "MCC (c3-c7)"
AXIAL_CORD = ("Axial cord", "Axial cord AP", "Axial cord transverse")
AXIAL_CANAL = ("Axial canal", "Axial canal AP")
AXIAL_RATIOS = ("Axial MSCC (c3-c7)", "Axial MCC (c3-c7)")
HEADLINES = (MSCC, MCC, "Axial cord")
NOTE, FLAG, WITHHOLD, DECLINE = Severity.NOTE, Severity.FLAG, Severity.WITHHOLD, Severity.DECLINE
_TILTED = replace(b.SETTINGS, axial=replace(b.SETTINGS.axial, rotation_deg=(-28.0, 0.0, 0.0), rows=150))
_OTHER_UID = "2.25.1"

#: What the gate finds; the first of each code of the SR is reported in full.
MEASURED: Mapping[str, Broken] = {
    "no axial cord at the level": Broken(
        Reason.CORD_NOT_FOUND, WITHHOLD, ("Axial cord",), (MSCC, MCC), predictions=b.at_slice(CORD, lambda one: 0)
    ),
    "no axial canal": Broken(
        Reason.CANAL_NOT_FOUND, WITHHOLD, AXIAL_CANAL, (*HEADLINES, *AXIAL_CORD), predictions=b.at_slice(CANAL, lambda one: 0)
    ),
    "cord missing over a disc": Broken(
        Reason.LEVEL_MISSING,
        WITHHOLD,
        (MSCC, "Cord AP C6/C7", "Axial cord"),
        (MCC, "Cord AP C5", "Canal AP C6/C7"),
        predictions=b.on_rows(CORD, Level.C6_C7, lambda rows: 0),
    ),
    "axial cord missing between others": Broken(
        Reason.LEVEL_MISSING,
        WITHHOLD,
        AXIAL_RATIOS,
        (*HEADLINES, *AXIAL_CORD),
        predictions=b.at_slice(CORD, lambda one: 0, offsets=(3,)),
    ),
    "unsure corner": Broken(
        Reason.KEYPOINT_CONFIDENCE_LOW,
        WITHHOLD,
        (MSCC, MCC),
        ("Cord AP C3", "Canal AP C4/C5"),
        predictions=b.corner(Vertebra.C6, Corner.POSTERIOR_INFERIOR, confidence=0.3),
    ),
    "corner that is no number": Broken(
        Reason.LEVEL_MISSING,
        WITHHOLD,
        (MSCC, MCC),
        ("Cord AP C3",),
        predictions=b.corner(Vertebra.C6, Corner.POSTERIOR_INFERIOR, point=PixelPoint(float("nan"), 1.0)),
    ),
    "doubtful corner": Broken(
        Reason.KEYPOINT_CONFIDENCE_LOW,
        FLAG,
        (MSCC, MCC, "Cord AP C7", "Canal AP C7"),
        HEADLINES,
        predictions=b.corner(Vertebra.C7, Corner.POSTERIOR_INFERIOR, confidence=0.6),
    ),
    "upper corner taken for the lower": Broken(
        Reason.CORNERS_OUT_OF_ORDER,
        WITHHOLD,
        (MSCC, MCC),
        ("Cord AP C3", "Canal AP C7"),
        predictions=b.swapped(Corner.POSTERIOR_SUPERIOR, Corner.POSTERIOR_INFERIOR),
    ),
    "front corner taken for the back": Broken(
        Reason.CORNERS_OUT_OF_ORDER,
        WITHHOLD,
        (MSCC, MCC),
        ("Cord AP C3", "Canal AP C7"),
        predictions=b.swapped(Corner.ANTERIOR_SUPERIOR, Corner.POSTERIOR_SUPERIOR),
    ),
    "vertebra too deep": Broken(
        Reason.VERTEBRA_SIZE_IMPLAUSIBLE,
        WITHHOLD,
        (MSCC, MCC),
        ("Cord AP C5", "Canal AP C7"),
        predictions=b.stretched,
    ),
    "axial cord beside the canal": Broken(
        Reason.CORD_OUTSIDE_CANAL, WITHHOLD, AXIAL_CORD, (MSCC, MCC), predictions=b.at_slice(CORD, b.shifted(4, 0))
    ),
    "cord behind the canal": Broken(
        Reason.CORD_OUTSIDE_CANAL,
        WITHHOLD,
        (MSCC, MCC, "Cord AP C7"),
        ("Cord AP C3", "Canal AP C4/C5"),
        predictions=b.on_rows(CORD, Level.C7, b.shifted(0, 8)),
    ),
    "no sagittal canal": Broken(
        Reason.CANAL_NOT_FOUND,
        FLAG,
        (MSCC, "Cord AP C3", "Cord AP C7"),
        (MSCC, "Cord AP C3", *AXIAL_CANAL),
        predictions=b.capped(SAGITTAL, CANAL, 0.3),
    ),
    "cord fills the canal": Broken(
        Reason.CORD_FILLS_CANAL,
        WITHHOLD,
        (MSCC, MCC, "Cord AP C5", "Canal AP C5"),
        ("Cord AP C3", "Canal AP C3"),
        files={SAGITTAL: b.each(b.faded)},
        predictions=b.filled,
    ),
    "cord leaves the slice": Broken(
        Reason.CORD_LEAVES_SLICE, WITHHOLD, (MSCC, MCC, "Cord AP C7"), ("Cord AP C3", "Canal AP C4/C5"), predictions=b.thinned
    ),
    "a second cord": Broken(
        Reason.CORD_MULTIPLE_COMPONENTS, FLAG, (MSCC, "Cord AP C4"), (*HEADLINES, "Canal AP C4"), predictions=b.islanded
    ),
    "axial cord in two": Broken(
        Reason.CORD_MULTIPLE_COMPONENTS, WITHHOLD, AXIAL_CORD, (MSCC, MCC), predictions=b.at_slice(CORD, b.halved)
    ),
    "axial canal in two": Broken(
        Reason.CANAL_MULTIPLE_COMPONENTS, WITHHOLD, AXIAL_CANAL, (MSCC, MCC), predictions=b.at_slice(CANAL, b.halved)
    ),
    "axial image too narrow": Broken(
        Reason.MASK_TOUCHES_BORDER, WITHHOLD, AXIAL_CORD, (MSCC, MCC), files={AXIAL: b.each(b.cut(0, 45, 120, 55))}
    ),
    "sagittal image too narrow": Broken(
        Reason.MASK_TOUCHES_BORDER,
        WITHHOLD,
        (MCC, "Canal AP C7"),
        (MSCC, "Cord AP C7", "Canal AP C3", *AXIAL_CORD),
        files={SAGITTAL: b.each(b.cut(0, 0, 190, 106))},
    ),
    "unsure canal": Broken(
        Reason.MASK_CONFIDENCE_LOW,
        WITHHOLD,
        (MCC, "Canal AP C5"),
        (MSCC, "Cord AP C5", *AXIAL_CORD),
        predictions=b.capped(SAGITTAL, CANAL, 0.8),
    ),
    "doubtful axial cord": Broken(
        Reason.MASK_CONFIDENCE_LOW, FLAG, AXIAL_CORD, (MSCC, MCC), predictions=b.capped(AXIAL, CORD, 0.88)
    ),
    "axial stack ends short of the level": Broken(
        Reason.SLICES_GAP,
        FLAG,
        AXIAL_CORD,
        (MSCC, MCC),
        files={AXIAL: b.without(lambda index, sound: index <= sound.axial_index)},
    ),
    "axial cord too thin": Broken(
        Reason.PLANES_DISAGREE, WITHHOLD, AXIAL_CORD, (MSCC, MCC), predictions=b.at_slice(CORD, b.trimmed(0, 0.6))
    ),
    "axial cord rather thin": Broken(
        Reason.PLANES_DISAGREE, FLAG, AXIAL_CORD, (MSCC, MCC), predictions=b.at_slice(CORD, b.trimmed(0, 0.5))
    ),
    "sagittal cord too thin": Broken(
        Reason.PLANES_DISAGREE, FLAG, (MSCC, "MSCC (inner)", "MSCC (adjacent)"), (MCC, "Cord AP C3"), predictions=b.notched
    ),
    "patient moved between the series": Broken(
        Reason.PLANES_DISAGREE, WITHHOLD, AXIAL_CORD, (MSCC, MCC, *AXIAL_CANAL), files={AXIAL: b.each(b.moved((15, 0, 0)))}
    ),
    "axial pixels said to be twice as large": Broken(
        Reason.VALUE_IMPOSSIBLE, WITHHOLD, ("Axial cord",), (MSCC, MCC), files={AXIAL: b.each(b.doubled_pixels)}
    ),
    "canal leaks into a vertebra": Broken(
        Reason.VALUE_IMPOSSIBLE, WITHHOLD, (MCC, "Canal AP C3"), (MSCC, "Canal AP C5", *AXIAL_CORD), predictions=b.leaking
    ),
    "axial cord too narrow": Broken(
        Reason.VALUE_OUTSIDE_HEALTHY_RANGE,
        FLAG,
        ("Axial cord", "Axial cord transverse"),
        (MSCC, MCC),
        predictions=b.at_slice(CORD, b.trimmed(1, 0.6)),
    ),
    "axial stack without C7": Broken(
        Reason.REFERENCE_MISSING,
        WITHHOLD,
        AXIAL_RATIOS,
        (*HEADLINES, *AXIAL_CORD),
        files={AXIAL: b.without(lambda index, sound: index <= sound.axial_index - 3)},
    ),
    "axial stack above the level": Broken(
        Reason.NO_AXIAL_AT_LEVEL,
        WITHHOLD,
        ("Axial cord",),
        (MSCC, MCC),
        files={AXIAL: b.without(lambda index, sound: index <= sound.axial_index + 1)},
    ),
    "another frame of reference": Broken(
        Reason.FRAME_OF_REFERENCE_DIFFERS,
        WITHHOLD,
        ("Axial cord",),
        (MSCC, MCC),
        files={AXIAL: b.each(b.setting(FrameOfReferenceUID=_OTHER_UID))},
    ),
    "no frame of reference": Broken(
        Reason.FRAME_OF_REFERENCE_DIFFERS,
        FLAG,
        AXIAL_CORD,
        HEADLINES,
        files={role: b.each(b.setting(FrameOfReferenceUID=None)) for role in (SAGITTAL, AXIAL)},
    ),
    "axial stack tilted": Broken(Reason.AXIAL_OBLIQUE, FLAG, AXIAL_CORD, (MSCC, MCC), settings=_TILTED),
    "axial slices turned": Broken(
        Reason.CORD_ROTATED, FLAG, AXIAL_CORD, (MSCC, MCC, "Axial cord AP"), files={AXIAL: b.each(b.turned((0, 0, 35)))}
    ),
    "no axial series": Broken(
        Reason.NO_AXIAL_T2, WITHHOLD, ("Axial cord",), (MSCC, MCC), files={AXIAL: b.without(lambda index, sound: True)}
    ),
    "no cord beside the decisive slice": Broken(
        Reason.TOO_FEW_SLICES,
        WITHHOLD,
        ("Axial cord",),
        (MSCC, MCC, "Axial cord AP", "Axial cord transverse"),
        predictions=b.at_slice(CORD, lambda one: 0, offsets=(-1, 1)),
    ),
    "axial gap at the level": Broken(Reason.SLICE_MISSING, WITHHOLD, (), (MSCC, MCC), files={AXIAL: b.without(b.at_level)}),
    "axial slices unequally apart": Broken(
        Reason.SPACING_UNEQUAL, WITHHOLD, (), (MSCC, MCC), files={AXIAL: b.each(b.moved((0, 0, 1)), b.at_level)}
    ),
    "axial slice copied": Broken(Reason.SLICE_DUPLICATED, WITHHOLD, (), (MSCC, MCC), files={AXIAL: b.copied(8, 9)}),
}

#: Axial series that are skipped when they are chosen from; the sagittal values stay.
SKIPPED: Mapping[str, Broken] = {
    "one axial image of other pixels": Broken(
        Reason.SIZE_MIXED, DECLINE, files={AXIAL: b.each(b.setting(PixelSpacing=[0.8, 0.81]), b.at_level)}
    ),
    "one axial image of other size": Broken(Reason.SIZE_MIXED, DECLINE, files={AXIAL: b.each(b.cut(0, 0, 120, 96), b.at_level)}),
    "one axial image turned": Broken(Reason.ORIENTATION_MIXED, DECLINE, files={AXIAL: b.each(b.turned((4, 0, 0)), b.at_level)}),
    "one axial image of another frame of reference": Broken(
        Reason.FRAME_OF_REFERENCE_MIXED, DECLINE, files={AXIAL: b.each(b.setting(FrameOfReferenceUID=_OTHER_UID), b.at_level)}
    ),
    "one axial image without a position": Broken(
        Reason.NO_GEOMETRY, DECLINE, files={AXIAL: b.each(b.setting(ImagePositionPatient=None), b.at_level)}
    ),
    "coarse axial pixels": Broken(Reason.SPACING_TOO_COARSE, DECLINE, files={AXIAL: b.each(b.setting(PixelSpacing=[2, 2]))}),
    "two axial images": Broken(Reason.TOO_FEW_SLICES, DECLINE, files={AXIAL: b.without(lambda index, sound: index > 1)}),
    "oblique axial series": Broken(Reason.WRONG_PLANE, DECLINE, files={AXIAL: b.each(b.turned((40, 0, 0)))}),
    "lumbar axial series": Broken(Reason.WRONG_BODY_PART, DECLINE, files={AXIAL: b.each(b.setting(BodyPartExamined="LSPINE"))}),
}

#: Studies that are declined as a whole.
DECLINED: Mapping[str, Broken] = {
    "no sagittal series": Broken(Reason.NO_SAGITTAL_T2, DECLINE, files={SAGITTAL: b.without(lambda index, sound: True)}),
    "no sagittal cord": Broken(Reason.CORD_NOT_FOUND, DECLINE, predictions=b.emptied(SAGITTAL, CORD)),
    "sagittal gap": Broken(Reason.SLICE_MISSING, DECLINE, files={SAGITTAL: b.without(lambda index, sound: index == 1)}),
    "sagittal slices unequally apart": Broken(
        Reason.SPACING_UNEQUAL, DECLINE, files={SAGITTAL: b.each(b.moved((1.2, 0, 0)), b.one_of(3))}
    ),
    "sagittal slice copied": Broken(Reason.SLICE_DUPLICATED, DECLINE, files={SAGITTAL: b.copied(1, 2)}),
    "two patients": Broken(Reason.PATIENT_MIXED, DECLINE, files={AXIAL: b.each(b.setting(PatientID="PHANTOM-2"), b.one_of(0))}),
}

ALL: Mapping[str, Broken] = {**MEASURED, **SKIPPED, **DECLINED}
