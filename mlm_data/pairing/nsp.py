"""Next sentence prediction, balanced by construction.

Every chunk of text is first planned as if its pair were real. Then exactly half of the pairs exchange their second
segments among themselves, each taking one of nearly its own length. So both labels have the same law of lengths,
boundaries and truncation, no text is used twice in a pass, and only whether B follows A tells them apart.

This replaces the sampling of google-research/bert's `create_instances_from_document`, whose share of random pairs
lies between 0.54 and 0.65 and shows in the lengths; chunking, target lengths and truncation follow that script.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator

import numpy as np

from mlm_data.config import PairingSettings
from mlm_data.pairing.chunks import Chunker, draw_cuts
from mlm_data.pairing.corpus import Indices, SegmentMaker, offsets_of, rank_in_row
from mlm_data.pairing.truncation import truncate
from mlm_data.records import Segments, TokenizedCorpus

_MANY_CLASHES = 16  # of one document: below, to look at one after the other is faster than whole arrays


def make_nsp_pairs(corpus: TokenizedCorpus, settings: PairingSettings, rng: np.random.Generator) -> Segments:
    """Segment pairs for next sentence prediction (Devlin et al. 2019, appendix A.2), in random order.

    Half of the pairs of each document have label 1. Where one holds so much of the bucket that these cannot all find a
    partner in another document, its surplus is left out; a bucket of a single document gives none. A document of one
    sentence gives none either, since it has no sentence boundary.

    Args:
        corpus: the documents of one bucket.
        settings: lengths and their law.
        rng: decides targets, cuts, labels, exchange, truncation and order.

    Returns:
        Pairs whose |A| + |B| is at most the room of an instance, both segments non-empty; `left_out` counts the
        surplus.
    """
    return nsp_pair_maker(corpus, settings)(rng)


def nsp_pair_maker(corpus: TokenizedCorpus, settings: PairingSettings) -> SegmentMaker:
    """`make_nsp_pairs` for one pass over a corpus after the other; what all passes share is computed once."""
    chunker = Chunker.of(corpus.sentence_offsets, corpus.document_offsets, settings.room)
    return functools.partial(_make_pairs, corpus, settings, chunker)


def _make_pairs(
    corpus: TokenizedCorpus, settings: PairingSettings, chunker: Chunker, rng: np.random.Generator
) -> Segments:
    tokens_at, document_offsets, room = corpus.sentence_offsets, corpus.document_offsets, settings.room
    starts, ends = chunker.plan_chunks(settings.short_seq_prob, rng)
    cuts = draw_cuts(starts, ends, rng)
    documents = np.searchsorted(document_offsets, starts, side="right") - 1
    labels, kept = _choose_labels(documents, rng)
    pairs = Segments(corpus.ids, tokens_at[starts], tokens_at[cuts], tokens_at[cuts], tokens_at[ends], labels)
    exchanged = _exchange_second_segments(pairs, documents, rng)
    truncated = truncate(exchanged.take(rng.permutation(kept)), room, (room + 1) // 2, rng)
    return dataclasses.replace(truncated, left_out=len(starts) - len(kept))


def _choose_labels(documents: Indices, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Draws which pairs become random ones: half of each document's, so that a document does not tell the label.

    All of them can find a partner in another document, which is possible exactly if none has more than half of them.

    Args:
        documents: of the pairs, int64 [pairs], ascending.
        rng: draws for each two pairs of a document, one after the other, which of them it is.

    Returns:
        Labels, int64 [pairs], and the indices of the pairs to keep, ascending.
    """
    labels, kept = np.zeros(len(documents), np.int64), _leave_out_surplus(documents, rng)
    sizes = np.bincount(documents[kept])
    is_second = rank_in_row(sizes) & 1
    chosen = rng.integers(0, 2, len(kept), np.int8)[np.arange(len(kept)) - is_second] == is_second
    left_over = np.cumsum(sizes)[sizes % 2 == 1] - 1  # the last pair of an odd number
    chosen[left_over] = rng.permutation((np.arange(len(left_over)) + rng.integers(2)) & 1)
    labels[kept] = chosen
    return labels, kept


def _leave_out_surplus(documents: Indices, rng: np.random.Generator) -> Indices:
    """Which pairs to keep, ascending: all, or of a document that has too many a part."""
    sizes = np.bincount(documents)
    most, offsets, is_kept = _part_of_each(sizes), offsets_of(sizes), np.ones(len(documents), np.bool_)
    for document in np.flatnonzero(most < sizes):
        left_out = rng.permutation(sizes[document])[most[document] :]
        is_kept[offsets[document] + left_out] = False
    return np.flatnonzero(is_kept)


