"""Masked language modelling alone: instances of one segment, packed with as many sentences as fit.

These are FULL-SENTENCES and DOC-SENTENCES of Liu et al. 2019 (RoBERTa), section 4.2, with two additions. A sentence
longer than an instance is cut, so that no text is lost. And where filling one instance after the other soon gives the
same instances wherever it begins, each pass draws one of all the ways to fill equally few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import numpy as np

from mlm_data.config import PairingSettings
from mlm_data.pairing.corpus import Indices, offsets_of, rank_in_row
from mlm_data.records import Segments, TokenIds, TokenizedCorpus


def pack_sentences(
    corpus: TokenizedCorpus, settings: PairingSettings, sep_id: int, rng: np.random.Generator
) -> Segments:
    """Instances of one segment, in random order, that together hold every token of the corpus exactly once.

    They are as few as can be: of each document with doc_sentences, of all documents in the order drawn with
    full_sentences.

    Args:
        corpus: the documents of one bucket.
        settings: room and packing.
        sep_id: what stands between two documents of one instance.
        rng: decides the order of the documents, where instances end, and their order.

    Returns:
        An A of 1 to `settings.room` tokens, which begins and ends with text, and no B.
    """
    laid = _cut_longer(_lay_out(corpus, sep_id, rng.permutation(len(corpus.document_offsets) - 1)), settings.room)
    is_one_run = settings.mlm_packing == "full_sentences"
    runs = laid.document_offsets[[0, -1]] if is_one_run else laid.document_offsets
    bounds = _draw_bounds(laid, runs, settings.room, rng)
    order = rng.permutation(len(bounds) - 1)
    a_start, a_end = laid.starts[bounds[:-1]][order], laid.ends[bounds[1:] - 1][order]
    return Segments(laid.ids, a_start, a_end, a_end, a_end, np.zeros(len(order), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    """Sentences to be packed, or single tokens of long ones, in the order in which they lie in `ids`.

    Attributes:
        ids: uint16 or uint32, shape [tokens]: documents, each with a [SEP] after it.
        starts: int64, shape [sentences], into `ids`.
        ends: int64, shape [sentences], into `ids`.
        document_offsets: int64, shape [documents + 1], into the sentences.
    """

    ids: TokenIds
    starts: Indices
    ends: Indices
    document_offsets: Indices


def _lay_out(corpus: TokenizedCorpus, sep_id: int, order: Indices) -> _Layout:
    """Lays documents end to end in another order, with [SEP] after each."""
    tokens_at = corpus.sentence_offsets[corpus.document_offsets].tolist()
    separator = np.array([sep_id], corpus.ids.dtype)
    parts = (part for i in order.tolist() for part in (corpus.ids[tokens_at[i] : tokens_at[i + 1]], separator))
    counts = np.diff(corpus.document_offsets)[order]
    sentences = np.repeat(corpus.document_offsets[order], counts) + rank_in_row(counts)
    lengths = np.diff(corpus.sentence_offsets)[sentences]
    separators_before = np.repeat(np.arange(len(order)), counts)
    starts = offsets_of(lengths)[:-1] + separators_before
    ids = cast(TokenIds, np.concatenate([corpus.ids[:0], *parts]))
    return _Layout(ids, starts, starts + lengths, offsets_of(counts))


def _cut_longer(laid: _Layout, room: int) -> _Layout:
    """Makes each token of a sentence longer than `room` a sentence of its own, so that it can be cut anywhere."""
    lengths = laid.ends - laid.starts
    is_long = lengths > room
    parts = np.where(is_long, lengths, 1)
    starts = np.repeat(laid.starts, parts) + rank_in_row(parts)
    ends = starts + np.repeat(np.where(is_long, 1, lengths), parts)
    return _Layout(laid.ids, starts, ends, offsets_of(parts)[laid.document_offsets])


def _draw_bounds(laid: _Layout, runs: Indices, room: int, rng: np.random.Generator) -> Indices:
    """Where instances begin and the last one ends, int64 [instances + 1], into the sentences.

    If text is packed from its end to its beginning, each bound comes as early as it may without making more instances
    necessary; it comes as late as it may if the instance before it is filled. Between the two it is drawn.

    Args:
        laid: no sentence is longer than `room`.
        runs: int64 [runs + 1], into the sentences; no instance holds sentences of two runs.
        room: most tokens of an instance.
        rng: decides the bounds.
    """
    sizes = np.diff(runs)
    most_after = np.searchsorted(laid.ends, laid.starts + room, side="right")
    most_before = np.searchsorted(laid.starts, laid.ends - room, side="left")
    latest_end = np.minimum(most_after, np.repeat(runs[1:], sizes)).tolist()
    earliest_start = np.maximum(most_before, np.repeat(runs[:-1], sizes)).tolist()
    earliest_ends = _pack_backward(earliest_start)
    # The larger of two draws, since a late end leaves the next ones more to choose from.
    draws = rng.random((2, len(earliest_ends))).max(axis=0, initial=0.0)
    bounds = [0]
    for earliest, draw in zip(earliest_ends, draws.tolist(), strict=True):
        bounds.append(earliest + int(draw * (latest_end[bounds[-1]] - earliest + 1)))
    return np.asarray(bounds, dtype=np.int64)


def _pack_backward(earliest_start: list[int]) -> list[int]:
    """Where instances end, ascending, if the last is filled first; given where each starts by its last sentence."""
    ends, end = [], len(earliest_start)
    while end:
        ends.append(end)
        end = earliest_start[end - 1]
    return ends[::-1]
