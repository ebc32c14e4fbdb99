import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from training.evaluation.mistakes import MistakeCard
from training.report import document
from training.report.document import Document, Headline, Section, SvgFigure, Table

SVG = '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>'
PHOTO = "data:image/jpeg;base64,AAAA"
DOCUMENT = Document(
    title="tiny on evaluation",
    subtitle="8 photos",
    headlines=[Headline("98.5 %", "accuracy", "97.5 to 99.1 %"), Headline("–", "ROC AUC", "")],
    sections=[
        Section(
            "one",
            "Section <one>",
            paragraphs=["A & 7 % B."],
            figures=[SvgFigure("roc.svg", SVG, "ROC curve"), SvgFigure("confusion_matrix.png", SVG, "matrix")],
            tables=[Table(["photo", "error"], [["1_<b>.jpg", "a | b"]], "Left out"), Table(["nothing"], [])],
            bullets=["Warning: <i>"],
        ),
        Section("two", "Mistakes", cards=[MistakeCard("1_<b>.jpg", "food", 0.03, 'a"b', PHOTO, PHOTO)]),
    ],
)


class Reader(HTMLParser):
    """Collects tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


@pytest.fixture
def written(tmp_path: Path) -> Path:
    document.write(tmp_path, DOCUMENT)
    return tmp_path


@pytest.fixture
def html(written: Path) -> str:
    return (written / "report.html").read_text()


def test_svg_figures_are_written_beside_the_report_and_a_png_is_not(written: Path) -> None:
    assert {path.name for path in written.iterdir()} == {"report.html", "report.md", "roc.svg"}
    assert (written / "roc.svg").read_text() == SVG


def test_names_of_files_are_escaped(html: str) -> None:
    reader = Reader()
    reader.feed(html)
    assert not {"b", "i", "one"} & set(reader.tags)
    assert "1_&lt;b&gt;.jpg" in html
    assert "a&#34;b" in html


def test_the_page_is_self_contained(html: str) -> None:
    reader = Reader()
    reader.feed(html)
    sources = [value for name, value in reader.attributes if name in {"src", "href", "srcset", "data", "action"}]
    assert len(sources) == 2 + 2 + 2  # sections, figures, the photo and its activation map
    assert all(value and value.startswith(("#", "data:image/")) for value in sources)
    assert not {"script", "link", "iframe", "base"} & set(reader.tags)
    assert not re.search(r"url\(|@import", html)


def test_every_section_is_in_the_contents(html: str) -> None:
    for anchor in ("one", "two"):
        assert f'href="#{anchor}"' in html
        assert f'id="{anchor}"' in html


def test_the_page_shows_figures_tables_and_cards(html: str) -> None:
    assert "<dd>98.5 %</dd>" in html
    assert "97.5 to 99.1 %" in html
    assert "<td>a | b</td>" in html
    assert "<p>A &amp; 7\N{NO-BREAK SPACE}% B.</p>" in html
    assert "P(food) 0.030" in html
    assert html.count("<table") == 1  # one without rows is not shown
    assert html.count("<article>") == 1


def test_the_markdown_links_its_figures_and_has_no_photos(written: Path) -> None:
    lines = (written / "report.md").read_text().splitlines()
    for line in (
        "# tiny on evaluation",
        "| accuracy | **98.5 %** | 97.5 to 99.1 % |",
        "## Section &lt;one&gt;",
        "A &amp; 7 % B.",
        "- Warning: &lt;i&gt;",
        "![ROC curve](roc.svg)",
        "![matrix](confusion_matrix.png)",
        "Left out:",
        "| photo | error |",
        "|---|---|",
        r"| 1_&lt;b&gt;.jpg | a \| b |",
    ):
        assert line in lines
    assert "data:" not in "".join(lines)
