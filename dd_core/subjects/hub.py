"""The Hugging Face Hub: what is in its cache on this machine, and how a commit gets there.

Downloads go to the Hub's own cache, where other programs find them. Knows nothing of what is done with the files.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dd_core.errors import InputError
from dd_core.subjects.registry import Hub, Subject, snapshot

HUB_FILES = [
    "*.safetensors",
    "*.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "token*",
    "special_tokens_map.json",
    "*.jinja",
]


def download(subject: Subject, source: Hub, revision: str) -> Path:
    """The folder that holds `revision` (a commit or a branch) of the model; its name is the commit. May take long.

    Raises:
        InputError: the Hub cannot be reached or refuses, or the disk has no room.
    """
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    cache = Path(constants.HF_HUB_CACHE)
    if snapshot(source, revision) is None:
        _room(subject, cache)
    try:
        return Path(snapshot_download(source.repo_id, revision=revision, allow_patterns=HUB_FILES))
    except (LocalEntryNotFoundError, OfflineModeIsEnabled) as error:
        raise InputError(
            f"subject {subject.name}: {source.repo_id} is not in the Hugging Face cache ({cache}) and the Hub cannot "
            f"be reached; it takes {subject.disk_gb:.1f} GB; check the network, HF_HUB_OFFLINE and HF_HOME"
        ) from error
    except HfHubHTTPError as error:
        raise InputError(
            f"subject {subject.name}: the Hub refused {source.repo_id} at {revision} "
            f"({error.response.status_code}); accept its licence ({subject.licence}) there and set HF_TOKEN"
        ) from error


def _room(subject: Subject, cache: Path) -> None:
    """Raises InputError if the disk under `cache` has no room for the subject."""
    there = next(folder for folder in (cache, *cache.parents) if folder.exists())
    free_gb = shutil.disk_usage(there).free / 1e9
    if free_gb < subject.disk_gb:
        raise InputError(
            f"subject {subject.name} takes {subject.disk_gb:.1f} GB and {there} has {free_gb:.1f} GB left; make room, "
            "or set HF_HOME to a larger disk"
        )
