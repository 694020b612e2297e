"""Where a trained model lies and in which form. Looks at files only, so that errors need not wait for TensorFlow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path

from mlm_data.config import SettingsError
from mlm_data.training.tokenizer_files import has_tokenizer

# What a directory of `train-bert` calls the one with the exports.
EXPORT = "export"


class Form(StrEnum):
    """What a trained model is exported as; the value is its name in the directory."""

    HUGGINGFACE = "huggingface"
    KERAS = "model.keras"
    SAVED_MODEL = "saved_model"


@dataclass(frozen=True)
class TrainedModel:
    """One export.

    Attributes:
        form: what it is.
        path: a `.keras` file, or a directory.
        tokenizer: the directory of its tokenizer's files; None for a SavedModel, which takes strings.
    """

    form: Form
    path: Path
    tokenizer: Path | None


def find_trained_model(path: Path) -> TrainedModel:
    """The model at a path: an export of any form, the directory of several, or a directory of `train-bert`.

    Raises:
        SettingsError: there is none, or one without a vocabulary.
    """
    for candidate in _candidates(path):
        form = _form(candidate)
        if form is Form.SAVED_MODEL:
            return TrainedModel(form, candidate, None)
        if form:
            return TrainedModel(form, candidate, _find_tokenizer(candidate))
    raise SettingsError(
        f"{path} {'holds no model' if path.exists() else 'does not exist'}; expected a directory of train-bert, one "
        f"with config.json and model.safetensors, one with saved_model.pb, or a .keras file"
    )


def require_tensorflow(*others: str) -> None:
    """Makes sure that what models need is installed, and other packages with it, without importing any.

    Raises:
        SettingsError: it is not.
    """
    missing = [name for name in ("tensorflow", "keras", "safetensors", *others) if find_spec(name) is None]
    if missing:
        raise SettingsError(f"{' and '.join(missing)} not installed; models need pip install 'mlm-data[train]'")


def _candidates(path: Path) -> Iterator[Path]:
    for directory in (path, path / EXPORT):
        yield directory
        yield from (directory / form for form in Form)


def _form(path: Path) -> Form | None:
    if path.suffix == Path(Form.KERAS).suffix and path.is_file():
        return Form.KERAS
    if (path / "saved_model.pb").is_file():
        return Form.SAVED_MODEL
    return Form.HUGGINGFACE if all((path / name).is_file() for name in ("config.json", "model.safetensors")) else None


def _find_tokenizer(path: Path) -> Path:
    directories = (path, path.parent, path.parent / Form.HUGGINGFACE)
    for directory in directories:
        if has_tokenizer(directory):
            return directory
    raise SettingsError(f"there is no vocab.txt in {path} or beside it; expected that of the model")
