"""`README.md` of a dataset: what it is, how it was made, how to read it, and what it is not."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from mlm_data import summary
from mlm_data.config import MaskingSettings, PairingSettings, Settings
from mlm_data.dataset_card.markdown import fence, paragraph, table
from mlm_data.dataset_card.reading import tell_how_to_read
from mlm_data.examples import Feature, Width, features_of
from mlm_data.manifest import Manifest
from mlm_data.objectives import NO_PARITY, OBJECTIVES, find_objective
from mlm_data.shards import shard_pattern
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.summary import Row, format_count, format_rate
from mlm_data.tfds_metadata import number_of_values

MEANINGS = {
    "input_word_ids": "ids of `[CLS] A [SEP] B [SEP]`, some tokens masked, then `[PAD]`",
    "input_mask": "1 for tokens, 0 for padding",
    "input_type_ids": "0 for `[CLS] A [SEP]` and padding, 1 for `B [SEP]`",
    "input_word_starts": "1 where a word begins, 0 on its further pieces, `[CLS]`, `[SEP]` and padding",
    "masked_lm_positions": "where tokens are to be predicted, ascending, then 0",
    "masked_lm_ids": "the ids that stood there, then 0",
    "masked_lm_weights": "1 for positions in use, 0 for the rest",
    "next_sentence_labels": "see below",
}
_MEANINGS_OF_ONE_SEGMENT = {
    "input_word_ids": "ids of `[CLS] text [SEP]`, some tokens masked, then `[PAD]`",
    "input_type_ids": "0 throughout",
}

_PADDED_BY_LENGTH = "Each was padded to the shortest length that holds it."
_ONE_SENTENCE = "A document of one sentence has no pair to give and is not in the data."
_LIMITS_OF_OBJECTIVE = {
    "nsp": ("The B of a random pair is from another document, which may be about the same matter.", _ONE_SENTENCE),
    "sop": (
        "Where long sentences tend to follow short ones, as text follows a title, lengths say a little of the order.",
        _ONE_SENTENCE,
    ),
    "mlm": ("Sentences are not cut to fill an instance, so that short instances hold padding.",),
}
_LIMITS_OF_PARITY = {
    "bert": (
        "More than half of the pairs are random, since those of a single sentence always are; lengths betray the "
        "label, and a model may learn them in place of the text.",
        "The B of a random pair is text of another pair too, and after ten draws in vain it is from the document of A.",
        "Random tokens may be special or unused ones: a predicted token may read `[PAD]` or `[SEP]`.",
    )
}


def render_card(
    manifest: Manifest,
    settings: Settings,
    documents: DocumentStatistics,
    instances: Mapping[str, InstanceStatistics],
) -> str:
    """The content of `README.md`, in Markdown; the same arguments give the same bytes.

    Args:
        manifest: of the finished dataset.
        settings: of the run.
        documents: of the whole corpus.
        instances: by split; one that is absent has none.
    """
    sections = [
        _introduce(manifest, documents, instances),
        _describe_records(manifest),
        _describe_labels(manifest),
        _count(manifest, settings, documents, instances),
        _tell_how_made(manifest, settings),
        tell_how_to_read(manifest),
        _tell_limits(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _introduce(manifest: Manifest, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]) -> str:
    number = format_count(summary.total_of(manifest, instances).instances)
    return "# BERT pre-training data\n\n" + paragraph(
        f"{number} instances of up to {manifest.max_seq_length} WordPiece tokens for "
        f"{find_objective(manifest.objective, manifest.parity).description}, made from "
        f"{format_count(documents.kept)} documents.",
        "Pictures and further figures are in `report.html`, the files and their checksums in `manifest.json`.",
    )


def _describe_records(manifest: Manifest) -> str:
    rows = [
        Row(
            f"`{feature.name(manifest.feature_names)}`",
            (f"{feature.dtype} [{_shown_width(feature, manifest)}]", _meaning(feature, manifest)),
        )
        for feature in features_of(manifest.objective, manifest.masking)
    ]
    return f"""## Records

