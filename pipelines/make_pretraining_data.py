"""`make-pretraining-data`: raw text in, BERT pre-training shards out."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from rich.console import Console
from rich.markup import escape

from mlm_data.config import Settings, SettingsError, dataset_fingerprint, section_types, tokens_fingerprint
from mlm_data.corpora import plan_inputs
from mlm_data.dataset_directory import DirectoryState, clear_directory, examine_directory, write_config
from mlm_data.sentences import SentenceSplitter
from mlm_data.shards import UNFINISHED
from mlm_data.storage import Storage
from mlm_data.token_store import claim_store
from mlm_data.transforms.dataset import MakePretrainingData
from mlm_data.transforms.estimate import estimate
from mlm_data.transforms.failures import failure_message
from mlm_data.transforms.storage import BeamStorage
from mlm_data.vocabulary import Vocabulary, case_warning
from pipelines.command_line import DONE, FAILED, FlagParser, nearest_flag, read_toml, run_program
from pipelines.local_runner import is_local, known_beam_flags, local_runner, make_options, peak_memory
from pipelines.progress_display import show_progress
from pipelines.results_display import print_plan, print_results

SECTION_TITLES = {
    "corpora": "input",
    "sentences": "sentences",
    "wordpiece": "tokenization",
    "pairing": "pairing",
    "masking": "masking",
    "shards": "output",
    "shuffle": "shuffle",
}

EPILOG = """
Every other flag is given to Apache Beam (--direct_num_workers, --runner, --temp_location, ...); flags Beam does not
know are errors. Without --runner the work is done on this machine, with one process per core.

examples:
  make-pretraining-data --input 'books/*.txt' --vocab_file vocab.txt --output_dir out
  make-pretraining-data --input 'paragraphs:law/*.txt.gz' --input 'lines:news/*.txt' \\
      --vocab_file vocab.txt --output_dir out --max_seq_length 512 --masking whole_word --plan

exit status: 0 done, 1 the run failed, 2 the command cannot be meant
"""


def make_parser() -> FlagParser:
    """All flags of this program."""
    parser = FlagParser(
        """Turns raw text into TFRecord shards for BERT pre-training (masked language model, with next sentence
        prediction, sentence order prediction or neither). The same input, settings and seed give the same bytes, with
        any number of processes.""",
        EPILOG,
    )
    for name, section in section_types().items():
        parser.add_section(SECTION_TITLES[name], section)
    run = parser.add_argument_group("run")
    run.add_argument("--config", metavar="FILE", help="TOML file of settings by flag name; flags overrule it.")
    parser.add_switch("plan", "List inputs, resolved settings and what to expect; write nothing.", run)
    parser.add_switch("overwrite", "Delete the dataset that is in the way in the output directory, if any.", run)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Runs the program; gives its exit status."""
    flags, settings, beam_arguments = parse_arguments(arguments)
    console, storage = Console(stderr=True, highlight=False, soft_wrap=True), BeamStorage()
    vocabulary = Vocabulary.load(settings.wordpiece.vocab_file, storage)
    files = plan_inputs(settings.corpora, storage)
    SentenceSplitter(settings.sentences)  # refuses a language it cannot do, before any work
    warning = case_warning(vocabulary, do_lower_case=settings.wordpiece.do_lower_case)
    if warning:
        console.print(f"[yellow]warning:[/] {warning}")
    if flags.get("plan"):
        print_plan(Console(highlight=False), files, settings, estimate(files, settings, vocabulary, storage))
        return DONE
    options = make_options(beam_arguments, sum(file.size for file in files))
    transform = MakePretrainingData(files, settings, vocabulary, _choose_tokens_dir(settings, options))
    if settings.shuffle.tokens_dir and _claim_tokens(storage, transform):
        console.print(f"{escape(settings.shuffle.tokens_dir)} holds the tokens of this text; taking them from there.")
    state = _claim_directory(storage, transform, overwrite=bool(flags.get("overwrite")))
    if state is DirectoryState.FINISHED:
        console.print(f"{escape(settings.shards.output_dir)} already holds this very dataset; nothing to do.")
        return DONE
    if state is DirectoryState.UNFINISHED:
        console.print(
            f"{escape(settings.shards.output_dir)} holds an unfinished run of this dataset; going on with it."
        )
    return _run(console, transform, options)


