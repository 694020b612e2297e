"""What is counted on the way: documents in, instances out. All numbers are exact and add up over shards."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlm_data.instances import shortest_holding
from mlm_data.records import InstanceBatch, Reason, TokenizedDocument
from mlm_data.vocabulary import Vocabulary

STATISTICS = "statistics.json"

Histogram = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class DocumentStatistics:
    """Documents of some part of the corpus.

    Attributes:
        kept: documents in the shards.
        sentences: in the kept documents.
        tokens: in the kept documents.
        unknown_tokens: of these, how many are [UNK].
        repairs: kept documents by what was mended in them.
        rejections: documents not in the shards, by reason.
    """

    kept: int = 0
    sentences: int = 0
    tokens: int = 0
    unknown_tokens: int = 0
    repairs: Mapping[str, int] = field(default_factory=dict)
    rejections: Mapping[str, int] = field(default_factory=dict)

    @property
    def read(self) -> int:
        """All documents that were met, whatever became of them."""
        return self.kept + sum(self.rejections.values())

    @property
    def failed(self) -> int:
        """Documents whose input was bad, see `Reason.is_failure`."""
        return sum(count for reason, count in self.rejections.items() if Reason(reason).is_failure)

    @classmethod
    def of(cls, kept: Sequence[TokenizedDocument], unk_id: int) -> Self:
        """Counts documents that are in the shards."""
        return cls(
            kept=len(kept),
            sentences=sum(len(document.sentence_offsets) - 1 for document in kept),
            tokens=sum(len(document.ids) for document in kept),
            unknown_tokens=sum(int(np.count_nonzero(document.ids == unk_id)) for document in kept),
            repairs=dict(sorted(Counter(str(repair) for document in kept for repair in document.repairs).items())),
        )

    def __add__(self, other: DocumentStatistics) -> DocumentStatistics:
        return DocumentStatistics(
            self.kept + other.kept,
            self.sentences + other.sentences,
            self.tokens + other.tokens,
            self.unknown_tokens + other.unknown_tokens,
            _add_counts(self.repairs, other.repairs),
            _add_counts(self.rejections, other.rejections),
        )

    def to_json(self) -> dict[str, Any]:
        """As `statistics.json` holds it."""
        return {"read": self.read, **dataclasses.asdict(self)}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_json` gave."""
        return cls(**{item.name: values[item.name] for item in dataclasses.fields(cls)})


@dataclass(frozen=True, slots=True)
class LengthCount:
    """Instances padded to one length, and their tokens, padding not counted."""

    length: int
    instances: int
    tokens: int

    @property
    def padding(self) -> int:
        """Positions that hold no token."""
        return self.instances * self.length - self.tokens


