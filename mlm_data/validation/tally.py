"""What is counted over records. All of it adds up, so that neither order nor the number of processes matters."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.instances import Counts, Instances, Trait, count_flags, has_trait
from mlm_data.validation.places import NOWHERE
from mlm_data.validation.schema import Schema


class PiecePlace(IntEnum):
    """Where in its word a piece stands, which tells the pieces of short words from those of long ones."""

    WHOLE = 0
    FIRST = 1
    LAST = 2
    INNER = 3


class Replacement(IntEnum):
    """What became of a predicted token."""

    MASKED = 0
    RANDOM = 1
    KEPT = 2


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """How often the tokens of some classes were predicted, and how often chance would have.

    Attributes:
        predicted: tokens predicted, int64 [classes].
        candidates: tokens that could have been, int64 [classes].
        expected: the sum of k / c over these, c being the candidates of a token's record and k its predictions,
            float64 [classes].
    """

    predicted: Counts
    candidates: Counts
    expected: NDArray[np.float64]

    @classmethod
    def none(cls, classes: int) -> Self:
        """Of no record."""
        return cls(np.zeros(classes, np.int64), np.zeros(classes, np.int64), np.zeros(classes))

    def __add__(self, other: Selection) -> Selection:
        return Selection(
            self.predicted + other.predicted, self.candidates + other.candidates, self.expected + other.expected
        )

    def padded(self, classes: int) -> Selection:
        """The same, with classes of which there was no token."""
        return Selection(*(_extend(values, (classes,)) for values in (self.predicted, self.candidates, self.expected)))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sound records, counted. Histograms are int64.

    Attributes:
        lengths: by label and tokens n, [2, L + 1].
        a_lengths: by label and tokens of segment A without specials, [2, L + 1].
        b_lengths: by label and tokens of segment B without specials, [2, L + 1].
        counts: by tokens n and predictions k, [L + 1, P + 1].
        first_places: the first record of each such kind, as `number_places` gives it, else `NOWHERE`.
        positions: predicted tokens by position, [L].
        pieces: predicted tokens by `PiecePlace`.
        across: first tokens of B where the last one of A is predicted, by whether B begins within a word, [2].
        replacements: predicted tokens by `Replacement`, [3].
        original_ids: predicted tokens by the id that stood there, [ids].
        random_ids: those by the id of another token that stands there now, [ids].
        split_words: places where a word is predicted in part, see `Instances.is_split`.
        joined: predicted pieces that continue a word.
    """

    lengths: Counts
    a_lengths: Counts
    b_lengths: Counts
    counts: Counts
    first_places: Counts
    positions: Selection
    pieces: Selection
    across: Selection
    replacements: Counts
    original_ids: Counts
    random_ids: Counts
    split_words: int = 0
    joined: int = 0

    @property
    def records(self) -> int:
        """How many were counted."""
        return int(self.lengths.sum())

    @property
    def labels(self) -> Counts:
        """Records by label, [2]."""
        labels: Counts = self.lengths.sum(axis=1)
        return labels

    @property
    def predicted(self) -> int:
        """Predicted tokens."""
        return int((self.counts.sum(axis=0) * np.arange(self.counts.shape[1])).sum())

    @classmethod
    def none(cls, schema: Schema, ids: int) -> Self:
        """Of no record; `ids` is the size of the vocabulary, 0 where there is none."""
        by_label = np.zeros((2, schema.width + 1), np.int64)
        counts = np.zeros((schema.width + 1, schema.slots + 1), np.int64)
        by_id = np.zeros(ids, np.int64)
        return cls(
            lengths=by_label,
            a_lengths=by_label,
            b_lengths=by_label,
            counts=counts,
            first_places=np.full_like(counts, NOWHERE),
            positions=Selection.none(schema.width),
            pieces=Selection.none(len(PiecePlace)),
            across=Selection.none(2),
            replacements=np.zeros(len(Replacement), np.int64),
            original_ids=by_id,
            random_ids=by_id,
        )

    @classmethod
    def of(cls, records: Instances, schema: Schema, places: Counts) -> Self:
        """Counts records.

        Args:
            records: that break no structural rule.
            schema: theirs.
            places: of each, as `number_places` gives them, ascending.
        """
        vocabulary = records.vocabulary
        none = cls.none(schema, len(vocabulary) if vocabulary else 0)
        kinds = records.lengths * (schema.slots + 1) + records.counts
        first_places = none.first_places.copy()
        first_places.reshape(-1)[kinds[::-1]] = places[::-1]  # of several, the last assignment stays
        tally = dataclasses.replace(
            none,
            lengths=_by_label(records, records.lengths),
            a_lengths=_by_label(records, records.a_lengths - 2),
            b_lengths=_by_label(records, np.maximum(records.lengths - records.a_lengths - 1, 0)),
            counts=np.bincount(kinds, minlength=none.counts.size).reshape(none.counts.shape),
            first_places=first_places,
            positions=_select_by_position(records) if vocabulary else none.positions,
        )
        return tally._with_predictions(records) if vocabulary and records.has_predictions else tally

    def _with_predictions(self, records: Instances) -> Self:
        now, originals = records.replacements, records.originals
        is_masked, is_kept = now == records.traits.mask_id, now == originals
        is_random = ~is_masked & ~is_kept
        masked, kept = int(is_masked.sum()), int((is_kept & ~is_masked).sum())
        return dataclasses.replace(
            self,
            pieces=_select_by_piece(records),
            across=_select_across(records),
            replacements=np.array([masked, len(now) - masked - kept, kept]),
            original_ids=np.bincount(originals, minlength=len(self.original_ids)),
            random_ids=np.bincount(now[is_random], minlength=len(self.random_ids)),
            split_words=int(records.is_split.sum()),
            joined=int((records.is_joined & records.is_predicted).sum()),
        )

    def padded(self, schema: Schema) -> Tally:
        """The same counts with room for longer records."""
        width, slots = schema.width, schema.slots
        return dataclasses.replace(
            self,
            lengths=_extend(self.lengths, (2, width + 1)),
            a_lengths=_extend(self.a_lengths, (2, width + 1)),
            b_lengths=_extend(self.b_lengths, (2, width + 1)),
            counts=_extend(self.counts, (width + 1, slots + 1)),
            first_places=_extend(self.first_places, (width + 1, slots + 1), NOWHERE),
            positions=self.positions.padded(width),
        )

    def __add__(self, other: Tally) -> Tally:
        names = [field.name for field in dataclasses.fields(self)]
        sums = {name: getattr(self, name) + getattr(other, name) for name in names if name != "first_places"}
        return Tally(**sums, first_places=np.minimum(self.first_places, other.first_places))


