"""The pre-training model, against BERT in plain numpy and what is known of its published sizes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mlm_data.config import SettingsError
from tests.tiny_bert import (
    NEXT_SENTENCE,
    VOCABULARY,
    needs_tensorflow,
    outputs_of,
    random_features,
    tiny_config,
    tiny_model,
)

pytestmark = needs_tensorflow


@pytest.fixture(scope="module")
def model():
    return tiny_model(tiny_config())


@pytest.fixture
def policy():
    """Sets the dtype policy for one test."""
    import keras

    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


def test_base_has_the_published_number_of_parameters(monkeypatch):
    import keras

    from mlm_data.training.model import ModelConfig, build_model

    monkeypatch.setattr(keras.initializers, "TruncatedNormal", lambda stddev: keras.initializers.Zeros())  # in no time
    model = build_model(ModelConfig.of_size("base", 30_522))
    # BertForPreTraining of bert-base-uncased, the tied decoder counted once.
    assert model.count_params() == 110_106_428


def test_the_decoder_is_the_embedding_table(model):
    import tensorflow as tf

    features = random_features()
    features["input_word_ids"] %= 100
    with tf.GradientTape() as tape:
        logit = tf.reduce_sum(model(features)["mlm_logits"][..., 200])
    table = model.get_layer("word_embeddings").embeddings
    gradient = np.asarray(tf.convert_to_tensor(tape.gradient(logit, table.value)))
    touched = np.flatnonzero(np.abs(gradient).sum(-1))
    read = np.unique(features["input_word_ids"][features["input_mask"] == 1])
    assert touched.tolist() == [*read, 200]
    assert sum(len(VOCABULARY) in weight.shape and len(weight.shape) == 2 for weight in model.weights) == 1


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 2**32))
def test_padding_does_not_matter(model, seed, other_seed):
    features, other = random_features(seed), random_features(other_seed)
    is_token = features["input_mask"] == 1
    changed = features | {
        name: np.where(is_token, features[name], other[name]) for name in ("input_word_ids", "input_type_ids")
    }
    longest = is_token.sum(-1).max()
    cut = features | {name: values[:, :longest] for name, values in features.items() if name.startswith("input_")}
    expected = outputs_of(model, features)
    for variant in (changed, cut):
        outputs = outputs_of(model, variant)
        tokens = is_token[:, : outputs["sequence_output"].shape[1]]
        for name in expected:
            if name == "sequence_output":
                got, wanted = outputs[name][tokens], expected[name][is_token]
            else:
                got, wanted = outputs[name], expected[name]
            np.testing.assert_allclose(got, wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "mlm_output"),
    [
        ({}, "logits"),
        ({"hidden_act": "gelu_tanh", "heads": (NEXT_SENTENCE, ("genre", 7))}, "predictions"),
        ({"heads": ()}, "logits"),
    ],
)
def test_a_saved_model_comes_back_the_same(tmp_path, changes, mlm_output):
    import keras

    config = tiny_config(**changes)
    model = tiny_model(config, mlm_output=mlm_output)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    expected, outputs = (outputs_of(one, random_features()) for one in (model, again))
    heads = {f"{name}_logits" for name, _ in config.heads}
    assert expected.keys() == outputs.keys() == heads | {"mlm_logits", "sequence_output", "pooled_output"}
    for name, values in expected.items():
        np.testing.assert_array_equal(outputs[name], values)


def test_predictions_are_log_probabilities():
    logits, predictions = (
        outputs_of(tiny_model(tiny_config(), mlm_output=kind), random_features())["mlm_logits"]
        for kind in ("logits", "predictions")
    )
    normalizer = np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
    np.testing.assert_allclose(predictions, logits - normalizer, atol=1e-5)


@pytest.mark.parametrize("kind", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_gives_logits_in_full_through_xla(model, policy, kind):
    import tensorflow as tf

    policy(kind)
    half = tiny_model(tiny_config())
    half.set_weights(model.get_weights())
    features = random_features()
    features["input_mask"][0] = 0  # nothing to attend to, as in a batch filled up with empty rows
    specs = {name: tf.TensorSpec([None, None], tf.int32) for name in features}
    compiled = tf.function(lambda inputs: half(inputs, training=False), jit_compile=True, input_signature=[specs])
    outputs, expected = compiled(features), outputs_of(model, features)
    for name in ("mlm_logits", "next_sentence_logits"):
        assert outputs[name].dtype == tf.float32
        np.testing.assert_allclose(outputs[name], expected[name], atol=0.1)
    assert outputs["sequence_output"].dtype == kind.removeprefix("mixed_")


def test_weights_and_dropout_are_drawn_from_the_seed_and_each_for_itself():
    first, again, other = (tiny_model(tiny_config(), seed=seed, noise=0) for seed in (1, 1, 2))
    values, same, different = (outputs_of(one, random_features(), training=True) for one in (first, again, other))
    np.testing.assert_array_equal(values["mlm_logits"], same["mlm_logits"])
    assert not np.array_equal(values["mlm_logits"], different["mlm_logits"])
    assert not np.array_equal(values["mlm_logits"], outputs_of(first, random_features())["mlm_logits"])
    kernels = [np.asarray(weight).ravel() for weight in first.weights if not weight.path.endswith(("bias", "a"))]
    assert len({kernel[0] for kernel in kernels}) == len(kernels) == 3 + 6 * 2 + 3
    # A normal distribution cut at two deviations has 0.88 of its deviation.
    assert 0.016 < np.concatenate(kernels).std() < 0.019


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_attention_heads": 3}, "hidden_size is 16; expected a multiple of num_attention_heads, 3"),
        ({"hidden_act": "relu"}, "hidden_act is 'relu'; expected one of gelu, gelu_tanh"),
    ],
)
def test_shapes_that_cannot_be_are_refused(changes, message):
    with pytest.raises(SettingsError, match=message):
        tiny_config(**changes)


def test_unknown_sizes_and_outputs_are_refused():
    from mlm_data.training.model import ModelConfig, build_model

    with pytest.raises(SettingsError, match="'huge'; expected one of tiny, mini"):
        ModelConfig.of_size("huge", 100)
    with pytest.raises(SettingsError, match="'probabilities'; expected one of logits, predictions"):
        build_model(tiny_config(), mlm_output="probabilities")
