"""Documents cut into chunks of consecutive sentences, and chunks into A and B."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from mlm_data.pairing.corpus import Indices


@dataclass(frozen=True, slots=True, eq=False)
class Chunker:
    """Documents to be cut into chunks of consecutive sentences, and what is the same however often that is done.

    Attributes:
        tokens_at: where sentences begin, and where the last one ends, int64 [sentences + 1].
        document_ends: where the document of each sentence ends, int64 [sentences], into the sentences.
        max_tokens: the target length of most chunks.
        ends: where a chunk of that target ends, by the sentence it begins with, int64 [sentences].
    """

    tokens_at: Indices
    document_ends: Indices
    max_tokens: int
    ends: Indices

    @classmethod
    def of(cls, tokens_at: Indices, document_offsets: Indices, max_tokens: int) -> Self:
        """For documents given by their first sentences, and where the last one ends: int64 [documents + 1]."""
        document_ends = np.repeat(document_offsets[1:], np.diff(document_offsets))
        ends = _find_ends(tokens_at, document_ends, np.arange(len(document_ends)), max_tokens)
        return cls(tokens_at, document_ends, max_tokens, ends)

    def plan_chunks(self, short_seq_prob: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
        """Cuts the documents as google-research/bert does: into chunks long enough, or one sentence too long.

        A chunk ends with the sentence that reaches its target length, has at least two sentences, and leaves no tail
        of one sentence behind. Every sentence gets a target and thereby a successor, should a chunk start there; the
        chunks are found by following successors, so that all arithmetic is done on whole arrays.

        Args:
            short_seq_prob: share of the targets that are drawn between 2 and `max_tokens`.
            rng: decides targets.

        Returns:
            First and one-past-last sentence of each chunk, int64 [chunks].
        """
        short = np.flatnonzero(rng.random(len(self.ends)) < short_seq_prob)
        targets = rng.integers(2, self.max_tokens + 1, len(short))
        ends = self.ends.copy()
        ends[short] = _find_ends(self.tokens_at, self.document_ends[short], short, targets)
        chosen = np.asarray(_follow(ends), dtype=np.int64)
        chosen_ends = ends[chosen]
        is_chunk = chosen_ends - chosen >= 2  # documents of one sentence are none
        return chosen[is_chunk], chosen_ends[is_chunk]


def draw_cuts(starts: Indices, ends: Indices, rng: np.random.Generator) -> Indices:
    """A sentence boundary within each chunk, each with equal chance: the first sentence of B, int64 [chunks]."""
    return starts + 1 + rng.integers(0, ends - starts - 1)


def _find_ends(tokens_at: Indices, document_ends: Indices, starts: Indices, targets: int | Indices) -> Indices:
    """Where chunks end that begin with these sentences, of documents that end there, and have these targets."""
    reach = np.searchsorted(tokens_at, tokens_at[starts] + targets, side="left")
    ends = np.minimum(np.maximum(reach, starts + 2), document_ends)
    return np.where(document_ends - ends == 1, document_ends, ends)


def _follow(successors: Indices) -> list[int]:
    """The chain 0, successors[0], ... up to the end of the array."""
    chain, place, end = [], 0, len(successors)
    elements = successors.data  # single ones are read three times as fast as from an array
    while place < end:
        chain.append(place)
        place = elements[place]
    return chain