def _part_of_each(sizes: Indices) -> Indices:
    """How many pairs of each document can be kept: of one no more than of all others.

    Of an even number just half become random ones; of an odd one perhaps one more, so that the others must be more by
    two.
    """
    others = sizes.sum() - sizes
    most = np.where(sizes + 2 <= others, sizes, np.minimum(sizes, others) // 2 * 2)
    return sizes if (most == sizes).all() else _part_of_each(most)


def _order(values: Indices) -> Indices:
    """Where the smallest, none negative, stands, and so on; equal ones as they come."""
    # Small numbers are not compared but counted, which is several times faster.
    return np.argsort(values.astype(np.min_scalar_type(values.max(initial=0))), kind="stable")


def _exchange_second_segments(pairs: Segments, documents: Indices, rng: np.random.Generator) -> Segments:
    """Lets the pairs of label 1 exchange their B's with neighbours in the order of |B|, never within a document."""
    shuffled = rng.permutation(np.flatnonzero(pairs.labels))
    takers = shuffled[_order((pairs.b_end - pairs.b_start)[shuffled])]
    if not len(takers):
        return pairs
    givers = _swap_neighbours(takers)
    _part_from_own_documents(givers, documents[takers], documents)
    b_start, b_end = pairs.b_start.copy(), pairs.b_end.copy()
    b_start[takers], b_end[takers] = pairs.b_start[givers], pairs.b_end[givers]
    return dataclasses.replace(pairs, b_start=b_start, b_end=b_end)


def _swap_neighbours(items: Indices) -> Indices:
    """Items 0 and 1 change places, 2 and 3, and so on; of an odd number the last three rotate."""
    swapped = items.copy()
    even = len(items) - len(items) % 2
    swapped[0:even:2], swapped[1:even:2] = items[1:even:2], items[0:even:2]
    if len(items) % 2:
        swapped[-3:] = np.roll(items[-3:], 1)
    return swapped


def _part_from_own_documents(givers: Indices, taker_documents: Indices, documents: Indices) -> None:
    """Swaps givers, in place, until none is of its taker's document; near ones, since they keep |B| close.

    A swap helps, and harms nowhere, where neither taker nor giver is of that document. Since no document has more than
    half of the takers, there are as many such places as clashes at least.
    """
    giver_documents = documents[givers]
    counts = np.bincount(giver_documents[giver_documents == taker_documents])
    for document in np.flatnonzero(counts >= _MANY_CLASHES):
        clashes = np.flatnonzero((giver_documents == document) & (taker_documents == document))
        helpful = np.flatnonzero((giver_documents != document) & (taker_documents != document))
        others = helpful[_nearest_of_its_own(clashes, helpful)]
        for values in (givers, giver_documents):
            values[clashes], values[others] = values[others], values[clashes]
    left = np.flatnonzero(giver_documents == taker_documents).tolist()
    _part_one_by_one(givers, left, taker_documents.tolist(), giver_documents.tolist())


def _nearest_of_its_own(places: Indices, candidates: Indices) -> Indices:
    """For each place a candidate that no other has, near it; both ascending, candidates at least as many, and two.

    >>> _nearest_of_its_own(np.array([2, 3, 9]), np.array([0, 4, 5, 6])).tolist()
    [1, 2, 3]
    """
    order = np.arange(len(places))
    right = np.searchsorted(candidates, places).clip(1, len(candidates) - 1)
    nearest = right - (places - candidates[right - 1] < candidates[right] - places)
    not_taken = order + np.maximum.accumulate(nearest - order)
    return np.minimum(not_taken, order + len(candidates) - len(places))


def _part_one_by_one(givers: Indices, clashes: list[int], takers_are_of: list[int], givers_are_of: list[int]) -> None:
    """The same where a document has few clashes, each with the nearest helpful place."""
    for place in clashes:
        document = takers_are_of[place]
        if givers_are_of[place] != document:
            continue  # an earlier swap has already helped
        other = next(
            near
            for near in _outwards(place, len(givers))
            if takers_are_of[near] != document and givers_are_of[near] != document
        )
        givers[[place, other]] = givers[[other, place]]
        givers_are_of[place], givers_are_of[other] = givers_are_of[other], givers_are_of[place]


def _outwards(place: int, size: int) -> Iterator[int]:
    """The other places of a list of this size, the nearest first."""
    for distance in range(1, size):
        if place >= distance:
            yield place - distance
        if place + distance < size:
            yield place + distance
