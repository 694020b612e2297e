"""The one schema of training records; writers, readers, trainer and validator take names and types from it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from mlm_data.config import NO_MASKING
from mlm_data.objectives import OBJECTIVES


class Width(StrEnum):
    """How many values a feature has; the value is the setting that says so."""

    SEQUENCE = "max_seq_length"
    PREDICTIONS = "max_predictions_per_seq"
    ONE = "1"


@dataclass(frozen=True, slots=True)
class Feature:
    """One feature of a record: its names (v2: TF Model Garden, v1: google-research/bert), type and number of values."""

    v2: str
    v1: str
    dtype: str
    width: Width

    def name(self, feature_names: str) -> str:
        """Its name under `--feature_names`, "v2" or "v1"."""
        return self.v1 if feature_names == "v1" else self.v2


FEATURES = (
    Feature("input_word_ids", "input_ids", "int64", Width.SEQUENCE),
    Feature("input_mask", "input_mask", "int64", Width.SEQUENCE),
    Feature("input_type_ids", "segment_ids", "int64", Width.SEQUENCE),
    Feature("input_word_starts", "input_word_starts", "int64", Width.SEQUENCE),
    Feature("masked_lm_positions", "masked_lm_positions", "int64", Width.PREDICTIONS),
    Feature("masked_lm_ids", "masked_lm_ids", "int64", Width.PREDICTIONS),
    Feature("masked_lm_weights", "masked_lm_weights", "float32", Width.PREDICTIONS),
    Feature("next_sentence_labels", "next_sentence_labels", "int64", Width.ONE),
)


def features_of(objective: str, masking: str) -> tuple[Feature, ...]:
    """Those of `FEATURES` that the records of an objective and a way of masking have, in that order."""
    is_masked = masking != NO_MASKING
    absent = {"input_word_starts"} if is_masked else {item.v2 for item in FEATURES if item.width is Width.PREDICTIONS}
    if not OBJECTIVES[objective].label_meanings:
        absent.add("next_sentence_labels")
    return tuple(feature for feature in FEATURES if feature.v2 not in absent)


BERT_FEATURES = features_of("nsp", "token")
