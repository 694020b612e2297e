"""Joins the lines of hard-wrapped prose and leaves all other lines as they are.

A line end was set by a wrapper if the next word would not have fitted on the line, or if the sentence plainly runs on.
Both are asked only where the text around is wrapped at all, which is judged a stretch of lines at a time: one file may
have long one-line paragraphs in one part and wrapped ones, of another width, in the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import compress

import numpy as np
from numpy.typing import NDArray

_STRETCH = 64  # line ends judged together: enough to tell prose from verse, few enough to follow a change of width
_WIDEST = 160  # nobody wraps wider
_NARROWEST = 40
_NARROWEST_WITHOUT_CASE = 15  # Chinese and Japanese say as much in half the characters

_ITEM = re.compile(r"(?:[*•‣◦▪\-\u2013\u2014]|\(?\d{1,3}[.)])\s")
_LONGEST_ITEM = 10  # lines
_RULE = re.compile(r"([-=_~*#+])\1{2,}$|[|#]")
_INDENTED = re.compile(r"\n[ \t\u3000]")
_SOFT_HYPHEN = "\u00ad"
_CLOSING_QUOTES = "\"'\u201d\u2019\u00bb\u203a)]\u300d\u300f"


def _codes(characters: str) -> NDArray[np.uint32]:
    return np.frombuffer(characters.encode("utf-32-le", "surrogatepass"), np.uint32)


_TERMINALS = ".!?:;\u2026\u3002\uff01\uff1f\uff1a\uff1b\u0964\u061f\u06d4"
_TERMINAL_CODES = _codes(_TERMINALS)
_CLOSING_QUOTE_CODES = _codes(_CLOSING_QUOTES)
_MARK_CODES = _codes("*•‣◦▪-\u2013\u2014(0123456789=_~#+|")
_HYPHEN_CODES = _codes("-" + _SOFT_HYPHEN)


@dataclass(frozen=True, slots=True)
class _LineEnds:
    """The line ends with text on both sides; all have shape [line ends]."""

    before: list[str]  # the line that ends
    after: list[str]  # the next one
    heads: NDArray[np.uint32]  # first character of the next line
    tails: NDArray[np.uint32]  # last character of the line that ends
    lengths: NDArray[np.int64]  # of the line that ends
    needed: NDArray[np.int64]  # its length with the next word on it
    lower: NDArray[np.bool_]  # whether the next line starts with a lower-case letter
    upper: NDArray[np.bool_]
    closed: NDArray[np.bool_]  # whether the line ends with closing punctuation
    dense: NDArray[np.bool_]  # whether both sides are of a script that puts no spaces between words


def unwrap(text: str) -> list[str]:
    r"""The paragraphs of a text whose lines may be hard-wrapped.

    Blank lines separate paragraphs; so do line ends that no wrapper set. Hyphens at line ends stay, since nobody knows
    whether the word has them elsewhere.

    Args:
        text: with "\n" as its only line end.

    Returns:
        Paragraphs without white space around them, none empty.

    >>> unwrap("It was the best of times, it was the worst\nof times.\n\nThe Period")
    ['It was the best of times, it was the worst of times.', 'The Period']
    """
    raw_lines = text.split("\n")
    lines = list(map(str.strip, raw_lines))
    lengths = np.fromiter(map(len, lines), np.int64, len(lines))
    inside = (lengths[:-1] > 0) & (lengths[1:] > 0)
    if not inside.any():
        return [line for line in lines if line]
    ends = _describe(lines, inside, lengths)
    joined = _set_by_wrapper(ends) & ~_next_to_mark(ends, np.flatnonzero(inside))
    if _INDENTED.search(text):
        joined &= ~_before_deeper_indent(ends, raw_lines, lengths, inside)
    separators = np.zeros(len(lines), np.intp)
    separators[:-1][inside] = np.where(joined, np.where(_without_space(ends), 2, 1), 0)
    pieces = [""] * (2 * len(lines))
    pieces[::2] = lines
    pieces[1::2] = np.array(["\n", " ", ""], object)[separators].tolist()
    return list(filter(None, "".join(pieces).split("\n")))


def _describe(lines: list[str], inside: NDArray[np.bool_], lengths: NDArray[np.int64]) -> _LineEnds:
    chosen = inside.tolist()
    before, after = list(compress(lines, chosen)), list(compress(lines[1:], chosen))
    first_characters = "".join([line[0] for line in after])
    heads, tails = _codes(first_characters), _codes("".join([line[-1] for line in before]))
    first_words = np.fromiter([line.find(" ") for line in after], np.int64, len(after))
    first_words = np.where(first_words < 0, lengths[1:][inside], first_words)
    head_is_dense = _is_dense(heads)
    closed = np.isin(tails, _TERMINAL_CODES)
    for place in np.flatnonzero(np.isin(tails, _CLOSING_QUOTE_CODES)).tolist():
        closed[place] = before[place].rstrip(_CLOSING_QUOTES)[-1:] in _TERMINALS
    return _LineEnds(
        before=before,
        after=after,
        heads=heads,
        tails=tails,
        lengths=lengths[:-1][inside],
        needed=lengths[:-1][inside] + 1 + np.where(head_is_dense, 1, first_words),
        lower=np.fromiter(map(str.islower, first_characters), np.bool_, len(after)),
        upper=np.fromiter(map(str.isupper, first_characters), np.bool_, len(after)),
        closed=closed,
        dense=head_is_dense & _is_dense(tails),
    )


def _is_dense(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    return (codes >= 0x2E80) & ~((codes >= 0xAC00) & (codes <= 0xD7AF))  # Korean writes spaces


def _set_by_wrapper(ends: _LineEnds) -> NDArray[np.bool_]:
    """Which line ends a wrapper set, by width and by the run of the sentence."""
    size = len(ends.lengths)
    starts = np.append(np.arange(0, size - _STRETCH, _STRETCH), max(0, size - _STRETCH))
    members = starts[:, None] + np.arange(min(size, _STRETCH))
    rank = int(0.9 * (members.shape[1] - 1))  # some lines grew longer when the text was edited
    widths = np.partition(ends.lengths[members], rank, axis=1)[:, rank]
    stretch = np.minimum(np.arange(size) // _STRETCH, len(starts) - 1)
    width = widths[stretch]
    full = ends.needed > width
    wrapped = _is_wrapped(widths, *(array[members] for array in (full, ends.lower, ends.upper, ends.closed)))
    runs_on = ends.lower | (~ends.closed & (ends.needed > width - width // 10))
    return wrapped[stretch] & (2 * ends.lengths >= width) & (full | runs_on)


def _is_wrapped(
    widths: NDArray[np.int64],
    full: NDArray[np.bool_],
    lower: NDArray[np.bool_],
    upper: NDArray[np.bool_],
    closed: NDArray[np.bool_],
) -> NDArray[np.bool_]:
    """Which stretches are wrapped; shapes [stretches] and [stretches, line ends].

    Where prose was cut for want of room, the next line starts with a small letter (7 times in 10 at least, in English
    novels), whereas one in verse, in a list or after a one-line paragraph hardly ever does. Without case, most lines
    must be full and end in mid-sentence.
    """
    full_count = np.count_nonzero(full, axis=1)
    lower_count = np.count_nonzero(full & lower, axis=1)
    cased_count = lower_count + np.count_nonzero(full & upper, axis=1)
    in_mid_sentence = np.count_nonzero(full & ~closed, axis=1)
    cased = 2 * cased_count >= full_count
    runs_on = 5 * lower_count >= 2 * cased_count
    mostly_full = (2 * full_count >= full.shape[1]) & (2 * in_mid_sentence >= full_count)
    narrowest = np.where(cased, _NARROWEST, _NARROWEST_WITHOUT_CASE)
    plausible = (full_count > 0) & (widths >= narrowest) & (widths <= _WIDEST)
    wrapped: NDArray[np.bool_] = plausible & np.where(cased, runs_on, mostly_full)
    return wrapped


def _next_to_mark(ends: _LineEnds, places: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which line ends stand beside a ruled line or before an item of a list."""
    found = np.zeros(len(places), np.bool_)
    opens_block = np.append(True, np.diff(places) > 1)
    openers = np.flatnonzero(opens_block)
    opener_heads = _codes("".join([ends.before[place][0] for place in openers.tolist()]))
    last_item = -_LONGEST_ITEM
    marked_openers = set(openers[np.isin(opener_heads, _MARK_CODES)].tolist())
    marked = set(np.flatnonzero(np.isin(ends.heads, _MARK_CODES)).tolist())
    for place in sorted(marked_openers | marked):
        if place in marked_openers:
            found[place] = _RULE.match(ends.before[place]) is not None
            last_item = place if _ITEM.match(ends.before[place]) else last_item
        if place in marked and _RULE.match(ends.after[place]):
            found[place] = True
            found[place + 1 : place + 2] |= ~opens_block[place + 1 : place + 2]
        # Wrapped prose, too, may have a dash or "30. " at the beginning of a line.
        elif place in marked and _ITEM.match(ends.after[place]):
            in_list = ends.closed[place] or place - last_item < _LONGEST_ITEM
            found[place] |= in_list
            last_item = place if in_list else last_item
    return found


def _before_deeper_indent(
    ends: _LineEnds, raw_lines: list[str], lengths: NDArray[np.int64], inside: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which line ends stand before a line that is indented deeper, unless that line hangs from an item of a list."""
    indents = np.zeros(len(raw_lines), np.int64)
    raw_lengths = np.fromiter(map(len, raw_lines), np.int64, len(raw_lines))
    for number in np.flatnonzero(raw_lengths > lengths).tolist():  # most have no white space around them
        line = raw_lines[number]
        indents[number] = len(line) - len(line.lstrip())
    deeper = (indents[1:] > indents[:-1])[inside]
    for place in np.flatnonzero(deeper).tolist():
        line = ends.before[place]
        deeper[place] = not _ITEM.match(line)
    return deeper


def _without_space(ends: _LineEnds) -> NDArray[np.bool_]:
    """Which line ends leave no space when joined: after a hyphenated word, between ideographs."""
    found = ends.dense.copy()
    for place in np.flatnonzero(np.isin(ends.tails, _HYPHEN_CODES)).tolist():
        found[place] = ends.before[place][-2:-1].isalnum()
    return found
