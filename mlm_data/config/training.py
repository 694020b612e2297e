"""The settings of `train-bert`: what decides the weights, and what does not."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from mlm_data.config import NO_MASKING, MaskingSettings, _check_choices, _require, _setting


@dataclass(frozen=True)
class TrainingSettings:
    """What is trained, and how (train-bert); decides every weight."""

    model_size: str = _setting(
        "base",
        "Size of a new model, from 2 layers of width 128 to 24 of width 1024 (Devlin et al. 2019, Turc et al. 2019).",
        choices=("tiny", "mini", "small", "medium", "base", "large"),
    )
    max_position_embeddings: int = _setting(512, "Longest sequence a new model can read.", metavar="N")
    dropout: float = _setting(0.1, "Share of activations and attention weights dropped while training.", metavar="P")
    init_checkpoint: str = _setting(
        "",
        "Weights to start from in place of new ones: MODEL_DIR of an earlier run (sequences of 128 first, of 512 then, "
        "as BERT was trained), or a BERT in Hugging Face's layout.",
        metavar="DIR",
    )
    masking: str = _setting(
        "static",
        "static: masks as they are in the shards. dynamic: other tokens masked each time an instance is read.",
        choices=("static", "dynamic"),
    )
    batch_size: int = _setting(256, "Instances per step of the optimizer, on all devices together.", metavar="N")
    gradient_accumulation_steps: int = _setting(
        1,
        "Parts in which a device goes through its share of a batch, to save memory; the step stays the same.",
        metavar="N",
    )
    num_train_steps: int = _setting(100_000, "Steps of the optimizer.", metavar="N")
    optimizer: str = _setting("adamw", "adamw, or lamb for batches of many thousands.", choices=("adamw", "lamb"))
    learning_rate: float = _setting(1e-4, "Learning rate at the end of the warm-up.", metavar="RATE")
    num_warmup_steps: int = _setting(
        -1,
        "Steps in which the learning rate rises from 0 in a line; auto: a tenth of all, but no more than 10,000.",
        metavar="N",
        words={"auto": -1},
    )
    decay_power: float = _setting(
        1.0, "After the warm-up the learning rate falls to 0 as this power of the steps that are left.", metavar="POWER"
    )
    weight_decay: float = _setting(0.01, "Weight decay of all weights but biases and layer norms.", metavar="RATE")
    max_grad_norm: float = _setting(
        1.0, "Longer gradients are shortened to this global norm; 0: never.", metavar="NORM"
    )
    mixed_precision: str = _setting(
        "none",
        "Compute in half precision where that is safe; weights stay float32. float16 scales the loss.",
        choices=("none", "float16", "bfloat16"),
    )
    jit_compile: bool = _setting(False, "Compile the step with XLA.")
    deterministic: bool = _setting(
        False, "On GPUs, compute so that the same command gives the same weights, bit by bit; slower."
    )
    shuffle_buffer: int = _setting(20_000, "Instances to shuffle among as they are read.", metavar="N")
    random_seed: int = _setting(
        12345, "Decides new weights, dropout, dynamic masks and the order of the data.", metavar="N"
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        at_least_one = (
            "max_position_embeddings", "batch_size", "gradient_accumulation_steps", "num_train_steps", "shuffle_buffer"
        )  # fmt: skip
        for name in at_least_one:
            _require(getattr(self, name) >= 1, f"--{name} is {getattr(self, name)}; expected 1 or more")
        for name in ("decay_power", "weight_decay", "max_grad_norm"):
            _require(getattr(self, name) >= 0.0, f"--{name} is {getattr(self, name)}; expected 0 or more")
        _require(0.0 <= self.dropout < 1.0, f"--dropout is {self.dropout}; expected at least 0 and below 1")
        _require(self.learning_rate > 0.0, f"--learning_rate is {self.learning_rate}; expected more than 0")
        _require(
            -1 <= self.num_warmup_steps <= self.num_train_steps,
            f"--num_warmup_steps is {self.num_warmup_steps}; expected auto, or from 0 to --num_train_steps, "
            f"{self.num_train_steps}",
        )
        _require(
            self.batch_size % self.gradient_accumulation_steps == 0,
            f"--batch_size is {self.batch_size}; expected a multiple of --gradient_accumulation_steps, "
            f"{self.gradient_accumulation_steps}",
        )

    @property
    def warmup_steps(self) -> int:
        """Steps of the warm-up as a number: 10,000 of a million, as Devlin et al. 2019 had it, a tenth of few."""
        return min(10_000, self.num_train_steps // 10) if self.num_warmup_steps == -1 else self.num_warmup_steps


@dataclass(frozen=True)
class DynamicMaskingSettings:
    """How masks are drawn that are not those of the shards (train-bert, evaluate); decides them together with the seed.

    What is `auto` is as in the dataset, or make-pretraining-data's default where that has no masks.
    """

    dynamic_masking: str = _setting(
        "auto",
        "What is masked together: see --masking of make-pretraining-data. auto: as in the dataset; token where it was "
        "made with --masking none.",
        choices=("auto", "token", "whole_word", "ngram", "span"),
    )
    masked_lm_prob: float = _setting(
        -1.0, "Share of an instance's tokens to predict; auto: as in the dataset.", metavar="P", words={"auto": -1}
    )
    max_predictions_per_seq: int = _setting(
        0,
        "Most tokens to predict in one instance; auto: as in the dataset or, where the share is another, that of the "
        "longest instance.",
        metavar="N",
        words={"auto": 0},
    )
    mask_token_prob: float = _setting(
        -1.0, "Share of the predicted tokens that become [MASK]; auto likewise.", metavar="P", words={"auto": -1}
    )
    random_token_prob: float = _setting(
        -1.0,
        "Share of the predicted tokens that become another ordinary token; auto likewise.",
        metavar="P",
        words={"auto": -1},
    )
    max_ngram_size: int = _setting(0, "Most words of an n-gram; auto likewise.", metavar="N", words={"auto": 0})

    def __post_init__(self) -> None:
        _check_choices(self)

    @property
    def given(self) -> dict[str, Any]:
        """Those that are not left to the dataset."""
        fields = dataclasses.fields(self)
        values = {field.name: getattr(self, field.name) for field in fields}
        return {field.name: values[field.name] for field in fields if values[field.name] != field.default}

    def applied_to(self, masking: MaskingSettings) -> MaskingSettings:
        """How masks are drawn for a dataset that was masked so; the number of slots may be left to be resolved.

        Raises:
            SettingsError: together they make no sense.
        """
        given = self.given
        strategy = given.pop("dynamic_masking", "token" if masking.masking == NO_MASKING else masking.masking)
        if "masked_lm_prob" in given:
            given.setdefault("max_predictions_per_seq", 0)
        return dataclasses.replace(masking, masking=strategy, **given)


@dataclass(frozen=True)
class TrainingRunSettings:
    """Where a training run reads and writes, and when it tells how it goes (train-bert); decides no weight."""

    data_dir: str = _setting("", "Dataset to train on, as make-pretraining-data made it.", metavar="DIR")
    model_dir: str = _setting("", "Directory for checkpoints, logs and the trained model.", metavar="DIR")
    distribution: str = _setting(
        "auto",
        "one: one device. mirrored: all devices of this machine. multi_worker: all machines named in TF_CONFIG. auto: "
        "multi_worker where TF_CONFIG names several, mirrored where there are several accelerators.",
        choices=("auto", "one", "mirrored", "multi_worker"),
    )
    log_every: int = _setting(100, "Steps from one line of the log to the next.", metavar="N")
    checkpoint_every: int = _setting(1000, "Steps from one checkpoint to the next.", metavar="N")
    keep_checkpoints: int = _setting(3, "Checkpoints to keep, the latest.", metavar="N")
    validation_every: int = _setting(1000, "Steps from one look at the validation split to the next.", metavar="N")
    max_eval_steps: int = _setting(
        100, "Batches of the validation split to look at while training; at the end, all of it.", metavar="N"
    )

    def __post_init__(self) -> None:
        _check_choices(self)
        for name, purpose in (("data_dir", "what to train on"), ("model_dir", "where the model is written")):
            _require(bool(getattr(self, name)), f"--{name} is missing; it says {purpose}")
        for name in ("log_every", "checkpoint_every", "keep_checkpoints", "validation_every", "max_eval_steps"):
            _require(getattr(self, name) >= 1, f"--{name} is {getattr(self, name)}; expected 1 or more")
