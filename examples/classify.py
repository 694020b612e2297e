"""Fine-tunes a trained model to tell from which source a paragraph is, with Keras alone.

Some documents of every source are held out, and accuracy is judged on their paragraphs: of always the most frequent
label, of the same model with new weights, and of the trained one.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from examples.reading import clean_documents
from mlm_data import chance
from mlm_data.config import SettingsError
from mlm_data.training.quiet_import import quiet_import
from pipelines.command_line import DONE, run_program

with quiet_import():
    import keras

    from mlm_data.training.encoder import Encoder, load_encoder


@dataclass(frozen=True)
class Labelled:
    """Paragraphs and the numbers of their labels, int64 [paragraphs]."""

    texts: list[str]
    labels: NDArray[np.int64]


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags = parse(arguments)
    train, test = read_sources(flags)
    keras.utils.set_random_seed(flags.random_seed)
    encoder = load_encoder(flags.model)
    models = {
        "the same model, new weights": keras.models.clone_model(encoder.model),
        "the trained model": encoder.model,
    }
    classifiers = {name: fine_tune(model, encoder, train, flags) for name, model in models.items()}
    accuracies = {"the most frequent label": float((test.labels == np.bincount(train.labels).argmax()).mean())}
    for name, classifier in classifiers.items():
        features = encoder.encode(test.texts, max_seq_length=flags.max_seq_length)
        guesses = classifier.predict(features, verbose=0).argmax(axis=1)
        accuracies[name] = float((guesses == test.labels).mean())
    flags.output.parent.mkdir(parents=True, exist_ok=True)
    classifiers["the trained model"].save(flags.output)
    print_accuracies(accuracies, f"{len(train.texts):,} paragraphs to learn from, {len(test.texts):,} held out")
    return DONE


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(prog="classify", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--model", required=True, type=Path, metavar="PATH", help="of train-bert, or one of its exports"
    )
    parser.add_argument(
        "--source", action="append", required=True, metavar="[FORMAT:]GLOB", help="two or more; a label each"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FILE", help="the classifier, a .keras file")
    parser.add_argument("--min_words", type=int, default=10, metavar="N", help="shorter paragraphs are left out: 10")
    parser.add_argument("--test_fraction", type=float, default=0.25, metavar="P", help="documents held out: 0.25")
    parser.add_argument("--max_seq_length", type=int, default=64, metavar="N", help="longer paragraphs are cut: 64")
    parser.add_argument("--batch_size", type=int, default=16, metavar="N", help="16")
    parser.add_argument("--epochs", type=int, default=3, metavar="N", help="3")
    parser.add_argument("--learning_rate", type=float, default=5e-5, metavar="RATE", help="5e-5")
    parser.add_argument("--random_seed", type=int, default=12345, metavar="N", help="12345")
    return parser.parse_args(arguments)


def read_sources(flags: argparse.Namespace) -> tuple[Labelled, Labelled]:
    """The paragraphs to learn from, and those held out: of other documents, so that their subject does not help.

    Raises:
        SettingsError: a source has but one document.
    """
    rng = chance.generator(flags.random_seed, "hold out documents")
    parts: tuple[list[tuple[str, int]], list[tuple[str, int]]] = [], []
    for label, source in enumerate(flags.source):
        texts = [document.text for document in clean_documents([source])]
        if len(texts) < 2:
            raise SettingsError(f"--source {source} has {len(texts)} documents; expected 2 or more, to hold some out")
        held_out = max(1, round(flags.test_fraction * len(texts)))
        for place, number in enumerate(rng.permutation(len(texts)).tolist()):
            paragraphs = [text for text in texts[number].split("\n") if len(text.split()) >= flags.min_words]
            parts[place < held_out].extend((text, label) for text in paragraphs)
    train, test = (Labelled([text for text, _ in part], np.array([label for _, label in part])) for part in parts)
    return train, test


def fine_tune(model: keras.Model, encoder: Encoder, train: Labelled, flags: argparse.Namespace) -> keras.Model:
    """Puts a classifier on a model and trains both."""
    classes = len(flags.source)
    pooled = keras.layers.Dropout(0.1)(model.output["pooled_output"])
    classifier = keras.Model(model.input, keras.layers.Dense(classes, activation="softmax")(pooled))
    optimizer = keras.optimizers.AdamW(flags.learning_rate)
    # To compile for XLA takes longer than all the steps of a small model; leave this out for a large one.
    classifier.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    features = encoder.encode(train.texts, max_seq_length=flags.max_seq_length)
    classifier.fit(features, train.labels, batch_size=flags.batch_size, epochs=flags.epochs, verbose=2)
    return classifier


def print_accuracies(accuracies: dict[str, float], title: str) -> None:
    """Prints a table."""
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column("accuracy", justify="right")
    for name, accuracy in accuracies.items():
        table.add_row(name, f"{accuracy:.1%}")
    Console(highlight=False).print(table)


if __name__ == "__main__":
    run_program(main)
