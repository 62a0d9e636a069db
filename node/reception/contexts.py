"""What we accept: the one table of SOP classes and transfer syntaxes, also printed as our conformance statement.

A PACS that routes whole studies must not meet a refused context, so every storage class is accepted; selection skips
what is not for us. Of the transfer syntaxes that a peer offers for one context the first of our list is taken:
native before lossless before lossy.
"""

from typing import Any

from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
    JPEGLossless,
    JPEGLosslessSV1,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)
from pynetdicom import PYNETDICOM_IMPLEMENTATION_UID, PYNETDICOM_IMPLEMENTATION_VERSION, AllStoragePresentationContexts
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import StorageCommitmentPushModel, Verification  # type: ignore[attr-defined]

TRANSFER_SYNTAXES: tuple[UID, ...] = (
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    ExplicitVRBigEndian,
    DeflatedExplicitVRLittleEndian,
    RLELossless,
    JPEGLSLossless,
    JPEG2000Lossless,
    JPEGLosslessSV1,
    JPEGLossless,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    JPEGLSNearLossless,
    JPEG2000,
    HTJ2K,
    JPEGBaseline8Bit,
    JPEGExtended12Bit,
)
VERIFICATION_TRANSFER_SYNTAXES: tuple[UID, ...] = (ExplicitVRLittleEndian, ImplicitVRLittleEndian)


class AcceptedContext(PresentationContext):
    """A context that is never changed, so that associations share it: copying the table for each costs 25 ms."""

    def __deepcopy__(self, _memo: dict[int, Any]) -> "AcceptedContext":
        return self


def implementation() -> tuple[str, str]:
    """Return the implementation class UID and version name that associations carry."""
    return str(PYNETDICOM_IMPLEMENTATION_UID), str(PYNETDICOM_IMPLEMENTATION_VERSION)


def accepted_contexts() -> list[PresentationContext]:
    """Return the presentation contexts that we accept: all storage classes, verification, and answers of storage commitment.

    A peer that reports what it committed is the SCP of that service, and asks for this role or forgets to (PS3.4 section J.3.3).
    """
    storage = [_context(context.abstract_syntax, TRANSFER_SYNTAXES) for context in AllStoragePresentationContexts]
    commitment = _context(StorageCommitmentPushModel, VERIFICATION_TRANSFER_SYNTAXES)
    commitment.scu_role = commitment.scp_role = True
    return [*storage, _context(Verification, VERIFICATION_TRANSFER_SYNTAXES), commitment]


def _context(abstract_syntax: UID | None, transfer_syntaxes: tuple[UID, ...]) -> PresentationContext:
    context = AcceptedContext()
    context.abstract_syntax = abstract_syntax
    context.transfer_syntax = list(transfer_syntaxes)
    return context
