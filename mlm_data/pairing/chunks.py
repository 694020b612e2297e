"""Documents cut into chunks of consecutive sentences, and chunks into A and B."""

from __future__ import annotations

import numpy as np

from mlm_data.pairing.corpus import Indices


def plan_chunks(
    tokens_at: Indices, document_offsets: Indices, max_tokens: int, short_seq_prob: float, rng: np.random.Generator
) -> tuple[Indices, Indices]:
    """Cuts documents into chunks of consecutive sentences, as google-research/bert does: long enough, or one too many.

    A chunk ends with the sentence that reaches its target length, has at least two sentences, and leaves no tail of
    one sentence behind. Every sentence gets a target and thereby a successor, should a chunk start there; the chunks
    are found by following successors, so that all arithmetic is done on whole arrays.

    Args:
        tokens_at: where sentences begin, int64 [sentences + 1].
        document_offsets: int64 [documents + 1], into the sentences.
        max_tokens: the target length of most chunks.
        short_seq_prob: share of the targets that are drawn between 2 and `max_tokens`.
        rng: decides targets.

    Returns:
        First and one-past-last sentence of each chunk, int64 [chunks].
    """
    sentences = len(tokens_at) - 1
    targets = np.where(rng.random(sentences) < short_seq_prob, rng.integers(2, max_tokens + 1, sentences), max_tokens)
    document_ends = np.repeat(document_offsets[1:], np.diff(document_offsets))
    reach = np.searchsorted(tokens_at, tokens_at[:-1] + targets, side="left")
    ends = np.minimum(np.maximum(reach, np.arange(sentences) + 2), document_ends)
    ends = np.where(document_ends - ends == 1, document_ends, ends)
    chosen = np.asarray(_follow(ends), dtype=np.int64)
    chosen = chosen[ends[chosen] - chosen >= 2]  # documents of one sentence
    return chosen, ends[chosen]


def draw_cuts(starts: Indices, ends: Indices, rng: np.random.Generator) -> Indices:
    """A sentence boundary within each chunk, each with equal chance: the first sentence of B, int64 [chunks]."""
    return starts + 1 + rng.integers(0, ends - starts - 1)


def _follow(successors: Indices) -> list[int]:
    """The chain 0, successors[0], ... up to the end of the array."""
    chain, place = [], 0
    elements = successors.data  # single ones are read three times as fast as from an array
    while place < len(elements):
        chain.append(place)
        place = elements[place]
    return chain
