"""The guides say what the code says."""

import re
from pathlib import Path

from node.domain.anatomy import Structure
from node.domain.healthy import HEALTHY_RANGES
from node.domain.measurement import Quantity
from node.reporting import codes

GUIDE = (Path(__file__).resolve().parents[2] / "node" / "reporting" / "README.md").read_text(encoding="utf-8")


def test_each_reason_of_a_report_is_explained_once():
    table = GUIDE.partition("## Reasons")[2].partition("## Limits")[0]
    explained = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    assert sorted(explained) == sorted(codes.REASONS)


def test_the_healthy_ranges_are_those_that_flag():
    for quantity, structure in (
        (Quantity.AP_DIAMETER, Structure.SPINAL_CORD),
        (Quantity.AP_DIAMETER, Structure.SPINAL_CANAL),
        (Quantity.CROSS_SECTIONAL_AREA, Structure.SPINAL_CORD),
    ):
        low, high = HEALTHY_RANGES[quantity, structure]
        assert f"{low:g} to {high:g} mm" in GUIDE.replace("\n", " ")
