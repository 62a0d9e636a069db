"""The measured lines as one SR for each series, for viewers that draw an SR but no presentation state (OHIF).

It says what the presentation state of the series says: of the measurement report the part that belongs on the images. Two things
make it readable there that the report cannot have. OHIF shows an SR over one series only, that of its first measurement. And it
writes the numbers of every group beside its line, group upon group where lines lie close; here the values of one level are one
group (TID 1501), each number with a line of its own, and the names are short.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes as dicom_codes
from pydicom.sr.coding import Code

from node.domain.analysis import Analysis, History
from node.domain.anatomy import LEVELS, Structure
from node.domain.measurement import Quantity, Verdict
from node.domain.study import SeriesRole
from node.reporting import codes
from node.reporting.items import CONTAINS, INFERRED, SOURCE, container_item, number_item, text_item
from node.reporting.library import image_library
from node.reporting.provenance import Provenance
from node.reporting.seg import PLANES
from node.reporting.source import SourceSeries
from node.reporting.sr import (
    Heading,
    about,
    as_comprehensive_sr,
    evaluations,
    line_of,
    measurement_report,
    models_of,
    preliminary_document,
    procedure_of,
)
from node.reporting.sr_content import Group, groups_of
from node.reporting.uids import derived_uid

_SERIES_NUMBERS = {SeriesRole.SAGITTAL_T2: 9312, SeriesRole.AXIAL_T2: 9314}
_CORD, _CANAL = Structure.SPINAL_CORD, Structure.SPINAL_CANAL
_RATIOS = {_CORD: "MSCC (c3-c7)", _CANAL: "MCC (c3-c7)"}
_WORDS = {_CORD: "Cord", _CANAL: "Canal"}
#: OHIF writes the first five lines of a group: the title and four numbers, of the cord.
_AXIAL = ("Axial cord AP", "Axial cord transverse", "Axial cord", "Axial canal AP", "Axial canal")
_ALONG_CORD = codes.QUANTITIES[Quantity.CROSS_SECTIONAL_AREA_ALONG_CORD, _CORD]
#: Short names of the same concepts: a meaning is for people, and one code may have several (PS3.3 section 8.3).
_SHORT: Mapping[Quantity, str] = {
    Quantity.AP_DIAMETER: "{} AP",
    Quantity.TRANSVERSE_DIAMETER: "{} transverse",
    Quantity.CROSS_SECTIONAL_AREA: "{} area",
    Quantity.CORD_COMPRESSION_RATIO: "{} CR",
    Quantity.MAXIMUM_SPINAL_CORD_COMPRESSION: "MSCC",
    Quantity.MAXIMUM_CANAL_COMPROMISE: "MCC",
}
_NAMES: Mapping[tuple[Code, Code], str] = {
    (codes.STRUCTURES[structure], code): _SHORT[quantity].format(_WORDS[structure])
    for (quantity, structure), code in codes.QUANTITIES.items()
    if code != _ALONG_CORD
}

_WORD_OF = {codes.STRUCTURES[structure]: word.lower() for structure, word in _WORDS.items()}
_LEVELS = {code: level for level, code in codes.LEVELS.items()}


@dataclass(frozen=True, slots=True)
class Lines:
    """Groups of the report that are drawn and told together, on one slice.

    Parameters
    ----------
    missing
        What should be here and was withheld.
    """

    name: str
    groups: tuple[Group, ...]
    missing: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """What is written above the numbers: the place, whether to be reviewed, and the diameters that ratios are made of."""
        review = " (review)" if self.verdict is Verdict.FLAG else ""
        smallest = [f"{_WORD_OF[group.finding]} {group.numbers[1].value:.2f} mm" for group in self.groups if _is_ratio(group)]
        withheld = [f"{' and '.join(self.missing)} withheld"] if self.missing else []
        return ", ".join((f"{self.name}{review}", *smallest, *withheld))

    @property
    def verdict(self) -> Verdict:
        """The heaviest of its groups."""
        return max((group.verdict for group in self.groups), key=tuple(Verdict).index)


def build_sr_lines(
    role: SeriesRole, analysis: Analysis, sources: Mapping[SeriesRole, SourceSeries], provenance: Provenance
) -> Dataset | None:
    """Return the lines on the series of a role as Comprehensive 3D SR; None if nothing was measured on it.

    It is partial: the whole is the measurement report. Source: PS3.16 TID 1500, 1501, 300.
    """
    found = lines_of(analysis, role)
    if not found:
        return None
    source = sources[role]
    algorithm = provenance.algorithm(models_of(analysis)[role])
    groups = [_encode(lines, source, algorithm, analysis.fingerprint) for lines in found]
    library = image_library(source.instance_headers)
    report = measurement_report(procedure_of(source.headers[0]), provenance, library, groups)
    heading = Heading(f"SR lines {role}", _SERIES_NUMBERS[role], f"AI measured lines SR ({PLANES[role]})")
    return preliminary_document(report, source.instance_headers, heading, analysis.fingerprint, provenance, is_complete=False)


def lines_as_comprehensive_sr(document: Dataset, role: SeriesRole, analysis: Analysis) -> Dataset:
    """Return the same lines as Comprehensive SR, with an identity and a series of its own."""
    own = replace(analysis, fingerprint=f"{analysis.fingerprint}/lines {role}", history=History())
    other = as_comprehensive_sr(document, own)
    other.SeriesNumber = _SERIES_NUMBERS[role] + 1
    return other


def lines_of(analysis: Analysis, role: SeriesRole) -> tuple[Lines, ...]:
    """Return what is drawn on the series of a role: level by level on sagittal slices, all in one on the axial slice."""
    drawn = {group.name: group for group in groups_of(analysis) if group.numbers and group.place.role is role}
    if role is SeriesRole.AXIAL_T2:
        found = [drawn[name] for name in _AXIAL if name in drawn]
        return tuple(_by_slice(_axial_name(found), found))
    lines = [one for level in LEVELS for one in _by_slice(str(level), _of_level(str(level), drawn))]
    return tuple(replace(one, missing=(*one.missing, *(_missing_ratios(drawn) if one is lines[0] else ()))) for one in lines)


def _of_level(level: str, drawn: Mapping[str, Group]) -> list[Group]:
    """Return for each structure its ratio if the smallest diameter is at a level, else its diameter there."""
    found = (_ratio_at(level, drawn.get(_RATIOS[one])) or drawn.get(f"{_WORDS[one]} AP {level}") for one in Structure)
    return [group for group in found if group is not None]


def _ratio_at(level: str, ratio: Group | None) -> Group | None:
    is_here = ratio is not None and ratio.level_of_minimum == level and ratio.verdict is not Verdict.WITHHOLD
    return ratio if is_here else None


def _missing_ratios(drawn: Mapping[str, Group]) -> Iterator[str]:
    for name in _RATIOS.values():
        if name not in drawn or drawn[name].verdict is Verdict.WITHHOLD:
            yield name.split()[0]


def _axial_name(found: Sequence[Group]) -> str:
    level = next((_LEVELS[group.sites[0]] for group in found if group.sites[0] in _LEVELS), None)
    return "Axial" if level is None else f"Axial {level}"


def _is_ratio(group: Group) -> bool:
    return group.name in _RATIOS.values()


def _by_slice(name: str, groups: Sequence[Group]) -> Iterator[Lines]:
    """Yield groups slice by slice: where the cord leaves a slice, a line of the level lies on the one beside."""
    present = {group.finding for group in groups}
    missing = tuple(_WORDS[one].lower() for one in Structure if codes.STRUCTURES[one] not in present)
    by_slice: dict[int, list[Group]] = {}
    for group in groups:
        by_slice.setdefault(group.place.evidence.slice_index, []).append(group)
    for number, same in enumerate(by_slice.values()):
        yield Lines(name if number == 0 else f"{name} ({number + 1})", tuple(same), missing)


def _encode(lines: Lines, source: SourceSeries, algorithm: Iterable[Dataset], fingerprint: str) -> Dataset:
    """Return a group of TID 1501: some numbers, each with a place of its own, and the words that OHIF writes above them."""
    first = lines.groups[0]
    return container_item(
        CONTAINS,
        dicom_codes.DCM.MeasurementGroup,
        "1501",
        [
            *about(lines.name, derived_uid(fingerprint, f"SR lines {lines.name}"), first.finding, first.sites[:1]),
            *algorithm,
            *(number for group in lines.groups for number in _numbers(group, source)),
            *evaluations(lines.verdict, (one.code for group in lines.groups for one in group.findings)),
            text_item(CONTAINS, dicom_codes.DCM.Comment, lines.title),
        ],
    )


def _numbers(group: Group, source: SourceSeries) -> Iterator[Dataset]:
    """Yield the numbers of a group, a ratio without its diameters, each with the line or outline as its only child."""
    for number in group.numbers[:1] if _is_ratio(group) else group.numbers:
        if (group.finding, number.name) in _NAMES:
            name = Code(number.name.value, number.name.scheme_designator, _NAMES[group.finding, number.name])
            drawn = line_of(INFERRED, SOURCE, group.place.evidence, source)
            yield number_item(name, number.value, number.unit, [drawn])
