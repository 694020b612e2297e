"""The figures people ask of a dataset, as rows of text; the report and the dataset card lay them out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from mlm_data.config import MaskingSettings, Settings
from mlm_data.manifest import Manifest
from mlm_data.objectives import NO_PARITY, find_objective
from mlm_data.statistics import DocumentStatistics, InstanceStatistics, LengthCount

NONE = "-"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table.

    Attributes:
        label: what is told.
        values: one for each column.
        is_part: whether it is a part of the row above that is none.
    """

    label: str
    values: tuple[str, ...]
    is_part: bool = False


def format_count(number: int) -> str:
    """A number people can read: 1,234,567."""
    return f"{number:,}"


def format_share(part: float, whole: float) -> str:
    """A percentage of two decimals; a dash where there is nothing to be a part of."""
    if not whole:
        return NONE
    return "<0.01%" if 0 < part / whole < 0.00005 else f"{part / whole:.2%}"


def format_rate(share: float) -> str:
    """A share that was asked for, as a percentage without needless digits."""
    return f"{100 * share:g}%"


def format_ratio(dividend: float, divisor: float) -> str:
    """A quotient of one decimal; a dash where the divisor is 0."""
    return f"{dividend / divisor:,.1f}" if divisor else NONE


def format_bytes(size: float) -> str:
    """A size in decimal units: 1.24 GB."""
    unit = "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:,.0f} bytes" if unit == "bytes" else f"{size:,.2f} {unit}"


def splits_of(manifest: Manifest, instances: Mapping[str, InstanceStatistics]) -> tuple[str, ...]:
    """The splits that hold anything, training first."""
    return tuple(
        split
        for split in sorted({*manifest.shards, *instances})
        if manifest.shards.get(split) or (split in instances and instances[split].instances)
    )


def instances_of(split: str, manifest: Manifest, instances: Mapping[str, InstanceStatistics]) -> InstanceStatistics:
    """The statistics of a split, of no instance where there are none."""
    none = InstanceStatistics.none(manifest.max_seq_length, manifest.max_predictions_per_seq)
    return instances.get(split, none)


def total_of(manifest: Manifest, instances: Mapping[str, InstanceStatistics]) -> InstanceStatistics:
    """The statistics of all splits together."""
    none = InstanceStatistics.none(manifest.max_seq_length, manifest.max_predictions_per_seq)
    return sum(instances.values(), start=none)


def fill(statistics: InstanceStatistics, manifest: Manifest) -> str:
    """Share of the sequence positions that hold a token rather than padding."""
    padding = sum(part.padding for part in statistics.by_length(tuple(manifest.slots_by_length)))
    return format_share(statistics.tokens, statistics.tokens + padding)


def document_rows(documents: DocumentStatistics) -> list[Row]:
    """What became of the documents; the columns are a count and what it is a part of."""
    rejected = sum(documents.rejections.values())
    repaired = [
        Row(f"repaired: {repair}", (format_count(count), f"{format_share(count, documents.kept)} of kept"), True)
        for repair, count in documents.repairs.items()
    ]
    reasons = [
        Row(f"rejected: {reason}", (format_count(count), f"{format_share(count, documents.read)} of read"), True)
        for reason, count in documents.rejections.items()
    ]
    return [
        Row("Documents read", (format_count(documents.read), "")),
        Row(
            "Documents kept", (format_count(documents.kept), f"{format_share(documents.kept, documents.read)} of read")
        ),
        *repaired,
        Row("Documents rejected", (format_count(rejected), f"{format_share(rejected, documents.read)} of read")),
        *reasons,
        Row("Sentences", (format_count(documents.sentences), _each(documents.sentences, documents.kept, "document"))),
        Row("Tokens", (format_count(documents.tokens), _each(documents.tokens, documents.sentences, "sentence"))),
        Row(
            "unknown, [UNK]",
            (
                format_count(documents.unknown_tokens),
                f"{format_share(documents.unknown_tokens, documents.tokens)} of tokens",
            ),
            True,
        ),
    ]


