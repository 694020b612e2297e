"""Runs NVIDIA LDDL's pairing and masking on its own: `CHECKOUT SENTENCES_FILE VOCAB_FILE DUPE_FACTOR MAX_SEQ_LENGTH`.

Its module asks for a Dask of 2021, MPI and NLTK on import. Its functions need none of them: empty modules stand in.
"""

from __future__ import annotations

import importlib
import random
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import MagicMock

from tokenizers import BertWordPieceTokenizer

_PLACEHOLDERS = (
    "dask",
    "dask.bag",
    "dask.distributed",
    "nltk",
    "transformers",
    "pyarrow",
    "lddl.utils",
    "lddl.download.utils",
    "lddl.dask.readers",
    "lddl.dask.bert.binning",
)
_MASKED_LM_RATIO = 0.15
_SHORT_SEQ_PROB = 0.1


def make_pairs(checkout: str, sentences_file: str, vocab_file: str, dupe_factor: str, max_seq_length: str) -> int:
    """Tokenizes, pairs and masks a text as LDDL's workers do with a partition; gives the number of pairs."""
    lddl = _import_lddl(checkout)
    tokenizer = BertWordPieceTokenizer(vocab_file, lowercase=True)
    documents = [
        lddl.Document(str(number), tuple(map(lddl.Sentence, _tokenize(tokenizer, sentences))))
        for number, sentences in enumerate(_read(sentences_file))
    ]
    documents = [document for document in documents if len(document)]
    random.seed(12345)
    words = tuple(tokenizer.get_vocab())
    pairs: list[dict[str, Any]] = []
    for _ in range(int(dupe_factor)):
        for number in range(len(documents)):
            pairs += lddl.create_pairs_from_document(
                documents,
                number,
                max_seq_length=int(max_seq_length),
                short_seq_prob=_SHORT_SEQ_PROB,
                masking=True,
                masked_lm_ratio=_MASKED_LM_RATIO,
                vocab_words=words,
            )
    random.shuffle(pairs)
    return len(pairs)


def _import_lddl(checkout: str) -> ModuleType:
    sys.path[0] = checkout
    for name in _PLACEHOLDERS:
        sys.modules[name] = MagicMock()
    return importlib.import_module("lddl.dask.bert.pretrain")


def _read(sentences_file: str) -> Iterator[list[str]]:
    """The sentences of each document."""
    document: list[str] = []
    with Path(sentences_file).open(encoding="utf-8") as file:
        for line in file:
            if sentence := line.strip():
                document.append(sentence)
            elif document:
                yield document
                document = []
    if document:
        yield document


def _tokenize(tokenizer: BertWordPieceTokenizer, sentences: list[str]) -> Iterator[tuple[str, ...]]:
    # One by one and cut at 512, as LDDL calls it.
    for sentence in sentences:
        tokens = tuple(tokenizer.encode(sentence, add_special_tokens=False).tokens[:512])
        if tokens:
            yield tokens


if __name__ == "__main__":
    print(make_pairs(*sys.argv[1:]))
