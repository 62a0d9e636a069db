"""What we propose: only what we send."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    ComprehensiveSRStorage,
    ExplicitVRLittleEndian,
    GrayscaleSoftcopyPresentationStateStorage,
    ImplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)
from pynetdicom.presentation import PresentationContext, build_context

from node.domain.report import ReportKind, ReportObject

#: The SOP classes that each kind of result may be sent as, the preferred first.
SOP_CLASSES: Mapping[ReportKind, tuple[UID, ...]] = {
    ReportKind.SEG: (SegmentationStorage,),
    ReportKind.SR: (Comprehensive3DSRStorage, ComprehensiveSRStorage),
    ReportKind.PR: (GrayscaleSoftcopyPresentationStateStorage,),
    ReportKind.KO: (KeyObjectSelectionDocumentStorage,),
    ReportKind.SC: (SecondaryCaptureImageStorage,),
    ReportKind.SR_LINES: (Comprehensive3DSRStorage, ComprehensiveSRStorage),
    ReportKind.SR_VOLUMES: (Comprehensive3DSRStorage, ComprehensiveSRStorage),
}
#: The SOP classes of our results, asked for by ``echo`` and ``doctor``.
RESULT_SOP_CLASSES: tuple[UID, ...] = tuple(dict.fromkeys(one for listed in SOP_CLASSES.values() for one in listed))
#: Encodings between which pydicom converts without touching pixels.
NATIVE: tuple[UID, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)
# PS3.8 section 7.1.1.13: context ids are the odd numbers up to 255.
MAXIMUM_CONTEXTS = 128

Encoding = tuple[str, str]
"""SOP Class UID and Transfer Syntax UID."""


def native_transfer_syntaxes() -> tuple[UID, ...]:
    """Return the encodings in which every result is proposed beside its own."""
    return NATIVE


def sop_classes_of(kind: ReportKind) -> tuple[UID, ...]:
    """Return the SOP classes as which a kind of result may be sent."""
    return SOP_CLASSES[kind]


def with_fallbacks(report_object: ReportObject) -> Iterator[ReportObject]:
    """Yield an object and then its fallbacks, in the order in which they are tried."""
    candidate: ReportObject | None = report_object
    while candidate is not None:
        yield candidate
        candidate = candidate.fallback


def proposed_contexts(objects: Iterable[ReportObject]) -> list[PresentationContext]:
    """Return the contexts for objects and their fallbacks: as encoded, and the native encodings."""
    encodings = [
        (candidate.instance.sop_class_uid, candidate.transfer_syntax_uid)
        for report_object in objects
        for candidate in with_fallbacks(report_object)
    ]
    return contexts_for(encodings)


def contexts_for(encodings: Sequence[Encoding]) -> list[PresentationContext]:
    """Return one context for each SOP class and transfer syntax, so that a peer can accept several of one class."""
    wanted: dict[Encoding, None] = {}
    for sop_class, transfer_syntax in encodings:
        wanted[sop_class, transfer_syntax] = None
        if UID(transfer_syntax) in NATIVE:
            wanted.update(((sop_class, str(native)), None) for native in NATIVE)
    return [build_context(sop_class, transfer_syntax) for sop_class, transfer_syntax in wanted]
