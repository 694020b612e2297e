"""Checkpoints in Hugging Face's layout. That its own library agrees is shown by `make check-hugging-face`."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from mlm_data.config import SettingsError
from mlm_data.vocabulary import Vocabulary
from tests.tiny_bert import (
    NEXT_SENTENCE,
    VOCABULARY,
    needs_tensorflow,
    outputs_of,
    random_features,
    reference_outputs,
    tiny_config,
    tiny_model,
)

pytestmark = needs_tensorflow


def write(directory: Path, config, model=None) -> Path:
    from mlm_data.training.huggingface import write_checkpoint

    write_checkpoint(model or tiny_model(config), config, VOCABULARY, directory, do_lower_case=True)
    return directory


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write(tmp_path_factory.mktemp("written"), tiny_config())


@pytest.fixture
def checkpoint(written, tmp_path) -> Path:
    """One to change."""
    shutil.copytree(written, tmp_path, dirs_exist_ok=True)
    return tmp_path


def read_tensors(directory: Path) -> dict[str, np.ndarray]:
    from safetensors.numpy import load_file

    return load_file(directory / "model.safetensors")


def save_tensors(directory: Path, tensors) -> None:
    from safetensors.numpy import save_file

    save_file(tensors, directory / "model.safetensors", {"format": "pt"})


def load(directory: Path, config=None):
    """A new model with a checkpoint's weights, and what was said of them."""
    from mlm_data.training.huggingface import load_weights, read_config

    model = tiny_model(config or read_config(directory), seed=5, noise=0)
    return model, load_weights(model, directory)


