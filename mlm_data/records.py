"""The values that flow from room to room. All are frozen; arrays in them are never written to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

# As narrow as the vocabulary allows: most of what is shuffled and held in memory are ids.
TokenIds: TypeAlias = NDArray[np.uint16] | NDArray[np.uint32]


class Reason(StrEnum):
    """Why a document did not reach the shards; the value is the name users see and `rejects/` files bear."""

    EMPTY = "empty"
    BINARY = "binary"
    UNREADABLE = "unreadable"
    TOO_LONG = "too_long"
    DUPLICATE = "duplicate"
    SINGLE_SENTENCE = "single_sentence"
    NO_PARTNER = "no_partner"

    @property
    def is_failure(self) -> bool:
        """Whether the input was bad (counts against `max_error_rate`) rather than merely of no use."""
        return self in {Reason.BINARY, Reason.UNREADABLE, Reason.TOO_LONG}


class Repair(StrEnum):
    """What was mended in a document; the value is the name users see."""

    WINDOWS_1252 = "read_as_windows_1252"
    UNDECODABLE_BYTES = "undecodable_bytes"
    LONE_SURROGATES = "lone_surrogates"
    CONTROL_CHARACTERS = "control_characters"
    MOJIBAKE = "mojibake"
    LITERAL_SPECIAL_TOKENS = "literal_special_tokens"


def pack_repairs(repairs: Iterable[Repair]) -> int:
    """Repairs as the bits of a number, for files and wires."""
    return sum(1 << _REPAIRS.index(repair) for repair in repairs)


def unpack_repairs(bits: int) -> tuple[Repair, ...]:
    """What `pack_repairs` packed, in the order of `Repair`."""
    return tuple(repair for place, repair in enumerate(_REPAIRS) if bits >> place & 1)


_REPAIRS = tuple(Repair)


class Layout(StrEnum):
    """What the lines of a document's text are."""

    WRAPPED = "wrapped"  # as found: paragraphs may run over several lines, blank lines between them
    PARAGRAPHS = "paragraphs"  # one paragraph a line
    SENTENCES = "sentences"  # one sentence a line, to be kept as given


@dataclass(frozen=True, slots=True)
class Document:
    """One document as read from a corpus.

    Attributes:
        source: the file it comes from, as its file system names it; with the range of bytes, as in
            `big.txt[16000000:32000000]`, where a large file was read in parts.
        index: its place among the documents of that source, counted from 0.
        text: its text; once cleaned, one paragraph (or sentence) a line, none empty.
        layout: what the lines of `text` are; never WRAPPED once cleaned.
        repairs: what had to be mended on the way, each named once, in the order of `Repair`.
    """

    source: str
    index: int
    text: str
    layout: Layout = Layout.PARAGRAPHS
    repairs: tuple[Repair, ...] = ()


EXCERPT_CHARACTERS = 500  # of a rejected text, kept to recognise it by


