"""What of this project travels to a cluster: the five packages with their data, and the files of one study.

Copied from where they are imported, so that neither a store, a `.env` nor anything else of a checkout goes along. Where
a checkout itself is handed to Ray as a working directory, `.rayignore` and `.gitignore` at its root say what stays.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

PACKAGES = ("dd_core", "storage", "cluster", "judges", "sweeps")

_STAYS = shutil.ignore_patterns("__pycache__", "*.pyc", ".*")


@contextmanager
def packaged(extra: Mapping[str, bytes]) -> Iterator[Path]:
    """A folder with the packages and `extra` files, to be sent as a job's working directory."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="ddsweep-submit-") as folder:
        for package in PACKAGES:
            shutil.copytree(root / package, Path(folder, package), ignore=_STAYS)
        for name, data in extra.items():
            Path(folder, name).parent.mkdir(parents=True, exist_ok=True)
            Path(folder, name).write_bytes(data)
        yield Path(folder)
