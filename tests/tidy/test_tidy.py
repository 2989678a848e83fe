"""The style of the house, where ruff and mypy have no rule for it."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
FOLDERS = ("processor", "loadtest", "deploy", "tests", "topics", "schemas", "requirements", ".ci")
TEXT = (".py", ".pyi", ".sql", ".sh", ".toml", ".md", ".yaml", ".yml", "")
COLUMNS_MAX = 100
FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 70
# Made by a program, so nobody reads them line by line.
EXEMPTION = re.compile(r"  # (noqa|type: ignore).*")
"""The comment that switches a rule off on its line, with the reason: it may stand out."""
GENERATED = ("schemas/ledger/schema.sql", "schemas/README.md", "LICENSE")

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "manager", "common", "misc", "base", "stuff"}
# What makes the pure part depend on anything but its arguments.
IMPURE = {"asyncio", "time", "os", "io", "random", "secrets", "socket", "threading", "logging"}
IMPURE |= {"structlog", "asyncpg", "faust", "mode", "aiokafka", "rocksdict", "opentelemetry"}
IMPURE |= {"prometheus_client", "pathlib", "subprocess", "uvloop"}
CLOCKS = {"now", "utcnow", "today"}
# Packages whose import name is not the project's name with underscores.
IMPORT_NAMES = {
    "faust-streaming": {"faust", "mode"},
    "opentelemetry-sdk": {"opentelemetry"},
    "opentelemetry-exporter-otlp-proto-http": {"opentelemetry"},
}


@cache
def files() -> tuple[Path, ...]:
    """Return the project's text files, those of the top folder included."""
    inside = (path for folder in FOLDERS for path in (CHECKOUT / folder).rglob("*"))
    found = (path for path in (*CHECKOUT.glob("*"), *inside) if path.is_file())
    return tuple(sorted(p for p in found if p.suffix in TEXT and "__pycache__" not in p.parts))


@cache
def modules() -> tuple[tuple[str, ast.Module], ...]:
    """Return each Python file's path in the checkout and its syntax tree."""
    python = (path for path in files() if path.suffix == ".py")
    return tuple((name(path), ast.parse(path.read_text())) for path in python)


def name(path: Path) -> str:
    """Return a file's path as people write it."""
    return path.relative_to(CHECKOUT).as_posix()


def imports(tree: ast.Module) -> Iterator[str]:
    """Return the full names of the modules that a module imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def importers(package: str, folder: str, allowed: tuple[str, ...]) -> list[str]:
    """Return the files below a folder that import a package, but for the allowed folders."""
    return [
        where
        for where, tree in modules()
        if where.startswith(folder)
        and not where.startswith(allowed)
        and any(module.split(".")[0] == package for module in imports(tree))
    ]


def matches(pattern: re.Pattern[str]) -> list[str]:
    """Return the lines of Python files, but for this one, in which a pattern is found."""
    return [
        f"{name(path)}:{number}"
        for path in files()
        if path.suffix == ".py" and path != Path(__file__)
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if pattern.search(line)
    ]


def test_lines_are_at_most_100_columns() -> None:
    """Two files side by side fit a screen (prose and data, which can't be broken, excepted)."""
    exempt = (".md", ".txt", ".json", ".jsonl", ".lock", ".toml")
    assert [
        f"{name(path)}:{number}"
        for path in files()
        if path.suffix not in exempt and name(path) not in GENERATED
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(EXEMPTION.sub("", line)) > COLUMNS_MAX
    ] == []


def test_files_are_at_most_400_lines() -> None:
    """A file can be read in one sitting."""
    lengths = {name(path): len(path.read_text().splitlines()) for path in files()}
    too_long = {file for file, lines in lengths.items() if lines > FILE_LINES_MAX}
    assert too_long - set(GENERATED) == set()


def test_functions_are_at_most_70_lines() -> None:
    """A function fits a screen, docstring included."""
    assert [
        f"{where}:{node.lineno} {node.name}"
        for where, tree in modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or node.lineno) - node.lineno >= FUNCTION_LINES_MAX
    ] == []


def test_file_names_say_what_is_inside() -> None:
    """No file is named after being useful."""
    stems = {name(path): set(re.split(r"[_.\-]", path.stem)) for path in files()}
    assert [file for file, words in stems.items() if words & VAGUE_NAMES] == []
    assert [file for file in stems if re.search(r"_v\d+\.py$", file)] == []


def test_only_the_ledger_knows_asyncpg() -> None:
    """PostgreSQL is spoken to in one place of the product."""
    assert importers("asyncpg", "processor/", ("processor/ledger/",)) == []


