"""Decoded records as the checks look at them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntFlag
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.schema import LABELS, WORD_STARTS
from mlm_data.vocabulary import Vocabulary

Flags = NDArray[np.bool_]
Counts = NDArray[np.int64]
Integers = NDArray[np.integer]


class Trait(IntFlag):
    """What an id is, as bits of a byte."""

    PAD = 1
    CLS = 2
    SEP = 4
    MASK = 8
    CONTINUATION = 16
    ORDINARY = 32  # may stand as a random replacement

    SPECIAL = PAD | CLS | SEP | MASK
    BOUNDARY = CLS | SEP


@dataclass(frozen=True, slots=True, eq=False)
class Traits:
    """What each id of a vocabulary is.

    Attributes:
        table: `Trait` of each id, uint8, shape [ids + 1]; the last stands for all past the end.
        pad_id: the id of [PAD].
        cls_id: the id of [CLS].
        sep_id: the id of [SEP].
        mask_id: the id of [MASK].
    """

    table: NDArray[np.uint8]
    pad_id: int
    cls_id: int
    sep_id: int
    mask_id: int

    @classmethod
    def of(cls, vocabulary: Vocabulary) -> Traits:
        """The traits of a vocabulary's ids."""
        special = (vocabulary.pad_id, vocabulary.cls_id, vocabulary.sep_id, vocabulary.mask_id)
        table = np.zeros(len(vocabulary) + 1, np.uint8)
        table[:-1][vocabulary.is_continuation] |= np.uint8(Trait.CONTINUATION)
        table[vocabulary.ordinary_ids] |= np.uint8(Trait.ORDINARY)
        table[list(special)] = (Trait.PAD, Trait.CLS, Trait.SEP, Trait.MASK)
        return cls(table, *special)

    def __len__(self) -> int:
        return len(self.table) - 1

    def look_up(self, ids: Integers) -> NDArray[np.uint8]:
        """The traits of ids, uint8 of the same shape."""
        known = np.where(ids < 0, len(self), ids) if ids.dtype.kind == "i" else ids
        return self.table.take(known, mode="clip")


