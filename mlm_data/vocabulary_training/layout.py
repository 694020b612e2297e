"""Lays pieces out as BERT's vocabularies are."""

from __future__ import annotations

from collections.abc import Iterable

from mlm_data.vocabulary import CLS, MASK, PAD, SEP, UNK

# Of all BERT's vocabularies: [PAD] is 0, 99 ids are free for whoever fine-tunes, the rest begins at 104.
RESERVED_PIECES = (PAD, *(f"[unused{i}]" for i in range(99)), UNK, CLS, SEP, MASK)


def write_pieces(pieces: Iterable[str]) -> bytes:
    """The content of a vocabulary file: reserved pieces, then these, one a line."""
    return "".join(f"{piece}\n" for piece in (*RESERVED_PIECES, *pieces)).encode()
