"""What an instance says, in words: its two texts as they were before masking, and what is to be predicted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mlm_data.examples import RecordError
from mlm_data.inspection.instance import Instance
from mlm_data.vocabulary import Vocabulary, join_pieces

# What google-research/bert means, and we; a manifest knows better.
BERT_LABEL_MEANINGS = {"0": "B follows A", "1": "B is random"}


class Kind(StrEnum):
    """What masking did to a token; `REPLACED` where no vocabulary tells [MASK] from an ordinary token."""

    MASKED = "masked"
    RANDOM = "random"
    KEPT = "kept"
    REPLACED = "replaced"


@dataclass(frozen=True, slots=True)
class Prediction:
    """One token to predict: where it stands, its piece before masking, the piece in its place now."""

    position: int
    original: str
    now: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Description:
    """An instance in words. Without a vocabulary a piece is its id as a number.

    Attributes:
        pieces: the tokens as they stand in the input, padding left out.
        segment_a: positions of A, without the special tokens around it.
        segment_b: positions of B; empty where there is none.
        text_a: A as it was before masking.
        text_b: B as it was before masking.
        predictions: what is to be predicted, in the order of the slots.
        slots: P, how many predictions there is room for.
        width: L, how many tokens there is room for.
        label: as in `Instance`.
        label_meaning: the label in words; None where there is no label.
    """

    pieces: tuple[str, ...]
    segment_a: range
    segment_b: range
    text_a: str
    text_b: str
    predictions: tuple[Prediction, ...]
    slots: int
    width: int
    label: int | None
    label_meaning: str | None

    def to_json(self) -> dict[str, Any]:
        """The pieces, texts, label and predictions as JSON values."""
        return {
            "tokens": list(self.pieces),
            "text_a": self.text_a,
            "text_b": self.text_b,
            "label": self.label,
            "label_meaning": self.label_meaning,
            "predictions": [
                {"position": item.position, "original": item.original, "now": item.now, "kind": str(item.kind)}
                for item in self.predictions
            ],
        }


def describe(
    instance: Instance, vocabulary: Vocabulary | None, *, label_meanings: Mapping[str, str] = BERT_LABEL_MEANINGS
) -> Description:
    """Puts an instance into words.

    Args:
        instance: of any make.
        vocabulary: the one it was made with; None: pieces are ids.
        label_meanings: what each next_sentence_label says, by its digits.

    Raises:
        RecordError: it has ids that the vocabulary has not.
    """
    if vocabulary:
        _require_known(instance, vocabulary)
    segment_a, segment_b = _segments(instance, vocabulary)
    slots = instance.used_slots
    positions, originals = instance.masked_lm_positions[slots], instance.masked_lm_ids[slots]
    restored = instance.input_word_ids.copy()
    restored[positions] = originals
    label = instance.label
    return Description(
        pieces=_pieces(instance.input_word_ids[: instance.length], vocabulary),
        segment_a=segment_a,
        segment_b=segment_b,
        text_a=_text(restored[segment_a.start : segment_a.stop], vocabulary),
        text_b=_text(restored[segment_b.start : segment_b.stop], vocabulary),
        predictions=_predictions(positions, originals, instance.input_word_ids[positions], vocabulary),
        slots=len(instance.masked_lm_positions),
        width=len(instance.input_word_ids),
        label=label,
        label_meaning=None if label is None else label_meanings.get(str(label), "no meaning known"),
    )


def _require_known(instance: Instance, vocabulary: Vocabulary) -> None:
    used = {
        "input_word_ids": instance.input_word_ids,
        "masked_lm_ids": instance.masked_lm_ids[instance.used_slots],
    }
    for name, ids in used.items():
        unknown = ids[(ids < 0) | (ids >= len(vocabulary.pieces))]
        if len(unknown):
            raise RecordError(
                f"{name} has {unknown[0]}; expected 0 to {len(vocabulary.pieces) - 1}, the ids of the vocabulary; "
                f"give the one these records were made with"
            )


def _segments(instance: Instance, vocabulary: Vocabulary | None) -> tuple[range, range]:
    """The positions of A and B without [CLS] and [SEP], where they are such and not text."""
    ids, middle, end = instance.input_word_ids, instance.a_length, instance.length
    if not end:
        return range(0), range(0)
    # Without a vocabulary the ends must be trusted: whatever comes first is [CLS], whatever comes last is [SEP].
    cls_id, sep_id = (vocabulary.cls_id, vocabulary.sep_id) if vocabulary else (ids[0], ids[end - 1])
    start = 1 if ids[0] == cls_id else 0

    def without_separator(first: int, past: int) -> range:
        return range(first, max(first, past - 1 if past and ids[past - 1] == sep_id else past))

    return without_separator(start, middle), without_separator(middle, end)


def _predictions(
    positions: NDArray[np.int64], originals: NDArray[np.int64], now: NDArray[np.int64], vocabulary: Vocabulary | None
) -> tuple[Prediction, ...]:
    rows = zip(positions.tolist(), originals.tolist(), now.tolist(), strict=True)
    pieces = zip(_pieces(originals, vocabulary), _pieces(now, vocabulary), strict=True)
    return tuple(
        Prediction(position, *texts, _kind(before, after, vocabulary))
        for (position, before, after), texts in zip(rows, pieces, strict=True)
    )


def _kind(original: int, now: int, vocabulary: Vocabulary | None) -> Kind:
    if vocabulary and now == vocabulary.mask_id:
        return Kind.MASKED
    if now == original:
        return Kind.KEPT
    return Kind.RANDOM if vocabulary else Kind.REPLACED


def _pieces(ids: NDArray[np.int64], vocabulary: Vocabulary | None) -> tuple[str, ...]:
    return tuple(vocabulary.pieces[token] if vocabulary else str(token) for token in ids.tolist())


def _text(ids: NDArray[np.int64], vocabulary: Vocabulary | None) -> str:
    pieces = _pieces(ids, vocabulary)
    return join_pieces(pieces) if vocabulary else " ".join(pieces)
