"""A head of Ray's with token authentication, started as a user would start it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.cluster.nodes import head_alone
from tests.sweeps.outside import ray_folder


@pytest.fixture(scope="module")
def token() -> str:
    return secrets.token_hex(16)


@pytest.fixture(scope="module")
def head(token: str) -> Iterator[str]:
    """A head of its own; its dashboard's address."""
    environ = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": token, "AWS_EC2_METADATA_DISABLED": "true"}
    with ray_folder() as folder, head_alone(folder, environ) as url:
        yield url