@dataclass(frozen=True, slots=True, eq=False)
class InstanceStatistics:
    """Instances of some shards. Histograms are int64, indexed by [label, value] unless said otherwise.

    Where the objective has no labels, all instances count as labelled 0; where they have no B, its length is 0.

    Attributes:
        lengths: by tokens in the instance, [2, L + 1].
        a_lengths: by tokens of segment A without specials, [2, L + 1].
        b_lengths: by tokens of segment B without specials, [2, L + 1].
        predictions: by number of predicted tokens, [P + 1].
        positions: predicted tokens by position, [L].
        candidates: tokens that could have been predicted by position, [L].
        replacements: predicted tokens now [MASK], now another token, as they were (by choice or by a random draw of the
            same token), [3].
        left_out: pairs that were not made because no partner in another document could be found for them.
    """

    lengths: Histogram
    a_lengths: Histogram
    b_lengths: Histogram
    predictions: Histogram
    positions: Histogram
    candidates: Histogram
    replacements: Histogram
    left_out: int = 0

    @property
    def instances(self) -> int:
        """How many instances were counted."""
        return int(self.lengths.sum())

    @property
    def tokens(self) -> int:
        """Tokens of all instances, [CLS] and [SEP] counted, padding not."""
        return int((self.lengths.sum(axis=0) * np.arange(self.lengths.shape[1])).sum())

    def by_length(self, lengths: Sequence[int]) -> list[LengthCount]:
        """What goes to each of these lengths, ascending, if instances are padded to the shortest that holds them."""
        tokens = np.arange(self.lengths.shape[1])
        bucket, instances = shortest_holding(tokens, lengths), self.lengths.sum(axis=0)
        return [
            LengthCount(
                length, int(instances[bucket == number].sum()), int((instances * tokens)[bucket == number].sum())
            )
            for number, length in enumerate(lengths)
        ]

    @property
    def predicted(self) -> int:
        """Predicted tokens of all instances."""
        return int(self.replacements.sum())

    @property
    def marked_pairs(self) -> int:
        """Instances with label 1."""
        return int(self.lengths[1].sum())

    @property
    def separators(self) -> int:
        """[SEP]s of all instances."""
        return self.tokens - self.instances - int(self.candidates.sum())

    @classmethod
    def of(cls, batch: InstanceBatch, vocabulary: Vocabulary) -> Self:
        """Counts one masked batch."""
        width, slots = batch.input_word_ids.shape[1], batch.masked_lm_positions.shape[1]
        labels = batch.next_sentence_labels
        # Unused slots point to [CLS], which is never predicted.
        first_of_row = np.arange(0, batch.input_word_ids.size, width)[:, None]
        now = batch.input_word_ids.ravel().take(first_of_row + batch.masked_lm_positions)
        predicted = int(batch.masked_lm_counts.sum())
        hidden = np.count_nonzero(now == vocabulary.mask_id)
        kept = np.count_nonzero((now == batch.masked_lm_ids) & (batch.masked_lm_positions > 0))
        positions = np.bincount(batch.masked_lm_positions.ravel(), minlength=width)
        positions[0] = 0
        drawn_separators = batch.masked_lm_positions[now == vocabulary.sep_id]
        return cls(
            lengths=_histogram(labels, batch.lengths, width),
            a_lengths=_histogram(labels, batch.a_lengths - 2, width),
            b_lengths=_histogram(labels, np.maximum(batch.lengths - batch.a_lengths - 1, 0), width),
            predictions=np.bincount(batch.masked_lm_counts, minlength=slots + 1).astype(np.int64),
            positions=positions.astype(np.int64),
            candidates=_candidates(batch, vocabulary.sep_id, drawn_separators),
            replacements=np.array([hidden, predicted - hidden - kept, kept], np.int64),
        )

    @classmethod
    def none(cls, width: int, slots: int) -> Self:
        """The statistics of no instance."""
        pairs = np.zeros((2, width + 1), np.int64)
        tokens = np.zeros(width, np.int64)
        return cls(pairs, pairs, pairs, np.zeros(slots + 1, np.int64), tokens, tokens, np.zeros(3, np.int64))

    def __add__(self, other: InstanceStatistics) -> InstanceStatistics:
        """Counts of both; instances padded to less than the others just have no token there."""
        names = (item.name for item in dataclasses.fields(self))
        return InstanceStatistics(
            **{name: _add_histograms(getattr(self, name), getattr(other, name)) for name in names}
        )

    def to_json(self) -> dict[str, Any]:
        """As `statistics.json` holds it."""
        summary = {
            "instances": self.instances,
            "tokens": self.tokens,
            "predicted": self.predicted,
            "marked_pairs": self.marked_pairs,
        }
        values = {item.name: getattr(self, item.name) for item in dataclasses.fields(self)}
        return summary | {name: value.tolist() if name != "left_out" else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Reads what `to_json` gave."""
        histograms = {
            name: np.array(values[name], np.int64) for name in (item.name for item in dataclasses.fields(cls))
        }
        return cls(**{**histograms, "left_out": values["left_out"]})


def _add_histograms(one: Histogram | int, other: Histogram | int) -> Any:
    """The sum, as large as the larger in each dimension."""
    if np.shape(one) == np.shape(other):
        return one + other
    total = np.zeros(np.maximum(np.shape(one), np.shape(other)), np.int64)
    for part in (one, other):
        total[tuple(map(slice, np.shape(part)))] += part
    return total


def _histogram(labels: NDArray[np.int64], values: NDArray[np.int32], width: int) -> Histogram:
    flat = np.bincount(labels * (width + 1) + values, minlength=2 * (width + 1))
    return flat.astype(np.int64).reshape(2, width + 1)


def _candidates(batch: InstanceBatch, sep_id: int, drawn: NDArray[np.int32]) -> Histogram:
    """Tokens by position that were neither padding nor [CLS] nor [SEP] before masking, which drew a [SEP] at some."""
    width = batch.input_word_ids.shape[1]
    longer_than = len(batch) - np.cumsum(np.bincount(batch.lengths, minlength=width + 1))[:width]
    separators = np.flatnonzero(batch.input_word_ids == sep_id) % width
    candidates: Histogram = longer_than - np.bincount(separators, minlength=width)
    candidates += np.bincount(drawn, minlength=width)
    candidates[0] = 0
    return candidates.astype(np.int64)


def _add_counts(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