@pytest.mark.parametrize("hidden_act", ["gelu", "gelu_tanh"])
def test_written_tensors_in_plain_numpy_give_what_the_model_gives(tmp_path, hidden_act):
    config = tiny_config(hidden_act=hidden_act)
    model = tiny_model(config)
    tensors = read_tensors(write(tmp_path, config, model))
    features = random_features()
    outputs, expected = outputs_of(model, features), reference_outputs(tensors, features, hidden_act=hidden_act)
    assert outputs.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(outputs[name], values, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("changes", [{}, {"hidden_act": "gelu_tanh", "type_vocab_size": 3, "layer_norm_eps": 1e-5}])
def test_what_was_written_is_read_back(tmp_path, changes):
    from mlm_data.training.huggingface import Loaded, read_config

    config = tiny_config(**changes)
    model = tiny_model(config)
    again, loaded = load(write(tmp_path, config, model))
    assert read_config(tmp_path) == config
    assert loaded == Loaded((), (), 0)
    for ours, theirs in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_heads_that_bert_does_not_have_there_are_left_out_and_new_when_read(tmp_path):
    from mlm_data.training.huggingface import read_config, write_checkpoint

    config = tiny_config(heads=(("sentence_order", 2),))
    model = tiny_model(config)
    left_out = write_checkpoint(model, config, VOCABULARY, tmp_path, do_lower_case=True)
    lost = ("pooler/kernel", "pooler/bias", "sentence_order_logits/kernel", "sentence_order_logits/bias")
    assert sorted(left_out) == sorted(lost)
    assert not any("pooler" in name or "seq_relationship" in name for name in read_tensors(tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["architectures"] == ["BertForMaskedLM"]
    assert read_config(tmp_path).heads == ()
    again, loaded = load(tmp_path, config)
    assert sorted(loaded.initialized) == sorted(lost)
    expected, outputs = (outputs_of(one, random_features())["mlm_logits"] for one in (model, again))
    np.testing.assert_array_equal(outputs, expected)


def test_names_of_other_times_and_models_are_understood(checkpoint):
    tensors = read_tensors(checkpoint)
    encoder = {
        name.removeprefix("bert.")
        .replace("LayerNorm.weight", "LayerNorm.gamma")
        .replace("Norm.bias", "Norm.beta"): values
        for name, values in tensors.items()
        if name.startswith("bert.")
    }
    save_tensors(checkpoint, encoder | {"embeddings.position_ids": np.arange(20)[None], "other": np.zeros(1)})
    model, loaded = load(checkpoint)
    assert {path.split("/")[0] for path in loaded.initialized} == {
        "mlm_transform", "mlm_norm", "mlm_bias", "next_sentence_logits",
    }  # fmt: skip
    assert loaded.unused == ("bert.other",)
    decoder = {
        "cls.predictions.decoder.weight": tensors["bert.embeddings.word_embeddings.weight"],
        "cls.predictions.decoder.bias": tensors.pop("cls.predictions.bias"),
    }
    save_tensors(checkpoint, tensors | decoder)
    whole, loaded = load(checkpoint)
    assert loaded.initialized == loaded.unused == ()
    expected, outputs = (outputs_of(one, random_features())["sequence_output"] for one in (whole, model))
    np.testing.assert_array_equal(outputs, expected)


def test_further_pieces_stand_near_the_mean_of_the_known_ones(tmp_path):
    from mlm_data.training.huggingface import read_config

    model = tiny_model(tiny_config())
    write(tmp_path, tiny_config(), model)
    more, loaded = load(tmp_path, read_config(tmp_path, vocab_size=len(VOCABULARY) + 9))
    assert (loaded.initialized, loaded.new_pieces) == ((), 9)
    expected, outputs = (outputs_of(one, random_features())["mlm_logits"] for one in (model, more))
    np.testing.assert_allclose(outputs[..., :-9], expected, atol=1e-5)
    table = np.asarray(more.get_layer("word_embeddings").embeddings)
    offsets = table[-9:] - table[:-9].mean(axis=0)
    assert 0 < np.abs(offsets).max() <= 0.04  # two deviations
    assert len(np.unique(offsets)) == offsets.size
    assert not np.asarray(more.get_layer("mlm_bias").bias)[-9:].any()


def test_pieces_must_keep_their_ids(written):
    from mlm_data.training.huggingface import check_vocabulary

    def changed(old: str, new: str) -> Vocabulary:
        return Vocabulary.parse(VOCABULARY.content.replace(old.encode(), new.encode()), "data")

    check_vocabulary(written, VOCABULARY)
    check_vocabulary(written, changed("[unused7]\n", "enzyme\n"))
    check_vocabulary(written, Vocabulary.parse(VOCABULARY.content + b"enzyme\n", "data"))
    for other in (changed("w1\n", "enzyme\n"), changed("##c398\nw399\n", "##c398\n")):
        with pytest.raises(SettingsError, match=r"id \d+ is 'w\d+' in .*vocab.txt, but '(enzyme)?' in data"):
            check_vocabulary(written, other)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("bert.encoder.layer.1.output.dense.bias", None, "lacks bert.encoder.layer.1.output.dense.bias and 0 more"),
        ("bert.pooler.dense.weight", np.ones((16, 15)), r"has shape \(16, 15\); expected \(16, 16\)"),
        ("bert.embeddings.word_embeddings.weight", np.ones((505, 16)), r"has shape \(505, 16\); expected \(504, 16\)"),
        ("cls.predictions.decoder.weight", np.ones((504, 16)), "differs from"),
    ],
)
def test_other_tensors_are_refused(checkpoint, name, values, message):
    tensors = read_tensors(checkpoint)
    tensors.pop(name, None)
    save_tensors(checkpoint, tensors if values is None else tensors | {name: values})
    with pytest.raises(SettingsError, match=message):
        load(checkpoint)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "roberta"}, "model_type 'roberta'"),
        ({"hidden_act": "relu"}, "hidden_act 'relu'"),
        ({"position_embedding_type": "relative_key"}, "positions 'relative_key'"),
        ({"num_hidden_layers": 3}, "lacks bert.encoder.layer.2"),
    ],
)
def test_other_shapes_are_refused(checkpoint, changes, message):
    path = checkpoint / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(SettingsError, match=message):
        load(checkpoint)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors"])
@pytest.mark.parametrize("content", [b"PK", b"[]", b'{"model_type": "bert", "hidden_act": "gelu"}', None])
def test_other_files_are_refused(checkpoint, name, content):
    path = checkpoint / name
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(SettingsError, match=f"{name} (cannot be read|has model_type|does not describe)"):
        load(checkpoint)


def test_a_vocabulary_larger_than_the_model_is_refused(tmp_path):
    from mlm_data.training.huggingface import write_checkpoint

    config = tiny_config(vocab_size=500)
    with pytest.raises(SettingsError, match="has 504 pieces; expected at most the model's vocab_size, 500"):
        write_checkpoint(tiny_model(config), config, VOCABULARY, tmp_path, do_lower_case=True)


def test_the_shape_is_told_as_transformers_names_it(tmp_path):
    config = tiny_config(heads=(NEXT_SENTENCE, ("genre", 3)), max_position_embeddings=17)
    write(tmp_path, config)
    told = json.loads((tmp_path / "config.json").read_text())
    assert (told["model_type"], told["architectures"]) == ("bert", ["BertForPreTraining"])
    assert (told["max_position_embeddings"], told["type_vocab_size"], told["pad_token_id"]) == (17, 2, 0)
    assert json.loads((tmp_path / "tokenizer_config.json").read_text())["model_max_length"] == 17
