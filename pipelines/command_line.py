"""Flags as all programs understand them: `--flag`, `--no_flag`, `--flag False`, `--dashed-names`, and a TOML file."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import gc
import inspect
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn, get_type_hints

from mlm_data.config import SettingsError

DONE, FAILED, USAGE = 0, 1, 2

_TRUE, _FALSE = ("true", "1", "yes", "on"), ("false", "0", "no", "off")


class FlagParser(argparse.ArgumentParser):
    """An argument parser with one way of writing flags for all programs.

    Values that were not given are absent from the result, so that a file's settings can fill them in.
    """

    def __init__(self, description: str, epilog: str = "") -> None:
        super().__init__(
            description=inspect.cleandoc(description),
            epilog=inspect.cleandoc(epilog),
            formatter_class=_HelpFormatter,
            allow_abbrev=False,
            argument_default=argparse.SUPPRESS,
        )
        self._booleans: set[str] = set()

    def add_switch(self, name: str, description: str, group: Any = None) -> None:
        """A flag that is on or off: `--name`, `--no_name`, `--name=False`, `--name False`."""
        self._booleans.add(name)
        (group or self).add_argument(
            f"--{name}", type=_boolean, nargs="?", const=True, metavar="BOOL", help=description
        )

    def add_section(self, title: str, section: type) -> None:
        """The fields of a settings section as flags."""
        group, hints = self.add_argument_group(title), get_type_hints(section)
        for field in dataclasses.fields(section):
            self._add_field(group, field, hints[field.name])

    def parse_flags(self, arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
        """The flags this program knows, and the arguments it does not, spelled with underscores."""
        spelled, left = [], list(arguments)[::-1]
        while left:
            argument = self._spell(left.pop())
            if argument.removeprefix("--") in self._booleans:
                # No other word is taken for its value: what follows may be a path.
                argument += f"={left.pop()}" if left and left[-1].lower() in ("true", "false") else "=true"
            spelled.append(argument)
        return self.parse_known_args(spelled)

    def flag_names(self) -> list[str]:
        """All flags, with their dashes."""
        return [option for action in self._actions for option in action.option_strings if option.startswith("--")]

    def error(self, message: str) -> NoReturn:
        """Ends the program with status 2."""
        sys.stderr.write(f"{self.prog}: {message}\nSee {self.prog} --help.\n")
        raise SystemExit(USAGE)

    def _add_field(self, group: Any, field: dataclasses.Field[Any], kind: Any) -> None:
        description = field.metadata["help"] + _default_text(field)
        if kind is bool:
            self.add_switch(field.name, description, group)
            return
        options: dict[str, Any] = {"help": description}
        if field.metadata["words"]:
            options["type"] = _number_or(field.metadata["words"], kind)
        elif kind in (int, float):
            options["type"] = kind
        elif kind == tuple[int, ...]:
            options |= {"type": int, "action": "extend", "nargs": "+"}
        elif kind is not str:
            options["action"] = "append"
        if field.metadata["choices"]:
            options["choices"] = field.metadata["choices"]
        else:
            options["metavar"] = field.metadata["metavar"]
        group.add_argument(f"--{field.name}", **options)

    def _spell(self, argument: str) -> str:
        if not argument.startswith("--"):
            return argument
        name, equals, value = argument[2:].partition("=")
        name = name.replace("-", "_")
        if not equals and name not in self._booleans and name.removeprefix("no_") in self._booleans:
            return f"--{name.removeprefix('no_')}=false"
        return f"--{name}{equals}{value}"


def nearest_flag(argument: str, known: Iterable[str]) -> str:
    """What to say of a flag nobody knows."""
    name = argument.partition("=")[0]
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"unknown flag {name}" + (f"; did you mean {near[0]}?" if near else "")


def read_toml(path: str) -> dict[str, Any]:
    """Settings from a TOML file whose keys are flag names.

    Raises:
        SettingsError: the file cannot be read or is no TOML.
    """
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(f"--config {path} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"--config {path} is no TOML file: {error}") from error


def run_program(main: Callable[[Sequence[str]], int]) -> NoReturn:
    """Runs a program on the command line's arguments and exits with its status; bad settings are usage errors."""
    gc.freeze()  # what was imported stays: no search for garbage need look at it
    try:
        status = main(sys.argv[1:])
    except SettingsError as error:
        sys.stderr.write(f"{Path(sys.argv[0]).name}: {error}\n")
        status = USAGE
    except KeyboardInterrupt:
        sys.stderr.write("Interrupted; nothing partial was left under a final name.\n")
        status = FAILED
    except BrokenPipeError:  # the reader of our output, say `head`, has had enough
        sys.stderr.close()
        status = DONE
    gc.freeze()  # what is left goes with the process: to search it for garbage at the end takes a quarter of a second
    raise SystemExit(status)


class _HelpFormatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=110)


def _boolean(value: str) -> bool:
    if value.lower() in _TRUE + _FALSE:
        return value.lower() in _TRUE
    raise argparse.ArgumentTypeError(f"{value!r} is neither true nor false")


def _number_or(words: Iterable[str], kind: type[int | float]) -> Callable[[str], int | float | str]:
    def parse(value: str) -> int | float | str:
        if value in words:
            return value
        try:
            return kind(value)
        except ValueError:
            number = "a whole number" if kind is int else "a number"
            message = f"{value!r} is neither {number} nor {' or '.join(words)}"
            raise argparse.ArgumentTypeError(message) from None

    return parse


def _default_text(field: dataclasses.Field[Any]) -> str:
    default = field.default
    if default in ("", ()):
        return ""
    words = {number: word for word, number in field.metadata["words"].items()}
    shown = str(default).lower() if isinstance(default, bool) else words.get(default, default)
    return f" (default: {shown})"