@dataclass(frozen=True, slots=True)
class Rejection:
    """A document that is not in the shards, and why.

    Attributes:
        reason: the named reason.
        source: as in `Document`.
        index: as in `Document`.
        detail: what was got and what was expected, for a person.
        excerpt: the beginning of the text, where there is any.
    """

    reason: Reason
    source: str
    index: int
    detail: str = ""
    excerpt: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `dataclasses.asdict` gave."""
        return cls(**{**values, "reason": Reason(values["reason"])})


@dataclass(frozen=True, slots=True)
class SplitDocument:
    """A cleaned document cut into sentences.

    Attributes:
        key: 128-bit hash of the cleaned text, 16 bytes: the document's name wherever it goes.
        source: as in `Document`.
        index: as in `Document`.
        sentences: the sentences in order, none empty.
        repairs: as in `Document`.
    """

    key: bytes
    source: str
    index: int
    sentences: Sequence[str]
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedDocument:
    """A document as vocabulary ids.

    Attributes:
        key: as in `SplitDocument`.
        source: as in `Document`.
        index: as in `Document`.
        ids: uint16 (uint32 where the vocabulary has more than 65,536 entries), shape [tokens].
        sentence_offsets: uint32, shape [sentences + 1]; sentence i is ids[offsets[i]:offsets[i + 1]], never empty.
        repairs: as in `Document`.
    """

    key: bytes
    source: str
    index: int
    ids: TokenIds
    sentence_offsets: NDArray[np.uint32]
    repairs: tuple[Repair, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TokenizedCorpus:
    """The documents of one bucket, laid end to end.

    Attributes:
        ids: uint16 or uint32, shape [tokens].
        sentence_offsets: int64, shape [sentences + 1], into `ids`.
        document_offsets: int64, shape [documents + 1], into the sentences.
    """

    ids: TokenIds
    sentence_offsets: NDArray[np.int64]
    document_offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Segments:
    """The segments of instances as ranges into one flat array: A is ids[a_start:a_end], B likewise.

    Attributes:
        ids: uint16 or uint32, shape [tokens]; between documents within a segment stands [SEP].
        a_start: int64, shape [instances].
        a_end: int64, shape [instances].
        b_start: int64, shape [instances].
        b_end: int64, shape [instances]; equal to `b_start` where instances have one segment only.
        labels: int64, shape [instances]; what they say is a matter of the objective, all 0 where it has no labels.
        left_out: how many pairs were not made because no partner in another document was left for them.
    """

    ids: TokenIds
    a_start: NDArray[np.int64]
    a_end: NDArray[np.int64]
    b_start: NDArray[np.int64]
    b_end: NDArray[np.int64]
    labels: NDArray[np.int64]
    left_out: int = 0

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, which: NDArray[np.intp] | slice) -> Segments:
        """Those of the instances at the given places, in that order."""
        ranges = (self.a_start[which], self.a_end[which], self.b_start[which], self.b_end[which])
        return Segments(self.ids, *ranges, self.labels[which], self.left_out)


@dataclass(frozen=True, slots=True, eq=False)
class InstanceBatch:
    """Training instances before or after masking; `length` is the padded width L, `P` the mask slots.

    Attributes:
        input_word_ids: int32, shape [instances, L]: [CLS] A [SEP] B [SEP], or [CLS] A [SEP], and padding.
        lengths: int32, shape [instances]: tokens before the padding, specials counted.
        a_lengths: int32, shape [instances]: tokens with type id 0, that is [CLS] A [SEP]; where there is no B, this is
            all of `lengths`.
        masked_lm_positions: int32, shape [instances, P], ascending, then 0.
        masked_lm_ids: int32, shape [instances, P], the original ids, then 0.
        masked_lm_counts: int32, shape [instances]: how many of the P slots are used.
        next_sentence_labels: int64, shape [instances]; all 0, and in no record, where the objective has no labels.
        input_word_starts: where words begin, bool, shape [instances, L]; None where tokens are masked here rather than
            by the trainer.
    """

    input_word_ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    a_lengths: NDArray[np.int32]
    masked_lm_positions: NDArray[np.int32]
    masked_lm_ids: NDArray[np.int32]
    masked_lm_counts: NDArray[np.int32]
    next_sentence_labels: NDArray[np.int64]
    input_word_starts: NDArray[np.bool_] | None = None

    def __len__(self) -> int:
        return len(self.lengths)


# Free bytes before and after each encoded record: a TFRecord file has a length and two checksums there.
MARGIN_BEFORE, MARGIN_AFTER = 12, 4


@dataclass(frozen=True, slots=True, eq=False)
class EncodedBatch:
    """Serialized records, with room around each for what a TFRecord file puts there: so bytes are laid out only once.

    Attributes:
        data: for each record `MARGIN_BEFORE` bytes of 0, its own, and `MARGIN_AFTER` bytes of 0.
        offsets: where that begins for each, and where the last ends, int64 [records + 1].
    """

    data: bytes
    offsets: NDArray[np.int64]

    @classmethod
    def of(cls, records: Iterable[bytes]) -> Self:
        """Lays out records that were serialized one by one."""
        padded = [bytes(MARGIN_BEFORE) + record + bytes(MARGIN_AFTER) for record in records]
        return cls(b"".join(padded), np.cumsum([0, *map(len, padded)], dtype=np.int64))

    def __len__(self) -> int:
        """The number of records."""
        return len(self.offsets) - 1

    @property
    def starts(self) -> NDArray[np.int64]:
        """Where each record itself begins in `data`."""
        return self.offsets[:-1] + MARGIN_BEFORE

    @property
    def ends(self) -> NDArray[np.int64]:
        """Where each record itself ends."""
        return self.offsets[1:] - MARGIN_AFTER

    def records(self) -> Iterator[bytes]:
        """Each record without its margins; one at a time stays in the processor's cache."""
        return (self.data[start:end] for start, end in zip(self.starts.tolist(), self.ends.tolist(), strict=True))
