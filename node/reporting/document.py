"""The shape of ``measurements.json``: a stable contract, in which keys are added but never renamed or removed."""

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


VerdictWord = Literal["report", "flag", "withhold"]


class ReasonEntry(_Entry):
    """Why something is flagged, withheld or declined."""

    code: str = Field(description="Stable code of the reason.")
    severity: Literal["note", "flag", "withhold", "decline", "error"]
    message: str = Field(description="The reason in words; holds no patient data.")


class SoftwareEntry(_Entry):
    """What wrote the file."""

    name: str
    version: str


class ModelEntry(_Entry):
    """Which weights the numbers come from."""

    name: str
    version: str
    sha256: str


class KeypointEntry(_Entry):
    """A corner of a vertebral body on the measured slice: 0-based pixel centres of the stored image."""

    vertebra: str
    corner: str
    row: float
    column: float
    confidence: float


class LevelEntry(_Entry):
    """Mean AP diameters over one level; null where withheld."""

    level: str
    cord_ap_mm: float | None
    canal_ap_mm: float | None
    cord_verdict: VerdictWord
    canal_verdict: VerdictWord
    reasons: tuple[ReasonEntry, ...]


class LineEntry(_Entry):
    """The line that a diameter was measured along: (row, column) of both ends, 0-based pixel centres."""

    sop_instance_uid: str
    frame_number: int | None
    points: tuple[tuple[float, float], ...]


class RatioEntry(_Entry):
    """A compression ratio, [1 - 2 d_i / (d_a + d_b)] x 100, with its three diameters; null where withheld or not measured."""

    value_percent: float | None
    level: str | None = Field(description="Level of the smallest diameter.")
    d_i_mm: float | None = Field(description="Smallest diameter.")
    d_a_mm: float | None = Field(description="Upper reference diameter.")
    d_b_mm: float | None = Field(description="Lower reference diameter.")
    reference: Literal["c3-c7", "inner", "adjacent"] = Field(description="Where d_a and d_b come from.")
    verdict: VerdictWord
    reasons: tuple[ReasonEntry, ...]
    line: LineEntry | None = Field(description="Where d_i was measured.")


class RatioWithAlternativesEntry(RatioEntry):
    """The ratio by the paper's reference, and beside it by the others and on the worst slice."""

    alternatives: tuple[RatioEntry, ...]
    worst_slice: RatioEntry | None = Field(description="A more compressed plausible slice beside the measured one; null if none.")


class SagittalEntry(_Entry):
    """What was measured on the sagittal series."""

    series_instance_uid: str
    sop_instance_uid: str
    frame_number: int | None = Field(description="1-based frame of a multi-frame instance; null for a classic one.")
    pixel_spacing_mm: tuple[float, float] = Field(description="Distance between rows, and between columns.")
    keypoints: tuple[KeypointEntry, ...]
    levels: tuple[LevelEntry, ...]
    mscc: RatioWithAlternativesEntry
    mcc: RatioWithAlternativesEntry


class AxialSliceEntry(_Entry):
    """What was measured on one axial slice; null where withheld."""

    sop_instance_uid: str
    frame_number: int | None
    slice_index: int = Field(description="0-based, along the normal of the stored slices.")
    level: str | None
    ta_mm2: float | None
    ta_along_cord_mm2: float | None = Field(description="Area projected onto the plane perpendicular to the cord.")
    ap_mm: float | None
    transverse_mm: float | None
    cr: float | None
    canal_area_mm2: float | None
    canal_ap_mm: float | None
    verdict: VerdictWord = Field(description="Of the cord: the heaviest of area, both diameters and their ratio.")
    reasons: tuple[ReasonEntry, ...]
    ta_verdict: VerdictWord | None = Field(None, description="Of the area alone; null in a document of an older version.")
    ta_reasons: tuple[ReasonEntry, ...] | None = None
    cr_verdict: VerdictWord | None = Field(None, description="Of the ratio alone; null in a document of an older version.")
    cr_reasons: tuple[ReasonEntry, ...] | None = None
    ta_along_cord_reasons: tuple[ReasonEntry, ...]
    canal_reasons: tuple[ReasonEntry, ...]


