"""What is to be read, and in which format."""

from __future__ import annotations

from dataclasses import dataclass

from mlm_data.config import INPUT_FORMATS, SettingsError


@dataclass(frozen=True)
class InputSpec:
    """One `--input`: a glob and the format of the files it names."""

    pattern: str
    input_format: str


@dataclass(frozen=True, slots=True)
class InputFile:
    """One file to read.

    Attributes:
        path: as its file system names it.
        size: in bytes, as it lies.
        modified: seconds since 1970.
        input_format: one of the names in `formats.READERS`.
        detected: whether `auto` chose the format.
        limit: most documents to read from it; None for all.
    """

    path: str
    size: int
    modified: float
    input_format: str
    detected: bool
    limit: int | None = None


def parse_input(argument: str, default_format: str) -> InputSpec:
    """Takes the value of one `--input` apart.

    Only the name of a format makes what stands before a colon one; a file whose path begins like that is `./text:x`.

    Raises:
        SettingsError: a format is named but no file.

    >>> parse_input("paragraphs:law/*.txt", "auto")
    InputSpec(pattern='law/*.txt', input_format='paragraphs')
    >>> parse_input("gs://bucket/x", "auto")
    InputSpec(pattern='gs://bucket/x', input_format='auto')
    """
    before, colon, after = argument.partition(":")
    spec = InputSpec(after, before) if colon and before in INPUT_FORMATS else InputSpec(argument, default_format)
    if not spec.pattern:
        raise SettingsError(f"--input is {argument!r}; expected a file or glob, as in '{spec.input_format}:data/*.txt'")
    return spec
