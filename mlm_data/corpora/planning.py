"""Settings become the list of files to read."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable
from itertools import islice
from pathlib import Path

from mlm_data.config import INPUT_FORMATS, CorporaSettings, SettingsError
from mlm_data.corpora.decoding import HEAD_BYTES, find_encoding, is_binary, look_ahead
from mlm_data.corpora.decompression import READ_ERRORS, compression_suffix, decompress
from mlm_data.corpora.detection import format_by_content, format_by_name
from mlm_data.corpora.inputs import InputFile, InputSpec, parse_input
from mlm_data.corpora.reading import read_documents
from mlm_data.records import Document
from mlm_data.storage import FileStat, Storage

_LARGEST_SINGLE_DOCUMENT = 64_000_000  # bytes of a file that `auto` takes for one document
_LARGEST_SINGLE_DOCUMENT_COMPRESSED = 16_000_000


def plan_inputs(settings: CorporaSettings, storage: Storage) -> list[InputFile]:
    """The files to read, in the order of their paths, each once, with the format of each.

    With a limit, files are read until that many documents are seen; the last of them gets a limit of its own, and what
    comes after is left out.

    Raises:
        SettingsError: no input is given, a glob matches nothing or cannot be looked up, two inputs name different
            formats for one file, or `auto` would have to take a very large file for one document.
    """
    if not settings.input:
        raise SettingsError("no --input is given; expected files to read, as in --input 'data/*.txt'")
    named: dict[str, tuple[FileStat, str]] = {}
    for argument in settings.input:
        spec = parse_input(argument, settings.input_format)
        for stat in _match(spec, storage):
            identity = stat.path if "://" in stat.path else str(Path(stat.path).resolve())
            earlier, earlier_format = named.get(identity, (stat, spec.input_format))
            named[identity] = (earlier, _agree(stat.path, earlier_format, spec.input_format))
    in_order = sorted(named.values(), key=lambda found: found[0].path)
    files = [_resolve(stat, input_format, settings, storage) for stat, input_format in in_order]
    return _apply_limit(files, settings, storage) if settings.limit else files


def _match(spec: InputSpec, storage: Storage) -> list[FileStat]:
    try:
        found = storage.match(spec.pattern)
    except OSError as error:
        raise SettingsError(f"--input {spec.pattern} cannot be looked up: {error}") from error
    if found:
        return found
    near = difflib.get_close_matches(spec.pattern.partition(":")[0], INPUT_FORMATS, 1) if ":" in spec.pattern else []
    hint = f"did you mean the format {near[0]}?" if near else "to read all files of a directory, write DIRECTORY/*"
    raise SettingsError(f"--input {spec.pattern} matches no file; expected a glob that matches at least one: {hint}")


def _agree(path: str, one: str, other: str) -> str:
    """The format two inputs name for one file; `auto` gives way."""
    if one != other and "auto" not in (one, other):
        raise SettingsError(f"{path} is given twice, as {one} and as {other}; expected one format: change an --input")
    return other if one == "auto" else one


def _resolve(stat: FileStat, input_format: str, settings: CorporaSettings, storage: Storage) -> InputFile:
    if input_format != "auto":
        return InputFile(stat.path, stat.size, stat.modified, input_format, detected=False)
    detected = format_by_name(stat.path) or _look_into(stat, settings, storage)
    return InputFile(stat.path, stat.size, stat.modified, detected, detected=True)


def _look_into(stat: FileStat, settings: CorporaSettings, storage: Storage) -> str:
    """The format by content; of no consequence where there is none to be read, which reading will find out."""
    try:
        with storage.open_for_reading(stat.path) as stream:
            head = look_ahead(decompress(stream, stat.path)).head
    except READ_ERRORS:
        return "text"
    if not head or is_binary(head, find_encoding(head, settings.encoding)[0]):
        return "text"
    input_format = format_by_content(head, settings.encoding, complete=len(head) < HEAD_BYTES)
    compressed = compression_suffix(stat.path)
    largest = _LARGEST_SINGLE_DOCUMENT_COMPRESSED if compressed else _LARGEST_SINGLE_DOCUMENT
    if input_format == "text" and stat.size > largest:
        raise SettingsError(
            f"{stat.path} has {stat.size} bytes and shows no sign of more than one document; auto takes no "
            f"{'compressed ' if compressed else ''}file over {largest} bytes for one document: name its format, as in "
            f"--input paragraphs:{stat.path}"
        )
    return input_format


def _apply_limit(files: Iterable[InputFile], settings: CorporaSettings, storage: Storage) -> list[InputFile]:
    kept: list[InputFile] = []
    wanted = settings.limit
    for file in files:
        documents = (item for item in read_documents(file, settings, storage) if isinstance(item, Document))
        found = sum(1 for _ in islice(documents, wanted))
        kept.append(file if found < wanted else dataclasses.replace(file, limit=wanted))
        wanted -= found
        if not wanted:
            break
    return kept
