"""What must hold of every record by itself: rules, each a function from many records to those that break it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.validation.checks import Rule
from mlm_data.validation.instances import Counts, Flags, Instances, Trait, any_in_row, count_flags, has_trait
from mlm_data.validation.schema import Schema

NO_LABELS = "there are no next_sentence_labels"
NO_PREDICTIONS = "there are no masked_lm features"
NO_VOCABULARY = "no vocabulary; name one with --vocab_file FILE"
RANDOM_CHECK = "random tokens"


@dataclass(frozen=True, slots=True)
class RecordCheck(Rule):
    """A rule for every record.

    Attributes:
        find: which of some records break it, bool [records].
        needs_vocabulary: whether it is about the meaning of ids.
        needs_predictions: whether it is about masked_lm features.
        needs_labels: whether it is about next_sentence_labels.
        needs_words: whether it holds only where words are masked whole.
        needs_word_starts: whether it is about input_word_starts.
        is_structural: whether a record that breaks it makes no sense to whoever counts.
    """

    find: Callable[[Instances], Flags]
    needs_vocabulary: bool = False
    needs_predictions: bool = False
    needs_labels: bool = False
    needs_words: bool = False
    needs_word_starts: bool = False
    is_structural: bool = False

    def why_not(self, schema: Schema, masking: str | None, *, has_vocabulary: bool) -> str:
        """Why the rule cannot be checked; empty if it can."""
        reasons = (
            (self.needs_labels and not schema.has_labels, NO_LABELS),
            (self.needs_predictions and not schema.slots, NO_PREDICTIONS),
            (self.needs_word_starts and not schema.has_word_starts, "there are no input_word_starts"),
            (self.needs_vocabulary and not has_vocabulary, NO_VOCABULARY),
            (self.needs_words and masking is None, "no manifest says how words are masked"),
            (self.needs_words and masking == "token", "pieces are masked one by one (--masking token)"),
        )
        return next((reason for is_missing, reason in reasons if is_missing), "")


def _breaks_input_mask(records: Instances) -> Flags:
    return any_in_row((records.mask == 1) != records.in_text) | (records.lengths == 0)


def _breaks_padding_ids(records: Instances) -> Flags:
    return any_in_row((records.ids != records.traits.pad_id) & ~records.in_text)


def _breaks_padding_types(records: Instances) -> Flags:
    return any_in_row((records.types != 0) & ~records.in_text)


def _breaks_type_ids(records: Instances) -> Flags:
    is_second = records.column >= records.a_lengths.astype(np.int32)[:, None]
    return any_in_row((records.types != is_second) & records.in_text)


def _breaks_cls(records: Instances) -> Flags:
    return records.ids[:, 0] != records.traits.cls_id


def _breaks_separators(records: Instances) -> Flags:
    ends = (_at(records.ids, places) for places in (records.a_lengths - 1, records.lengths - 1))
    return np.logical_or.reduce([end != records.traits.sep_id for end in ends])


def _breaks_segments(records: Instances) -> Flags:
    a_lengths, lengths = records.a_lengths, records.lengths
    if records.has_labels:
        return (a_lengths < 3) | (lengths - a_lengths < 2)
    is_empty = (lengths < 3) | ((a_lengths < lengths) & (lengths - a_lengths < 2))
    if records.vocabulary is None:
        return is_empty
    # Documents may meet in the text, with [SEP] between them.
    is_boundary = records.has_trait(Trait.BOUNDARY) & records.in_text
    return is_empty | any_in_row(is_boundary[:, 1:] & is_boundary[:, :-1])


def _breaks_ids(records: Instances) -> Flags:
    columns = [records.ids, records.masked_ids] if records.has_predictions else [records.ids]
    return np.logical_or.reduce([any_in_row((ids < 0) | (ids >= len(records.traits))) for ids in columns])


def _breaks_labels(records: Instances) -> Flags:
    return (records.labels != 0) & (records.labels != 1)


def _breaks_weights(records: Instances) -> Flags:
    return any_in_row(records.weights != (_slots(records) < records.counts[:, None]))


def _breaks_unused_slots(records: Instances) -> Flags:
    return any_in_row(((records.positions != 0) | (records.masked_ids != 0)) & ~records.used)


def _breaks_order(records: Instances) -> Flags:
    return any_in_row((records.positions[:, 1:] <= records.positions[:, :-1]) & records.used[:, 1:])


def _breaks_positions(records: Instances) -> Flags:
    positions, rows = records.used_positions, records.used_rows
    is_special = (positions == 0) | (positions == records.a_lengths[rows] - 1)
    return _having(records, is_special | (positions < 0) | (positions >= records.lengths[rows] - 1))


def _breaks_masks(records: Instances) -> Flags:
    mask_id = records.traits.mask_id
    predicted = np.bincount(records.used_rows[records.replacements == mask_id], minlength=len(records))
    return count_flags(records.ids == mask_id) != predicted


def _breaks_restored_text(records: Instances) -> Flags:
    # [MASK] where nothing is predicted is the business of another check, [SEP] between documents that of "segments".
    kinds = Trait.PAD | Trait.CLS | (Trait.SEP if records.has_labels else 0)
    is_special = records.has_trait(kinds) & records.in_text
    ends = (0 * records.lengths, records.a_lengths - 1, records.lengths - 1)
    at_ends = np.add.reduce([_at(is_special, places) for places in ends])
    is_hidden = has_trait(records.traits.look_up(records.originals), Trait.SPECIAL)
    return (count_flags(is_special) != at_ends) | _having(records, is_hidden)


def _breaks_replacements(records: Instances) -> Flags:
    now = records.replacements
    is_ordinary = has_trait(records.traits.look_up(now), Trait.ORDINARY)
    is_random = (now != records.originals) & (now != records.traits.mask_id)
    return _having(records, is_random & ~is_ordinary)


def _breaks_words(records: Instances) -> Flags:
    return any_in_row(records.is_split)


def _breaks_word_starts(records: Instances) -> Flags:
    return any_in_row(records.word_starts != records.begins_word)


def _slots(records: Instances) -> Counts:
    """0 to P - 1."""
    return np.arange(records.positions.shape[1])


def _at(cells: NDArray[Any], places: Counts) -> Counts:
    """The value at one place of each row, or at the nearest there is, int64 [rows]."""
    found: Counts = cells[np.arange(len(cells)), np.clip(places, 0, cells.shape[1] - 1)].astype(np.int64)
    return found


def _having(records: Instances, is_such: Flags) -> Flags:
    """Which records have such a predicted token."""
    return np.bincount(records.used_rows[is_such], minlength=len(records)) > 0


# fmt: off
RECORD_CHECKS = (
    RecordCheck(
        "input mask", "input_mask is 1 for n tokens, then 0", _breaks_input_mask, is_structural=True,
    ),
    RecordCheck(
        "type ids", "input_type_ids are 0, and from the second segment on 1", _breaks_type_ids, is_structural=True,
    ),
    RecordCheck(
        "type ids of padding", "input_type_ids of padding are 0", _breaks_padding_types,
    ),
    RecordCheck(
        "segments", "no segment is empty", _breaks_segments, is_structural=True,
    ),
    RecordCheck(
        "labels", "next_sentence_labels are 0 or 1", _breaks_labels,
        needs_labels=True, is_structural=True,
    ),
    RecordCheck(
        "ids", "ids are those of the vocabulary", _breaks_ids,
        needs_vocabulary=True, is_structural=True,
    ),
    RecordCheck(
        "padding", "ids of padding are [PAD]", _breaks_padding_ids,
        needs_vocabulary=True,
    ),
    RecordCheck(
        "[CLS]", "[CLS] comes first", _breaks_cls,
        needs_vocabulary=True, is_structural=True,
    ),
    RecordCheck(
        "[SEP]", "[SEP] closes each segment", _breaks_separators,
        needs_vocabulary=True, is_structural=True,
    ),
    RecordCheck(
        "weights", "masked_lm_weights are 1 for k slots, then 0", _breaks_weights,
        needs_predictions=True, is_structural=True,
    ),
    RecordCheck(
        "unused slots", "positions and ids of unused slots are 0", _breaks_unused_slots,
        needs_predictions=True,
    ),
    RecordCheck(
        "order of positions", "masked_lm_positions ascend, each once", _breaks_order,
        needs_predictions=True, is_structural=True,
    ),
    RecordCheck(
        "places of positions", "masked_lm_positions are never [CLS], [SEP] or padding", _breaks_positions,
        needs_predictions=True, is_structural=True,
    ),
    RecordCheck(
        "[MASK]", "every [MASK] of the input is predicted", _breaks_masks,
        needs_vocabulary=True, needs_predictions=True,
    ),
    RecordCheck(
        "restored text", "with masked_lm_ids put back, no segment holds [PAD], [CLS], [SEP] or [MASK]",
        _breaks_restored_text,
        needs_vocabulary=True, needs_predictions=True,
    ),
    RecordCheck(
        RANDOM_CHECK, "random replacements are never special tokens, [UNK] or [unused] ones", _breaks_replacements,
        needs_vocabulary=True, needs_predictions=True,
    ),
    RecordCheck(
        "whole words", "the pieces of a word are predicted all or none, if there is a word that fits", _breaks_words,
        needs_vocabulary=True, needs_predictions=True, needs_words=True,
    ),
    RecordCheck(
        "word starts", "input_word_starts are 1 where a word begins, and else 0", _breaks_word_starts,
        needs_vocabulary=True, needs_word_starts=True,
    ),
)
# fmt: on