def parse_arguments(arguments: Sequence[str]) -> tuple[dict[str, Any], Settings, list[str]]:
    """Takes the command line apart.

    Returns:
        What was said of this run alone (`config`, `plan`, `overwrite`), the settings, and the arguments for Beam.

    Raises:
        SettingsError: the settings make no sense.
        SystemExit: a flag is unknown or missing.
    """
    parser = make_parser()
    namespace, others = parser.parse_flags(arguments)
    flags = vars(namespace)
    own: dict[str, Any] = {name: flags.pop(name) for name in ("config", "plan", "overwrite") if name in flags}
    beam_parser = known_beam_flags()
    unknown = beam_parser.parse_known_args(others)[1]
    if unknown:
        beam_flags = [option for action in beam_parser._actions for option in action.option_strings]
        parser.error(nearest_flag(unknown[0], [*parser.flag_names(), *beam_flags]))
    settings = Settings.from_flags((read_toml(own["config"]) if "config" in own else {}) | flags)
    for name, value in (
        ("input", settings.corpora.input),
        ("vocab_file", settings.wordpiece.vocab_file),
        ("output_dir", settings.shards.output_dir or own.get("plan")),
    ):
        if not value:
            parser.error(f"--{name} is missing; it says {_PURPOSES[name]}")
    return own, settings, others


_PURPOSES = {
    "input": "what to read, as in --input 'books/*.txt'",
    "vocab_file": "which WordPiece vocabulary to use; train-vocab makes one",
    "output_dir": "where the dataset is written",
}


def _claim_directory(storage: Storage, transform: MakePretrainingData, *, overwrite: bool) -> DirectoryState:
    """Makes sure the output directory is ours to write to, and says what it held.

    Raises:
        SettingsError: something else is in the way, or the directory cannot be written to.
    """
    settings, vocabulary, directory = transform.settings, transform.vocabulary, transform.settings.shards.output_dir
    inputs = [asdict(file) for file in transform.files]
    name = dataset_fingerprint(settings, vocabulary.sha256, inputs)
    try:
        state, found = examine_directory(storage, directory, name)
        if overwrite or state is DirectoryState.FREE:
            clear_directory(storage, directory)
        elif state is DirectoryState.FINISHED:
            return state
        elif state is DirectoryState.OCCUPIED:
            raise SettingsError(f"{directory} holds {found}; choose another --output_dir, or --overwrite it")
        vocabulary_facts = {"file": settings.wordpiece.vocab_file, "sha256": vocabulary.sha256}
        content = {"settings": settings.to_flags(), "vocabulary": vocabulary_facts, "inputs": inputs}
        write_config(storage, directory, name, content)
    except OSError as error:
        raise SettingsError(f"--output_dir {directory} cannot be written to: {error}") from error
    return DirectoryState.FREE if overwrite else state


def _choose_tokens_dir(settings: Settings, options: PipelineOptions) -> str:
    """The directory through which tokens are shuffled; empty for the engine's own shuffle."""
    kind = settings.shuffle.shuffle
    if settings.shuffle.tokens_dir:
        return settings.shuffle.tokens_dir
    by_files = kind == "files" or (kind == "auto" and is_local(options))
    return f"{settings.shards.output_dir}/{UNFINISHED}/tokens" if by_files else ""


def _claim_tokens(storage: Storage, transform: MakePretrainingData) -> bool:
    """Whether the directory asked for holds the tokens already; if not, it is made ready for them.

    Raises:
        SettingsError: it holds something else, or cannot be written to.
    """
    inputs = [asdict(file) for file in transform.files]
    name = tokens_fingerprint(transform.settings, transform.vocabulary.sha256, inputs)
    try:
        return claim_store(storage, transform.tokens_dir, name)
    except OSError as error:
        raise SettingsError(f"--tokens_dir {transform.tokens_dir} cannot be written to: {error}") from error


def _run(console: Console, transform: MakePretrainingData, options: PipelineOptions) -> int:
    """Runs the pipeline with progress and prints what it made."""
    started = time.monotonic()
    input_bytes = sum(file.size for file in transform.files)
    try:
        with local_runner(options) as runner, show_progress(console, input_bytes):
            pipeline = beam.Pipeline(runner=runner, options=options)
            pipeline | transform
            pipeline.run().wait_until_finish()
    except Exception as error:  # runners wrap what workers raise in types of their own
        message = failure_message(error)
        console.print(f"[red]The run failed:[/] {escape(message or traceback.format_exc())}")
        return FAILED
    if is_local(options):
        seconds = time.monotonic() - started
        print_results(Console(highlight=False), transform.settings, input_bytes, seconds, peak_memory())
    return DONE


def entry() -> None:
    """The console script."""
    run_program(main)
