"""Sentence order prediction: the segments of a pair follow one another, or were swapped.

A swap betrays itself if first and second segments have lengths of their own. So they have where every chunk ends with
the sentence that reaches the target: it tends to be long, and the second segment with it. Therefore text is cut into
chunks in either direction, and where truncation leaves an odd number of tokens, either segment gets the odd one.
"""

from __future__ import annotations

import dataclasses

import numpy as np

from mlm_data.config import PairingSettings
from mlm_data.pairing.chunks import Chunker, draw_cuts
from mlm_data.pairing.corpus import Indices, offsets_of, rank_in_row
from mlm_data.pairing.truncation import truncate
from mlm_data.records import Segments, TokenizedCorpus

# So long a stretch of text keeps its direction: a corpus may be one document, but where directions meet a chunk may be
# short.
_SENTENCES_PER_DIRECTION = 1000


def make_sop_pairs(corpus: TokenizedCorpus, settings: PairingSettings, rng: np.random.Generator) -> Segments:
    """Segment pairs for sentence order prediction (Lan et al. 2020, section 3.1), in random order.

    Both segments are of one document; exactly half of the pairs, of an odd number one more or one less as is drawn,
    are swapped and have label 1. A document of one sentence gives none, since it has no sentence boundary.

    Args:
        corpus: the documents of one bucket.
        settings: lengths and their law.
        rng: decides directions, targets, cuts, truncation, labels and order.

    Returns:
        Pairs whose |A| + |B| is at most the room of an instance, both segments non-empty.
    """
    starts, ends = _plan_both_ways(corpus, settings, rng)
    cuts = draw_cuts(starts, ends, rng)
    number, tokens_at = len(starts), corpus.sentence_offsets
    labels = np.zeros(number, np.int64)
    labels[rng.permutation(number)[: (number + int(rng.integers(2))) // 2]] = 1
    in_order = Segments(corpus.ids, tokens_at[starts], tokens_at[cuts], tokens_at[cuts], tokens_at[ends], labels)
    a_half = (settings.room + rng.integers(0, 2, number)) // 2
    return _swap(truncate(in_order, settings.room, a_half, rng)).take(rng.permutation(number))


def _plan_both_ways(
    corpus: TokenizedCorpus, settings: PairingSettings, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Chunks as of a `Chunker`, half of the stretches of text gone through from their end to their beginning."""
    stretches = _stretch_offsets(corpus.document_offsets)
    sizes = np.diff(stretches)
    sentences = np.arange(stretches[-1])
    mirrored = np.repeat(stretches[:-1] + stretches[1:] - 1, sizes) - sentences
    is_backward = np.repeat(rng.permutation(len(sizes)) % 2 == rng.integers(2), sizes)
    sentence_at = np.where(is_backward, mirrored, sentences)
    tokens_at = offsets_of(np.diff(corpus.sentence_offsets)[sentence_at])
    starts, ends = Chunker.of(tokens_at, stretches, settings.room).plan_chunks(settings.short_seq_prob, rng)
    one, other = sentence_at[starts], sentence_at[ends - 1]
    return np.minimum(one, other), np.maximum(one, other) + 1


def _stretch_offsets(document_offsets: Indices) -> Indices:
    """Documents, the long ones divided into equal parts: int64 [stretches + 1], into the sentences."""
    sentences = np.diff(document_offsets)
    parts = -(-sentences // _SENTENCES_PER_DIRECTION)
    document = np.repeat(np.arange(len(sentences)), parts)
    starts = document_offsets[document] + rank_in_row(parts) * sentences[document] // parts[document]
    return np.append(starts, document_offsets[-1])


def _swap(pairs: Segments) -> Segments:
    """Lets A and B of the pairs of label 1 change places."""
    is_swapped = pairs.labels == 1
    return dataclasses.replace(
        pairs,
        a_start=np.where(is_swapped, pairs.b_start, pairs.a_start),
        a_end=np.where(is_swapped, pairs.b_end, pairs.a_end),
        b_start=np.where(is_swapped, pairs.a_start, pairs.b_start),
        b_end=np.where(is_swapped, pairs.a_end, pairs.b_end),
    )
