"""The guides say what the code says."""

import ast
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from node.cli.program import program
from node.config import load_config
from node.domain.anatomy import Structure
from node.domain.healthy import HEALTHY_RANGES
from node.domain.measurement import Quantity
from node.inference import ModelManifest
from node.reporting import codes
from tools.labelme.__main__ import main as labelme
from tools.training.split import main as split

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "node" / "reporting" / "README.md").read_text(encoding="utf-8")
RESEARCHERS = ROOT / "tools" / "GUIDE.md"
DOCUMENTS = sorted(
    [ROOT / "README.md", *(p for name in ("tools", "node", "models", "docker") for p in (ROOT / name).rglob("*.md"))]
)


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


def test_each_field_of_a_model_is_in_the_guide_for_researchers():
    table = RESEARCHERS.read_text(encoding="utf-8").partition("| field | says |")[2].partition("\n\n")[0]
    named = re.findall(r"`(\w+)`", "\n".join(line.split("|")[1] for line in table.splitlines() if line.startswith("| `")))
    assert sorted(named) == sorted(ModelManifest.model_fields)


@dataclass(frozen=True, slots=True)
class Option:
    """A flag as a tool declares it: how many words follow it, whether it must be there, and what it takes if that is a list."""

    flags: tuple[str, ...]
    words: int
    is_required: bool
    choices: tuple[str, ...]

    def faults(self, taken: list[str]) -> Iterator[str]:
        """Yield what is wrong with the words that follow the flag."""
        if len(taken) < self.words or any(one.startswith("--") for one in taken):
            yield f"{self.flags[0]} needs {self.words} words"
        yield from (f"{self.flags[0]} takes {self.choices}" for one in taken if self.choices and one not in self.choices)


class Source:
    """The command line of a tool, read from its text: some of them import torch, which is not everywhere."""

    def __init__(self, module: str) -> None:
        path = ROOT.joinpath(*module.split("."))
        path = path / "__main__.py" if path.is_dir() else path.with_suffix(".py")
        self.module, tree = module, ast.parse(path.read_text(encoding="utf-8"))
        self.functions = [one for one in tree.body if isinstance(one, ast.FunctionDef)]
        self._named: dict[str, ast.AST] = {one.name: one for one in self.functions}
        self._imported: dict[str, str] = {}
        for one in tree.body:
            if isinstance(one, ast.Assign):
                self._named |= {
                    name.id: one.value for target in one.targets for name in ast.walk(target) if isinstance(name, ast.Name)
                }
            if isinstance(one, ast.ImportFrom) and (one.module or "").startswith("tools."):
                self._imported |= {alias.name: one.module or "" for alias in one.names}

    def commands(self) -> dict[str, list[ast.expr]]:
        """The decorators of each command by its name; that of a tool without subcommands is empty."""
        found = {}
        for function in self.functions:
            for one in function.decorator_list:
                if isinstance(one, ast.Call) and isinstance(one.func, ast.Attribute) and one.func.attr == "command":
                    given = (
                        ast.literal_eval(one.args[0]) if one.args else function.name.removesuffix("_command").replace("_", "-")
                    )
                    found["" if ast.unparse(one.func) == "click.command" else given] = function.decorator_list
        return found

    def _declared(self, nodes: Sequence[ast.AST], kind: str, seen: tuple[str, ...] = ()) -> Iterator[tuple["Source", ast.Call]]:
        """Every ``click.option`` or ``click.argument`` of some decorators, also by the names that they use, with its source."""
        for one in (inner for node in nodes for inner in ast.walk(node)):
            if isinstance(one, ast.Call) and ast.unparse(one.func) == f"click.{kind}":
                yield self, one
            elif isinstance(one, ast.Name) and one.id not in seen:
                source = Source(self._imported[one.id]) if one.id in self._imported else self
                meant = source._named.get(one.id)
                if isinstance(meant, ast.FunctionDef | ast.Tuple | ast.Call):
                    yield from source._declared([meant], kind, (*seen, one.id))

    def options(self, decorators: Sequence[ast.AST]) -> list[Option]:
        """Return the options of a command."""
        return [source._option(call) for source, call in self._declared(decorators, "option")]

    def _option(self, call: ast.Call) -> Option:
        flags = tuple(flag for one in call.args for flag in ast.literal_eval(one).split("/") if flag.startswith("-"))
        given = {one.arg: one.value for one in call.keywords}
        is_switch = "is_flag" in given or any("/" in ast.literal_eval(one) for one in call.args)
        words = len(given["type"].elts) if isinstance(given.get("type"), ast.Tuple) else 1
        return Option(flags, 0 if is_switch else words, "required" in given, self._choices(given.get("type")))

    def _choices(self, kind: ast.AST | None) -> tuple[str, ...]:
        listed = kind.args[0] if isinstance(kind, ast.Call) and ast.unparse(kind.func) == "click.Choice" else None
        listed = self._named.get(listed.id) if isinstance(listed, ast.Name) else listed
        return tuple(ast.literal_eval(listed)) if isinstance(listed, ast.List | ast.Tuple) else ()

    def places(self, decorators: Sequence[ast.AST]) -> tuple[list[tuple[str, ...]], bool]:
        """Return what each positional argument may be (empty: anything), and whether the last may be repeated or left out."""
        given = [
            (source, {one.arg: one.value for one in call.keywords}) for source, call in self._declared(decorators, "argument")
        ]
        return [source._choices(one.get("type")) for source, one in given], any("nargs" in one for _, one in given)

    def misplaced(self, decorators: Sequence[ast.AST], values: list[str], is_whole: bool) -> Iterator[str]:
        """Yield what is wrong with positional arguments."""
        places, is_open = self.places(decorators)
        pairs = zip(values, places, strict=False)
        yield from (f"{value} is none of {choices}" for value, choices in pairs if choices and value not in choices)
        if not is_open and (len(values) > len(places) or (is_whole and len(values) < len(places))):
            yield f"{len(places)} arguments are wanted, not {values}"


