"""BERT's pre-training model: an encoder, a masked-LM head, and classifiers of segment pairs.

Architecture and sizes are those of Devlin et al. 2019 and Turc et al. 2019; the names of inputs and outputs those of TF
Model Garden's `BertPretrainerV2`. The model is a functional one of Keras 3's own layers and the few in `layers.py`, and
saves to a `.keras` file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from mlm_data.config import SettingsError
from mlm_data.training.layers import (
    FirstToken,
    GatherPositions,
    OutputBias,
    PositionAndTypeEmbedding,
    TiedEmbedding,
    gelu_tanh,
    make_initializer,
)

# (layers, hidden size) of each; heads are 64 wide and the feed-forward layer is four times the hidden size.
MODEL_SIZES = {
    "tiny": (2, 128),
    "mini": (4, 256),
    "small": (4, 512),
    "medium": (8, 512),
    "base": (12, 768),
    "large": (24, 1024),
}
NEXT_SENTENCE = "next_sentence"
MLM_OUTPUTS = ("logits", "predictions")

SEQUENCE_INPUTS = ("input_word_ids", "input_mask", "input_type_ids")
POSITIONS_INPUT = "masked_lm_positions"

ACTIVATIONS = {"gelu": keras.activations.gelu, "gelu_tanh": gelu_tanh}


@dataclass(frozen=True)
class ModelConfig:
    """What decides a model's shape; names are those of BERT's `bert_config.json`.

    Attributes:
        hidden_act: "gelu" (exact) or "gelu_tanh" (the approximation in google-research/bert).
        heads: the name and number of classes of each classifier of the pooled output.
    """

    vocab_size: int
    hidden_size: int
    num_hidden_layers: int
    num_attention_heads: int
    intermediate_size: int
    max_position_embeddings: int = 512
    type_vocab_size: int = 2
    hidden_act: str = "gelu"
    hidden_dropout_prob: float = 0.1
    attention_probs_dropout_prob: float = 0.1
    initializer_range: float = 0.02
    layer_norm_eps: float = 1e-12
    heads: tuple[tuple[str, int], ...] = ((NEXT_SENTENCE, 2),)

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_attention_heads:
            raise SettingsError(
                f"hidden_size is {self.hidden_size}; expected a multiple of num_attention_heads, "
                f"{self.num_attention_heads}"
            )
        if self.hidden_act not in ACTIVATIONS:
            raise SettingsError(f"hidden_act is {self.hidden_act!r}; expected one of {', '.join(ACTIVATIONS)}")

    @classmethod
    def of_size(cls, size: str, vocab_size: int, **settings: Any) -> ModelConfig:
        """The model of one of `MODEL_SIZES`.

        Args:
            size: "tiny", "mini", "small", "medium", "base" or "large".
            vocab_size: number of pieces.
            **settings: any other fields.

        Raises:
            SettingsError: there is no such size.
        """
        if size not in MODEL_SIZES:
            raise SettingsError(f"the model's size is {size!r}; expected one of {', '.join(MODEL_SIZES)}")
        layers, hidden_size = MODEL_SIZES[size]
        sizes = {
            "hidden_size": hidden_size,
            "num_hidden_layers": layers,
            "num_attention_heads": hidden_size // 64,
            "intermediate_size": 4 * hidden_size,
        }
        return cls(vocab_size, **sizes | settings)


def build_model(config: ModelConfig, *, mlm_output: str = "logits") -> keras.Model:
    """Builds the model with new weights (truncated normal; biases 0), drawn as `keras.utils.set_random_seed` decides.

    It takes a dict of int32 tensors: `input_word_ids`, `input_mask` (1 for tokens, 0 for padding) and `input_type_ids`,
    all [batch, seq], and `masked_lm_positions` [batch, preds]. It gives a dict: `mlm_logits` [batch, preds, vocab] and,
    for each head, `<name>_logits` [batch, classes], float32 under any policy; `sequence_output` [batch, seq, hidden]
    and `pooled_output` [batch, hidden], in the policy's compute dtype. A sequence has at most
    `max_position_embeddings` tokens.

    Args:
        config: its shape.
        mlm_output: what `mlm_logits` holds: "logits", or "predictions", their log-softmax.

    Raises:
        SettingsError: there is no such `mlm_output`.
    """
    if mlm_output not in MLM_OUTPUTS:
        raise SettingsError(f"mlm_output is {mlm_output!r}; expected one of {', '.join(MLM_OUTPUTS)}")
    inputs = {name: keras.Input((None,), dtype="int32", name=name) for name in (*SEQUENCE_INPUTS, POSITIONS_INPUT)}
    words = TiedEmbedding(config.vocab_size, config.hidden_size, config.initializer_range, name="word_embeddings")
    hidden = _embed(config, words, inputs)
    # One row for all queries: [batch, 1, seq].
    attention_mask = ops.expand_dims(ops.cast(inputs["input_mask"], "bool"), 1)
    for number in range(config.num_hidden_layers):
        hidden = _encode(config, f"layer_{number}", hidden, attention_mask)
    pooled = _dense(config, config.hidden_size, "pooler", activation="tanh")(FirstToken(name="first_token")(hidden))
    outputs = {"mlm_logits": _predict_masked(config, words, hidden, inputs[POSITIONS_INPUT], mlm_output)}
    for name, classes in config.heads:
        outputs[f"{name}_logits"] = _dense(config, classes, f"{name}_logits", dtype="float32")(pooled)
    return keras.Model(inputs, outputs | {"sequence_output": hidden, "pooled_output": pooled}, name="bert")


def _embed(config: ModelConfig, words: TiedEmbedding, inputs: dict[str, Any]) -> Any:
    places = PositionAndTypeEmbedding(
        config.max_position_embeddings, config.type_vocab_size, config.initializer_range, name="place_embeddings"
    )
    hidden = places(words(inputs["input_word_ids"]), inputs["input_type_ids"])
    hidden = _normalization(config, "embeddings_norm")(hidden)
    return keras.layers.Dropout(config.hidden_dropout_prob, name="embeddings_dropout")(hidden)


def _encode(config: ModelConfig, name: str, hidden: Any, attention_mask: Any) -> Any:
    """One layer of the encoder: self-attention and feed-forward, each added to its input and then normalized."""
    attention = keras.layers.MultiHeadAttention(
        config.num_attention_heads,
        config.hidden_size // config.num_attention_heads,
        dropout=config.attention_probs_dropout_prob,
        kernel_initializer=make_initializer(config.initializer_range),
        name=f"{name}_attention",
    )
    attended = attention(hidden, hidden, attention_mask=attention_mask)
    hidden = _add_and_normalize(config, f"{name}_attention", hidden, attended)
    activation = ACTIVATIONS[config.hidden_act]
    inner = _dense(config, config.intermediate_size, f"{name}_intermediate", activation=activation)(hidden)
    outer = _dense(config, config.hidden_size, f"{name}_output")(inner)
    return _add_and_normalize(config, f"{name}_output", hidden, outer)


def _add_and_normalize(config: ModelConfig, name: str, hidden: Any, update: Any) -> Any:
    update = keras.layers.Dropout(config.hidden_dropout_prob, name=f"{name}_dropout")(update)
    return _normalization(config, f"{name}_norm")(keras.layers.Add(name=f"{name}_add")([hidden, update]))


def _predict_masked(config: ModelConfig, words: TiedEmbedding, hidden: Any, positions: Any, mlm_output: str) -> Any:
    masked = GatherPositions(name="masked_positions")(hidden, positions)
    activation = ACTIVATIONS[config.hidden_act]
    masked = _dense(config, config.hidden_size, "mlm_transform", activation=activation)(masked)
    masked = _normalization(config, "mlm_norm")(masked)
    logits = OutputBias(name="mlm_bias", dtype="float32")(words(masked, reverse=True))
    if mlm_output == "predictions":
        return keras.layers.Activation("log_softmax", name="mlm_predictions", dtype="float32")(logits)
    return logits


def _dense(config: ModelConfig, units: int, name: str, **options: Any) -> keras.layers.Dense:
    return keras.layers.Dense(
        units, kernel_initializer=make_initializer(config.initializer_range), name=name, **options
    )


def _normalization(config: ModelConfig, name: str) -> keras.layers.LayerNormalization:
    # Computes in float32 under any policy.
    return keras.layers.LayerNormalization(epsilon=config.layer_norm_eps, name=name)