TFRecord files of `tf.train.Example`, one training instance each:

{table(("feature", "type", "meaning"), rows)}
{_describe_lengths(manifest)}
Ids are line numbers of `vocab.txt`, counted from 0."""


def _shown_width(feature: Feature, manifest: Manifest) -> str:
    """A number, or the letter of a number that each shard has its own of."""
    letters = {Width.SEQUENCE: "L", Width.PREDICTIONS: "P"} if manifest.sequence_buckets else {}
    return letters.get(feature.width, str(number_of_values(feature, manifest)))


def _describe_lengths(manifest: Manifest) -> str:
    """The lengths by shards, where there are several; else nothing."""
    if not manifest.sequence_buckets:
        return ""
    rows = [
        Row(f"`{shard_pattern('*', manifest.compression, length)}`", (str(length), str(slots)))
        for length, slots in manifest.slots_by_length.items()
    ]
    lead = paragraph(
        "The records of a shard are all of one length: an instance is in a shard of the shortest that holds it."
    )
    return f"\n{lead}\n\n{table(('shards', 'L', 'P'), rows)}\n"


def _meaning(feature: Feature, manifest: Manifest) -> str:
    is_paired = OBJECTIVES[manifest.objective].segments == 2
    meaning = (MEANINGS if is_paired else MEANINGS | _MEANINGS_OF_ONE_SEGMENT)[feature.v2]
    return meaning if manifest.max_predictions_per_seq else meaning.replace(", some tokens masked", "")


def _describe_labels(manifest: Manifest) -> str:
    if not manifest.label_meanings:
        return "There are no labels: an instance is one segment."
    meanings = [f"- {label}: {meaning}" for label, meaning in sorted(manifest.label_meanings.items())]
    halves = "Half of the instances have each label over all lengths together, not in every shard."
    polarity = paragraph(
        *([halves] if manifest.sequence_buckets else []),
        f"This is the polarity of {OBJECTIVES[manifest.objective].polarity}.",
        "Some programs have it the other way round (1: B follows A); do not mix the two in one training.",
    )
    return "\n".join(["Labels say how the two segments belong together:", "", *meanings, "", polarity])


def _count(
    manifest: Manifest, settings: Settings, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]
) -> str:
    splits = summary.splits_of(manifest, instances)
    return f"""## Counts

{table(("", *splits, "asked for"), summary.instance_rows(manifest, settings, instances))}

