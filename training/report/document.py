"""A report as a document, rendered as `report.html` and `report.md`."""

import base64
import html
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined

from training.evaluation.mistakes import MistakeCard


class Table(NamedTuple):
    """A table.

    Attributes:
        header: Names of the columns.
        rows: Text of the cells.
        caption: Shown above the table, or "".
        prose: Whether cells hold text rather than numbers, so that lines may break.
    """

    header: list[str]
    rows: list[list[str]]
    caption: str = ""
    prose: bool = False


class SvgFigure(NamedTuple):
    """A figure.

    Attributes:
        file: Name of its file beside the report.
        svg: The SVG.
        caption: Description, also the alternative text.
    """

    file: str
    svg: str
    caption: str

    @property
    def uri(self) -> str:
        """The SVG as a data URI, which keeps its ids and styles apart from those of the page."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


@dataclass(frozen=True)
class Section:
    """A section. Its parts are shown in the order of the attributes below.

    Attributes:
        anchor: Fragment of its link.
        title: Heading.
        paragraphs: Text.
        bullets: Items of a list.
        figures: Figures.
        tables: Tables; one without rows is not shown.
        cards: Photos, only in HTML.
    """

    anchor: str
    title: str
    paragraphs: list[str] = field(default_factory=list)
    bullets: list[str] = field(default_factory=list)
    figures: list[SvgFigure] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    cards: list[MistakeCard] = field(default_factory=list)


class Headline(NamedTuple):
    """A headline metric: its value, its name, and its 95 % interval or ""."""

    value: str
    name: str
    interval: str


@dataclass(frozen=True)
class Document:
    """A report; `subtitle` names the model and the photos."""

    title: str
    subtitle: str
    headlines: list[Headline]
    sections: list[Section]


def write(out: Path, document: Document) -> None:
    """Writes `report.html`, which is self-contained, and `report.md` with its figures, to the folder `out`."""
    write_html(out, document)
    _render(out, "report.md", document)
    for section in document.sections:
        for figure in section.figures:
            if figure.file.endswith(".svg"):  # `report.write` saves the PNG of the confusion matrix
                (out / figure.file).write_text(figure.svg, encoding="utf-8")


def write_html(out: Path, document: Document) -> None:
    """Writes `report.html`, which is self-contained, to the folder `out`."""
    _render(out, "report.html", document)


def _render(out: Path, name: str, document: Document) -> None:
    text = _ENVIRONMENT.get_template(f"{name}.j2").render(document=document)
    (out / name).write_text(text, encoding="utf-8")


def _plain(text: str) -> str:
    """Escapes text for Markdown, also for the cell of a table."""
    escaped = html.escape(text, quote=False)
    for mark in "\\`*[]|":  # an underscore inside a word is not markup
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
