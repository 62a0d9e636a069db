"""The shape of the code: sizes, words, faces and documents that the conventions ask for."""

import ast
import re
import statistics
from pathlib import Path

import pytest

from node.cli.program import COMMANDS
from node.config import Config, render_config

ROOT = Path(__file__).resolve().parents[2]
NODE = ROOT / "node"
SOURCES = sorted(NODE.rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
STAGES = ("reception", "jobs", "store", "selection", "loading", "inference", "measurement", "reporting", "delivery", "feedback")
BANNED = {"utils", "helpers", "common", "misc", "base", "manager", "handler", "processor", "wrapper", "data", "info"}
LONGEST_FILE, LONGEST_FUNCTION, MEDIAN_FUNCTION, MOST_PARAMETERS = 400, 50, 15, 6


def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring."""
    docstring = ast.get_docstring(function, clean=False)
    own = docstring.count("\n") + 1 if docstring else 0
    return (function.end_lineno or 0) - function.lineno + 1 - own


@pytest.mark.parametrize("path", SOURCES + TOOLS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    too_long = {one.name: length(one) for one in functions(path) if length(one) > LONGEST_FUNCTION}
    assert not too_long
    for one in functions(path):
        names = [argument.arg for argument in (*one.args.posonlyargs, *one.args.args, *one.args.kwonlyargs)]
        assert len([name for name in names if name not in ("self", "cls")]) <= MOST_PARAMETERS, one.name


def test_the_median_function_is_short():
    assert statistics.median(length(one) for path in SOURCES for one in functions(path)) < MEDIAN_FUNCTION


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_say_what_things_are(path):
    assert path.stem not in BANNED
    classes = [one.name for one in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(one, ast.ClassDef)]
    words = {word.lower() for name in classes for word in re.findall(r"[A-Z][a-z]+", name)}
    assert not words & (BANNED - {"base"})


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_has_a_face(stage):
    tree = ast.parse((NODE / stage / "__init__.py").read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    exported = next(
        ast.literal_eval(one.value) for one in tree.body if isinstance(one, ast.Assign) and one.targets[0].id == "__all__"
    )
    assert 1 <= len(exported) <= 14
    assert exported == sorted(exported)


def test_broad_excepts_are_counted():
    """Only where a process must survive anything: the SCP, the worker, the threads that keep a role alive."""
    broad = [
        f"{path.relative_to(NODE)}"
        for path in SOURCES
        for one in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(one, ast.ExceptHandler)
        and (one.type is None or getattr(one.type, "id", "") in ("Exception", "BaseException"))
    ]
    assert len(broad) <= 3, broad


def test_nothing_imports_the_package_inside_a_function():
    for path in SOURCES:
        for one in functions(path):
            for inner in ast.walk(one):
                if isinstance(inner, ast.ImportFrom):
                    assert not (inner.module or "").startswith("node"), f"{path}: {one.name}"


def test_config_yaml_is_the_schema():
    assert (ROOT / "config.yaml").read_text(encoding="utf-8") == render_config(Config())


def test_every_command_is_in_the_readme():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [name for name in COMMANDS if f"cspine-node {name}" not in readme] == []


def test_every_tool_is_in_the_list_of_tools():
    listed = (ROOT / "tools" / "README.md").read_text(encoding="utf-8")
    tools = [path for path in (ROOT / "tools").iterdir() if path.suffix in (".py", ".sh")]
    assert [path.name for path in tools if path.name not in listed] == []


def test_every_decision_is_indexed():
    listed = (NODE / "decisions" / "README.md").read_text(encoding="utf-8")
    decisions = sorted(path.name for path in (NODE / "decisions").glob("[0-9]*.md"))
    assert decisions
    assert [name for name in decisions if name not in listed] == []


def test_every_proof_that_the_threat_model_names_exists():
    named = set(re.findall(r"test_[a-z_]+\.py", (ROOT / "SECURITY.md").read_text(encoding="utf-8")))
    assert len(named) > 10
    assert named - {path.name for path in (ROOT / "tests").rglob("test_*.py")} == set()


def test_no_secret_place_is_named():
    """No path of a developer's machine and no registry host stands in what is shipped."""
    pattern = re.compile(r"/(?:home|root|work)/[a-z]|https?://[^ )\"']*(?:pypi|pythonhosted|npmjs|artifactory)")
    for path in [*SOURCES, *TOOLS, ROOT / "requirements.lock", ROOT / "Makefile", ROOT / "pyproject.toml"]:
        assert not pattern.search(path.read_text(encoding="utf-8")), path
