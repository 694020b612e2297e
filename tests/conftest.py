"""What all tests share."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path

import hypothesis
import pytest

from tests.datasets import Dataset, make_dataset

# No test measures time.
hypothesis.settings.register_profile("patient", deadline=None)
hypothesis.settings.load_profile("patient")


@pytest.fixture(scope="session")
def sound_dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A thousand records in six shards: nobody may write to it."""
    return make_dataset(tmp_path_factory.mktemp("sound"))


@pytest.fixture
def dataset(sound_dataset: Dataset, tmp_path: Path) -> Dataset:
    """A copy of it, to be spoilt."""
    shutil.copytree(sound_dataset.directory, tmp_path / "out")
    return dataclasses.replace(sound_dataset, directory=tmp_path / "out")
