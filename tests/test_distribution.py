"""On how many devices and machines a model is trained does not matter: the same losses, moments and weights."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mlm_data.storage import LocalStorage
from mlm_data.training.dataset import PretrainingData
from tests.finished import write_dataset
from tests.tiny_bert import needs_tensorflow
from tests.tiny_training import BATCH, train

pytestmark = needs_tensorflow
REPOSITORY = Path(__file__).parents[1]

# Adam takes the same steps whatever gradients are multiplied by, and so does a norm they are shortened to: its moments
# tell, where nothing is shortened.
_PLAIN = {"dropout": 0.0, "num_train_steps": 4}
RUNS: dict[str, dict[str, Any]] = {
    "adamw": {**_PLAIN, "max_grad_norm": 0.0},
    "lamb": {**_PLAIN, "optimizer": "lamb", "gradient_accumulation_steps": 2, "max_grad_norm": 0.1},
    "float16": {**_PLAIN, "max_grad_norm": 0.0, "mixed_precision": "float16"},
}

# On a machine that is busy with other things, a worker may be silent for longer than TensorFlow puts up with.
_TRAIN = """
import json, sys
from functools import partial
from pathlib import Path
import tensorflow as tf
from tensorflow.python.eager.context import context
devices, runs = int(sys.argv[3]), json.loads(sys.argv[4])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * devices)
configure = context().configure_coordination_service
context().configure_coordination_service = partial(configure, heartbeat_timeout_in_ms=600_000)
from tests.tiny_training import train
for name, flags in runs.items():
    train(Path(sys.argv[1]), Path(sys.argv[2]) / name, run={"distribution": sys.argv[5]}, **flags)
"""


def start(data: Path, models: Path, *, devices: int, runs: Any, distribution: str, **environment: str) -> Any:
    models.mkdir(exist_ok=True)
    arguments = [str(data), str(models), str(devices), json.dumps(runs), distribution]
    return subprocess.Popen(
        [sys.executable, "-c", _TRAIN, *arguments],
        cwd=REPOSITORY, env=os.environ | environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("localhost", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> Path:
    """All runs, on one device, on two, and on two machines."""
    root = tmp_path_factory.mktemp("models")
    data = root / "data"
    data.mkdir()
    write_dataset(data, documents=6, short_seq_prob=0.9, masked_lm_prob=0.4, max_predictions_per_seq=13)
    both = root / "two devices", root / "two machines"
    started = [start(data, both[0], devices=2, runs=RUNS, distribution="mirrored")]
    cluster = {"worker": [f"localhost:{port}" for port in free_ports(2)]}
    for index in range(2):
        task = json.dumps({"cluster": cluster, "task": {"type": "worker", "index": index}})
        runs = {"adamw": RUNS["adamw"]}
        started.append(start(data, both[1], devices=1, runs=runs, distribution="multi_worker", TF_CONFIG=task))
    (root / "one device").mkdir()
    for name, flags in RUNS.items():
        train(data, root / "one device" / name, **flags)
    for process in started:
        _, said = process.communicate()
        assert process.returncode == 0, said[-3000:]
    return root


def test_devices_are_given_different_numbers_of_tokens_to_predict(models):
    """So that a mean of means would be another number."""
    from mlm_data.training.input import Reader

    data = PretrainingData.load(LocalStorage(), str(models / "data"))
    batches = Reader(data, BATCH).training_batches("train", seed=12345, shuffle_buffer=20_000).take(4)
    counts = [
        (weights[::2].sum(), weights[1::2].sum()) for weights in (b["masked_lm_weights"].numpy() for b in batches)
    ]
    assert any(one != other for one, other in counts)


@pytest.mark.parametrize(
    ("where", "name"), [("two devices", "adamw"), ("two devices", "lamb"), ("two machines", "adamw")]
)
def test_the_number_of_devices_does_not_matter(models, where, name):
    one, many = ((models / place / name) for place in ("one device", where))
    assert losses(many) == pytest.approx(losses(one), rel=1e-4)
    expected, found = tensors(one), tensors(many)
    assert expected.keys() == found.keys()
    for key, value in expected.items():
        differs = np.abs(found[key] - value) > 1e-3 * np.abs(value).max() + 1e-7
        # Adam divides a gradient by its size: of one that is but rounding, the step is so, too.
        assert differs.mean() <= 1e-3, key


def test_nor_does_it_with_scaled_losses(models):
    one, many = (losses(models / place / "float16") for place in ("one device", "two devices"))
    assert many == pytest.approx(one, rel=5e-3)


def losses(model_dir: Path) -> list[float]:
    lines = (model_dir / "log.jsonl").read_text().splitlines()
    return [json.loads(line)[name] for line in lines for name in ("mlm_loss", "next_sentence_loss")]


def tensors(model_dir: Path) -> dict[str, np.ndarray]:
    """Weights and moments of the latest checkpoint."""
    import tensorflow as tf

    path = tf.train.latest_checkpoint(str(model_dir / "checkpoints"))
    reader = tf.train.load_checkpoint(path)
    names = [name for name, _ in tf.train.list_variables(path) if name.startswith(("model/", "optimizer/"))]
    values = {name: reader.get_tensor(name) for name in names}
    return {name: value for name, value in values.items() if getattr(value, "dtype", None) == np.float32}
