"""Corpora and vocabularies made up for tests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from mlm_data.records import TokenizedDocument

SPECIALS = ("[PAD]", *(f"[unused{i}]" for i in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]")
FIRST_ORDINARY = len(SPECIALS)


def vocabulary_content(ordinary: int = 400) -> bytes:
    """A vocabulary in BERT's layout, half of its ordinary pieces continuations."""
    pieces = [f"w{i}" if i % 2 else f"##c{i}" for i in range(ordinary)]
    return "\n".join([*SPECIALS, *pieces, ""]).encode()


def tokenized(name: str, sentence_lengths: Sequence[int], rng: np.random.Generator) -> TokenizedDocument:
    """A document of random ordinary ids; its key and source tell its name."""
    offsets = np.concatenate([[0], np.cumsum(sentence_lengths)]).astype(np.uint32)
    ids = rng.integers(FIRST_ORDINARY, FIRST_ORDINARY + 400, offsets[-1]).astype(np.uint16)
    return TokenizedDocument(name.encode().ljust(16, b"."), name, 0, ids, offsets)


def random_documents(
    count: int, sentences: tuple[int, int], words: tuple[int, int], seed: int = 0
) -> list[TokenizedDocument]:
    """Documents with numbers of sentences and words drawn from the given half-open ranges."""
    rng = np.random.default_rng(seed)
    return [tokenized(f"d{i}", rng.integers(*words, rng.integers(*sentences)).tolist(), rng) for i in range(count)]
