"""From what a user names to shards, each with what lies beside it: manifest and vocabulary."""

from __future__ import annotations

import glob
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mlm_data.config import SettingsError
from mlm_data.inspection.description import BERT_LABEL_MEANINGS
from mlm_data.manifest import MANIFEST, Manifest
from mlm_data.shards import TRAIN
from mlm_data.storage import Storage
from mlm_data.vocabulary import Vocabulary

VOCABULARY = "vocab.txt"

_SHARD_PATTERNS = ("*.tfrecord*", "*.tf_record*")  # the second is google-research/bert's
_NUMBER = re.compile(r"-(\d+)-of-\d+")


class RequestError(ValueError):
    """Something was asked for that is not there or does not fit; the message says what there is."""


class DatasetError(ValueError):
    """A dataset directory whose files contradict each other or make no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of records, and what is known about it.

    Attributes:
        path: as its storage names it.
        manifest: of the dataset it belongs to; None where there is none.
        vocabulary: of its ids; None where none is known.
        vocabulary_path: where that was read.
    """

    path: str
    manifest: Manifest | None = None
    vocabulary: Vocabulary | None = None
    vocabulary_path: str = ""

    @property
    def name(self) -> str:
        """Its file name."""
        return self.path.rpartition("/")[2]

    @property
    def directory(self) -> str:
        """Where it lies, with the slash; empty for the current directory."""
        return _directory(self.path)

    @property
    def number(self) -> int | None:
        """The number in its name, as in train-00007-of-00032.tfrecord."""
        match = _NUMBER.search(self.name)
        return int(match[1]) if match else None

    @property
    def label_meanings(self) -> Mapping[str, str]:
        """What each next_sentence_label says."""
        return self.manifest.label_meanings if self.manifest else BERT_LABEL_MEANINGS

    @property
    def is_masked(self) -> bool:
        """Whether tokens may be hidden in its records."""
        return self.manifest is None or self.manifest.max_predictions_per_seq > 0


def find_shards(storage: Storage, paths: Sequence[str], vocab_file: str | None = None) -> list[Shard]:
    """The shards of some files, globs and dataset directories, in the order given; of a directory, train first.

    A file belongs to the dataset whose manifest, in the same directory, names it.

    Args:
        storage: where they lie.
        paths: what the user names.
        vocab_file: a vocabulary for all of them; without one, the `vocab.txt` beside each shard is taken.

    Raises:
        RequestError: a path names nothing, or the vocabulary is not there or of another size than a manifest says.
        DatasetError: a manifest or the vocabulary beside it is damaged.
    """
    given = _load_vocabulary(storage, vocab_file, RequestError) if vocab_file else None
    found = [path for name in paths for path in _find(storage, name)]
    datasets = {
        directory: _read_dataset(storage, directory, given, vocab_file or "")
        for directory in dict.fromkeys(map(_directory, found))
    }
    return [datasets[_directory(path)].shard(path) for path in found]


@dataclass(frozen=True, slots=True)
class _Dataset:
    """What a directory says of the shards in it."""

    manifest: Manifest | None
    vocabulary: Vocabulary | None
    vocabulary_path: str

    def shard(self, path: str) -> Shard:
        """A file in the directory; the manifest speaks only of those it names."""
        name = path.rpartition("/")[2]
        listed = self.manifest is not None and name in _shard_names(self.manifest)
        return Shard(path, self.manifest if listed else None, self.vocabulary, self.vocabulary_path)


def _shard_names(manifest: Manifest) -> list[str]:
    """All shards of a dataset, train first."""
    return [shard.name for split in sorted(manifest.shards, key=_train_first) for shard in manifest.shards[split]]


def _directory(path: str) -> str:
    """The directory of a file, with its slash; empty for the current one."""
    return path[: path.rfind("/") + 1]


def _train_first(name: str) -> tuple[bool, str]:
    return not name.startswith(TRAIN), name


def _find(storage: Storage, name: str) -> list[str]:
    """The files that a dataset directory, a file name or a glob stands for."""
    # Directories come first, since to some file systems a directory's name is itself a match.
    directory = f"{name.rstrip('/')}/"
    manifest = _read_manifest(storage, directory)
    if manifest:
        return [directory + shard for shard in _shard_names(manifest)]
    patterns = [glob.escape(directory) + pattern for pattern in _SHARD_PATTERNS]
    inside = {file.path for pattern in patterns for file in storage.match(pattern)}
    if inside:
        return sorted(inside, key=lambda path: _train_first(path.removeprefix(directory)))
    if files := storage.match(name):
        return [file.path for file in files]
    raise RequestError(
        f"{name}: no such file, and no directory of shards either; expected TFRecord files, a glob, or a directory "
        f"with {MANIFEST} or files like {_SHARD_PATTERNS[0]}"
    )


def _read_dataset(storage: Storage, directory: str, given: Vocabulary | None, vocab_file: str) -> _Dataset:
    manifest = _read_manifest(storage, directory)
    path = directory + VOCABULARY
    if given:
        vocabulary, path = given, vocab_file
    elif storage.match(glob.escape(path)):
        vocabulary = _load_vocabulary(storage, path, DatasetError)
    else:
        return _Dataset(manifest, None, "")
    if manifest and len(vocabulary.pieces) != manifest.vocab_size:
        raise (RequestError if given else DatasetError)(
            f"{path} has {len(vocabulary.pieces)} entries; expected {manifest.vocab_size}, as {directory}{MANIFEST} "
            f"says; give the vocabulary the dataset was made with"
        )
    if manifest and not given and vocabulary.sha256 != manifest.vocab_sha256:
        raise DatasetError(f"{path} has sha256 {vocabulary.sha256}; expected {manifest.vocab_sha256}: it was changed")
    return _Dataset(manifest, vocabulary, path)


def _read_manifest(storage: Storage, directory: str) -> Manifest | None:
    path = directory + MANIFEST
    if not storage.match(glob.escape(path)):
        return None
    with storage.open_for_reading(path) as file:
        content = file.read()
    try:
        return Manifest.from_json(content)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DatasetError(
            f"{path} cannot be understood ({error}); expected a manifest of ours; if it is somebody else's, move it "
            f"away from the shards"
        ) from error


def _load_vocabulary(storage: Storage, path: str, kind: type[RequestError] | type[DatasetError]) -> Vocabulary:
    try:
        return Vocabulary.load(path, storage)
    except SettingsError as error:
        raise kind(str(error)) from error
