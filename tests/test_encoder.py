"""The encoder of a trained model, for who puts a head of their own on it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlm_data.config import SettingsError
from tests.tiny_bert import VOCABULARY, needs_tensorflow, outputs_of, random_features, tiny_config, tiny_model

pytestmark = needs_tensorflow


@pytest.fixture(scope="module")
def model():
    return tiny_model(tiny_config())


@pytest.fixture(scope="module")
def exports(model, tmp_path_factory) -> Path:
    from mlm_data.training.export import export

    directory = tmp_path_factory.mktemp("trained") / "export"
    export(model, tiny_config(), VOCABULARY, directory, do_lower_case=True)
    return directory


@pytest.fixture(scope="module")
def encoder(exports):
    from mlm_data.training.encoder import load_encoder

    return load_encoder(exports)


@pytest.mark.parametrize("form", ["huggingface", "model.keras"])
def test_vectors_are_those_of_the_whole_model_and_all_its_layers_can_be_trained(model, exports, form):
    from mlm_data.training.encoder import load_encoder

    features = random_features()
    expected = outputs_of(model, features)
    del features["masked_lm_positions"]
    encoder = load_encoder(exports / form)
    found = outputs_of(encoder.model, features)
    assert found.keys() == {"sequence_output", "pooled_output"}
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], atol=1e-6, err_msg=name)
    heads = ("mlm_transform", "mlm_norm", "mlm_bias", "next_sentence_logits")
    encoding = {weight.path for weight in model.trainable_weights if not weight.path.startswith(heads)}
    assert {weight.path for weight in encoder.model.trainable_weights} == encoding


@given(
    st.lists(st.lists(st.sampled_from(["w1", "W3", "w5c2", "\u00e9", "[MASK]"]), max_size=12), min_size=1, max_size=4),
    st.integers(3, 20),
)
def test_text_is_laid_between_special_tokens_and_cut_at_its_end(encoder, texts, length):
    features = encoder.encode([" ".join(words) for words in texts], max_seq_length=length)
    assert {(values.shape, str(values.dtype)) for values in features.values()} == {((len(texts), length), "int32")}
    vocabulary = encoder.vocabulary
    for row, words in enumerate(texts):
        text = encoder.tokenizer.encode([" ".join(words)])[0][: length - 2].tolist()
        whole = [vocabulary.cls_id, *text, vocabulary.sep_id]
        padding = [vocabulary.pad_id] * (length - len(whole))
        assert features["input_word_ids"][row].tolist() == whole + padding
        assert features["input_mask"][row].tolist() == [1] * len(whole) + [0] * len(padding)
        assert not features["input_type_ids"][row].any()


@pytest.mark.parametrize("length", [2, 21])
def test_lengths_that_the_model_cannot_read_are_refused(encoder, length):
    with pytest.raises(SettingsError, match=f"max_seq_length is {length}; expected from 3 to 20"):
        encoder.encode(["w1"], max_seq_length=length)


def test_a_model_that_only_serves_is_refused(tmp_path):
    from mlm_data.training.encoder import load_encoder

    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(SettingsError, match="is a SavedModel, which fills in masks and nothing else"):
        load_encoder(tmp_path)
