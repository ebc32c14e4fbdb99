"""The Markdown files: links, names and messages in them exist."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main

from daemon.cli import app
from daemon.failpoints import POINTS
from daemon.settings import Settings
from tests.programs import document

PROJECT = Path(__file__).parents[1]
DOCS = PROJECT / "docs"
PAGES = [*PROJECT.glob("*.md"), *DOCS.rglob("*.md")]
GENERATED = {DOCS / "settings.md", DOCS / "model/report.md"}
HISTORY = PROJECT / "CHANGELOG.md"
PACKAGES = ("benchmarks", "daemon", "models", "tests", "training")

_FENCE = re.compile(r"^ *```.*?^ *```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)|<img src=\"([^\"]+)\"")
_SPAN = re.compile(r"(?<!`)(`{1,2})(?!`)(.+?)(?<!`)\1(?!`)")

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))


def prose(page: Path) -> str:
    """The text of a page without its code blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))


def spans(text: str) -> list[str]:
    """The code spans of a text."""
    return [span.strip() for _, span in _SPAN.findall(text)]


@cache
def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@cache
def definitions(module: Path) -> set[str]:
    """The names that a module defines, `Class.member` included."""
    names = set()
    for node in ast.parse(module.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{item.name}" for item in node.body if isinstance(item, ast.FunctionDef)}
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names |= {target.id for target in targets if isinstance(target, ast.Name)}
    return names


def is_defined(name: str) -> bool:
    """Whether a dotted name is a package, a module, or a name in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        path, rest = PROJECT.joinpath(*parts[:length]), ".".join(parts[length:])
        module = path.with_suffix(".py") if path.with_suffix(".py").is_file() else path / "__init__.py"
        if module.is_file():
            return not rest or rest in definitions(module)
    return False


def messages() -> Iterator[str]:
    """The texts in the source code, `…` in the place of each value."""
    for package in ("daemon", "models", "training"):
        for path in (PROJECT / package).rglob("*"):
            if path.suffix == ".py":
                yield from (text for node in ast.walk(ast.parse(path.read_text())) if (text := _text(node)))
            elif path.suffix in {".html", ".js"}:
                yield path.read_text()


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) or "…" for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


@pages
def test_links_lead_to_files_and_headings(page: Path) -> None:
    for target in (first or second for first, second in _LINK.findall(prose(page))):
        if re.match(r"[a-z]+:", target):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        assert not anchor or anchor in anchors(linked), target


@pages
def test_pages_wrap_at_120_columns(page: Path) -> None:
    if page not in GENERATED:
        assert [line for line in page.read_text().splitlines() if len(line) > 120 and not line.startswith("|")] == []


@pages
def test_names_of_the_code_are_defined(page: Path) -> None:
    if page == HISTORY:
        return
    for span in spans(prose(page)):
        if re.fullmatch(rf"({'|'.join(PACKAGES)})(\.\w+)+", span):
            assert is_defined(span), span
        elif re.fullmatch(rf"({'|'.join(PACKAGES)}|docs|systemd)/[\w./-]+", span):
            assert (PROJECT / span).exists(), span
        elif re.fullmatch(r"[\w/]+/(test_)?\w+\.py", span):
            assert (PROJECT / "daemon" / span).exists() or (PROJECT / "tests/daemon" / span).exists(), span


def test_names_of_the_architecture_are_defined() -> None:
    text = _LINK.sub("", (DOCS / "architecture.md").read_text())
    rooms = "|".join(path.parent.name for path in (PROJECT / "daemon").glob("*/__init__.py"))
    qualified = re.findall(rf"(?<![\w./])((?:{rooms})(?:\.[A-Za-z_]\w*)+)(?![\w.]*\.py)", text)
    assert len(qualified) > 10
    assert [name for name in qualified if not is_defined(f"daemon.{name}")] == []
    members = set().union(*map(definitions, (PROJECT / "daemon").rglob("*.py")))
    assert [name for name in re.findall(r"\b[A-Z][A-Za-z]+\.[a-z_]+\b", text) if name not in members] == []


@pages
def test_settings_exist(page: Path) -> None:
    for section, key in re.findall(r"`\[([a-z]+)\] ([a-z_]+)", prose(page)):
        assert key in type(Settings.model_fields[section].default).model_fields, f"[{section}] {key}"


def test_the_readme_is_short() -> None:
    assert len((PROJECT / "README.md").read_text().splitlines()) <= 150


def test_the_index_names_every_page() -> None:
    index = {(DOCS / path).resolve() for path, _ in _LINK.findall((DOCS / "README.md").read_text())}
    assert {page for page in PAGES if page.name != "README.md" or page.parent == DOCS / "model"} <= index


def test_every_command_is_explained() -> None:
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    explained = {row[0].strip("`") for row in document.table(DOCS / "use.md", "Commands")}
    assert explained == set(commands)


def test_crash_points_are_explained_in_their_order() -> None:
    rows = document.table(DOCS / "architecture.md", "Crash points")
    assert [point for row in rows for point in spans(row[0])][: len(POINTS)] == list(POINTS)


def test_quoted_messages_exist_in_the_code() -> None:
    texts = "\n\0".join(messages())
    lines = [line for line in (DOCS / "troubleshoot.md").read_text().splitlines() if line.startswith("| `")]
    looked_up = [span for line in lines for span in spans(line.split(" | ")[0])]
    assert len(looked_up) > 50
    assert [span for span in looked_up if not re.search(_pattern(span), texts)] == []


def _pattern(message: str) -> str:
    """Finds a message in which `…` stands for any value."""
    return "[^\0]*".join(map(re.escape, message.split("…")))
