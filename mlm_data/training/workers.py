"""Which of how many machines this is. Knows nothing of TensorFlow, but what it reads in its environment variable."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass

from mlm_data.config import SettingsError

_TF_CONFIG = "TF_CONFIG"


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of each batch that one worker takes: every `count`-th, from `index` on."""

    index: int = 0
    count: int = 1


WHOLE = Share()


def this_worker() -> Share:
    """The share of this process, as TF_CONFIG says; all, where it says nothing.

    Raises:
        SettingsError: what it says makes no sense, or names parameter servers.
    """
    try:
        content = json.loads(os.environ.get(_TF_CONFIG) or "{}")
        cluster, task = content.get("cluster", {}), content.get("task", {})
        chiefs, workers = len(cluster.get("chief", ())), len(cluster.get("worker", ()))
        index = int(task.get("index", 0)) + (chiefs if task.get("type") == "worker" else 0)
        has_servers = bool(cluster.get("ps"))
    except (AttributeError, TypeError, ValueError) as error:
        raise SettingsError(
            f"{_TF_CONFIG} is not understood ({error}); expected JSON with a cluster and a task"
        ) from error
    if has_servers:
        raise SettingsError(
            f"{_TF_CONFIG} names parameter servers, which Keras 3 does not know, and whose steps come in no order, so "
            f"that no run could be repeated; expected workers only, each of which has all weights"
        )
    return Share(index, max(1, chiefs + workers))