def test_only_the_stream_knows_faust_and_rocksdb() -> None:
    """Faust and its table are known in one place of the product."""
    for package in ("faust", "mode", "rocksdict"):
        assert importers(package, "processor/", ("processor/stream/",)) == []


def test_the_product_does_not_know_its_tools() -> None:
    """The product imports neither the load tests nor the local stack nor the tests."""
    for package in ("loadtest", "deploy", "tests"):
        assert importers(package, "processor/", ("-",)) == []


def test_the_reference_model_does_not_know_the_product() -> None:
    """What judges the product shares no code with it."""
    assert importers("processor", "loadtest/reference/", ("-",)) == []


def test_the_product_imports_only_what_it_declares() -> None:
    """Each third-party import of the product is a run-time dependency in pyproject.toml."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    declared = [re.split(r"[<>=\[ ;]", line)[0] for line in project["dependencies"]]
    known = {"processor", *sys.stdlib_module_names}
    for package in declared:
        known |= IMPORT_NAMES.get(package, {package.replace("-", "_")})
    assert [
        f"{where}: {module}"
        for where, tree in modules()
        if where.startswith("processor/")
        for module in imports(tree)
        if module.split(".")[0] not in known
    ] == []


def test_core_is_pure() -> None:
    """Decisions depend on their arguments alone: no I/O, no clock, no randomness, no event loop."""
    core = [(where, tree) for where, tree in modules() if where.startswith("processor/core/")]
    assert core
    inward = ("processor.core", "processor.contracts")
    for where, tree in core:
        found = set(imports(tree))
        assert (where, {m.split(".")[0] for m in found} & IMPURE) == (where, set())
        outward = {m for m in found if m.startswith("processor") and not m.startswith(inward)}
        assert (where, outward) == (where, set())
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        called = {call.attr for call in calls if isinstance(call, ast.Attribute)}
        assert (where, called & CLOCKS) == (where, set())


def test_core_has_no_float() -> None:
    """Money is an integer of minor units, from the first byte to the last."""
    for where, tree in modules():
        if not where.startswith("processor/core/"):
            continue
        for node in ast.walk(tree):
            is_name = isinstance(node, ast.Name) and node.id == "float"
            is_literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            is_division = isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div)
            found = [ast.unparse(node)] if is_name or is_literal or is_division else []
            assert (where, found) == (where, [])


def test_every_test_states_its_promise() -> None:
    """A failing test says in words what no longer holds."""
    assert [
        f"{where} {node.name}"
        for where, tree in modules()
        if where.startswith("tests/")
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ] == []


def test_no_test_is_switched_off() -> None:
    """A promise is tested or it is not made; but for a browser, and what root alone may make."""
    off = re.compile(r"mark\.(skip|xfail)|pytest\.(skip|xfail|importorskip)\b")
    # Continuous integration has one, and is told to fail where it is missing.
    assert "export TESTS_NEED_CHROMIUM=1" in (CHECKOUT / ".ci" / "run").read_text()
    own = ("tests/integration/chromium.py:", "tests/integration/machines.py:")
    assert [found for found in matches(off) if not found.startswith(own)] == []


def test_rules_are_switched_off_with_a_reason() -> None:
    """A line that leaves a rule of style or types says which one; for style also why."""
    assert matches(re.compile(r"#\s*noqa(?!: [A-Z]+[0-9]+(, ?[A-Z]+[0-9]+)* - \S)")) == []
    assert matches(re.compile(r"#\s*type: ignore(?!\[)")) == []


def test_links_between_pages_resolve() -> None:
    """Every relative link of a Markdown page leads to a file, and its anchor to a heading."""
    assert [
        f"{name(page)}: {target}"
        for page in files()
        if page.suffix == ".md"
        for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text()))
        if "://" not in target and not target.startswith("mailto:") and not leads(page, target)
    ] == []


def leads(page: Path, target: str) -> bool:
    """Say whether a relative link of a page leads somewhere."""
    file, _, anchor = target.partition("#")
    path = (page.parent / file).resolve() if file else page
    if not path.exists():
        return False
    return not anchor or path.suffix != ".md" or anchor in anchors(path.read_text())


def anchors(markdown: str) -> set[str]:
    """Return the anchors of a page's headings, made as the usual forges make them."""
    headings = re.findall(r"^#+ +(.+?) *$", without_code(markdown), flags=re.MULTILINE)
    plain = (re.sub(r"[^\w\- ]", "", re.sub(r"[*`]", "", text)).lower() for text in headings)
    return {text.replace(" ", "-") for text in plain}


def without_code(markdown: str) -> str:
    """Return a page without its blocks of code, in which brackets are no links."""
    return re.sub(r"^(```|~~~).*?^\1", "", markdown, flags=re.MULTILINE | re.DOTALL)
