"""MODEL_DIR: what is in the way, what belongs to us, and what a run says of itself before it starts."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from collections.abc import Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from mlm_data.config import SettingsError
from mlm_data.config.training import TrainingSettings
from mlm_data.training.dataset import DataNeeds, PretrainingData
from mlm_data.training.trained_models import EXPORT, Form, find_trained_model

RUN, RESULTS, LOG, CURVES = "training.json", "results.json", "log.jsonl", "curves.svg"
CHECKPOINTS, TENSORBOARD = "checkpoints", "tensorboard"
# Results first: where there are none, nothing is finished. The run last: without it, nothing is ours.
_OURS = (RESULTS, EXPORT, LOG, CURVES, CHECKPOINTS, TENSORBOARD, RUN)


class RunState(Enum):
    """What MODEL_DIR holds, seen from a run that is about to start."""

    FREE = "nothing"
    FINISHED = "this very run, finished"
    UNFINISHED = "this very run, unfinished"
    OCCUPIED = "something else"


def run_fingerprint(settings: TrainingSettings, data: PretrainingData) -> str:
    """Names a run: equal for two exactly if they are to give the same model. 64 hexadecimal digits.

    Raises:
        SettingsError: there are no weights to start from.
    """
    flags = dataclasses.asdict(settings)
    if settings.init_checkpoint:
        files = sorted(find_weights(Path(settings.init_checkpoint)).glob("*.safetensors"))
        flags["init_checkpoint"] = [_sha256(file) for file in files]
    masking = dataclasses.asdict(data.masking) if settings.masking == "dynamic" else None
    content = {"settings": flags, "data": data.manifest_sha256, "masking": masking}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def examine_run(directory: Path, fingerprint: str) -> tuple[RunState, str]:
    """What the directory holds, and for a person what was found if that is in the way.

    What a run left that ended before its first checkpoint is in nobody's way.
    """
    found = sorted(path.name for path in directory.glob("*") if not path.name.startswith("."))
    if not found:
        return RunState.FREE, ""
    try:
        run = json.loads((directory / RUN).read_bytes())["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError):
        return RunState.OCCUPIED, f"{len(found)} files that are no training run ({', '.join(found[:3])})"
    if not any((directory / CHECKPOINTS).glob("*.index")):
        return RunState.FREE, ""
    if run != fingerprint:
        return RunState.OCCUPIED, "a training run of other data or settings"
    return (RunState.FINISHED if RESULTS in found else RunState.UNFINISHED), ""


def clear_run(directory: Path) -> None:
    """Deletes a run; what is not ours stays."""
    for name in _OURS:
        path = directory / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def claim_run(
    directory: Path, fingerprint: str, settings: TrainingSettings, data: PretrainingData, model: Mapping[str, Any]
) -> None:
    """Writes `training.json`, by which a later run knows its own, and a reader the model's data and its shape.

    Raises:
        OSError: the directory cannot be written to.
    """
    directory.mkdir(parents=True, exist_ok=True)
    content = {
        "fingerprint": fingerprint,
        "settings": dataclasses.asdict(settings),
        "data_dir": data.directory,
        "data": dataclasses.asdict(DataNeeds.of(data)),
        "model": dict(model),
    }
    write_json(directory / RUN, content)


def find_weights(path: Path) -> Path:
    """The directory of a model in Hugging Face's layout, given that or one of `train-bert`.

    Raises:
        SettingsError: there is none.
    """
    found = find_trained_model(path)
    if found.form is not Form.HUGGINGFACE:
        raise SettingsError(
            f"{path} is a {found.form}; expected a directory of train-bert, or a BERT in Hugging Face's layout"
        )
    return found.path


def find_checkpoint(path: Path) -> Path | None:
    """The checkpoint that is meant, without suffix: this one, or the latest of a run without exports; or None."""
    if path.with_name(f"{path.name}.index").is_file():
        return path
    directory = path if path.name == CHECKPOINTS else path / CHECKPOINTS
    if directory != path and (path / EXPORT).exists():
        return None
    found = {int(file.stem.rpartition("-")[2]): file.with_suffix("") for file in directory.glob("ckpt-*.index")}
    return found[max(found)] if found else None


def read_model(checkpoint: Path) -> dict[str, Any]:
    """The shape of the model of a checkpoint, as `training.json` two directories above has it.

    Raises:
        SettingsError: it has none.
    """
    run = checkpoint.parent.parent / RUN
    try:
        model: dict[str, Any] = json.loads(run.read_bytes())["model"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SettingsError(
            f"{run} does not say of which model {checkpoint} is; expected that of train-bert"
        ) from error
    return model


def read_needs(directory: Path) -> DataNeeds | None:
    """What data the model in a directory has to be given; None if it is not one of ours."""
    try:
        return DataNeeds.from_json(json.loads((directory / RUN).read_bytes())["data"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Writes a file that is whole or not there."""
    temporary = path.with_name(f"{path.name}.unfinished")
    temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
