"""A report as a document, and the document as `report.html` and `report.md`."""

import base64
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.evaluation.mistakes import Card


class Table(NamedTuple):
    """Rows of text below a head; `note` is what stands above it; `prose`: words rather than numbers, so lines may break."""

    head: list[str]
    rows: list[list[str]]
    note: str = ""
    prose: bool = False


class Drawing(NamedTuple):
    """A figure: name of its file beside the report, its SVG, and what it shows in words."""

    file: str
    svg: str
    words: str

    @property
    def uri(self) -> str:
        """The SVG as a data URI: inside the page, and apart from the page's names and styles."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


@dataclass(frozen=True)
class Section:
    """A chapter: paragraphs, figures, tables and cards, in this order. Cards, which show photos, are in HTML alone."""

    anchor: str
    title: str
    words: list[str] = field(default_factory=list)
    drawings: list[Drawing] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    points: list[str] = field(default_factory=list)
    cards: list[Card] = field(default_factory=list)


class Headline(NamedTuple):
    """One of the figures that a reader looks for first: `value`, what it is, and its interval or "" where it has none."""

    value: str
    name: str
    interval: str


@dataclass(frozen=True)
class Document:
    """A whole report; `about` says in a line what was judged."""

    title: str
    about: str
    headlines: list[Headline]
    sections: list[Section]


def write(out: Path, document: Document) -> None:
    """Writes `report.html`, which needs no other file, `report.md`, and beside them the figures that it shows."""
    for name in ("report.html", "report.md"):
        text = _ENVIRONMENT.get_template(f"{name}.j2").render(document=document)
        (out / name).write_text(text, encoding="utf-8")
    for section in document.sections:
        for drawing in section.drawings:
            if drawing.file.endswith(".svg"):
                (out / drawing.file).write_text(drawing.svg, encoding="utf-8")


def _plain(text: str) -> str:
    """Text as Markdown that shows it letter by letter, in a cell of a table too."""
    escaped = html.escape(text, quote=False)
    for mark in "\\`*[]|":  # an underscore inside a word marks nothing
        escaped = escaped.replace(mark, "\\" + mark)
    return escaped


_ENVIRONMENT = Environment(
    loader=PackageLoader("training.report"),
    autoescape=lambda name: name is not None and name.endswith(".html.j2"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["plain"] = _plain
