"""Counts words in bounded memory, however long the text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from mlm_data.vocabulary import MAX_WORD_CHARACTERS

MAX_WORDS = 2_000_000

_BLOCK_CHARACTERS = 1 << 20
_FLUSH_CHARACTERS = 1 << 24


class WordCounter:
    """Counts of the words of a text, as BERT cuts it into words.

    Text is first counted by what stands between spaces, and only what is new there is normalized and cut: the rules of
    BERT look at single characters, so that the counts are the same, in a sixth of the time.

    When the table passes `max_words`, its rarest words are forgotten until half of it is free (lossy counting in the
    manner of Manku and Motwani 2002). What is forgotten depends on the text and its order alone. A word that was
    forgotten and comes back starts from nothing: its count falls short by less than the sum of the thresholds in
    `forgotten_up_to`.

    Args:
        split: text to words, each as the vocabulary is to know it; must treat what spaces part independently.
        max_words: entries of the table before it is pruned.
    """

    def __init__(self, split: Callable[[str], list[str]], max_words: int = MAX_WORDS) -> None:
        self._split = split
        self._max_words = max_words
        self._chunks: Counter[str] = Counter()
        self._chunk_characters = 0
        self._counts: dict[str, int] = {}
        self.words = 0
        self.forgotten_up_to = 0

    def add(self, text: str) -> None:
        """Counts the words of a document."""
        for block in _blocks(text):
            self._chunks.update(block.replace("\n", " ").split(" "))
            self._chunk_characters += len(block)
            if self._chunk_characters >= _FLUSH_CHARACTERS:
                self._flush()

    def counts(self) -> dict[str, int]:
        """How often each word was found; words of more than 200 characters are [UNK] in any case and left out."""
        self._flush()
        return self._counts

    def _flush(self) -> None:
        counts = self._counts
        for chunk, times in self._chunks.items():
            for word in self._split(chunk):
                counts[word] = counts.get(word, 0) + times
                self.words += times
        self._chunks.clear()
        self._chunk_characters = 0
        for word in [word for word in counts if len(word) > MAX_WORD_CHARACTERS]:
            del counts[word]
        if len(counts) > self._max_words:
            self._prune()

    def _prune(self) -> None:
        values = np.sort(np.fromiter(self._counts.values(), np.int64))
        # The table shrinks to half or less: all words of one count go or stay together, whatever their order.
        threshold = int(values[len(values) - self._max_words // 2 - 1])
        self._counts = {word: count for word, count in self._counts.items() if count > threshold}
        self.forgotten_up_to += threshold


def _blocks(text: str) -> Iterator[str]:
    """The text in pieces of about a million characters, cut at spaces."""
    start = 0
    while start < len(text):
        end = text.find(" ", start + _BLOCK_CHARACTERS)
        end = len(text) if end < 0 else end
        yield text[start:end]
        start = end
