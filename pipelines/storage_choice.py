"""Which file systems a program needs."""

from __future__ import annotations

from collections.abc import Iterable

from mlm_data.storage import LocalStorage, Storage


def storage_for(paths: Iterable[str]) -> Storage:
    """The local file system if all paths are local, else whatever Beam knows; that takes seconds to import."""
    if not any("://" in path for path in paths):
        return LocalStorage()
    from mlm_data.transforms.storage import BeamStorage  # noqa: PLC0415

    return BeamStorage()
