"""A verification for the eye."""

from __future__ import annotations

from collections.abc import Iterator

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlm_data.validation.checks import Check, Verdict, Verification

_STYLES = {Verdict.OK: "green", Verdict.VIOLATED: "bold red", Verdict.NOT_MADE: "dim"}
_WIDTH_FOR_DETAILS = 110  # columns of a terminal; in a narrower one they would take a second line of every check


def print_verification(console: Console, verification: Verification) -> None:
    """Prints a table of all checks; then what is violated, in full, why checks were not made, and one line of sums.

    What matters most comes last, where a terminal shows it.
    """
    console.print(_tabulate(verification, with_details=console.width >= _WIDTH_FOR_DETAILS))
    for check in verification.having(Verdict.VIOLATED):
        console.print(
            Text.assemble((f"{check.verdict}  {check.name}", _STYLES[check.verdict]), f": {check.explanation}")
        )
        console.print(Padding(_tell_seen(check), (0, 0, 0, 2)))
    for line in _tell_not_made(verification):
        console.print(line)
    style = _STYLES[Verdict.OK if verification.is_sound else Verdict.VIOLATED]
    console.print(Text(verification.summary(), style), soft_wrap=True)


def _tabulate(verification: Verification, *, with_details: bool) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("check", no_wrap=True)
    table.add_column("observed", overflow="fold")
    table.add_column("expected", overflow="fold")
    table.add_column("verdict", no_wrap=True)
    for check in verification.checks:
        style = _STYLES[check.verdict]
        observed = Text(check.observed)
        if with_details and check.verdict is Verdict.OK and check.detail:
            observed.append(f"; {check.detail}", "dim")
        name = Text(check.name, style if check.verdict is not Verdict.OK else "")
        table.add_row(name, observed, Text(check.expected), Text(check.verdict, style))
    return table


def _tell_seen(check: Check) -> Text:
    return Text(f"observed {check.observed}; expected {check.expected}" + (f"; {check.detail}" if check.detail else ""))


def _tell_not_made(verification: Verification) -> Iterator[Text]:
    """By reason, the checks that were not made."""
    names_by_reason: dict[str, list[str]] = {}
    for check in verification.having(Verdict.NOT_MADE):
        names_by_reason.setdefault(check.detail, []).append(check.name)
    for reason, names in names_by_reason.items():
        yield Text(f"{Verdict.NOT_MADE}  {', '.join(names)}: {reason}", _STYLES[Verdict.NOT_MADE])
