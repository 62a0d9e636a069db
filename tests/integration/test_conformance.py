"""The conformance statement says what the code does: compared with its tables, and with a receiver that runs."""

import re
from pathlib import Path

from click.testing import CliRunner
from pynetdicom import AE, build_context

from node.cli.program import program
from node.config import Config, parse_config
from node.conformance import conformance_statement
from node.delivery import Archive, sop_classes_of
from node.domain.report import ReportKind
from node.reception import StoreStatus, accepted_contexts
from node.reporting import private_codes
from tests.support.dicom_peers import running_receiver

STATEMENT = conformance_statement(Config())


def section(start: str, end: str) -> str:
    return STATEMENT.partition(f"\n{start}")[2].partition(f"\n{end}")[0]


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def promised() -> list[tuple[str, list[str]]]:
    """Return the SOP classes that are promised, each with its transfer syntaxes."""
    found: list[tuple[str, list[str]]] = []
    syntaxes: list[str] = []
    for line in section("### 2.1", "### 2.2").splitlines():
        if line.startswith("Transfer syntaxes"):
            syntaxes = re.findall(r"\(([0-9.]+)\)", line)
        elif line.startswith("| ") and "| UID |" not in line:
            found.append((rows(line)[0][1], syntaxes))
    return found


def test_the_accepted_contexts_are_those_of_the_code():
    assert dict(promised()) == {
        str(one.abstract_syntax): [str(uid) for uid in one.transfer_syntax] for one in accepted_contexts()
    }
    assert len(promised()) == len(accepted_contexts())


def test_what_is_promised_is_accepted_by_a_running_receiver_and_nothing_else(tmp_path: Path):
    with running_receiver(tmp_path / "store") as receiver:
        for start in range(0, len(promised()), 100):
            batch = promised()[start : start + 100]
            entity = AE(ae_title="SCANNER")
            contexts = [build_context(uid, syntaxes) for uid, syntaxes in batch]
            contexts.append(build_context("1.2.840.10008.5.1.4.1.2.2.1"))  # Study Root Query: not promised
            association = entity.associate("127.0.0.1", receiver.port, contexts, ae_title="CSPINE")
            assert {str(one.abstract_syntax) for one in association.accepted_contexts} == {uid for uid, _ in batch}
            for one in association.accepted_contexts:
                assert one.transfer_syntax[0] == dict(batch)[str(one.abstract_syntax)][0]
            association.release()


def test_the_results_and_their_classes_are_those_of_delivery():
    listed = [(kind, uid) for kind, _, uid, _ in rows(section("## 3", "### 3.1"))[1:]]
    assert listed == [(kind.value, str(uid)) for kind in ReportKind for uid in sop_classes_of(kind)]


def test_every_status_and_every_private_code_is_listed():
    assert [row[0] for row in rows(section("### 2.2", "## 3"))[1:]] == [f"{one.value:04X}" for one in StoreStatus]
    assert [tuple(row) for row in rows(section("### 5.1", "never"))[1:]] == [(one.value, one.meaning) for one in private_codes()]


def test_the_values_are_those_of_the_configuration(tmp_path: Path):
    text = "reception: {ae_title: NECK, port: 104, allowed_networks: [10.1.0.0/16], maximum_associations: 7}\n"
    text += "destinations: [{name: pacs, host: pacs.example, port: 4242, ae_title: ARCHIVE, objects: [SR]}]\n"
    statement = conformance_statement(parse_config(text))
    for value in ("| NECK |", "| 104 |", "| 10.1.0.0/16 |", "| 7, 10 |", "| pacs | ARCHIVE | pacs.example:4242 | SR | no |"):
        assert value in statement
    (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
    printed = CliRunner().invoke(program, ["conformance", "--config", str(tmp_path / "config.yaml")])
    assert (printed.exit_code, printed.stdout) == (0, statement)


def test_readers_are_warned_of_the_swapped_spacings():
    assert "cornerstone3D#2758" in STATEMENT


def test_query_and_retrieval_are_promised_as_scu_only():
    services = {name: (scu, scp) for name, scu, scp in rows(section("## 1", "## 2"))[1:]}
    assert {services[one.name] for one in Archive.SERVICES} == {("yes", "no")}
    assert [uid for _, uid in rows(section("### 3.2", "## 4"))[1 : 1 + len(Archive.SERVICES)]] == list(Archive.SERVICES)
