"""Asking a pool of somebody else's over HTTP, as `ddsweep judge serve` opens one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from dd_core.errors import InputError
from judges.base import JudgeRow
from judges.wire import ROWS as WIRE_ROWS

ROWS = 4096
"""Rows of one request: four calls, so that two replicas are busy."""

TIMEOUT_S = 3600.0
BUSY, WAITS_S = 503, (1.0, 2.0, 4.0, 8.0, 0.0)
"""What a pool says that cannot judge just now, and how long it is waited for before it is asked again."""


def score_remotely(
    address: str, token: str, labels: Sequence[str], rows: Sequence[JudgeRow], report: Callable[[int, int, str], None]
) -> list[dict[str, Any]]:
    """Judgements of rows by the judges of a pool, called by their labels there.

    Raises:
        InputError: nobody answers, the token is refused, or the pool has no such judge.
    """
    import httpx2

    found: list[dict[str, Any]] = []
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    with httpx2.Client(base_url=address, headers=headers, timeout=TIMEOUT_S) as client:
        for label in labels:
            for start in range(0, len(rows), ROWS):
                part = list(rows[start : start + ROWS])
                try:
                    reply = client.post(
                        "/score", json={"judge": label, "rows": WIRE_ROWS.dump_python(part, mode="json")}
                    )
                    said = reply.json()
                except (httpx2.RequestError, httpx2.InvalidURL) as error:
                    raise InputError(f"--address {address}: no pool answers there: {error}") from None
                except ValueError:
                    raise InputError(f"--address {address}: what answers there is no pool of judges") from None
                if reply.status_code != 200:
                    raise InputError(f"--address {address}: {said.get('error', reply.status_code)}")
                found += said["judgements"]
                report(start + len(part), len(rows), f"rows judged by {label}")
    return found
