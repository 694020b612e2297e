"""Whether labels are true and no document is missing: the records of a bucket against its documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mlm_data.records import TokenizedDocument
from mlm_data.validation.checks import Rule
from mlm_data.validation.instances import Counts, Flags, Instances
from mlm_data.validation.text_index import Segments, Sought, TextIndex

ZERO_TRUE = Rule("label 0 is true", "the documents bear out what label 0 says")
ONE_TRUE = Rule("label 1 is true", "the documents bear out what label 1 says")
COVERAGE = Rule("coverage", "every document that was kept is in the shards")

# A document counts as there if this share of its tokens is. Of sentences longer than an instance only a few percent
# may be; a missing document has less in common with others by chance.
_SHARE_OF_SHORT, _SHARE_OF_LONG = 0.5, 0.05


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of some documents is in the shards.

    Attributes:
        documents: looked for.
        tokens: in them.
        found_tokens: of these, in some record.
        missing: file and number of each document that is not there.
    """

    documents: int = 0
    tokens: int = 0
    found_tokens: int = 0
    missing: tuple[tuple[str, int], ...] = ()

    @property
    def found_share(self) -> float:
        """Of all tokens, those in some record."""
        return self.found_tokens / max(1, self.tokens)

    def __add__(self, other: Coverage) -> Coverage:
        return Coverage(
            self.documents + other.documents,
            self.tokens + other.tokens,
            self.found_tokens + other.found_tokens,
            self.missing + other.missing,
        )


class BucketText:
    """The documents of a bucket, and how much of them its shards have shown so far.

    Args:
        documents: those that instances are made of, in any order.
        width: L, the tokens of an instance.
        is_swapped: whether label 1 says that A follows B (sentence order prediction).
    """

    def __init__(self, documents: Sequence[TokenizedDocument], width: int, *, is_swapped: bool) -> None:
        self._documents, self._room, self._is_swapped = documents, width - 3, is_swapped
        self._index = TextIndex(documents, self._room)
        self._reach = np.zeros(self._index.entries, np.uint16)

    def find_false(self, records: Instances) -> dict[str, Flags]:
        """By name of the check, which records say by their label what is not so, bool [records]."""
        a, b = map(self._index.seek, _pair_segments(records))
        zeros, ones = np.flatnonzero(records.labels == 0), np.flatnonzero(records.labels == 1)
        is_zero_true = self._follow(a.take(zeros), b.take(zeros))
        a_of_ones, b_of_ones = a.take(ones), b.take(ones)
        is_one_true = self._follow(b_of_ones, a_of_ones) if self._is_swapped else self._are_apart(a_of_ones, b_of_ones)
        false = np.zeros((2, len(records)), np.bool_)
        false[0, zeros], false[1, ones] = ~is_zero_true, ~is_one_true
        return {ZERO_TRUE.name: false[0], ONE_TRUE.name: false[1]}

    def note(self, records: Instances) -> None:
        """Takes note of the documents' text that these records hold."""
        pieces = _text_pieces(records)
        first, past = self._index.beginnings(pieces)
        is_known = past > first
        np.maximum.at(self._reach, first[is_known], pieces.sizes[is_known].astype(np.uint16))

    def coverage(self) -> Coverage:
        """How much of the documents was in the records noted."""
        starts, ends = self._index.document_starts[:-1], self._index.document_starts[1:]
        reach = self._index.spread(self._reach)
        shown = np.flatnonzero(reach)
        places = self._index.places(shown)
        changes = np.zeros(self._index.tokens + 1, np.int64)
        np.add.at(changes, places, 1)
        np.add.at(changes, np.minimum(places + reach[shown], ends[self._index.document_at(places)]), -1)
        found_before = np.concatenate([[0], np.cumsum(np.cumsum(changes)[:-1] > 0)])
        found, sizes = found_before[ends] - found_before[starts], ends - starts
        least = np.maximum(_SHARE_OF_LONG, _SHARE_OF_SHORT * np.minimum(1, self._room / sizes)) * sizes
        missing = [self._documents[number] for number in np.flatnonzero(found < least).tolist()]
        return Coverage(
            documents=len(self._documents),
            tokens=int(sizes.sum()),
            found_tokens=int(found.sum()),
            missing=tuple((document.source, document.index) for document in missing),
        )

    def _follow(self, first: Sought, second: Sought) -> Flags:
        """Whether the second segment follows the first somewhere, where truncation may have left something out."""
        is_full = first.sizes + second.sizes == self._room
        found = np.zeros(len(first), np.bool_)
        whole, full = np.flatnonzero(~is_full), np.flatnonzero(is_full)
        found[whole] = self._meet(first.take(whole), second.take(whole))
        is_longer = first.sizes[full] > second.sizes[full]
        by_first, by_second = full[is_longer], full[~is_longer]
        found[by_first] = self._precede(first.take(by_first), second.take(by_first), by_second=False)
        found[by_second] = self._precede(first.take(by_second), second.take(by_second), by_second=True)
        return found

    def _meet(self, first: Sought, second: Sought) -> Flags:
        """Whether the two stand side by side somewhere, both whole sentences of one document."""
        index, both = self._index, self._index.seek(_join(first.segments, second.segments))

        def are_whole(which: Counts, places: Counts) -> Flags:
            middles, ends = places + first.sizes[which], places + both.sizes[which]
            bounds = (index.next_boundary(bound) == bound for bound in (places, middles, ends))
            return np.logical_and.reduce([*bounds, index.document_at(places) == index.document_at(ends - 1)])

        return index.find_where(both, are_whole) >= 0

    def _precede(self, first: Sought, second: Sought, *, by_second: bool) -> Flags:
        """Whether the second stands behind the first somewhere, near, with the beginning of a sentence between.

        The longer of them is looked for first; of the other, the nearest place is the best.
        """
        index = self._index

        def from_second(which: Counts, places: Counts) -> Flags:
            some, others = first.take(which), second.take(which)
            boundaries = index.sentence_starts[index.sentence_at(places)]
            return self._are_near(index.find_up_to(some, boundaries - some.sizes), places, others)

        def from_first(which: Counts, places: Counts) -> Flags:
            others = second.take(which)
            boundaries = index.next_boundary(places + first.sizes[which])
            return self._are_near(places, index.find_from(others, boundaries), others)

        found = index.find_where(second, from_second) if by_second else index.find_where(first, from_first)
        return found >= 0

    def _are_near(self, first_at: Counts, second_at: Counts, second: Sought) -> Flags:
        """Whether two places may be those of a pair cut from one chunk of one document.

        A chunk without the sentences at its ends, of which it may have one more than it needs, is shorter than an
        instance.
        """
        index = self._index
        found = np.flatnonzero((first_at >= 0) & (second_at >= 0))
        starts, ends = first_at[found], second_at[found] + second.sizes[found]
        opening = np.minimum(index.sentence_at(starts) + 2, len(index.sentence_starts) - 1)
        closing = np.maximum(index.sentence_at(ends - 1) - 1, opening)
        between = index.sentence_starts[closing] - index.sentence_starts[opening]
        are_near = np.zeros(len(first_at), np.bool_)
        are_near[found] = (between < self._room) & (index.document_at(starts) == index.document_at(ends - 1))
        return are_near

    def _are_apart(self, first: Sought, second: Sought) -> Flags:
        """Whether the two stand in different documents, or may: a text may be in several."""
        index, nowhere = self._index, np.zeros(len(first), np.int64)
        first_at, second_at = index.find_from(first, nowhere), index.find_from(second, nowhere)
        is_known = (first_at >= 0) & (second_at >= 0)
        documents = index.document_at(first_at)
        apart = is_known & (documents != index.document_at(second_at))
        # Both stand in one document before any other; perhaps one of them stands in a later one too.
        rest = np.flatnonzero(is_known & ~apart)
        next_documents = index.document_starts[documents[rest] + 1]
        for segments in (first, second):
            apart[rest] |= index.find_from(segments.take(rest), next_documents) >= 0
        return apart


