"""What the card tells people to type is true."""

from __future__ import annotations

import ast
import re
import shlex

import pytest

from mlm_data.config import Settings, section_types
from mlm_data.dataset_card import MEANINGS, render_card
from mlm_data.examples import FEATURES, decode_example, encode_batch, features_of
from pipelines.command_line import FlagParser
from tests.finished import finished_dataset, masked_batch

UNUSUAL = {"feature_names": "v1", "max_seq_length": 64, "max_predictions_per_seq": 9, "compression": "gzip"}


def code_blocks(card: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", card, re.DOTALL)


@pytest.mark.parametrize("flags", [{}, UNUSUAL, {"objective": "mlm"}, {"masking": "none"}])
def test_python_in_it_compiles_and_parses_these_records(flags):
    dataset = finished_dataset(**flags)
    blocks = code_blocks(render_card(*dataset.parts), "python")
    trees = [ast.parse(block) for block in blocks]
    assert len(trees) == (1 if "compression" in flags else 2)
    assert ('compression_type="GZIP"' in blocks[0]) == ("compression" in flags)

    table = next(
        node.value for node in trees[0].body if isinstance(node, ast.Assign) and node.targets[0].id == "FEATURES"
    )
    parsed = {
        key.value: (call.args[0].elts[0].value, call.args[1].attr)
        for key, call in zip(table.keys, table.values, strict=True)
    }
    features = features_of(dataset.manifest.objective, dataset.manifest.masking)
    encoded = encode_batch(masked_batch(dataset.settings, 9, 0), dataset.settings.shards.feature_names, features)
    record = decode_example(next(encoded.records()))
    assert parsed == {name: (len(values), values.dtype.name) for name, values in record.items()}


@pytest.mark.parametrize("flags", [{}, UNUSUAL, {"objective": "sop"}, {"objective": "mlm"}])
def test_model_garden_is_told_what_the_manifest_says(flags):
    dataset = finished_dataset(**flags)
    (block,) = code_blocks(render_card(*dataset.parts), "yaml")
    assert f"vocab_size: {dataset.manifest.vocab_size}\n" in block
    _, _, train = block.partition("train_data:\n")
    fields = dict(line.strip().split(": ") for line in train.partition("validation_data:")[0].strip().splitlines())
    assert fields["input_path"] == dataset.manifest.shards["train"][0].name.replace("00000-of-00004", "*")
    assert fields["file_type"] == ("tfrecord_compressed" if flags == UNUSUAL else "tfrecord")
    assert fields["seq_length"] == str(dataset.manifest.max_seq_length)
    assert fields["max_predictions_per_seq"] == str(dataset.manifest.max_predictions_per_seq)
    assert fields["use_v2_feature_names"] == ("false" if flags == UNUSUAL else "true")
    has_labels = flags.get("objective") != "mlm"
    assert fields["use_next_sentence_label"] == ("true" if has_labels else "false")
    assert ("cls_heads: []" in block) != has_labels


@pytest.mark.parametrize("flags", [{}, {**UNUSUAL, "do_lower_case": False, "masked_lm_prob": 0.25, "language": "de"}])
def test_command_in_it_makes_the_same_dataset(flags):
    dataset = finished_dataset(**flags)
    (block,) = code_blocks(render_card(*dataset.parts), "sh")
    words = shlex.split(block.replace("\\\n", ""))
    parser = FlagParser("a test")
    for name, section in section_types().items():
        parser.add_section(name, section)
    namespace, unknown = parser.parse_flags(words[1:])
    assert (words[0], unknown) == ("make-pretraining-data", [])
    expected = dataset.settings.to_flags() | {"vocab_file": "vocab.txt", "output_dir": "OUTPUT_DIR"}
    assert Settings.from_flags(vars(namespace)).to_flags() == expected


def test_card_says_what_labels_mean_and_how_much_there_is():
    dataset = finished_dataset()
    card = render_card(*dataset.parts)
    assert "- 0: B follows A in its document\n- 1: B comes from another document\n" in card
    assert f"| Instances | {dataset.instances['train'].instances:,} |" in card
    assert "| Documents kept | 1,234 |" in card
    assert "/secret" not in card
    assert {feature.v2 for feature in FEATURES} == set(MEANINGS)
    rows = [line.count("|") for line in card.splitlines() if line.startswith("|")]
    assert set(rows) == {4}


def test_card_of_several_lengths_tells_each_reader_what_it_can_read():
    flags = {"sequence_buckets": [32, 64, 128], "splits": ("train", "validation")}
    card = render_card(*finished_dataset(**flags).parts)
    assert "| `*-seq64-*.tfrecord` | 64 | 10 |" in card
    assert "| `masked_lm_ids` | int64 [P] |" in card
    assert "--sequence_buckets 32 64 128 \\\n" in card
    assert "over all lengths together" in card
    assert "TensorFlow Datasets cannot read these shards" in card
    (block,) = code_blocks(card, "yaml")
    train, _, validation = block.partition("validation_data:")
    assert "input_path: train-*.tfrecord\n    seq_bucket_lengths: [32, 64, 128]\n" in train
    assert "input_path: validation-seq128-*.tfrecord\n    file_type: tfrecord\n    seq_length: 128\n" in validation
    assert "bert/pretraining_dynamic" in card
    assert not code_blocks(render_card(*finished_dataset(**flags, compression="gzip").parts), "yaml")


def test_card_leaves_masking_to_the_trainer():
    card = render_card(*finished_dataset(masking="none", objective="mlm").parts)
    assert "`input_word_starts` | int64 [128] |" in card
    assert "No token is masked" in card
    assert "packed anew each time" in " ".join(card.split())
    assert not code_blocks(card, "yaml")
    for word in ("predicted", "masked_lm", "some tokens masked", "[MASK]"):
        assert word not in card


def test_card_speaks_of_its_own_objective():
    dataset = finished_dataset(objective="sop")
    swapped, statistics = render_card(*dataset.parts), dataset.instances["train"]
    assert "- 1: swapped: A follows B in its document\n" in swapped
    assert "the polarity of google-research/albert." in swapped
    assert f"| - swapped pairs (label 1) | {statistics.marked_pairs / statistics.instances:.2%} | 50% |" in swapped
    alone = render_card(*finished_dataset(objective="mlm", mlm_packing="doc_sentences").parts)
    assert "There are no labels" in alone
    assert "never of two documents in one" in " ".join(alone.split())
    for card in (swapped, alone):
        assert "random pair" not in card
        assert "no partner" not in card
