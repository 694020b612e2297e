"""Finds segments in the documents they were taken from, thousands at a time.

Every token of the documents is filed under a hash of the few tokens that begin there, and so is every run of whole
sentences that is shorter. A segment is sought under the hash of some of its tokens, and what is found compared in full.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.records import TokenizedDocument
from mlm_data.validation.instances import Counts, Flags, any_in_row

_WINDOW_AT_MOST = 8  # tokens; few texts have so many in common
_MULTIPLIERS = np.random.Generator(np.random.PCG64(1)).integers(2**31, size=_WINDOW_AT_MOST, dtype=np.uint32) * 2 + 1
_PLACE_BITS, _PLACE_MASK = np.uint64(32), np.uint64(2**32 - 1)

Ids = NDArray[np.uint32]
Hashes = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """Some runs of tokens.

    Attributes:
        tokens: they lie in here, uint32, with at least `width` tokens behind each start.
        starts: where each begins, int64 [segments].
        sizes: its tokens, 1 to `width`, int64 [segments].
        width: tokens of the longest there may be.
    """

    tokens: Ids
    starts: Counts
    sizes: Counts
    width: int

    def __len__(self) -> int:
        return len(self.starts)

    def take(self, which: Flags | Counts) -> Segments:
        """Some of them."""
        return Segments(self.tokens, self.starts[which], self.sizes[which], self.width)


@dataclass(frozen=True, slots=True, eq=False)
class _Anchors:
    """The part of each segment under whose hash it is sought: of some, the one that fewest places share.

    Attributes:
        hashes: uint64 [segments].
        offsets: where the part begins in its segment, int64 [segments].
        first: the first entry of the index with this hash, int64 [segments].
        past: the entry after the last.
    """

    hashes: Hashes
    offsets: Counts
    first: Counts
    past: Counts

    def take(self, which: Flags | Counts) -> _Anchors:
        """Those of some segments."""
        return _Anchors(self.hashes[which], self.offsets[which], self.first[which], self.past[which])

    def rarer(self, other: _Anchors) -> _Anchors:
        """Of each segment, the one with fewer places; this one of equals."""
        is_rarer = other.past - other.first < self.past - self.first
        names = ("hashes", "offsets", "first", "past")
        return _Anchors(*(np.where(is_rarer, getattr(other, name), getattr(self, name)) for name in names))


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """Segments ready to be found; see `TextIndex.seek`."""

    segments: Segments
    anchors: _Anchors

    @property
    def sizes(self) -> Counts:
        """Tokens of each, int64 [segments]."""
        return self.segments.sizes

    def __len__(self) -> int:
        return len(self.segments)

    def take(self, which: Flags | Counts) -> Sought:
        """Some of them."""
        return Sought(self.segments.take(which), self.anchors.take(which))


class TextIndex:
    """The documents of a bucket, indexed.

    Args:
        documents: in any order.
        room: most tokens of a pair. A segment that truncation has touched has at least half of that, rounded down.
    """

    def __init__(self, documents: Sequence[TokenizedDocument], room: int) -> None:
        self.room = room
        self._window = min(_WINDOW_AT_MOST, room // 2)
        self._multipliers = _MULTIPLIERS[: self._window]
        sentences = np.concatenate([[], *(np.diff(document.sentence_offsets) for document in documents)])
        self.sentence_starts = np.concatenate([[0], np.cumsum(sentences, dtype=np.int64)])
        self.document_starts = np.concatenate(
            [[0], np.cumsum([len(document.ids) for document in documents], dtype=int)]
        )
        # Behind the end lies as much as any segment reaches.
        ids = [*(document.ids for document in documents), np.zeros(room + 2, np.uint16)]
        self._ids = np.concatenate(ids).astype(np.uint32)
        self._entries = np.sort(np.concatenate([self._file_tokens(), self._file_sentences()]))
        hashes = (self._entries >> _PLACE_BITS).astype(np.uint32)
        firsts = np.flatnonzero(np.diff(hashes, prepend=~hashes[:1]))
        # Each hash once, which is less to search than all entries, with its first one; the largest number ends them.
        self._hashes = np.append(hashes[firsts], ~np.uint32(0))
        self._firsts = np.append(firsts, [len(hashes), len(hashes)])

    @property
    def tokens(self) -> int:
        """Tokens of all documents."""
        return int(self.document_starts[-1])

    @property
    def entries(self) -> int:
        """How much the index holds."""
        return len(self._entries)

    def document_at(self, places: Counts) -> Counts:
        """The numbers of the documents that hold these places."""
        return np.searchsorted(self.document_starts, places, side="right") - 1

    def sentence_at(self, places: Counts) -> Counts:
        """The numbers of the sentences that hold these places."""
        return np.searchsorted(self.sentence_starts, places, side="right") - 1

    def next_boundary(self, places: Counts) -> Counts:
        """The first place from each one on where a sentence begins, or the end of the text."""
        return self.sentence_starts[np.searchsorted(self.sentence_starts, places)]

    def holds(self, segments: Segments, places: Counts) -> Flags:
        """Whether each segment stands at its place; at none that is negative or reaches past the end."""
        inside = (places >= 0) & (places + segments.sizes <= self.tokens)
        here = _windows(self._ids, np.where(inside, places, 0), segments.width)
        differs = here != _windows(segments.tokens, segments.starts, segments.width)
        differs &= np.arange(segments.width) < segments.sizes[:, None]
        return inside & ~any_in_row(differs)

    def seek(self, segments: Segments) -> Sought:
        """Makes segments ready to be found, each under the rarest of its beginning, middle and end."""
        latest = np.maximum(segments.sizes - self._window, 0)
        beginning, middle, end = (self._anchors(segments, offsets) for offsets in (0 * latest, latest // 2, latest))
        return Sought(segments, beginning.rarer(middle).rarer(end))

    def find_from(self, sought: Sought, least: Counts) -> Counts:
        """The first place of each segment that is not before a certain one, int64; -1 where there is none."""
        anchors = sought.anchors
        first = np.searchsorted(self._entries, _entry(anchors.hashes, least + anchors.offsets))
        return self._search(sought, _Run(first, anchors.past - first, 1))

    def find_up_to(self, sought: Sought, most: Counts) -> Counts:
        """The last place of each segment that is not behind a certain one, int64; -1 where there is none."""
        anchors = sought.anchors
        limits = np.maximum(most + anchors.offsets, 0)
        last = np.searchsorted(self._entries, _entry(anchors.hashes, limits), side="right") - 1
        entries = np.where(most >= 0, last - anchors.first + 1, 0)
        return self._search(sought, _Run(last, entries, -1))

    def find_where(self, sought: Sought, is_right: Callable[[Counts, Counts], Flags]) -> Counts:
        """The first place of each segment that is right, int64; -1 where none is.

        Args:
            sought: what to find.
            is_right: given the numbers of some segments and a place of each, which of these are right.
        """
        anchors = sought.anchors
        return self._search(sought, _Run(anchors.first, anchors.past - anchors.first, 1), is_right)

    def beginnings(self, segments: Segments) -> tuple[Counts, Counts]:
        """The entries of the index for all places where texts begin as each segment does: first, and after the last."""
        anchors = self._anchors(segments, np.zeros(len(segments), np.int64))
        return anchors.first, anchors.past

    def spread(self, values: NDArray[np.integer]) -> Counts:
        """For every entry, the value of the first one of its hash, [entries]."""
        firsts = self._firsts[:-1]
        return np.repeat(values[firsts[:-1]], np.diff(firsts)).astype(np.int64)

    def places(self, entries: Counts | slice) -> Counts:
        """The places of entries of the index."""
        found: Counts = (self._entries[entries] & _PLACE_MASK).astype(np.int64)
        return found

    def _search(self, sought: Sought, run: _Run, is_right: Callable[[Counts, Counts], Flags] | None = None) -> Counts:
        """Goes through the entries of all segments side by side, until each has its place or no entry is left."""
        found, rest, number = np.full(len(sought), -1), np.arange(len(sought)), 0
        while len(rest := rest[run.entries[rest] > number]):
            places = self.places(run.first[rest] + run.step * number) - sought.anchors.offsets[rest]
            is_found = self.holds(sought.segments.take(rest), places)
            if is_right and is_found.any():
                is_found[is_found] = is_right(rest[is_found], places[is_found])
            found[rest[is_found]] = places[is_found]
            rest = rest[~is_found]
            number += 1
        return found

    def _anchors(self, segments: Segments, offsets: Counts) -> _Anchors:
        hashes = self._hash(segments.tokens, segments.starts + offsets, np.minimum(segments.sizes, self._window))
        wanted = hashes.astype(np.uint32)
        at = np.empty(len(wanted), np.int64)
        order = np.argsort(wanted)  # neighbours are found in the same part of the memory
        at[order] = np.searchsorted(self._hashes, wanted[order])
        is_there = self._hashes[at] == wanted
        return _Anchors(hashes, offsets, self._firsts[at], self._firsts[at + is_there])

    def _hash(self, tokens: Ids, starts: Counts, sizes: Counts) -> Hashes:
        """The hash of so many tokens, at most a window, from each start on."""
        begin = _windows(tokens, starts, self._window)
        begin[np.arange(self._window) >= sizes[:, None]] = 0
        return _with_size((begin * self._multipliers).sum(axis=1, dtype=np.uint32), sizes)

    def _file_tokens(self) -> Hashes:
        """The entries of all places from which a whole window fits."""
        places = np.arange(max(0, self.tokens - self._window + 1))
        sums = np.zeros(len(places), np.uint32)
        for offset, multiplier in enumerate(self._multipliers):
            sums += self._ids[offset : offset + len(places)] * multiplier
        return _entry(_with_size(sums, np.array([self._window])), places)

    def _file_sentences(self) -> Hashes:
        """The entries of all runs of sentences that are shorter than a window."""
        found = [np.zeros(0, np.uint64)]
        for ahead in range(1, self._window):
            starts, ends = self.sentence_starts[:-ahead], self.sentence_starts[ahead:]
            is_short = ends - starts < self._window
            hashes = self._hash(self._ids, starts[is_short], (ends - starts)[is_short])
            found.append(_entry(hashes, starts[is_short]))
        return np.concatenate(found)


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """Entries of the index to go through for each segment: the first, how many, and in which direction."""

    first: Counts
    entries: Counts
    step: int


def _entry(hashes: Hashes, places: Counts | np.uint64 | int) -> Hashes:
    """Entries sort by hash, then by place."""
    return hashes << _PLACE_BITS | np.asarray(places, np.uint64)


def _with_size(sums: NDArray[np.uint32], sizes: Counts) -> Hashes:
    return (sums + sizes.astype(np.uint32) * np.uint32(0x9E3779B1)).astype(np.uint64)


def _windows(tokens: Ids, starts: Counts, width: int) -> Ids:
    """As many tokens from each start on, uint32 [starts, width]."""
    size = tokens.itemsize
    windows: Ids = np.ndarray((len(tokens) - width + 1, width), tokens.dtype, tokens, strides=(size, size))
    return windows[starts]