{table(("", "count", ""), summary.document_rows(documents))}"""


def _tell_how_made(manifest: Manifest, settings: Settings) -> str:
    case = "lower-cased and stripped of accents" if manifest.do_lower_case else "with case and accents as they are"
    anew = "packed" if manifest.objective == "mlm" else "paired"
    anew += " and masked" if manifest.max_predictions_per_seq else ""
    passes = f"{manifest.dupe_factor} times, {anew} anew each time" if manifest.dupe_factor > 1 else "once"
    story = paragraph(
        f"Text was cut into sentences ({settings.sentences.sentence_splitter}, language "
        f"{settings.sentences.language}), then into WordPieces, {case} (`vocab.txt`: "
        f"{format_count(manifest.vocab_size)} entries, sha256 `{manifest.vocab_sha256}`).",
        _tell_how_segmented(settings.pairing),
        *([_PADDED_BY_LENGTH] if manifest.sequence_buckets else []),
        _tell_how_masked(settings.masking, manifest.parity),
        f"The corpus was gone through {passes}; seed {manifest.random_seed}.",
        "The same input and settings give the same bytes again.",
    )
    return f"## How it was made\n\n{fence('sh', _command(settings))}\n\n{story}"


def _tell_how_segmented(pairing: PairingSettings) -> str:
    if pairing.objective == "mlm":
        what = {
            "full_sentences": "one document after another with `[SEP]` between them",
            "doc_sentences": "never of two documents in one",
        }[pairing.mlm_packing]
        return (
            f"Whole sentences were packed into instances of up to {pairing.max_seq_length} tokens, {what}; longer "
            f"sentences were cut."
        )
    if pairing.parity != NO_PARITY:
        return (
            f"Pairs were drawn by the law of google-research/bert: consecutive sentences were gathered up to "
            f"{pairing.max_seq_length} tokens (in {pairing.short_seq_prob:.0%} of the documents up to a random shorter "
            f"length) and cut at a sentence boundary into A and B; with chance 1/2, and always where there was but one "
            f"sentence, B was drawn instead, from a random place of a random document of the same shard."
        )
    swap = "; of half of the instances the two were swapped" if pairing.objective == "sop" else ""
    return (
        f"Consecutive sentences were gathered up to {pairing.max_seq_length} tokens (in {pairing.short_seq_prob:.0%} "
        f"of cases up to a random shorter length) and cut at a sentence boundary into A and B{swap}."
    )


def _tell_how_masked(masking: MaskingSettings, parity: str) -> str:
    if not masking.max_predictions_per_seq:
        return (
            "No token is masked: the trainer is to choose, anew each time, among those that are neither `[CLS]` nor "
            "`[SEP]` nor padding. A word goes from its start up to the next start, `[SEP]` or the padding."
        )
    limit = "" if masking.masking == "token" else "at most "
    other = "another token" if parity == NO_PARITY else "any token of the vocabulary"
    units = {
        "token": "single tokens",
        "whole_word": "whole words",
        "ngram": f"whole words, one to {masking.max_ngram_size} in a row",
        "span": "whole words, one to ten in a row, which are hidden all in the same way",
    }[masking.masking]
    return (
        f"Of each instance {limit}{format_rate(masking.masked_lm_prob)} of the tokens are predicted "
        f"({units}, 1 to {masking.max_predictions_per_seq}): "
        f"{format_rate(masking.mask_token_prob)} of these read `[MASK]`, {format_rate(masking.random_token_prob)} "
        f"{other}, {format_rate(masking.kept_token_prob)} are left as they were."
    )


def _tell_limits(manifest: Manifest) -> str:
    passes = f" The {manifest.dupe_factor} passes follow one another in the order of the shards' names."
    by_parity = _LIMITS_OF_PARITY.get(manifest.parity)
    limits = [
        "Records are in random order within a shard, but a shard holds only its own documents: interleave several "
        "shards, in random order, and shuffle." + (passes if manifest.dupe_factor > 1 else ""),
        "Exact duplicates of documents were dropped, near duplicates were not; they may lie on both sides of a split.",
        *(by_parity or _LIMITS_OF_OBJECTIVE[manifest.objective]),
        "The texts keep the licence, the errors and the biases they came with.",
    ]
    bullets = (paragraph(f"- {limit}", subsequent_indent="  ") for limit in limits)
    return "\n".join(["## Known limits", "", *bullets])


def _command(settings: Settings) -> str:
    """The command line that makes this dataset, given its input and its `vocab.txt`."""
    defaults = Settings().to_flags()
    flags = {
        name: value
        for name, value in settings.to_flags().items()
        if value != defaults[name] and name not in {"output_dir", "vocab_file"}
    }
    words = [word for name, value in flags.items() for word in _words(name, value)]
    lines = ["make-pretraining-data", *words, "--vocab_file vocab.txt", "--output_dir OUTPUT_DIR"]
    return " \\\n    ".join(lines)


def _words(name: str, value: Any) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no_{name}"]
    if name == "sequence_buckets":
        return [f"--{name} {' '.join(map(str, value))}"]
    values = value if isinstance(value, tuple | list) else [value]
    return [f"--{name} {shlex.quote(str(item))}" for item in values]
