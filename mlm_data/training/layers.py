"""What BERT needs beside Keras's own layers; each can be saved."""

from __future__ import annotations

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="mlm_data")
def gelu_tanh(x: Any) -> Any:
    """GELU by its tanh approximation, as google-research/bert computes it."""
    return keras.activations.gelu(x, approximate=True)


def make_initializer(initializer_range: float) -> keras.initializers.Initializer:
    """BERT's initializer, a new one for each weight: one of Keras 3 gives the same numbers whenever it is asked."""
    return keras.initializers.TruncatedNormal(stddev=initializer_range)


@keras.saving.register_keras_serializable(package="mlm_data")
class TiedEmbedding(keras.layers.Layer):
    """Ids [...] to vectors [..., hidden]; with `reverse`, vectors to logits [..., vocab] by the same table."""

    def __init__(self, vocab_size: int, hidden_size: int, initializer_range: float, **options: Any) -> None:
        super().__init__(**options)
        self.vocab_size, self.hidden_size, self.initializer_range = vocab_size, hidden_size, initializer_range

    def build(self, input_shape: Any) -> None:  # noqa: ARG002 (Keras asks for it)
        """Makes the table, [vocab, hidden]."""
        shape = (self.vocab_size, self.hidden_size)
        self.embeddings = self.add_weight(
            name="embeddings", shape=shape, initializer=make_initializer(self.initializer_range)
        )

    def call(self, inputs: Any, reverse: bool = False) -> Any:
        """Looks ids up or, with `reverse`, compares vectors with the whole table."""
        if reverse:
            return ops.matmul(inputs, ops.transpose(self.embeddings))
        return ops.take(self.embeddings, inputs, axis=0)

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {
            "vocab_size": self.vocab_size,
            "hidden_size": self.hidden_size,
            "initializer_range": self.initializer_range,
        }
        return super().get_config() | own


@keras.saving.register_keras_serializable(package="mlm_data")
class PositionAndTypeEmbedding(keras.layers.Layer):
    """Adds to vectors [batch, seq, hidden] those of their positions and of their segments' types [batch, seq]."""

    def __init__(self, max_positions: int, types: int, initializer_range: float, **options: Any) -> None:
        super().__init__(**options)
        self.max_positions, self.types, self.initializer_range = max_positions, types, initializer_range

    def build(self, vectors_shape: Any, type_ids_shape: Any) -> None:  # noqa: ARG002 (likewise)
        """Makes both tables, [max_positions, hidden] and [types, hidden]."""
        hidden = vectors_shape[-1]
        self.position_embeddings = self.add_weight(
            name="position_embeddings",
            shape=(self.max_positions, hidden),
            initializer=make_initializer(self.initializer_range),
        )
        self.type_embeddings = self.add_weight(
            name="type_embeddings", shape=(self.types, hidden), initializer=make_initializer(self.initializer_range)
        )

    def call(self, vectors: Any, type_ids: Any) -> Any:
        """The sum of all three."""
        # Few types, many tokens: a product of matrices has the faster gradient, as google-research/bert says.
        of_types = ops.matmul(ops.one_hot(type_ids, self.types, dtype=self.compute_dtype), self.type_embeddings)
        return vectors + self.position_embeddings[: ops.shape(vectors)[1]] + of_types

    def get_config(self) -> dict[str, Any]:
        """The constructor's arguments."""
        own = {"max_positions": self.max_positions, "types": self.types, "initializer_range": self.initializer_range}
        return super().get_config() | own


@keras.saving.register_keras_serializable(package="mlm_data")
class GatherPositions(keras.layers.Layer):
    """Vectors [batch, seq, hidden] at positions [batch, preds]: [batch, preds, hidden]."""

    def call(self, vectors: Any, positions: Any) -> Any:
        """Picks the vectors."""
        # A product with ones and zeros: its gradient is another one, where that of a gather adds in any order.
        return ops.matmul(ops.one_hot(positions, ops.shape(vectors)[1], dtype=self.compute_dtype), vectors)


@keras.saving.register_keras_serializable(package="mlm_data")
class FirstToken(keras.layers.Layer):
    """Vectors [batch, seq, hidden] at [CLS]: [batch, hidden]."""

    def call(self, vectors: Any) -> Any:
        """Picks the first of each row."""
        return vectors[:, 0]


@keras.saving.register_keras_serializable(package="mlm_data")
class OutputBias(keras.layers.Layer):
    """Adds a bias to logits [..., vocab]."""

    def build(self, input_shape: Any) -> None:
        """Makes the bias, [vocab]."""
        self.bias = self.add_weight(name="bias", shape=(input_shape[-1],), initializer="zeros")

    def call(self, logits: Any) -> Any:
        """The sum."""
        return logits + self.bias
