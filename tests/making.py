"""Files, corpora and vocabularies made up for tests."""

from __future__ import annotations

import fnmatch
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

import numpy as np

from mlm_data.records import TokenizedDocument
from mlm_data.storage import FileStat, LocalStorage

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


@dataclass
class Memory(LocalStorage):
    """Files in memory, which come in pieces of at most so many bytes."""

    files: dict[str, bytes]
    piece: int = 1 << 20
    sizes: dict[str, int] = field(default_factory=dict)

    def match(self, pattern: str) -> list[FileStat]:
        names = sorted(fnmatch.filter(self.files, pattern))
        return [FileStat(name, self.sizes.get(name, len(self.files[name])), 0.0) for name in names]

    def open_for_reading(self, path: str) -> BinaryIO:
        return Pieces(self.files[path], self.piece)


class Pieces(io.BytesIO):
    def __init__(self, content: bytes, piece: int) -> None:
        super().__init__(content)
        self.piece = piece

    def read(self, size: int | None = -1, /) -> bytes:
        return super().read(min(size, self.piece) if size is not None and size > 1000 else size)
