"""A judgement as text for the terminal."""

from collections.abc import Iterator

from models.judgement import Judgement
from models.plurals import plural
from training.report.sections.judgement import HEADER, VERDICTS, rows


def lines(judgement: Judgement) -> Iterator[str]:
    """Yields the table of the counts, the verdict, and whether labels did not count."""
    table = [HEADER, *rows(judgement)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for first, *others in table:
        cells = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        yield "  ".join([first.ljust(widths[0]), *cells]).rstrip()
    yield f"{VERDICTS[judgement.verdict]}: {judgement.reason}"
    if count := len(judgement.asked_again):
        yield f"{count} {plural(count, 'label')} did not count, because the photos around say otherwise: see the report"
