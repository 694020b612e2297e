"""A verification for the eye."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table
from rich.text import Text

from mlm_data.validation.checks import Verdict, Verification

_STYLES = {Verdict.OK: "green", Verdict.VIOLATED: "bold red", Verdict.NOT_MADE: "dim"}


def print_verification(console: Console, verification: Verification) -> None:
    """Prints a table of all checks, then one line that sums them up."""
    table = Table()
    for column in ("check", "observed", "expected", "verdict"):
        table.add_column(column, overflow="fold")
    for check in verification.checks:
        style = _STYLES[check.verdict]
        observed = Text(check.observed)
        if check.detail:
            observed.append("\n" if check.observed else "").append(check.detail, "dim")
        name = Text.assemble((check.name, "bold"), "\n", (check.explanation, "dim"))
        table.add_row(name, observed, Text(check.expected), Text(check.verdict, style))
    console.print(table)
    console.print(Text(verification.summary(), _STYLES[Verdict.OK if verification.is_sound else Verdict.VIOLATED]))