def instance_rows(manifest: Manifest, settings: Settings, instances: Mapping[str, InstanceStatistics]) -> list[Row]:
    """What the shards hold; the columns are those of `splits_of` and what was asked for."""
    splits = splits_of(manifest, instances)
    parts = [instances_of(split, manifest, instances) for split in splits]
    shards = [manifest.shards.get(split, ()) for split in splits]

    def row(label: str, value: Callable[[InstanceStatistics], str], asked: str = "", is_part: bool = False) -> Row:
        return Row(label, (*map(value, parts), asked), is_part)

    objective = find_objective(manifest.objective, manifest.parity)
    pairs = [
        row(
            f"{objective.marked} pairs (label 1)",
            lambda part: format_share(part.marked_pairs, part.instances),
            objective.marked_share,
            True,
        )
    ]
    left_out = [row("pairs left out, no partner to be had", lambda part: format_count(part.left_out), "", True)]
    meetings = [row("[SEP] between documents", lambda part: format_count(part.separators - part.instances), "", True)]
    return [
        row("Instances", lambda part: format_count(part.instances)),
        *(pairs if objective.label_meanings else []),
        *(left_out if objective.takes_partners else []),
        *(meetings if objective.segments == 1 and settings.pairing.mlm_packing == "full_sentences" else []),
        row("Tokens", lambda part: format_count(part.tokens)),
        row("per instance", lambda part: format_ratio(part.tokens, part.instances), "", True),
        row("fill: tokens in all positions", lambda part: fill(part, manifest), "", True),
        *(_length_rows(manifest, parts) if manifest.sequence_buckets else []),
        *(_prediction_rows(settings.masking, manifest.parity, parts) if manifest.max_predictions_per_seq else []),
        Row("Shards", (*(format_count(len(part)) for part in shards), "")),
        Row("bytes", (*(format_bytes(sum(shard.size for shard in part)) for part in shards), ""), True),
    ]


def _length_rows(manifest: Manifest, parts: Sequence[InstanceStatistics]) -> list[Row]:
    """How many instances are padded to which length, and what is saved over one length for all."""
    longest, lengths = manifest.max_seq_length, tuple(manifest.slots_by_length)
    counts = [part.by_length(lengths) for part in parts]
    rows = [
        Row(f"padded to {of_one[0].length}", (*map(_describe, of_one), ""), True)
        for of_one in zip(*counts, strict=True)
    ]
    now = [sum(count.padding for count in of_part) for of_part in counts]
    positions = [part.instances * longest for part in parts]
    before = [whole - part.tokens for whole, part in zip(positions, parts, strict=True)]
    saved = [one - other for one, other in zip(before, now, strict=True)]
    return [
        *rows,
        Row(f"padding saved over {longest} for all", (*map(format_share, saved, before), ""), True),
        Row(f"positions saved over {longest} for all", (*map(format_share, saved, positions), ""), True),
    ]


def _describe(count: LengthCount) -> str:
    full = format_share(count.tokens, count.tokens + count.padding)
    return f"{format_count(count.instances)}, {full} full" if count.instances else format_count(0)


def _prediction_rows(masking: MaskingSettings, parity: str, parts: Sequence[InstanceStatistics]) -> list[Row]:
    """How many tokens are to be predicted, and what became of them."""

    def row(label: str, value: Callable[[InstanceStatistics], str], asked: str = "", is_part: bool = True) -> Row:
        return Row(label, (*map(value, parts), asked), is_part)

    rate = f"{format_rate(masking.masked_lm_prob)} of an instance, 1 to {masking.max_predictions_per_seq}"
    hidden, other, kept = map(
        format_rate, (masking.mask_token_prob, masking.random_token_prob, masking.kept_token_prob)
    )
    drawn = other if parity == NO_PARITY else f"{other}, any of the vocabulary"
    return [
        row("Predicted tokens", lambda part: format_count(part.predicted), "", False),
        row("of all tokens", lambda part: format_share(part.predicted, part.tokens), rate),
        row("of those but [CLS] and [SEP]", lambda part: format_share(part.predicted, _candidates(part))),
        row("now [MASK]", lambda part: format_share(int(part.replacements[0]), part.predicted), hidden),
        row("now another token", lambda part: format_share(int(part.replacements[1]), part.predicted), drawn),
        row("as they were", lambda part: format_share(int(part.replacements[2]), part.predicted), kept),
    ]


def _each(number: int, owners: int, owner: str) -> str:
    return f"{format_ratio(number, owners)} a {owner}"


def _candidates(statistics: InstanceStatistics) -> int:
    return int(statistics.candidates.sum())
