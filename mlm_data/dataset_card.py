"""`README.md` of a dataset: what it is, how it was made, how to read it, and what it is not."""

from __future__ import annotations

import shlex
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from mlm_data import summary
from mlm_data.config import MaskingSettings, Settings
from mlm_data.examples import FEATURES
from mlm_data.manifest import Manifest
from mlm_data.shards import TRAIN, VALIDATION
from mlm_data.statistics import DocumentStatistics, InstanceStatistics
from mlm_data.summary import Row, format_count, format_rate
from mlm_data.tfds_metadata import is_readable, number_of_values

MEANINGS = {
    "input_word_ids": "ids of `[CLS] A [SEP] B [SEP]`, some tokens masked, then `[PAD]`",
    "input_mask": "1 for tokens, 0 for padding",
    "input_type_ids": "0 for `[CLS] A [SEP]` and padding, 1 for `B [SEP]`",
    "masked_lm_positions": "where tokens are to be predicted, ascending, then 0",
    "masked_lm_ids": "the ids that stood there, then 0",
    "masked_lm_weights": "1 for positions in use, 0 for the rest",
    "next_sentence_labels": "see below",
}

_OBJECTIVES = {"nsp": "next sentence prediction"}


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
        _tell_how_to_read(manifest),
        _tell_limits(manifest),
    ]
    return "\n\n".join(sections) + "\n"


def _introduce(manifest: Manifest, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]) -> str:
    number = format_count(summary.total_of(manifest, instances).instances)
    objective = _OBJECTIVES.get(manifest.objective, manifest.objective)
    return "# BERT pre-training data\n\n" + _paragraph(
        f"{number} instances of up to {manifest.max_seq_length} WordPiece tokens for masked language modelling with "
        f"{objective}, made from {format_count(documents.kept)} documents.",
        "Pictures and further figures are in `report.html`, the files and their checksums in `manifest.json`.",
    )


def _describe_records(manifest: Manifest) -> str:
    rows = [
        Row(
            f"`{feature.name(manifest.feature_names)}`",
            (f"{feature.dtype} [{number_of_values(feature, manifest)}]", MEANINGS[feature.v2]),
        )
        for feature in FEATURES
    ]
    return f"""## Records

TFRecord files of `tf.train.Example`, one training instance each:

{_table(("feature", "type", "meaning"), rows)}

Ids are line numbers of `vocab.txt`, counted from 0."""


def _describe_labels(manifest: Manifest) -> str:
    if not manifest.label_meanings:
        return "There are no labels: segments are not paired."
    meanings = [f"- {label}: {meaning}" for label, meaning in sorted(manifest.label_meanings.items())]
    polarity = _paragraph(
        "This is the polarity of google-research/bert.",
        "Some programs have it the other way round (1: B follows A); do not mix the two in one training.",
    )
    return "\n".join(["Labels say how the two segments belong together:", "", *meanings, "", polarity])


def _count(
    manifest: Manifest, settings: Settings, documents: DocumentStatistics, instances: Mapping[str, InstanceStatistics]
) -> str:
    splits = summary.splits_of(manifest, instances)
    return f"""## Counts

{_table(("", *splits, "asked for"), summary.instance_rows(manifest, settings, instances))}

{_table(("", "count", ""), summary.document_rows(documents))}"""


def _tell_how_made(manifest: Manifest, settings: Settings) -> str:
    pairing, masking = settings.pairing, settings.masking
    case = "lower-cased and stripped of accents" if manifest.do_lower_case else "with case and accents as they are"
    passes = f"{manifest.dupe_factor} times, paired and masked anew each time" if manifest.dupe_factor > 1 else "once"
    limit = "" if masking.masking == "token" else "at most "
    story = _paragraph(
        f"Text was cut into sentences ({settings.sentences.sentence_splitter}, language "
        f"{settings.sentences.language}), then into WordPieces, {case} (`vocab.txt`: "
        f"{format_count(manifest.vocab_size)} entries, sha256 `{manifest.vocab_sha256}`).",
        f"Consecutive sentences were gathered up to {manifest.max_seq_length} tokens (in {pairing.short_seq_prob:.0%} "
        f"of cases up to a random shorter length) and cut at a sentence boundary into A and B.",
        f"Of each instance {limit}{format_rate(masking.masked_lm_prob)} of the tokens are predicted "
        f"({_describe_masking(masking)}, 1 to {manifest.max_predictions_per_seq}): "
        f"{format_rate(masking.mask_token_prob)} of these read `[MASK]`, {format_rate(masking.random_token_prob)} "
        f"another token, {format_rate(masking.kept_token_prob)} are left as they were.",
        f"The corpus was gone through {passes}; seed {manifest.random_seed}.",
        "The same input and settings give the same bytes again.",
    )
    return f"## How it was made\n\n{_fence('sh', _command(settings))}\n\n{story}"


def _describe_masking(masking: MaskingSettings) -> str:
    return {
        "token": "single tokens",
        "whole_word": "whole words",
        "ngram": f"whole words, one to {masking.max_ngram_size} in a row",
        "span": "whole words, one to ten in a row, which are hidden all in the same way",
    }[masking.masking]


