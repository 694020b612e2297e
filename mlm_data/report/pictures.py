"""Which pictures the report shows of a split, and what a person should look for in each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mlm_data.config import MaskingSettings, Settings
from mlm_data.objectives import NO_PARITY, OBJECTIVES
from mlm_data.report import drawing
from mlm_data.report.expectation import distance, expected_predictions, selection_rates
from mlm_data.shards import WrittenShard
from mlm_data.statistics import InstanceStatistics
from mlm_data.summary import format_rate

_LENGTH, _LENGTH_UNIT = "Instance length", "tokens, specials counted"
_PARITY_HOPES = {"bert": "At par with google-research/bert, the line need not run along the edge of the area"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture with its words.

    Attributes:
        title: what it shows.
        caption: what to look for, one sentence.
        description: what it shows in numbers, for those who do not see it.
        svg: an <svg> element.
    """

    title: str
    caption: str
    description: str
    svg: str


def draw_pictures(
    split: str,
    statistics: InstanceStatistics,
    shards: Sequence[WrittenShard],
    settings: Settings,
    passes: int,
) -> list[Picture]:
    """All pictures of one split.

    Args:
        split: its name.
        statistics: at least one instance.
        shards: in the order of the manifest; of each length and pass equally many.
        settings: of the run.
        passes: how often the corpus was gone through.
    """
    is_paired = OBJECTIVES[settings.pairing.objective].segments == 2
    pictures = [
        *(
            _draw_pairs(split, statistics, settings.pairing.parity)
            if is_paired
            else [_draw_packing(split, statistics.lengths.sum(axis=0))]
        ),
        *(_draw_masking(split, statistics, settings.masking) if settings.masking.max_predictions_per_seq else []),
    ]
    if not shards:
        return pictures
    buckets = settings.pairing.sequence_buckets
    name = f"{split}-shards"
    return [
        *pictures,
        _draw_shards_of_lengths(name, shards, buckets) if buckets else _draw_shards(name, shards, passes),
    ]


def _draw_pairs(split: str, statistics: InstanceStatistics, parity: str) -> list[Picture]:
    hope = "The line should run along the edge of the area" if parity == NO_PARITY else _PARITY_HOPES[parity]
    return [
        _draw_by_label(f"{split}-length", statistics.lengths, _LENGTH, _LENGTH_UNIT, hope),
        _draw_by_label(f"{split}-a", statistics.a_lengths, "Length of segment A", "tokens of A", hope),
        _draw_by_label(f"{split}-b", statistics.b_lengths, "Length of segment B", "tokens of B", hope),
    ]


def _draw_packing(split: str, lengths: NDArray[np.int64]) -> Picture:
    return Picture(
        _LENGTH,
        "Sentences are left whole: most instances should be short of the right end by less than a sentence.",
        f"Share of instances by length ({_LENGTH_UNIT}); median {_median(lengths)}.",
        drawing.draw_shares(f"{split}-length", [drawing.Series("instances", lengths)], _LENGTH_UNIT, is_log=True),
    )


def _draw_by_label(name: str, histogram: NDArray[np.int64], title: str, unit: str, hope: str) -> Picture:
    is_log = title == _LENGTH  # most instances may be full, the others spread thinly: 90 % and 0.1 % in one picture
    present = [label for label in (0, 1) if histogram[label].any()]
    medians = " and ".join(f"{_median(histogram[label])} for label {label}" for label in present)
    return Picture(
        title,
        f"{hope}; {_compare(histogram[0], histogram[1])}."
        if len(present) == 2
        else "All instances have the same label.",
        f"Share of instances by {title[0].lower() + title[1:]} ({unit}); median {medians}.",
        drawing.draw_shares(
            name, [drawing.Series(f"label {label}", histogram[label]) for label in present], unit, is_log=is_log
        ),
    )


def _compare(one: NDArray[np.int64], other: NDArray[np.int64]) -> str:
    gap, limit = distance(one, other)
    if gap > limit:
        verdict = f"they differ by {gap:.2%}, more than the {limit:.2%} of mere chance, and the label can be guessed"
    else:
        verdict = f"they differ by {gap:.2%} at most, and mere chance allows {limit:.2%}"
    return f"added up from the left, {verdict}"


def _draw_masking(split: str, statistics: InstanceStatistics, settings: MaskingSettings) -> list[Picture]:
    return [
        _draw_predictions(f"{split}-predictions", statistics, settings),
        _draw_selection(f"{split}-selection", statistics, settings),
    ]


def _draw_predictions(name: str, statistics: InstanceStatistics, settings: MaskingSettings) -> Picture:
    limit = f"at least 1, at most {settings.max_predictions_per_seq}"
    expected = expected_predictions(statistics, settings)
    if settings.masking == "token":
        relation = "Each bar should end at its dot,"
    else:
        relation = "Since whole words seldom fill a budget, bars lie a little to the left of the dots; a dot is"
    return Picture(
        "Predicted tokens per instance",
        f"{relation} the share of instances whose length asks for so many "
        f"({format_rate(settings.masked_lm_prob)} of the tokens, {limit}).",
        f"Share of instances by number of predicted tokens; median {_median(statistics.predictions)}, "
        f"expected {_median(expected)}.",
        drawing.draw_counts(name, statistics.predictions, expected, "predicted tokens"),
    )


def _draw_selection(name: str, statistics: InstanceStatistics, settings: MaskingSettings) -> Picture:
    rates = selection_rates(statistics, settings)
    overall = statistics.predicted / int(statistics.candidates.sum())
    return Picture(
        "Chance of being predicted, by position",
        f"The dots should scatter about the line and all but one in a thousand lie within the band "
        f"({rates.outside} of {len(rates.positions)} do not): masking should prefer no position.",
        f"Share of the tokens other than [CLS] and [SEP] that are predicted, by position in the instance; "
        f"{overall:.2%} over all positions.",
        drawing.draw_rates(name, rates, "position"),
    )


def _draw_shards(name: str, shards: Sequence[WrittenShard], passes: int) -> Picture:
    boundaries = _boundaries(len(shards), passes)
    alike = ", and each pass (between dotted lines) should look like the next" if boundaries else ""
    caption = f"No shard should be much larger than the others, since readers would wait for it{alike}."
    return _draw_sizes(name, shards, boundaries, caption)


def _draw_shards_of_lengths(name: str, shards: Sequence[WrittenShard], lengths: Sequence[int]) -> Picture:
    shown = ", ".join(map(str, lengths))
    caption = f"No shard should be much larger than the others of its length ({shown}, between dotted lines)."
    return _draw_sizes(name, shards, _boundaries(len(shards), len(lengths)), caption)


def _boundaries(shards: int, parts: int) -> range:
    """Where the parts meet; nowhere if they are too small or too many to be seen."""
    per_part = shards // parts
    return range(per_part, shards, per_part) if per_part > 1 and parts <= 64 else range(0)


def _draw_sizes(name: str, shards: Sequence[WrittenShard], boundaries: range, caption: str) -> Picture:
    sizes = np.array([shard.records for shard in shards], np.int64)
    return Picture(
        "Records per shard",
        caption,
        f"Records of each of {len(sizes):,} shards, from {sizes.min():,} to {sizes.max():,}; median "
        f"{np.median(sizes):,.0f}.",
        drawing.draw_sizes(name, sizes, boundaries, "shard"),
    )


def _median(counts: NDArray[np.int64]) -> int:
    """The value that half of the counted things do not exceed."""
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