def faults(call: str, *, is_whole: bool) -> list[str]:
    """Return what a tool would refuse of ``tools.NAME ...``; a call in running text may leave things out."""
    module, *words = shlex.split(call)
    source = Source(module)
    commands = source.commands()
    if "" in commands:
        return list(_refused(source, commands[""], words, is_whole))
    if words and words[0] in commands:
        return list(_refused(source, commands[words[0]], words[1:], is_whole))
    is_mention = not is_whole and (not words or words[0].isupper() or words[0].endswith("..."))
    return [] if is_mention else [f"{module} has no {words[:1]}, but {sorted(commands)}"]


def _refused(source: Source, decorators: list[ast.expr], words: list[str], is_whole: bool) -> Iterator[str]:
    options, values, given = source.options(decorators), [], set()
    by_flag = {flag: one for one in options for flag in one.flags}
    while words:
        word, *words = words
        if word in by_flag:
            option = by_flag[word]
            given.add(option)
            taken, words = words[: option.words], words[option.words :]
            yield from option.faults(taken)
        elif word.startswith("-"):
            yield f"no option {word}"
        else:
            values.append(word)
    yield from (f"{one.flags[0]} is missing" for one in options if is_whole and one.is_required and one not in given)
    yield from source.misplaced(decorators, values, is_whole)


def calls_of(text: str) -> Iterator[tuple[str, bool]]:
    """Yield the calls of tools in a document, and whether they stand in a block of code, whole."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    for block in blocks:
        yield from ((one, True) for one in re.findall(r"^python -m (tools\.[^#\n]+)", block, re.MULTILINE))
    running = re.sub(r"^```\w*\n(.*?)^```", "", text, flags=re.DOTALL | re.MULTILINE)
    yield from ((re.sub(r"\s+", " ", one), False) for one in re.findall(r"`python -m (tools\.[^`]+)`", running))


def test_every_call_of_a_tool_in_a_document_is_one_that_the_tool_takes():
    calls = [(path, *call) for path in DOCUMENTS for call in calls_of(path.read_text(encoding="utf-8"))]
    assert sum(path == RESEARCHERS for path, *_ in calls) > 20
    wrong = [(path.name, call, found) for path, call, is_whole in calls if (found := faults(call, is_whole=is_whole))]
    assert wrong == []


@pytest.mark.parametrize(
    "call",
    [
        "tools.labelme exports STUDY --out DIR",
        "tools.labelme export STUDY",
        "tools.labelme export --out DIR STUDY --every-slice",
        "tools.training.train_axial --pool POOL --out DIR --minutes 5 --holdout PERSON",
        "tools.training.train_axial --pool POOL --out DIR --minutes --real REAL",
        "tools.training.train_sagittal --pool POOL --out DIR --minutes 5 --architecture vnet",
        "tools.training.pool coronal DIR",
        "tools.export_onnx last.pt --task keypoints --version 1",
        "tools.export_onnx last.pt DIR --task corners --version 1",
        "tools.evaluate real --models models --out DIR",
        "tools.evaluate borders --models models --write DIR",
        "tools.evaluate annotated STUDIES LABELS --truth reader --out DIR",
    ],
)
def test_a_call_that_a_tool_would_refuse_is_found(call: str):
    assert faults(call, is_whole=True) != []


@pytest.mark.parametrize(
    ("module", "name", "command"),
    [("tools.training.split", "", split), *(("tools.labelme", name, one) for name, one in sorted(labelme.commands.items()))],
)
def test_the_text_of_a_tool_says_what_its_parser_knows(module: str, name: str, command: click.Command):
    source = Source(module)
    read = source.options(source.commands()[name])
    known = [one for one in command.params if isinstance(one, click.Option)]
    assert {(one.flags, one.words, one.is_required) for one in read} == {
        ((*one.opts, *one.secondary_opts), 0 if one.is_flag else one.nargs, one.required) for one in known
    }
    assert len(source.places(source.commands()[name])[0]) == len(command.params) - len(known)


def test_every_call_of_the_node_in_the_guide_for_researchers_exists_with_its_options():
    calls = re.findall(r"^cspine-node (.+)$", RESEARCHERS.read_text(encoding="utf-8"), re.MULTILINE)
    assert calls
    for words in map(shlex.split, calls):
        command: click.Command = program
        while isinstance(command, click.Group):
            found = command.get_command(click.Context(command), words.pop(0))
            assert found is not None, words
            command = found
        assert {one for one in words if one.startswith("-")} <= {flag for one in command.params for flag in one.opts}, words


def test_the_examples_of_the_configuration_are_valid(tmp_path: Path):
    examples = re.findall(r"^```yaml\n(.*?)^```", (ROOT / "docker" / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    assert len(examples) >= 2
    for text in examples:
        (tmp_path / "config.yaml").write_text(text, encoding="utf-8")
        load_config(tmp_path / "config.yaml")
