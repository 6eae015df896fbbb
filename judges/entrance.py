"""The pool's entrance over HTTP, for judging from outside: a token, JSON in, JSON out.

    GET  /health   whether the entrance answers; needs no token
    GET  /judges   the judges by label (axes, fingerprint, what a row must bring, whether it is costly), and how many
                   replicas there are in each state
    POST /score    {"judge": LABEL, "rows": [{"row_id", "prompt_id", "prompt", "response", …}]} → {"judgements": […]}

Knows the token by its digest, and no judge. Does not know at which address it listens: `judges.pool` binds it to
127.0.0.1, and of `judges.service` Serve's own settings say.
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse

from cluster.hardening import close_port_of_replica
from dd_core.canonical import sha256
from dd_core.judging import JudgeSpec
from judges import make_judge
from judges.base import JudgeRow
from judges.wire import ASKED_ROWS, CALL_ROWS, ROWS, pack

if TYPE_CHECKING:
    from ray.serve import Application
    from ray.serve.handle import DeploymentHandle
    from ray.serve.schema import LoggingConfig

IN_FLIGHT = 8
"""Calls of one request at one time."""

MOST_ONGOING = 64
"""Requests at one time; Serve's usual five long ones would keep even a sign of life waiting."""

State = Callable[[str], dict[str, str]]
"""From an application's name to how many of its judges' replicas are in each state."""

MOST_BYTES = 64 * 2**20
"""Of one request; larger ones are refused before they are read whole."""


class Entrance:
    """Checks the token, cuts rows into blocks, and hands them to the replicas."""

    def __init__(self, specs: Sequence[str], replicas: DeploymentHandle, token_digest: str, state: State) -> None:
        close_port_of_replica()
        self._replicas, self._token_digest, self._state = replicas, token_digest, state
        self._judges: dict[str, dict[str, Any]] = {}
        for text in specs:
            spec = JudgeSpec.model_validate_json(text)
            judge = make_judge(spec)
            self._judges[spec.label] = {
                "axes": list(judge.axes),
                "fingerprint": judge.fingerprint,
                "needs": list(judge.needs),
                "costly": judge.costly,
            }

    async def __call__(self, request: Request) -> JSONResponse:
        route = (request.method, request.url.path)
        if route == ("GET", "/health"):
            return JSONResponse({"status": "ok"})
        if not self._may(request.headers.get("authorization", "")):
            return _refused(
                401, "send the pool's token (`ddsweep judge serve` prints its own): Authorization: Bearer TOKEN"
            )
        if route == ("GET", "/judges"):
            from ray import serve

            return JSONResponse({"judges": self._judges, "replicas": self._state(serve.get_replica_context().app_name)})
        if route != ("POST", "/score"):
            return _refused(404, "there are GET /health, GET /judges and POST /score")
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > MOST_BYTES:
                return _refused(413, f"a request holds {MOST_BYTES} bytes at most: send fewer rows")
        return await self._scored(bytes(body))

    def _may(self, header: str) -> bool:
        scheme, _, token = header.partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(sha256(token.encode()), self._token_digest)

    async def _scored(self, body: bytes) -> JSONResponse:
        try:
            asked = json.loads(body)
            label = asked["judge"]
            rows: list[JudgeRow] = ROWS.validate_python(asked["rows"])
            json.dumps(asked["rows"], ensure_ascii=False).encode()
        except ValidationError as error:
            first = error.errors()[0]
            return _refused(422, f"rows.{'.'.join(map(str, first['loc']))}: {first['msg']}")
        except UnicodeEncodeError:
            return _refused(422, "rows: a text holds half of a character (a lone surrogate): replace it")
        except (ValueError, KeyError, TypeError, RecursionError):
            return _refused(
                422, 'expected {"judge": LABEL, "rows": [{"row_id", "prompt_id", "prompt", "response"}, …]}'
            )
        if not isinstance(label, str) or label not in self._judges:
            return _refused(422, f"judge: there is no {label!r}; there are {', '.join(self._judges)}")
        size = ASKED_ROWS if self._judges[label]["costly"] else CALL_ROWS
        parts = [pack(rows[start : start + size]) for start in range(0, len(rows), size)]
        places = asyncio.Semaphore(IN_FLIGHT)

        async def scored(part: bytes) -> list[dict[str, Any]]:
            async with places:
                return cast("list[dict[str, Any]]", await self._replicas.score.remote(label, part))

        try:
            found = await asyncio.gather(*map(scored, parts))
        except Exception as error:  # a lost replica, or a judge that cannot be paid: the caller may come again
            return _refused(503, str(getattr(error, "cause", error)).strip().split("\n")[-1][:300])
        return JSONResponse({"judgements": [one for several in found for one in several]})


def _refused(status: int, why: str) -> JSONResponse:
    return JSONResponse({"error": why}, status_code=status)


def entrance(
    specs: Sequence[JudgeSpec], replicas: Any, token: str, state: State, logging_config: LoggingConfig
) -> Application:
    """The application whose way in is the entrance, in front of `replicas`, of which `state` tells how they are."""
    from ray import serve

    deployment = serve.deployment(
        name="entrance",
        num_replicas=1,
        max_ongoing_requests=MOST_ONGOING,
        ray_actor_options={"num_cpus": 0},
        logging_config=logging_config,
    )(Entrance)
    return deployment.bind([spec.model_dump_json() for spec in specs], replicas, sha256(token.encode()), state)