@dataclass(frozen=True)
class Instances:
    """Records side by side, with what can be derived from them; nothing in them is taken for granted.

    Attributes:
        values: by v2 feature name, [records, values].
        vocabulary: what their ids are; None where that is not known, and then nothing about ids may be asked.
    """

    values: Mapping[str, NDArray[Any]]
    vocabulary: Traits | None

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Flags) -> Instances:
        """Some of the records."""
        return Instances({name: column[rows] for name, column in self.values.items()}, self.vocabulary)

    @property
    def ids(self) -> Integers:
        """input_word_ids, [records, L]."""
        return self.values["input_word_ids"]

    @property
    def mask(self) -> Integers:
        """input_mask, [records, L]."""
        return self.values["input_mask"]

    @property
    def types(self) -> Integers:
        """input_type_ids, [records, L]."""
        return self.values["input_type_ids"]

    @property
    def positions(self) -> Integers:
        """masked_lm_positions, [records, P]."""
        return self.values["masked_lm_positions"]

    @property
    def masked_ids(self) -> Integers:
        """masked_lm_ids, [records, P]."""
        return self.values["masked_lm_ids"]

    @property
    def weights(self) -> NDArray[np.floating]:
        """masked_lm_weights, [records, P]."""
        return self.values["masked_lm_weights"]

    @property
    def word_starts(self) -> Integers:
        """input_word_starts, [records, L]."""
        return self.values[WORD_STARTS]

    @property
    def width(self) -> int:
        """L, the tokens there is room for."""
        return int(self.ids.shape[1])

    @property
    def traits(self) -> Traits:
        """What the ids are."""
        assert self.vocabulary is not None, "a check that needs the vocabulary is made without one"
        return self.vocabulary

    @property
    def has_labels(self) -> bool:
        """Whether there are next_sentence_labels."""
        return LABELS in self.values

    @property
    def has_predictions(self) -> bool:
        """Whether there are masked_lm features."""
        return "masked_lm_positions" in self.values

    @cached_property
    def labels(self) -> Counts:
        """next_sentence_labels, int64 [records]; 0 where there are none."""
        column = self.values.get(LABELS)
        return column[:, 0].astype(np.int64) if column is not None else np.zeros(len(self), np.int64)

    @cached_property
    def column(self) -> NDArray[np.int32]:
        """0 to L - 1."""
        return np.arange(self.width, dtype=np.int32)

    @cached_property
    def lengths(self) -> Counts:
        """n, how many tokens `input_mask` lets through, int64 [records]."""
        return count_flags(self.mask != 0)

    @cached_property
    def in_text(self) -> Flags:
        """The first n places of each record, bool [records, L]."""
        return self.column < self.lengths.astype(np.int32)[:, None]

    @cached_property
    def a_lengths(self) -> Counts:
        """Tokens of type 0 among the first n: [CLS] A [SEP], int64 [records]."""
        return self.lengths - count_flags((self.types != 0) & self.in_text)

    @cached_property
    def used(self) -> Flags:
        """Slots that have a weight, bool [records, P]."""
        return self.weights > 0

    @cached_property
    def counts(self) -> Counts:
        """k, the slots that have a weight, int64 [records]; 0 where there are no masked_lm features."""
        return count_flags(self.used) if self.has_predictions else np.zeros(len(self), np.int64)

    @cached_property
    def used_rows(self) -> Counts:
        """Of each predicted token, its record, int64 [predictions]."""
        return np.repeat(np.arange(len(self)), self.counts)

    @cached_property
    def used_positions(self) -> Counts:
        """Of each predicted token, masked_lm_positions, int64 [predictions]; none where there are no such features."""
        return self.positions[self.used].astype(np.int64) if self.has_predictions else np.zeros(0, np.int64)

    @cached_property
    def originals(self) -> Counts:
        """Of each predicted token, masked_lm_ids, int64 [predictions]."""
        return self.masked_ids[self.used].astype(np.int64)

    @cached_property
    def replacements(self) -> Counts:
        """Of each predicted token, what stands in its place, int64 [predictions]."""
        return self.ids.reshape(-1)[self._used_places].astype(np.int64)

    @cached_property
    def restored(self) -> Integers:
        """`ids` with the originals put back, [records, L]."""
        if not self.has_predictions:
            return self.ids
        restored = self.ids.copy() if self.ids.itemsize > 2 else self.ids.astype(np.int64)
        restored.reshape(-1)[self._used_places] = self.originals
        return restored

    @cached_property
    def _used_places(self) -> Counts:
        return self.used_rows * self.width + np.clip(self.used_positions, 0, self.width - 1)

    @cached_property
    def restored_traits(self) -> NDArray[np.uint8]:
        """The traits of `restored`, uint8 [records, L]."""
        return self.traits.look_up(self.restored)

    def has_trait(self, trait: int) -> Flags:
        """Which of `restored` have one of these traits, bool [records, L]."""
        return has_trait(self.restored_traits, trait)

    @cached_property
    def is_predicted(self) -> Flags:
        """Tokens that are predicted, bool [records, L]."""
        predicted = np.zeros(self.ids.shape, np.bool_)
        predicted.reshape(-1)[self._used_places] = True
        return predicted

    @cached_property
    def is_candidate(self) -> Flags:
        """Tokens that may be predicted: in the text, neither [CLS] nor [SEP]; bool [records, L]."""
        return self.in_text & ~self.has_trait(Trait.BOUNDARY)

    @cached_property
    def candidates(self) -> Counts:
        """How many tokens may be predicted, int64 [records]."""
        return count_flags(self.is_candidate)

    @cached_property
    def is_joined(self) -> Flags:
        """Tokens that continue the word of the token before, bool [records, L]."""
        joined = self.is_candidate & self.has_trait(Trait.CONTINUATION)
        joined[:, 1:] &= self.is_candidate[:, :-1]
        joined[:, 0] = False
        return joined

    @property
    def begins_word(self) -> Flags:
        """Tokens that may be predicted and do not continue a word, bool [records, L]."""
        return self.is_candidate & ~self.is_joined

    @cached_property
    def is_split(self) -> Flags:
        """Tokens that are predicted though the one before in their word is not, or the other way round, [records, L].

        None in a record all of whose words are longer than what is predicted: none fits, so that pieces count as words.
        """
        split = np.zeros_like(self.is_joined)
        split[:, 1:] = self.is_joined[:, 1:] & (self.is_predicted[:, 1:] != self.is_predicted[:, :-1])
        rows = np.flatnonzero(any_in_row(split))
        has_short = any_in_row(self.begins_word[rows, :-1] & ~self.is_joined[rows, 1:])  # of one piece: it always fits
        for row in rows[~has_short]:
            starts = np.flatnonzero(~self.is_joined[row])
            lengths = np.diff(starts, append=self.width)[self.is_candidate[row, starts]]
            split[row] &= lengths.min() <= self.counts[row]
        return split


def has_trait(traits: NDArray[np.uint8], trait: int) -> Flags:
    """Which have one of these traits, bool of the same shape."""
    return (traits & np.uint8(trait)) != 0


def any_in_row(flags: Flags) -> Flags:
    """Whether any is set in each row, bool [rows]."""
    # In sound data none is, and that is seen many times faster in all rows at once.
    found: Flags = np.logical_or.reduce(flags, axis=1) if flags.any() else np.zeros(len(flags), np.bool_)
    return found


def count_flags(flags: Flags) -> Counts:
    """How many are set in each row, int64 [rows]."""
    # Eight at a time: many times faster than a sum over bytes.
    counts: Counts = np.bitwise_count(np.packbits(flags, axis=1)).sum(axis=1, dtype=np.int64)
    return counts
