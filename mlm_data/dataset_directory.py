"""The output directory: what is in the way, what belongs to us, and what a run says of itself before it starts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import Enum
from fnmatch import fnmatch
from typing import Any

from mlm_data.manifest import MANIFEST
from mlm_data.shards import UNFINISHED, atomic_file
from mlm_data.storage import Storage

CONFIG = "config.json"

OUR_FILES = (
    "train-*-of-*.tfrecord*",
    "validation-*-of-*.tfrecord*",
    "rejects/*.jsonl",
    "vocab.txt",
    "statistics.json",
    "features.json",
    "dataset_info.json",
    "README.md",
    "report.html",
    CONFIG,
    MANIFEST,
)


class DirectoryState(Enum):
    """What an output directory holds, seen from a run that is about to start."""

    FREE = "nothing"
    FINISHED = "this very dataset, finished"
    UNFINISHED = "an unfinished run of this very dataset"
    OCCUPIED = "something else"


def examine_directory(storage: Storage, output_dir: str, fingerprint: str) -> tuple[DirectoryState, str]:
    """What the directory holds, and for a person what was found if that is in the way.

    What a run left that ended before its first shard is in nobody's way.
    """
    names = _names(storage, output_dir)
    if not names:
        return DirectoryState.FREE, ""
    found = _read_fingerprint(storage, output_dir) if CONFIG in names else None
    if found is None:
        return DirectoryState.OCCUPIED, f"{len(names)} files that are no dataset of ours ({', '.join(names[:3])})"
    if found == fingerprint:
        return (DirectoryState.FINISHED if MANIFEST in names else DirectoryState.UNFINISHED), ""
    if not any(".tfrecord" in name for name in names if not name.startswith(UNFINISHED)):
        return DirectoryState.FREE, ""
    return DirectoryState.OCCUPIED, f"{'a dataset' if MANIFEST in names else 'shards'} of other input or settings"


def _read_fingerprint(storage: Storage, output_dir: str) -> str | None:
    try:
        with storage.open_for_reading(f"{output_dir}/{CONFIG}") as file:
            return str(json.load(file)["fingerprint"])
    except (ValueError, KeyError, TypeError):
        return None


def clear_directory(storage: Storage, output_dir: str) -> None:
    """Deletes a dataset's files, the manifest first, and what unfinished runs left; what is not ours stays."""
    for name in sorted(_names(storage, output_dir), key=lambda name: name != MANIFEST):
        if any(fnmatch(name, pattern) for pattern in OUR_FILES):
            storage.delete(f"{output_dir}/{name}")
    storage.delete(f"{output_dir}/{UNFINISHED}")


def write_config(storage: Storage, output_dir: str, fingerprint: str, content: Mapping[str, Any]) -> None:
    """Writes `config.json`, by which a later run knows its own; `content` is JSON.

    Raises:
        OSError: the directory cannot be written to.
    """
    with atomic_file(storage, output_dir, CONFIG) as file:
        file.write(json.dumps({"fingerprint": fingerprint, **content}, indent=1).encode() + b"\n")


def _names(storage: Storage, output_dir: str) -> list[str]:
    # Listed by two patterns, since not every file system knows `**`.
    found = [*storage.match(f"{output_dir}/*"), *storage.match(f"{output_dir}/*/*")]
    prefix = f"{output_dir.rstrip('/')}/"
    names = {file.path.removeprefix(prefix) for file in found}
    return sorted(name for name in names if not name.startswith("."))  # .DS_Store and the like are in nobody's way
