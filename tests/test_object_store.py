"""Input, tokens and output on a file system of Beam's that is not the local one: an object store, as gs:// and s3://."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileMetadata, FileSystem

from pipelines.inspect_shards import main as inspect_shards
from pipelines.make_pretraining_data import main

REPOSITORY = Path(__file__).parents[1]
OBJECTS: dict[str, bytes] = {}


class _Upload(io.BytesIO):
    """An object comes to be when its writer is closed."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self._path = path

    def close(self) -> None:
        if not self.closed:
            OBJECTS[self._path] = self.getvalue()
        super().close()


class ObjectStore(FileSystem):
    """Objects by name in `OBJECTS`. There are no directories: a name may merely have slashes."""

    @classmethod
    def scheme(cls) -> str:
        return "objects"

    def join(self, basepath: str, *paths: str) -> str:
        return "/".join([basepath.rstrip("/"), *paths])

    def split(self, path: str) -> tuple[str, str]:
        head, _, tail = path.rpartition("/")
        return head, tail

    def mkdirs(self, path: str) -> None:
        pass

    def has_dirs(self) -> bool:
        return False

    def _list(self, dir_or_prefix: str) -> Iterator[FileMetadata]:
        for path, content in sorted(OBJECTS.items()):
            if path.startswith(dir_or_prefix):
                yield FileMetadata(path, len(content), 0.0)

    def create(
        self, path: str, mime_type: str = "application/octet-stream", compression_type: str = CompressionTypes.AUTO
    ) -> io.BytesIO:
        return _Upload(path)

    def open(
        self, path: str, mime_type: str = "application/octet-stream", compression_type: str = CompressionTypes.AUTO
    ) -> io.BytesIO:
        if path not in OBJECTS:
            raise BeamIOError(f"no object {path}")
        return io.BytesIO(OBJECTS[path])

    def copy(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        for source, destination in zip(source_file_names, destination_file_names, strict=True):
            OBJECTS[destination] = OBJECTS[source]

    def rename(self, source_file_names: list[str], destination_file_names: list[str]) -> None:
        self.copy(source_file_names, destination_file_names)
        self.delete(source_file_names)

    def exists(self, path: str) -> bool:
        return path in OBJECTS

    def size(self, path: str) -> int:
        return len(OBJECTS[path])

    def last_updated(self, path: str) -> float:
        return 0.0

    def checksum(self, path: str) -> str:
        return str(hash(OBJECTS[path]))

    def metadata(self, path: str) -> FileMetadata:
        return FileMetadata(path, len(OBJECTS[path]), 0.0)

    def delete(self, paths: list[str]) -> None:
        for path in paths:
            OBJECTS.pop(path, None)


@pytest.fixture
def store() -> Iterator[dict[str, bytes]]:
    for path in sorted((REPOSITORY / "samples" / "corpus").glob("*.txt*")):
        OBJECTS[f"objects://in/{path.name}"] = path.read_bytes()
    OBJECTS["objects://in/vocab"] = (REPOSITORY / "vocab" / "en-uncased-30k.txt").read_bytes()
    yield OBJECTS
    OBJECTS.clear()


@pytest.mark.parametrize("shuffle", ["files", "engine"])
def test_everything_may_lie_in_an_object_store(store, shuffle, tmp_path, capsys):
    common = ["--dupe_factor=1", f"--shuffle={shuffle}"]
    output, tokens = "objects://out/data", ["--tokens_dir=objects://kept/tokens"] if shuffle == "files" else []
    there = ["--input=objects://in/*.txt*", "--vocab_file=objects://in/vocab", f"--output_dir={output}", *tokens]
    assert main([*there, *common]) == 0
    corpus, vocabulary = REPOSITORY / "samples" / "corpus", REPOSITORY / "vocab" / "en-uncased-30k.txt"
    here = [f"--input={corpus}/*.txt*", f"--vocab_file={vocabulary}", f"--output_dir={tmp_path / 'data'}"]
    assert main([*here, *common]) == 0
    shards = json.loads(store[f"{output}/manifest.json"])["shards"]
    assert shards == json.loads((tmp_path / "data" / "manifest.json").read_text())["shards"]
    assert not [path for path in store if "_unfinished" in path]
    assert inspect_shards([output, "--verify", *tokens]) == 0
    assert main([*there, *common]) == 0
    assert "already" in capsys.readouterr().err
