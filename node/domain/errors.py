"""Every way in which the node says no, split by what happens next.

::

    NodeError(reason, message)
    ├─ ConfigError      refuse to start; names the field and the allowed values
    ├─ Declined         the study is not for us; the job ends DECLINED, no alarm
    ├─ TransientError   try again later (PACS down, disk full)
    └─ PermanentError   will never work (corrupt pixels, missing model); the job ends FAILED, kept for ``retry``
"""

import errno
from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much a reason weighs."""

    NOTE = "note"
    FLAG = "flag"
    WITHHOLD = "withhold"
    DECLINE = "decline"
    ERROR = "error"


class Reason(StrEnum):
    """Stable codes shown in the SR, in ``measurements.json``, on the pages and in the metrics.

    A code is never renamed and never reused for another meaning.
    """

    # the process around the study
    CONFIG_INVALID = "config_invalid"
    CONFIG_MISSING = "config_missing"
    PORT_IN_USE = "port_in_use"
    DISK_FULL = "disk_full"
    DATABASE_UNAVAILABLE = "database_unavailable"
    ALREADY_RUNNING = "already_running"
    CANCELLED = "cancelled"
    INTERNAL_ERROR = "internal_error"
    PROCESS_ENDED = "process_ended"
    STUDY_UNKNOWN = "study_unknown"
    NOTHING_TO_RETRY = "nothing_to_retry"
    DESTINATION_UNKNOWN = "destination_unknown"

    # reception
    UID_INVALID = "uid_invalid"
    AE_TITLE_INVALID = "ae_title_invalid"
    NOT_DICOM = "not_dicom"
    FILE_TRUNCATED = "file_truncated"

    # selection: why a series or a study is not for us
    NO_USABLE_SERIES = "no_usable_series"
    NO_SAGITTAL_T2 = "no_sagittal_t2"
    NO_AXIAL_T2 = "no_axial_t2"
    WRONG_MODALITY = "wrong_modality"
    OWN_RESULT = "own_result"
    NOT_ORIGINAL = "not_original"
    SECONDARY_CAPTURE = "secondary_capture"
    LOCALIZER = "localizer"
    WRONG_CONTRAST = "wrong_contrast"
    FAT_SUPPRESSED = "fat_suppressed"
    DIFFUSION = "diffusion"
    POST_CONTRAST = "post_contrast"
    WRONG_BODY_PART = "wrong_body_part"
    WRONG_PLANE = "wrong_plane"
    NO_GEOMETRY = "no_geometry"
    NO_PIXELS = "no_pixels"
    TOO_FEW_SLICES = "too_few_slices"
    TOO_MANY_SLICES = "too_many_slices"
    SLICE_MISSING = "slice_missing"
    SLICE_DUPLICATED = "slice_duplicated"
    SPACING_UNEQUAL = "spacing_unequal"
    SPACING_TOO_COARSE = "spacing_too_coarse"
    SIZE_MIXED = "size_mixed"
    ORIENTATION_MIXED = "orientation_mixed"
    FRAME_OF_REFERENCE_MIXED = "frame_of_reference_mixed"
    PATIENT_MIXED = "patient_mixed"
    CHARACTER_SET_UNSUPPORTED = "character_set_unsupported"
    PREFERRED_OTHER_SERIES = "preferred_other_series"
    EXCLUDED_BY_CONFIG = "excluded_by_config"

    # loading
    PIXELS_UNDECODABLE = "pixels_undecodable"
    PIXELS_CONSTANT = "pixels_constant"

    # inference
    MODEL_MISSING = "model_missing"
    MODEL_CORRUPT = "model_corrupt"
    PROVIDER_UNAVAILABLE = "provider_unavailable"

    # measurement: the plausibility gate
    CORD_NOT_FOUND = "cord_not_found"
    CANAL_NOT_FOUND = "canal_not_found"
    LEVEL_MISSING = "level_missing"
    KEYPOINT_CONFIDENCE_LOW = "keypoint_confidence_low"
    CORNERS_OUT_OF_ORDER = "corners_out_of_order"
    VERTEBRA_SIZE_IMPLAUSIBLE = "vertebra_size_implausible"
    CORD_OUTSIDE_CANAL = "cord_outside_canal"
    CORD_FILLS_CANAL = "cord_fills_canal"
    CORD_LEAVES_SLICE = "cord_leaves_slice"
    CORD_MULTIPLE_COMPONENTS = "cord_multiple_components"
    CANAL_MULTIPLE_COMPONENTS = "canal_multiple_components"
    MASK_TOUCHES_BORDER = "mask_touches_border"
    MASK_CONFIDENCE_LOW = "mask_confidence_low"
    SLICES_GAP = "slices_gap"
    PLANES_DISAGREE = "planes_disagree"
    VALUE_IMPOSSIBLE = "value_impossible"
    VALUE_OUTSIDE_HEALTHY_RANGE = "value_outside_healthy_range"
    REFERENCE_MISSING = "reference_missing"
    NO_AXIAL_AT_LEVEL = "no_axial_at_level"
    FRAME_OF_REFERENCE_DIFFERS = "frame_of_reference_differs"
    AXIAL_OBLIQUE = "axial_oblique"
    CORD_ROTATED = "cord_rotated"
    PRIOR_NOT_COMPARABLE = "prior_not_comparable"
    PRIOR_NOT_LOOKED_UP = "prior_not_looked_up"

    # reporting
    REPORT_FAILED = "report_failed"
    REPORT_UNREADABLE = "report_unreadable"
    OUTPUT_FOLDER_IN_USE = "output_folder_in_use"

    # delivery
    PEER_UNREACHABLE = "peer_unreachable"
    PEER_REJECTED = "peer_rejected"
    PEER_OUT_OF_RESOURCES = "peer_out_of_resources"
    SOP_CLASS_REFUSED = "sop_class_refused"
    STORE_FAILED = "store_failed"
    NOT_COMMITTED = "not_committed"
    QUERY_INVALID = "query_invalid"
    QUERY_REFUSED = "query_refused"
    RETRIEVE_REFUSED = "retrieve_refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One coded reason with its weight and a sentence for a person; holds no patient data."""

    code: Reason
    severity: Severity
    message: str


class NodeError(Exception):
    """Base of every error that the node raises on purpose.

    Parameters
    ----------
    reason
        Stable code.
    message
        What is wrong, where, and what to do; no patient data.
    findings
        Further reasons, for example one for each series that was skipped.
    """

    def __init__(self, reason: Reason, message: str, findings: tuple[Finding, ...] = ()) -> None:
        super().__init__(reason, message, findings)
        self.reason = reason
        self.message = message
        self.findings = findings

    def __str__(self) -> str:
        return f"{self.reason}: {self.message}"


class ConfigError(NodeError):
    """The configuration cannot be used; the process refuses to start."""


class Declined(NodeError):  # noqa: N818 - a declined study is an outcome with a reason, not a fault
    """The study is not for us; its job ends DECLINED."""


class TransientError(NodeError):
    """Try again later."""


class PermanentError(NodeError):
    """Trying again will not help; the job ends FAILED and is kept for ``retry``."""


def disk_refused(action: str, error: OSError) -> TransientError:
    """Return the error for a disk that did not let us do something: ``disk_full``, or ``store_failed`` for another reason."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return TransientError(Reason.DISK_FULL, f"cannot {action}: the disk is full; free space")
    return TransientError(Reason.STORE_FAILED, f"cannot {action}: {error.strerror or type(error).__name__}; check the disk")
