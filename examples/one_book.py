"""Goes on training a BERT on one book: sentences of 20 words and more, masked language modelling alone.

Any BERT in Hugging Face's layout will do. Flags that are none of this program's are train-bert's.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from examples.reading import clean_documents
from examples.running import ask, run
from mlm_data.config import SentencesSettings, SettingsError
from mlm_data.sentences import SentenceSplitter
from mlm_data.training.run_directory import CURVES, find_weights
from mlm_data.training.tokenizer_files import VOCABULARY, reads_lower_case
from pipelines.command_line import DONE, run_program

# As BERT's authors fine-tuned it; train-bert's own defaults are for new models.
TRAINING = ("--batch_size", 16, "--learning_rate", 5e-5, "--num_train_steps", 1000)


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags, training_flags = parse(arguments)
    console = Console(highlight=False)
    bert, sentences = find_weights(flags.bert), flags.output_dir / "sentences.txt"
    data, model = flags.output_dir / "data", flags.output_dir / "model"

    kept, found = write_long_sentences(flags.book, sentences, flags.min_words)
    console.print(f"{kept:,} of {found:,} sentences have {flags.min_words} words or more: {sentences}")
    make_dataset(sentences, bert, data, flags.max_seq_length)
    run("train-bert", "--data_dir", data, "--model_dir", model, "--init_checkpoint", bert, *TRAINING, *training_flags)

    console.print(f"The loss on the way: {model / CURVES}", soft_wrap=True)
    print_scores(bert, model, data, console)
    for trained in (bert, model):
        run("fill-mask", "--model", trained, *flags.query)
    return DONE


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """The flags of this program, and all others."""
    parser = argparse.ArgumentParser(prog="one_book", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--bert", required=True, type=Path, metavar="DIR", help="config.json, model.safetensors, vocab.txt"
    )
    parser.add_argument("--book", required=True, metavar="[FORMAT:]FILE", help="plain text")
    parser.add_argument(
        "--output_dir", required=True, type=Path, metavar="DIR", help="for sentences, dataset and model"
    )
    parser.add_argument("--min_words", type=int, default=20, metavar="N", help="shorter sentences are left out: 20")
    parser.add_argument("--max_seq_length", type=int, default=64, metavar="N", help="longer sentences are cut: 64")
    parser.add_argument("--query", action="append", required=True, metavar="TEXT", help="with [MASK] in it")
    return parser.parse_known_args(arguments)


def write_long_sentences(book: str, path: Path, min_words: int) -> tuple[int, int]:
    """Writes the sentences of a book that are long enough, one a line; gives how many these are, and of how many.

    Raises:
        SettingsError: there are none.
    """
    splitter = SentenceSplitter(SentencesSettings())
    sentences = [sentence for document in clean_documents([book]) for sentence in splitter.split(document.text)]
    kept = [sentence for sentence in sentences if len(sentence.split()) >= min_words]
    if not kept:
        raise SettingsError(
            f"none of the {len(sentences)} sentences of {book} has {min_words} words; lower --min_words"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{sentence}\n" for sentence in kept), encoding="utf-8")
    return len(kept), len(sentences)


def make_dataset(sentences: Path, bert: Path, directory: Path, max_seq_length: int) -> None:
    """Makes instances of one sentence each, a tenth of them for validation.

    Every sentence is a document, and none shares an instance with another: what is left of the book is no running text
    any more. It also lets single sentences be held out, of a book that is all there is.
    """
    run(
        "make-pretraining-data",
        *("--input", f"lines:{sentences}", "--sentence_splitter", "newline"),
        *("--objective", "mlm", "--mlm_packing", "doc_sentences", "--max_seq_length", max_seq_length),
        *("--vocab_file", bert / VOCABULARY, "--do_lower_case" if reads_lower_case(bert) else "--no_do_lower_case"),
        *("--validation_fraction", 0.1, "--output_dir", directory),
    )


def print_scores(bert: Path, model: Path, data: Path, console: Console) -> None:
    """Prints how well the model fills masks in sentences of the book that it has not seen, before and after."""
    table = Table(title="Held-out sentences of the book", title_justify="left")
    for heading in ("", "masked-LM loss", "perplexity", "accuracy"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, trained in {"before": bert, "after": model}.items():
        found = ask("evaluate", "--model", trained, "--data_dir", data)
        table.add_row(name, f"{found['mlm_loss']:.3f}", f"{found['perplexity']:.1f}", f"{found['mlm_accuracy']:.1%}")
    console.print(table)


if __name__ == "__main__":
    run_program(main)
