"""A verification for the eye."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlm_data.validation.checks import Verdict, Verification

_STYLES = {Verdict.OK: "green", Verdict.VIOLATED: "bold red", Verdict.NOT_MADE: "dim"}


def print_verification(console: Console, verification: Verification) -> None:
    """Prints a table of all checks, then one line that sums them up."""
    table = Table(expand=True)
    table.add_column("check", ratio=3, min_width=24)
    table.add_column("observed", ratio=3, overflow="fold")
    table.add_column("expected", ratio=2)
    table.add_column("verdict", no_wrap=True)
    for check in verification.checks:
        style = _STYLES[check.verdict]
        observed = Text(check.observed)
        if check.detail:
            observed.append("\n" if check.observed else "").append(check.detail, "dim")
        name = Text.assemble((check.name, "bold"), "\n", (check.explanation, "dim"))
        table.add_row(name, observed, Text(check.expected), Text(check.verdict, style))
    console.print(table)
    style = _STYLES[Verdict.OK if verification.is_sound else Verdict.VIOLATED]
    console.print(Text(verification.summary(), style), soft_wrap=True)
