"""The table of what we accept."""

import copy

from pydicom.uid import (
    UID,
    Comprehensive3DSRStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    KeyObjectSelectionDocumentStorage,
    LegacyConvertedEnhancedMRImageStorage,
    MRImageStorage,
    SecondaryCaptureImageStorage,
    SegmentationStorage,
)

from node.reception import accepted_contexts
from node.reception.contexts import TRANSFER_SYNTAXES

VERIFICATION = "1.2.840.10008.1.1"


def test_whole_studies_find_no_refused_context():
    accepted = {context.abstract_syntax: set(context.transfer_syntax) for context in accepted_contexts()}
    for sop_class in (
        MRImageStorage,
        EnhancedMRImageStorage,
        LegacyConvertedEnhancedMRImageStorage,
        SecondaryCaptureImageStorage,
        SegmentationStorage,
        Comprehensive3DSRStorage,
        KeyObjectSelectionDocumentStorage,
    ):
        assert accepted[sop_class] == set(TRANSFER_SYNTAXES)
    assert VERIFICATION in accepted


def test_every_transfer_syntax_of_still_images_is_accepted_and_native_comes_first():
    endings = ["1.2", "1.2.1", "1.2.2", "1.2.1.99", "1.2.5", *(f"1.2.4.{n}" for n in (50, 51, 57, 70, 80, 81, 90, 91))]
    wanted = {UID(f"1.2.840.10008.{ending}") for ending in endings}
    assert wanted <= set(TRANSFER_SYNTAXES)
    assert TRANSFER_SYNTAXES[0] == ExplicitVRLittleEndian


def test_associations_share_the_table():
    contexts = accepted_contexts()
    assert all(copied is context for copied, context in zip(copy.deepcopy(contexts), contexts, strict=True))
