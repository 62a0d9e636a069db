"""Every word of the summary page and its pictures, in English and in simplified Chinese.

The Chinese terms follow common radiological usage; a radiologist who reads Chinese must review them before clinical use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.domain.anatomy import Structure
from node.domain.errors import Finding, Severity
from node.domain.measurement import Measurement, StudyStatus, Unit, Verdict
from node.reporting.figures import shown
from node.reporting.reasons_zh import REASONS_ZH

#: Smallest diameter, upper and lower reference: d for the cord and D for the canal, as in the paper.
DIAMETER_MARKS: Mapping[Structure, tuple[str, str, str]] = {
    Structure.SPINAL_CORD: ("di", "da", "db"),
    Structure.SPINAL_CANAL: ("Di", "Da", "Db"),
}
# As many decimals as figures.py keeps: the page shows the digits of the SR and of measurements.json.
_FORMATS = {Unit.MM: "{:.2f} mm", Unit.MM2: "{:.2f} mm²", Unit.PERCENT: "{:.2f} %", Unit.RATIO: "{:.4f}"}


@dataclass(frozen=True, slots=True)
class ReasonText:
    """What speaks against a value: a sentence, and what stands below it in small print."""

    text: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Wording:
    """The words of one language; ``{}`` stands for what is filled in.

    Parameters
    ----------
    headlines
        Short and long name of MSCC, MCC, TA and CR.
    quantities
        Names of cord AP, transverse, area, area perpendicular to the cord, compression ratio; canal AP, canal area.
    translates_reasons
        Whether reasons have sentences of this language; their English messages, which hold the numbers, become small print.
    """

    title: str
    statuses: Mapping[StudyStatus, str]
    withheld_count: str
    research: str
    unverified: str
    headlines: tuple[tuple[str, str], ...]
    quantities: tuple[str, ...]
    verdicts: Mapping[Verdict, str]
    structures: Mapping[Structure, str]
    not_measured: str
    at_level: str
    reference: str
    worst: str
    change: str
    sagittal: str
    sagittal_plane: str
    axial: str
    axial_plane: str
    other_slice: str
    profile: str
    healthy: str
    remarks: str
    no_remarks: str
    more: str
    too_many: str
    models: str
    translates_reasons: bool

    def value(self, measured: Measurement | None) -> str:
        """Return a value with its unit, in the digits that every result shows, or that it is withheld."""
        value = shown(measured)
        if measured is None or value is None:
            return self.verdicts[Verdict.WITHHOLD]
        return _FORMATS[measured.unit].format(value)

    def changed(self, prior: float, difference: float, unit: Unit) -> str:
        """Return the value of the prior report and the change since, signed; that of a percentage is in percentage points."""
        number = _FORMATS[unit]
        signed = number.replace("{:", "{:+")
        return self.change.format(number.format(prior), signed.format(difference).removesuffix(" %"))

    def reasons_of(self, findings: Iterable[Finding]) -> tuple[ReasonText, ...]:
        """Return what findings say, each once and the heaviest first; findings of one translated code are told together."""
        ordered = sorted(dict.fromkeys(findings), key=lambda one: _WEIGHTS.index(one.severity))
        if not self.translates_reasons:
            return tuple(ReasonText(message) for message in dict.fromkeys(one.message for one in ordered))
        messages = {one.code: dict.fromkeys(other.message for other in ordered if other.code is one.code) for one in ordered}
        return tuple(ReasonText(REASONS_ZH.get(code, code.value), "; ".join(below)) for code, below in messages.items())


# The heaviest first: what withholds a value must not be crowded out by remarks.
_WEIGHTS = (Severity.ERROR, Severity.DECLINE, Severity.WITHHOLD, Severity.FLAG, Severity.NOTE)

_ENGLISH = Wording(
    title="Cervical spinal cord and canal, MR",
    statuses={StudyStatus.MEASURED: "complete", StudyStatus.PARTIAL: "partial", StudyStatus.DECLINED: "declined"},
    withheld_count="{}: {} of 4 main values withheld",
    research="RESEARCH - not for diagnosis",
    unverified="software result, not verified by a person",
    headlines=(
        ("MSCC", "maximum spinal cord compression"),
        ("MCC", "maximum canal compromise"),
        ("TA", "transverse area of the cord, axial"),
        ("CR", "compression ratio of the cord, axial"),
    ),
    quantities=(
        "Cord AP",
        "Cord transverse",
        "Cord area (TA)",
        "TA perpendicular to cord",
        "Compression ratio (CR)",
        "Canal AP",
        "Canal area",
    ),
    verdicts={Verdict.REPORT: "plausible", Verdict.FLAG: "to be reviewed", Verdict.WITHHOLD: "withheld"},
    structures={Structure.SPINAL_CORD: "spinal cord", Structure.SPINAL_CANAL: "spinal canal"},
    not_measured="Not measured",
    at_level="at {}",
    reference="reference {}",
    worst="worst slice ({}): {} {}",
    change="prior {}, change {}",
    sagittal="Sagittal T2, slice {} of {}",
    sagittal_plane="Sagittal T2",
    axial="Axial T2, slice {} of {}",
    axial_plane="Axial T2",
    other_slice="slice {}",
    profile="Mean AP diameter by level, sagittal (mm)",
    healthy="healthy {:g} - {:g} mm (Zhu 2024)",
    remarks="Remarks",
    no_remarks="none",
    more="and {} more, see the report",
    too_many="reasons: {}, see the report",
    models="models: {}",
    translates_reasons=False,
)

_CHINESE = Wording(
    title="颈段脊髓与椎管测量（MR）",
    statuses={StudyStatus.MEASURED: "测量完整", StudyStatus.PARTIAL: "测量不完整", StudyStatus.DECLINED: "未予测量"},
    withheld_count="{}：4 项主要数值中 {} 项未给出",
    research="仅供研究（RESEARCH），不得用于诊断",
    unverified="软件结果，未经人工核实",
    headlines=(
        ("MSCC", "最大脊髓受压率"),
        ("MCC", "最大椎管狭窄率"),
        ("TA", "脊髓横截面积（轴位）"),
        ("CR", "脊髓压缩比（轴位）"),
    ),
    quantities=(
        "脊髓前后径",
        "脊髓左右径",
        "脊髓横截面积（TA）",
        "垂直于脊髓的截面积",
        "脊髓压缩比（CR）",
        "椎管前后径",
        "椎管面积",
    ),
    verdicts={Verdict.REPORT: "合理", Verdict.FLAG: "需复核", Verdict.WITHHOLD: "未给出"},
    structures={Structure.SPINAL_CORD: "脊髓", Structure.SPINAL_CANAL: "椎管"},
    not_measured="未测量",
    at_level="{} 水平",
    reference="参考 {}",
    worst="最重层面（第 {} 层）：{} {}",
    change="既往 {}，变化 {}",
    sagittal="矢状位 T2，第 {} 层 / 共 {} 层",
    sagittal_plane="矢状位 T2",
    axial="轴位 T2，第 {} 层 / 共 {} 层",
    axial_plane="轴位 T2",
    other_slice="第 {} 层",
    profile="各节段平均前后径，矢状位（mm）",
    healthy="健康范围 {:g} - {:g} mm（Zhu 2024）",
    remarks="备注",
    no_remarks="无",
    more="另有 {} 条，见报告",
    too_many="原因共 {} 条，见报告",
    models="模型：{}",
    translates_reasons=True,
)

#: By the value of ``reporting.language``.
WORDINGS: Mapping[str, Wording] = {"en": _ENGLISH, "zh-CN": _CHINESE}


def wording(language: str) -> Wording:
    """Return the words of a language, ``en`` or ``zh-CN``."""
    return WORDINGS[language]
