"""A job runs under the versions that it was submitted with, and takes no secret along."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cluster.environment import LIBRARIES, differences, here, pinned, travelling

ROOT = Path(__file__).parents[2]


def compare(path: Path, *more: str, python: tuple[str, ...] = (sys.executable,)) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*python, "-m", "cluster.environment", str(path), *more], capture_output=True, text=True, cwd=ROOT
    )


def test_this_machine_has_what_this_machine_has(tmp_path: Path) -> None:
    (tmp_path / "asked").write_bytes(pinned())
    done = compare(tmp_path / "asked")
    assert (done.returncode, done.stderr) == (0, "")
    assert set(json.loads(pinned())) == {"python", *LIBRARIES}


def test_another_version_is_refused_in_one_line_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "asked").write_text(json.dumps({**here(), "torch": "1.0", "trl": "0.1"}))
    done = compare(tmp_path / "asked")
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert f"torch {here()['torch']} instead of 1.0, trl {here()['trl']} instead of 0.1" in done.stderr


def test_a_python_that_has_nothing_installed_says_so_in_the_same_line(tmp_path: Path) -> None:
    (tmp_path / "asked").write_bytes(pinned())
    done = compare(tmp_path / "asked", python=(sys.executable, "-S"))
    assert done.returncode == 2 and len(done.stderr.strip().splitlines()) == 1
    assert all(f"{name} not installed instead of {here()[name]}" in done.stderr for name in LIBRARIES)


def test_or_told_where_it_is_wanted_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "asked").write_text(json.dumps({**here(), "torch": "1.0"}))
    done = compare(tmp_path / "asked", "--warn")
    assert done.returncode == 0 and done.stderr.startswith("warning: ")


def test_a_build_is_no_other_version_and_what_is_absent_is() -> None:
    assert "+" not in here()["torch"]
    assert (
        differences({"torch": "2.13.0", "python": "3.11"}, {"python": "3.11"})
        == "torch not installed instead of 2.13.0"
    )


def test_every_library_is_one_that_the_project_pins() -> None:
    declared = (ROOT / "pyproject.toml").read_text()
    assert all(f'"{name}>=' in declared or f'"{name}[' in declared for name in LIBRARIES)


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "HF_TOKEN",
                                  "RAY_AUTH_TOKEN", "OPENROUTER_API_KEY", "AWS_PROFILE"])  # fmt: skip
def test_no_credential_travels(name: str) -> None:
    assert travelling({name: "planted"}) == ({}, [])


def test_where_the_store_is_travels_unless_it_is_this_machine_or_holds_a_password() -> None:
    found, stays = travelling({
        "AWS_ENDPOINT_URL": "https://minio.example.com:9000", "AWS_REGION": "eu-1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9000", "HF_ENDPOINT": "https://user:planted@hub.example.com",
    })  # fmt: skip
    assert found == {"AWS_ENDPOINT_URL": "https://minio.example.com:9000", "AWS_REGION": "eu-1"}
    assert len(stays) == 2 and "loopback" in stays[0] and "planted" not in " ".join(stays)


@pytest.mark.parametrize(
    ("value", "why"),
    [("http://user:planted@host:9000", "may hold a password"), ("user:planted@host:9000", "may hold a password"),
     ("http://host:9000/planted@", "may hold a password"), ("http://[bad", "is no address"),
     ("http://localhost:9000", "loopback"), ("localhost:9000", "loopback"), ("http://[::1]:9000", "loopback")],
)  # fmt: skip
def test_an_endpoint_that_stays_here_is_told_without_repeating_it(value: str, why: str) -> None:
    found, (line,) = travelling({"AWS_ENDPOINT_URL": value})
    assert found == {} and line.startswith("AWS_ENDPOINT_URL ") and why in line and "planted" not in line