def _tell_how_to_read(manifest: Manifest) -> str:
    suffix = "tfrecord.gz" if manifest.compression == "gzip" else "tfrecord"
    sections = [
        "## How to read it",
        "In this directory; batch first, then parse, since parsing one by one is many times slower:",
        _fence("python", _tf_data(manifest, suffix)),
        "With TensorFlow Datasets:" if is_readable(manifest) else "TensorFlow Datasets cannot read gzip'd shards.",
        *([_fence("python", _TFDS)] if is_readable(manifest) else []),
        "With TF Model Garden, experiment `bert/pretraining`:",
        _fence("yaml", _model_garden(manifest, suffix)),
    ]
    return "\n\n".join(sections)


def _tell_limits(manifest: Manifest) -> str:
    passes = f" The {manifest.dupe_factor} passes follow one another in the order of the shards' names."
    limits = [
        "Records are in random order within a shard, but a shard holds only its own documents: interleave several "
        "shards, in random order, and shuffle." + (passes if manifest.dupe_factor > 1 else ""),
        "Exact duplicates of documents were dropped, near duplicates were not; they may lie on both sides of a split.",
        "The B of a random pair is from another document, which may be about the same matter.",
        "A document of one sentence has no pair to give and is not in the data.",
        "The texts keep the licence, the errors and the biases they came with.",
    ]
    bullets = (_paragraph(f"- {limit}", subsequent_indent="  ") for limit in limits)
    return "\n".join(["## Known limits", "", *bullets])


def _paragraph(*sentences: str, subsequent_indent: str = "") -> str:
    return textwrap.fill(
        " ".join(sentences), 100, subsequent_indent=subsequent_indent, break_long_words=False, break_on_hyphens=False
    )


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
    values = value if isinstance(value, tuple | list) else [value]
    return [f"--{name} {shlex.quote(str(item))}" for item in values]


def _tf_data(manifest: Manifest, suffix: str) -> str:
    features = "\n".join(
        f'    "{feature.name(manifest.feature_names)}": '
        f"tf.io.FixedLenFeature([{number_of_values(feature, manifest)}], tf.{feature.dtype}),"
        for feature in FEATURES
    )
    compression = "GZIP" if manifest.compression == "gzip" else ""
    return f"""import tensorflow as tf

FEATURES = {{
{features}
}}


def read_shard(path):
    return tf.data.TFRecordDataset(path, compression_type="{compression}")


dataset = (
    tf.data.Dataset.list_files("{TRAIN}-*.{suffix}", shuffle=True, seed=1)
    .interleave(read_shard, cycle_length=16, num_parallel_calls=tf.data.AUTOTUNE)
    .shuffle(20_000, seed=1)
    .batch(256, drop_remainder=True)
    .map(lambda records: tf.io.parse_example(records, FEATURES), num_parallel_calls=tf.data.AUTOTUNE)
    .prefetch(tf.data.AUTOTUNE)
)"""


_TFDS = f"""import tensorflow_datasets as tfds

dataset = tfds.builder_from_directory(".").as_dataset(split="{TRAIN}", shuffle_files=True)"""


def _model_garden(manifest: Manifest, suffix: str) -> str:
    validation = ""
    if manifest.shards.get(VALIDATION):
        # The default would drop the last batch, which may be all there is.
        validation = f"\n  validation_data:{_model_garden_data(VALIDATION, manifest, suffix)}"
        validation += "\n    is_training: false\n    drop_remainder: false"
    return f"""task:
  model:
    encoder:
      bert:
        vocab_size: {manifest.vocab_size}
        max_position_embeddings: {max(512, manifest.max_seq_length)}
  train_data:{_model_garden_data(TRAIN, manifest, suffix)}{validation}"""


def _model_garden_data(split: str, manifest: Manifest, suffix: str) -> str:
    file_type = "tfrecord_compressed" if manifest.compression == "gzip" else "tfrecord"
    return f"""
    input_path: {split}-*.{suffix}
    file_type: {file_type}
    seq_length: {manifest.max_seq_length}
    max_predictions_per_seq: {manifest.max_predictions_per_seq}
    use_next_sentence_label: {str(bool(manifest.label_meanings)).lower()}
    use_position_id: false
    use_v2_feature_names: {str(manifest.feature_names == "v2").lower()}"""


def _fence(language: str, code: str) -> str:
    return f"```{language}\n{code}\n```"


def _table(columns: Sequence[str], rows: Sequence[Row]) -> str:
    """A Markdown table; the parts of a row are indented under it."""
    head = [_cells(columns), _cells([":--", *["--:" if column != "meaning" else ":--" for column in columns[1:]]])]
    return "\n".join([*head, *(_cells([("- " if row.is_part else "") + row.label, *row.values]) for row in rows)])


def _cells(values: Sequence[str]) -> str:
    return f"| {' | '.join(value.replace('|', chr(92) + '|') for value in values)} |"
