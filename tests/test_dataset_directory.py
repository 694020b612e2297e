"""The output directory: nobody's files are touched, and a run knows its own."""

from __future__ import annotations

import pytest

from mlm_data.dataset_directory import DirectoryState, clear_directory, examine_directory, write_config
from mlm_data.storage import LocalStorage

STORAGE = LocalStorage()


@pytest.mark.parametrize(
    ("fingerprint", "files", "state"),
    [
        (None, [], DirectoryState.FREE),
        (None, [".DS_Store"], DirectoryState.FREE),
        (None, ["notes.txt"], DirectoryState.OCCUPIED),
        (None, ["train-00000-of-00001.tfrecord"], DirectoryState.OCCUPIED),
        (None, ["config.json", "model.safetensors"], DirectoryState.OCCUPIED),
        ("this", [], DirectoryState.UNFINISHED),
        ("this", ["train-00000-of-00001.tfrecord"], DirectoryState.UNFINISHED),
        ("this", ["manifest.json"], DirectoryState.FINISHED),
        ("other", ["manifest.json", "train-00000-of-00001.tfrecord"], DirectoryState.OCCUPIED),
        ("other", ["train-00000-of-00001.tfrecord"], DirectoryState.OCCUPIED),
        ("other", ["rejects/binary.jsonl"], DirectoryState.FREE),
    ],
)
def test_what_a_directory_holds(tmp_path, fingerprint, files, state):
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    if fingerprint:
        write_config(STORAGE, str(tmp_path), fingerprint, {})
    found, what = examine_directory(STORAGE, str(tmp_path), "this")
    assert found is state
    assert bool(what) is (state is DirectoryState.OCCUPIED)


def test_clearing_takes_what_is_ours(tmp_path):
    mine = ["train-00000-of-00001.tfrecord.gz", "rejects/empty.jsonl", "manifest.json", "_unfinished/x.0123"]
    yours = ["notes.txt", "train.tfrecord", "more/manifest.json"]
    for name in mine + yours:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    clear_directory(STORAGE, str(tmp_path))
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == set(yours)
