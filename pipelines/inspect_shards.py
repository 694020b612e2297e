"""`inspect-shards`: shows the records of TFRecord shards, ours or anybody's, and verifies them."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console

from mlm_data.examples import RecordError
from mlm_data.inspection import (
    DatasetError,
    Record,
    RequestError,
    Shard,
    find_shards,
    print_legend,
    print_record,
    read_first,
    read_one,
)
from mlm_data.shards import ShardError
from mlm_data.storage import Storage
from mlm_data.validation import print_verification, verify
from pipelines.command_line import DONE, FAILED, USAGE, FlagParser, nearest_flag, run_program
from pipelines.storage_choice import storage_for

PROGRAM = "inspect-shards"

EPILOG = """
examples:
  inspect-shards out
  inspect-shards out --index 3:17
  inspect-shards 'bert/tf_examples.tfrecord*' --vocab_file vocab.txt --limit 1
  inspect-shards out --json --limit 1000 | jq .text_a
  inspect-shards out --verify --tokens_dir tokens

exit status: 0 done, 1 damaged data or a check violated, 2 the command cannot be meant
"""


class _Console(Console):
    """A console that leaves it to `run_program` what to do when nobody reads on."""

    def on_broken_pipe(self) -> None:
        """Called by rich while it handles the `BrokenPipeError`."""
        raise BrokenPipeError


def main(arguments: Sequence[str]) -> int:
    """Prints records or checks to standard output; errors go to standard error.

    Returns:
        The exit status: 0 done, 1 damaged data or a check violated, 2 something was asked for that is not there.
    """
    flags = _parse(arguments)
    # A terminal that lacks a character shows its number rather than end the program.
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        storage = storage_for([*flags.paths, flags.vocab_file, flags.tokens_dir])
        if flags.verify:
            return _verify(storage, flags)
        shards = find_shards(storage, flags.paths, flags.vocab_file or None)
        if flags.json:
            _write_json(_read(storage, shards, flags))
        else:
            _print(shards, _read(storage, shards, flags))
    except RequestError as error:
        return _fail(error, USAGE)
    except BrokenPipeError:
        raise
    except (DatasetError, RecordError, ShardError, OSError) as error:
        return _fail(error, FAILED)
    return DONE


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = FlagParser(
        """Shows the records of TFRecord shards for BERT pre-training, as a person reads them, or verifies them: shards
        made by make-pretraining-data, by google-research/bert or by TF Model Garden.""",
        EPILOG,
    )
    parser.prog = PROGRAM
    parser.add_argument("paths", nargs="+", metavar="PATH", help="A shard, a glob, or a dataset directory.")
    parser.add_argument(
        "--vocab_file", default="", metavar="FILE",
        help="The vocabulary the records were made with (default: vocab.txt beside the shards; without any, ids are "
        "shown as numbers).",
    )  # fmt: skip
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--limit", type=_positive, default=5, metavar="N", help="Show the first N records (default: 5)."
    )
    choice.add_argument(
        "--index", type=_place, default=None, metavar="SHARD:RECORD",
        help="Show this record only, as in 3:17: record 17, counted from 0, of shard 3, by the number in its name (of "
        "several, the first) or else by its place among the PATHs, counted from 0.",
    )  # fmt: skip
    parser.add_switch(
        "verify", "Check all records and files instead of showing some: every invariant, as far as what lies beside "
        "the shards allows.", choice,
    )  # fmt: skip
    parser.add_argument(
        "--tokens_dir", default="", metavar="DIR",
        help="The tokens the records were made from (make-pretraining-data --tokens_dir): --verify then checks that "
        "labels are true and no document is missing.",
    )  # fmt: skip
    parser.add_argument(
        "--processes", type=_positive, default=None, metavar="N",
        help="Processes for --verify (default: one for each core); they do not change the result.",
    )  # fmt: skip
    parser.add_switch("json", "Write one JSON object a line and record instead; with --verify, one object.")
    parser.set_defaults(json=False, verify=False)
    flags, rest = parser.parse_flags(arguments)
    unknown = [argument for argument in rest if argument.startswith("-")]
    if unknown:
        parser.error(nearest_flag(unknown[0], parser.flag_names()))
    if not flags.verify and (flags.tokens_dir or flags.processes):
        parser.error("--tokens_dir and --processes are of use with --verify only")
    flags.paths += rest  # those that stand behind a flag
    return flags


def _positive(value: str) -> int:
    if not value.isdecimal() or not int(value):
        raise argparse.ArgumentTypeError(f"got {value!r}; expected a number, 1 or more")
    return int(value)


def _place(value: str) -> tuple[int, int]:
    shard, _, record = value.partition(":")
    if not (shard.isdecimal() and record.isdecimal()):
        raise argparse.ArgumentTypeError(f"got {value!r}; expected SHARD:RECORD, both counted from 0, as in 3:17")
    return int(shard), int(record)


def _read(storage: Storage, shards: Sequence[Shard], flags: argparse.Namespace) -> Iterator[Record]:
    if flags.index:
        yield read_one(storage, shards, *flags.index)
    else:
        yield from read_first(storage, shards, flags.limit)


def _print(shards: Sequence[Shard], records: Iterable[Record]) -> None:
    console = _Console()
    shown = 0
    for record in records:
        description = record.describe()
        if not shown:
            print_legend(console, shards)
        print_record(console, record, description)
        shown += 1
    if not shown:
        console.print(f"no record in {len(shards)} files", markup=False)


def _write_json(records: Iterable[Record]) -> None:
    ascii_only = not (sys.stdout.encoding or "").lower().startswith("utf")
    for record in records:
        sys.stdout.write(json.dumps(record.to_json(), ensure_ascii=ascii_only) + "\n")


def _verify(storage: Storage, flags: argparse.Namespace) -> int:
    verification = verify(
        flags.paths,
        storage,
        vocab_file=flags.vocab_file or None,
        tokens_dir=flags.tokens_dir or None,
        processes=flags.processes,
    )
    if flags.json:
        sys.stdout.write(json.dumps(verification.to_json(), indent=1) + "\n")
    else:
        print_verification(_Console(), verification)
    return DONE if verification.is_sound else FAILED


def _fail(error: Exception, status: int) -> int:
    sys.stdout.flush()
    message = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) and error.filename else str(error)
    sys.stderr.write(f"{PROGRAM}: {message}\n")
    return status


def entry() -> None:
    """The console script."""
    run_program(main)
