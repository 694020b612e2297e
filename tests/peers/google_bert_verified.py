"""Verifies the shards of google-research/bert's own script, and says which of its known defects they show.

    python tests/peers/google_bert_verified.py --bert ../bert --input 'samples/corpus/**' \\
        --vocab_file vocab/en-uncased-30k.txt

Needs tensorflow and a checkout of google-research/bert, whose script runs unchanged: once masking token by token, once
whole words. The validator is given the shards and the vocabulary, and nothing else.

Exit status: 0 every defect was found for which there is text enough, 1 one was not, 2 usage, or the script is missing.
"""
# ruff: noqa: T201  (a program, which speaks by printing)

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.contenders import DatasetSettings
from benchmarks.text import BenchmarkText, take_text
from mlm_data.storage import LocalStorage
from mlm_data.validation import Check, Verdict, Verification, verify
from tests.peers.google_bert import LENGTH, parse, run_script

PASSES = 10
ENOUGH = 20_000  # records for the checks that leave chance more room
RUNS = {"token": "", "whole_word": "--do_whole_word_mask=True"}


@dataclass(frozen=True)
class Defect:
    """What the script is known to do, and the checks that have to find it.

    Attributes:
        what: the defect.
        checks: that find it.
        runs: in which.
        records: of so many at least; None: that depends on the text, so that nothing is asked for.
    """

    what: str
    checks: tuple[str, ...]
    runs: tuple[str, ...] = tuple(RUNS)
    records: int | None = 0


DEFECTS = (
    Defect("more than half of the pairs are random", ("label share", "label share by shard")),
    Defect("lengths betray the label", ("label share by length", "label share by |A|", "label share by |B|")),
    Defect("so that a guess from the surface is right more often than not", ("surface probe",), records=ENOUGH),
    Defect("special and [unused] tokens stand for random ones", ("random tokens",)),
    Defect("a word cut where B begins is joined to the last word of A", ("words across [SEP]",), ("whole_word",)),
    # A vocabulary that knows nearly all words of a text leaves few long ones to judge by.
    Defect("budgets are filled up with short words", ("selection by word size",), ("whole_word",), None),
)
HIDDEN = (
    "text used twice in a pass, since nothing says which records are of one pass",
    "random segments of the same document, since nothing says what the documents are",
    "documents joined where a file ends without a blank line",
)


def run(text: BenchmarkText, vocab_file: str, output: Path, checkout: str | None) -> dict[str, Verification]:
    """What the validator says of each run of the script."""
    settings = DatasetSettings.of_length(vocab_file, PASSES, LENGTH)
    found = {}
    for name, argument in RUNS.items():
        shards = run_script(settings, text, output / name, checkout, *filter(None, [argument]))
        found[name] = verify([str(shard) for shard in shards], LocalStorage(), vocab_file=vocab_file)
    return found


def tell_defects(found: Mapping[str, Verification]) -> bool:
    """Prints which checks found which defects; whether all of them did."""
    checks = {name: {check.name: check for check in verification.checks} for name, verification in found.items()}
    missed = 0
    for defect in DEFECTS:
        print(f"{defect.what}:")
        for run_name in defect.runs:
            is_enough = defect.records is not None and found[run_name].records >= defect.records
            for check in (checks[run_name][name] for name in defect.checks):
                is_found = check.verdict is Verdict.VIOLATED
                missed += not is_found and is_enough
                word = "found" if is_found else "MISSED" if is_enough else "unproven"
                print(f"  {word:10}{run_name:12}{check.name:24}{_tell(check)}")
    return not missed


def tell_others(found: Mapping[str, Verification]) -> None:
    """Prints what else is violated, and what no shard can tell."""
    known = {(run_name, check) for defect in DEFECTS for run_name in defect.runs for check in defect.checks}
    for run_name, verification in found.items():
        print(f"{run_name}: {verification.summary()}")
        for check in verification.having(Verdict.VIOLATED):
            if (run_name, check.name) not in known:
                print(f"  also      {run_name:12}{check.name:24}{_tell(check)}")
    print("not to be seen in the shards:", *HIDDEN, sep="\n  ")


def _tell(check: Check) -> str:
    return f"{check.observed or check.verdict}; expected {check.expected or check.detail}"


def main(arguments: Sequence[str]) -> int:
    """Runs the script, verifies its shards and prints what was found."""
    flags = parse(arguments, "Verifies the shards of google-research/bert's own script.")
    with tempfile.TemporaryDirectory() as name:
        text = take_text(flags.input, "auto", flags.megabytes, Path(name) / "text")
        found = run(text, flags.vocab_file, Path(name) / "shards", flags.bert or None)
    print(f"{text.megabytes:.1f} MB, {text.documents} documents, {PASSES} passes of {LENGTH} tokens")
    is_complete = tell_defects(found)
    tell_others(found)
    print("every defect was found that this much text must show" if is_complete else "MISSED  see above")
    return 0 if is_complete else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
