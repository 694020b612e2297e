"""Encodes sentences with the `tokenizers` library and does nothing else: `METHOD SENTENCES_FILE VOCAB_FILE`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from tokenizers import BertWordPieceTokenizer

_SENTENCES_PER_BATCH = 1000


def encode(method: str, sentences_file: str, vocab_file: str) -> int:
    """Tokens in all sentences of a file.

    Args:
        method: `encode_batch`, or `encode_batch_fast`, which gives no offsets.
        sentences_file: one sentence a line; blank lines are passed over.
        vocab_file: the WordPiece vocabulary.
    """
    tokenizer = BertWordPieceTokenizer(vocab_file, lowercase=True)
    encode_batch = getattr(tokenizer._tokenizer, method)
    with Path(sentences_file).open(encoding="utf-8") as file:
        sentences = (line.rstrip("\n") for line in file)
        batches = _batches(sentence for sentence in sentences if sentence)
        return sum(len(row.ids) for batch in batches for row in encode_batch(batch, add_special_tokens=False))


def _batches(sentences: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(sentences, _SENTENCES_PER_BATCH)):
        yield batch


if __name__ == "__main__":
    print(encode(*sys.argv[1:]))
