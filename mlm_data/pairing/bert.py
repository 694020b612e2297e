"""Next sentence prediction as google-research/bert samples it, biases included, for those who repeat its experiments.

The law is that of the script's `create_instances_from_document`. Where it gathers lists of tokens, this goes from one
sentence boundary to the next: the end of a chunk is a binary search, truncation an array operation.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mlm_data.config import PairingSettings
from mlm_data.pairing.truncation import truncate
from mlm_data.records import Segments, TokenizedCorpus

# So often a random document is drawn anew when it is the pair's own; then it is taken all the same.
_TRIES = 10
_NUMBERS_AT_A_TIME = 4096


def make_bert_pairs(corpus: TokenizedCorpus, settings: PairingSettings, rng: np.random.Generator) -> Segments:
    """Segment pairs by the law of google-research/bert's `create_instances_from_document`, in random order.

    What that means, in contrast to `make_nsp_pairs`:

    - A document has one target length, of which `settings.short_seq_prob` decides, for all of its pairs.
    - More than half of the pairs are random, label 1: every chunk of one sentence is, any other with chance 1/2.
    - The B of a random pair starts at any sentence of another document of the corpus, and other pairs have that text
      too. What was to be B is put back and begins the next chunk.
    - When ten draws all give the pair's own document, as they must where there is no other, B is from there, label 1.

    Args:
        corpus: the documents of one bucket, those of one sentence too.
        settings: lengths and their law.
        rng: decides targets, cuts, labels, second segments, truncation and order.

    Returns:
        Pairs whose |A| + |B| is at most the room of an instance, both segments non-empty.
    """
    sampler = _Sampler(corpus.sentence_offsets.tolist(), corpus.document_offsets.tolist(), _uniform_numbers(rng))
    documents, room = len(corpus.document_offsets) - 1, settings.room
    rows = [
        pair
        for document in range(documents)
        for pair in sampler.pair_document(document, sampler.draw_target(room, settings.short_seq_prob))
    ]
    columns = np.array(rows, np.int64).reshape(-1, 5)
    a_start, a_end, b_start, b_end = corpus.sentence_offsets[columns[:, :4]].T
    pairs = Segments(corpus.ids, a_start, a_end, b_start, b_end, columns[:, 4])
    return truncate(pairs, room, (room + 1) // 2, rng).take(rng.permutation(len(pairs)))


@dataclass(frozen=True, slots=True)
class _Sampler:
    """The documents as plain lists, which a loop reads faster than arrays, and the numbers that decide.

    Attributes:
        tokens_at: where sentences begin, and where the last one ends.
        sentences_at: where documents begin among the sentences, and where the last one ends.
        numbers: uniform, at least 0 and below 1, without end.
    """

    tokens_at: list[int]
    sentences_at: list[int]
    numbers: Iterator[float]

    def draw_target(self, room: int, short_seq_prob: float) -> int:
        """The target length of a document's pairs."""
        return self._draw(2, room + 1) if next(self.numbers) < short_seq_prob else room

    def pair_document(self, document: int, target: int) -> Iterator[tuple[int, int, int, int, int]]:
        """First and one-past-last sentence of A and B, and the label, of each pair that begins in a document."""
        start, document_end = self.sentences_at[document : document + 2]
        while start < document_end:
            end = self._reach(start, target, document_end)
            cut = self._draw(start + 1, max(end, start + 2))
            if end - start == 1 or next(self.numbers) < 0.5:
                a_length = self.tokens_at[cut] - self.tokens_at[start]
                yield start, cut, *self._find_random_b(document, target - a_length), 1
                start = cut
            else:
                yield start, cut, cut, end, 0
                start = end

    def _find_random_b(self, document: int, target: int) -> tuple[int, int]:
        """Sentences up to a target length, one at least, from any place of a random document, nearly always another."""
        documents = len(self.sentences_at) - 1
        draws = (self._draw(0, documents) for _ in range(_TRIES))
        other = next((drawn for drawn in draws if drawn != document), document)
        first, end = self.sentences_at[other : other + 2]
        start = self._draw(first, end)
        return start, self._reach(start, target, end)

    def _reach(self, start: int, target: int, document_end: int) -> int:
        """One past the sentence that makes those from `start` on `target` tokens long, or ends the document."""
        return bisect_left(self.tokens_at, self.tokens_at[start] + target, start + 1, document_end)

    def _draw(self, low: int, high: int) -> int:
        """A whole number of at least `low` and below `high`, each with equal chance."""
        return low + int(next(self.numbers) * (high - low))


def _uniform_numbers(rng: np.random.Generator) -> Iterator[float]:
    """Numbers of at least 0 and below 1 without end, asked for thousands at a time: one by one costs ten times more."""
    while True:
        yield from rng.random(_NUMBERS_AT_A_TIME).tolist()