class AxialEntry(_Entry):
    """What was measured on the axial series; the values are those of the decisive slice, null if there is none."""

    series_instance_uid: str
    sop_instance_uid: str | None
    frame_number: int | None
    level: str | None
    ta_mm2: float | None
    ta_along_cord_mm2: float | None
    ap_mm: float | None
    transverse_mm: float | None
    cr: float | None
    canal_area_mm2: float | None
    canal_ap_mm: float | None
    verdict: VerdictWord = Field(description="Of the cord: the heaviest of area, both diameters and their ratio.")
    reasons: tuple[ReasonEntry, ...]
    ta_verdict: VerdictWord | None = Field(None, description="Of the area alone; null in a document of an older version.")
    ta_reasons: tuple[ReasonEntry, ...] | None = None
    cr_verdict: VerdictWord | None = Field(None, description="Of the ratio alone; null in a document of an older version.")
    cr_reasons: tuple[ReasonEntry, ...] | None = None
    ta_along_cord_reasons: tuple[ReasonEntry, ...]
    canal_reasons: tuple[ReasonEntry, ...]
    slices: tuple[AxialSliceEntry, ...]
    mscc: RatioEntry | None = Field(description="MSCC from axial diameters; null if the slices have no levels.")
    mcc: RatioEntry | None

    def own_verdict(self, name: Literal["ta", "cr"]) -> VerdictWord:
        """Return the verdict of TA or CR; a document of an older version has that of the group, and no value where withheld."""
        value, own = (self.ta_mm2, self.ta_verdict) if name == "ta" else (self.cr, self.cr_verdict)
        if own is not None:
            return own
        if value is None:
            return "withhold"
        return "flag" if self.verdict == "withhold" else self.verdict

    def own_reasons(self, name: Literal["ta", "cr"]) -> tuple[ReasonEntry, ...]:
        """Return the reasons of TA or CR; a document of an older version has those of the group."""
        own = self.ta_reasons if name == "ta" else self.cr_reasons
        return self.reasons if own is None else own


class FileEntry(_Entry):
    """A DICOM result object; ``path`` is relative to the file itself."""

    kind: Literal["SEG", "SR", "PR", "KO", "SC"]
    sop_class_uid: str
    sop_instance_uid: str
    path: str
    fallback: "FileEntry | None" = Field(
        None, description="The same content as another SOP class, for peers that refuse this one."
    )


class ChangeEntry(_Entry):
    """A value of the prior report and the present value less it: percentage points, mm2, or without unit."""

    prior: float
    change: float


class PriorEntry(_Entry):
    """The report of an earlier study of the same patient, and what changed; null where one of both values is missing."""

    study_instance_uid: str
    sop_instance_uid: str
    mscc_percent: ChangeEntry | None
    mcc_percent: ChangeEntry | None
    ta_mm2: ChangeEntry | None
    cr: ChangeEntry | None
    reasons: tuple[ReasonEntry, ...]


class SkippedSeriesEntry(_Entry):
    """A series of the study that was not used."""

    series_instance_uid: str
    reasons: tuple[ReasonEntry, ...]


class MeasurementsDocument(_Entry):
    """``measurements.json`` of one study, as ``cspine-node config schema --measurements`` describes it."""

    study_instance_uid: str
    status: Literal["measured", "partial", "declined"]
    reasons: tuple[ReasonEntry, ...]
    software: SoftwareEntry
    models: tuple[ModelEntry, ...]
    sagittal: SagittalEntry | None
    axial: AxialEntry | None
    files: tuple[FileEntry, ...]
    pictures: tuple[str, ...] = Field(description="Overlay pictures, relative to the file itself.")
    skipped: tuple[SkippedSeriesEntry, ...]
    prior: PriorEntry | None
    predecessor_sop_instance_uid: str | None = Field(
        description="Measurement SR of the version before of this study, which this one replaces."
    )

    @property
    def every_reason(self) -> tuple["ReasonEntry", ...]:
        """Each reason that stands anywhere in the document, once."""
        return tuple(dict.fromkeys(_reasons_in(self)))


def _reasons_in(part: object) -> Iterator[ReasonEntry]:
    if isinstance(part, ReasonEntry):
        yield part
    elif isinstance(part, tuple):
        for one in part:
            yield from _reasons_in(one)
    elif isinstance(part, BaseModel):
        for _, one in part:
            yield from _reasons_in(one)
