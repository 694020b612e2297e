"""`auto`: the format of a file, judged by its name, else by its first bytes.

A wrong guess is silent, so all guesses lean towards `text`, the format of a book or an article. The hard case is a book
with a paragraph a line and blank lines between, against a file of many documents each of a few one-line paragraphs. In
the book blank lines stand around single lines (its paragraphs, or its headings if they stand between chapters alone);
in the other they stand around several lines each time. In numbers, from 64 KiB each of 61 novels, a corpus of statutes
and Wikipedia articles: of the blocks between blank lines, up to 42 % have several lines in books that are not
hard-wrapped, 94 % in the statutes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from itertools import islice, pairwise
from pathlib import PurePosixPath

from mlm_data.corpora.decoding import decode, find_encoding
from mlm_data.corpora.decompression import compression_suffix
from mlm_data.corpora.formats import READERS

_WIDEST_WRAPPED = 160  # characters; lines of prose longer than this are whole paragraphs
_FEWEST_LINES = 20
_FEWEST_DOCUMENTS = 3
_TERMINALS = (".", "!", "?", "\u2026", "\u3002", "\uff01", "\uff1f", "\u0964", "\u061f", "\u06d4")
_LINE_TERMINALS = (*_TERMINALS, ":", ";")
_CLOSING_QUOTES = "\"'\u201d\u2019\u00bb)]\u300d\u300f"
# A sentence that ends within the line. Four small letters before the full stop: most abbreviations have fewer.
_SENTENCE_END_WITHIN = re.compile(
    r"(?:[^\W\d_A-Z]{4}\.|[!?])[\"'\u201d\u2019\u00bb)]*\s+[\"'\u201c\u2018\u00ab(]*[^\W\d_a-z]"
    r"|[\u3002\uff01\uff1f\u0964\u06d4]\s*\w"
)


def format_by_name(path: str) -> str | None:
    """The format a file name states, as `notes.lines.txt` and `notes.lines.txt.gz` do.

    >>> format_by_name("gs://bucket/notes.lines.txt.gz")
    'lines'
    """
    name = PurePosixPath(path).name.lower()
    name = name.removesuffix(compression_suffix(name))
    return next((input_format for input_format in READERS if name.endswith(f".{input_format}.txt")), None)


def format_by_content(head: bytes, encoding: str, *, complete: bool) -> str:
    """The format a file appears to have.

    text: unless all that is asked of one of the others is true.
    sentences: blank lines set off blocks, three in four at least of several lines; nine lines in ten end like
        sentences, and hardly one has the end of a sentence within.
    paragraphs: such blocks, at least three of them, and lines so long that no hard-wrapped text has them.
    lines: no blank line; all but a few lines have several sentences and 200 characters at least, which excludes
        headings and dialogue, hence books.

    Args:
        head: the first bytes of the file.
        encoding: as set for the run.
        complete: whether `head` is the whole file.
    """
    name, mark_length = find_encoding(head, encoding)
    raw_lines = "".join(decode([head], name, mark_length)).split("\n")
    if not complete:
        raw_lines.pop()
    blocks = _blocks([line.strip() for line in raw_lines])
    lines = [line for block in blocks for line in block]
    if not lines:
        return "text"
    several = sum(len(block) > 1 for block in blocks)
    if 4 * several >= 3 * len(blocks) and len(blocks) > 1:
        if len(lines) >= _FEWEST_LINES and _nearly_all(map(_is_one_sentence, lines), 0.9, lines):
            return "text" if _is_hard_wrapped(lines, blocks) else "sentences"
        if several >= _FEWEST_DOCUMENTS and _length_of_long_line(lines) > _WIDEST_WRAPPED:
            return "paragraphs"
    several_sentences = (len(line) >= 200 and bool(_SENTENCE_END_WITHIN.search(line)) for line in lines)
    if len(blocks) == 1 and len(lines) >= _FEWEST_LINES and _nearly_all(several_sentences, 0.95, lines):
        return "lines"
    return "text"


def _blocks(lines: Sequence[str]) -> list[list[str]]:
    """The lines between blank lines."""
    blocks: list[list[str]] = [[]]
    for line in lines:
        if line:
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [block for block in blocks if block]


def _is_hard_wrapped(lines: Sequence[str], blocks: Sequence[Sequence[str]]) -> bool:
    """Whether lines are short, and sentences often go on in the next one (in novels, 6 line ends in 10 at least)."""
    line_ends = [(before, after) for block in blocks for before, after in pairwise(block)]
    runs_on = sum(after[0].islower() and not before.endswith(_LINE_TERMINALS) for before, after in line_ends)
    return _length_of_long_line(lines) <= _WIDEST_WRAPPED and runs_on >= 0.35 * max(1, len(line_ends))


def _is_one_sentence(line: str) -> bool:
    return line.rstrip(_CLOSING_QUOTES).endswith(_TERMINALS) and not _SENTENCE_END_WITHIN.search(line)


def _length_of_long_line(lines: Sequence[str]) -> int:
    """Characters of a line than which one in twenty is longer."""
    return sorted(map(len, lines))[len(lines) * 95 // 100]


def _nearly_all(answers: Iterable[bool], share: float, of: Sequence[object]) -> bool:
    """Whether at least such a share of the answers is yes; asks no further than it must."""
    most = (1 - share) * len(of)
    noes = (not answer for answer in answers)
    return sum(1 for _ in islice(filter(None, noes), math.floor(most) + 1)) <= most
