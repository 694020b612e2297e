"""How tokenized documents travel between workers: their arrays as they lie in memory."""

from __future__ import annotations

import struct
from typing import cast

import apache_beam as beam
import numpy as np

from mlm_data.records import TokenIds, TokenizedDocument, pack_repairs, unpack_repairs

_HEADER = struct.Struct("<16sBIIIIH")  # key, bytes per id, index, number of ids, of offsets, of source bytes, repairs


class TokenizedDocumentCoder(beam.coders.Coder):
    """A `TokenizedDocument` as bytes."""

    def encode(self, value: TokenizedDocument) -> bytes:
        """See `beam.coders.Coder`."""
        source = value.source.encode("utf-8", "surrogateescape")
        repairs = pack_repairs(value.repairs)
        header = _HEADER.pack(
            value.key,
            value.ids.itemsize,
            value.index,
            len(value.ids),
            len(value.sentence_offsets),
            len(source),
            repairs,
        )
        return b"".join((header, source, value.ids.tobytes(), value.sentence_offsets.tobytes()))

    def decode(self, encoded: bytes) -> TokenizedDocument:
        """See `beam.coders.Coder`."""
        key, id_size, index, ids, offsets, source_size, repairs = _HEADER.unpack_from(encoded)
        ids_at = _HEADER.size + source_size
        return TokenizedDocument(
            key=key,
            source=encoded[_HEADER.size : ids_at].decode("utf-8", "surrogateescape"),
            index=index,
            ids=cast(TokenIds, np.frombuffer(encoded, f"u{id_size}", ids, ids_at)),
            sentence_offsets=np.frombuffer(encoded, np.uint32, offsets, ids_at + ids * id_size),
            repairs=unpack_repairs(repairs),
        )

    def is_deterministic(self) -> bool:
        """See `beam.coders.Coder`."""
        return True


def register() -> None:
    """Makes Beam use the coder wherever a collection is known to hold tokenized documents."""
    beam.coders.registry.register_coder(TokenizedDocument, TokenizedDocumentCoder)
