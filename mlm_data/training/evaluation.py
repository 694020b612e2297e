"""How well a model guesses instances it was not trained on."""

from __future__ import annotations

import keras
import numpy as np

from mlm_data.training.dataset import PretrainingData
from mlm_data.training.input import Reader
from mlm_data.training.scores import Scores
from mlm_data.training.steps import make_evaluate
from mlm_data.training.workers import WHOLE, Share


class Evaluator:
    """Judges a model, as often as one likes, on splits of one dataset. To be made in the scope of the strategy."""

    def __init__(self, model: keras.Model, data: PretrainingData, batch_size: int, worker: Share = WHOLE) -> None:
        """Prepares the graph.

        Args:
            model: is judged, with the weights it has at the time.
            data: the dataset.
            batch_size: instances to look at together, on all devices; decides nothing.
            worker: the share of this process.
        """
        self._reader = Reader(data, batch_size, worker, draws_masks=not data.has_masks)
        self._evaluate = make_evaluate(model, worker)

    def evaluate(self, split: str, max_batches: int = -1) -> Scores:
        """The scores on a split: always of the same instances and masks.

        Args:
            split: for example "validation".
            max_batches: look at no more than this; -1: all there are.

        Raises:
            SettingsError: the split holds no instance.
        """
        batches = self._reader.evaluation_batches(split).take(max_batches)
        return Scores.of(self._evaluate(batches).numpy())


def unigram_entropy(data: PretrainingData, split: str, most_batches: int = 1000, batch_size: int = 256) -> float:
    """The masked-LM loss, in nats, of one who knows how frequent each token is, and does not look at the text.

    It is the entropy of the tokens to predict; a model does not know anything of the language before it is below.

    Args:
        data: the dataset.
        split: for example "train".
        most_batches: is judged by; with the default, by some millions of tokens.
        batch_size: instances in each.
    """
    counts = np.zeros(len(data.vocabulary), np.int64)
    reader = Reader(data, batch_size, draws_masks=not data.has_masks)
    for batch in reader.evaluation_batches(split).take(most_batches):
        predicted = batch["masked_lm_ids"].numpy()[batch["masked_lm_weights"].numpy() > 0]
        counts += np.bincount(predicted, minlength=len(counts))
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())