def _pair_segments(records: Instances) -> tuple[Segments, Segments]:
    """A and B of each record, as they were before masking."""
    width, a_lengths = records.width, records.a_lengths
    tokens = np.concatenate([records.restored.reshape(-1).astype(np.uint32), np.zeros(width, np.uint32)])
    rows = np.arange(len(records)) * width
    return (
        Segments(tokens, rows + 1, a_lengths - 2, width - 3),
        Segments(tokens, rows + a_lengths, records.lengths - a_lengths - 1, width - 3),
    )


def _text_pieces(records: Instances) -> Segments:
    """What stands between [CLS] and [SEP], or two [SEP], in any record."""
    width = records.width
    tokens = np.concatenate([records.restored.reshape(-1).astype(np.uint32), np.zeros(width, np.uint32)])
    rows, columns = np.divmod(np.flatnonzero(records.in_text & ~records.is_candidate), width)
    is_same_row = rows[1:] == rows[:-1]
    starts, sizes = (rows * width + columns + 1)[:-1], np.diff(columns) - 1
    is_text = is_same_row & (sizes > 0)
    return Segments(tokens, starts[is_text], sizes[is_text], width)


def _join(first: Segments, second: Segments) -> Segments:
    """Each second segment right behind its first."""
    width = first.width
    column, sizes = np.arange(width), first.sizes + second.sizes
    is_first = column < first.sizes[:, None]
    behind = np.minimum(column - first.sizes[:, None], second.sizes[:, None] - 1)
    places = np.where(is_first, first.starts[:, None] + column, second.starts[:, None] + behind)
    tokens = np.concatenate([first.tokens[places].reshape(-1), np.zeros(width, np.uint32)])
    return Segments(tokens, np.arange(len(sizes)) * width, sizes, width)
