"""The few forms of Markdown that the card uses."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from mlm_data.summary import Row


def paragraph(*sentences: str, subsequent_indent: str = "") -> str:
    """Sentences as lines of up to 100 characters, all but the first after an indent."""
    return textwrap.fill(
        " ".join(sentences), 100, subsequent_indent=subsequent_indent, break_long_words=False, break_on_hyphens=False
    )


def fence(language: str, code: str) -> str:
    """Code in a language."""
    return f"```{language}\n{code}\n```"


def table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table; the parts of a row are indented under it."""
    head = [_cells(columns), _cells([":--", *["--:" if column != "meaning" else ":--" for column in columns[1:]]])]
    return "\n".join([*head, *(_cells([("- " if row.is_part else "") + row.label, *row.values]) for row in rows)])


def _cells(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"