def _extend(values: NDArray[Any], shape: tuple[int, ...], filler: int = 0) -> NDArray[Any]:
    return np.pad(
        values, [(0, size - had) for size, had in zip(shape, values.shape, strict=True)], constant_values=filler
    )


def _by_label(records: Instances, values: Counts) -> Counts:
    size = records.width + 1
    return np.bincount(records.labels * size + values, minlength=2 * size).reshape(2, size)


def _chances(records: Instances) -> NDArray[np.float64]:
    """How likely each candidate of a record is to be predicted, float64 [records]."""
    return records.counts / np.maximum(records.candidates, 1)


def _select_by_position(records: Instances) -> Selection:
    chances, width = _chances(records), records.width
    rows, columns = np.divmod(np.flatnonzero(records.in_text & ~records.is_candidate), width)

    def over_candidates(weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """By position, sums over the records that have a candidate there: those that reach so far, but for [SEP]."""
        ended = np.cumsum(np.bincount(records.lengths, weights, minlength=width + 1))[:width]
        found: NDArray[np.float64] = weights.sum() - ended - np.bincount(columns, weights[rows], minlength=width)
        return found

    return Selection(
        predicted=np.bincount(records.used_positions, minlength=width),
        candidates=np.rint(over_candidates(np.ones(len(records)))).astype(np.int64),
        expected=over_candidates(chances),
    )


def _select_by_piece(records: Instances) -> Selection:
    chances, joined = _chances(records), records.is_joined
    inner = joined[:, :-1] & joined[:, 1:]
    continuing, inside = count_flags(joined), count_flags(inner)
    ends = continuing - inside  # words of several pieces: each has a first and a last one
    by_place = np.stack([records.candidates - continuing - ends, ends, ends, inside])
    places = records.used_rows * records.width + records.used_positions
    flat = joined.reshape(-1).view(np.uint8)
    found = 2 * flat[places] + flat[places + 1]  # a position is never the last one of a row, [SEP] is
    return Selection(
        predicted=np.bincount(found, minlength=len(PiecePlace)),
        candidates=by_place.sum(axis=1),
        expected=by_place @ chances,
    )


def _select_across(records: Instances) -> Selection:
    first = np.minimum(records.a_lengths, records.width - 1)  # of B, if there is one
    is_behind = records.is_predicted[np.arange(len(records)), first - 2] & (records.a_lengths < records.lengths)
    rows = np.flatnonzero(is_behind)
    first, chances = first[rows], _chances(records)[rows]
    is_cut = has_trait(records.restored_traits[rows, first], Trait.CONTINUATION).astype(np.int64)
    return Selection(
        predicted=np.bincount(is_cut[records.is_predicted[rows, first]], minlength=2),
        candidates=np.bincount(is_cut, minlength=2),
        expected=np.bincount(is_cut, chances, minlength=2).astype(np.float64),
    )
