"""The judges as an application that Ray Serve builds by its name, for a service that outlives any command.

    import_path: judges.service:build
    args: {judges: [checklist, delivery], replicas: 4, num_cpus: 1}

Who calls brings the token of `$DDSWEEP_JUDGE_TOKEN`; without one there nothing is served. Does not know where it runs:
Serve's own settings say at which address.
"""

import os
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from dd_core.errors import InputError
from dd_core.judging import JudgeSpec
from judges.entrance import entrance
from judges.pool import pool_state, quietly, replicas_of

if TYPE_CHECKING:
    from ray.serve import Application

TOKEN_ENV = "DDSWEEP_JUDGE_TOKEN"


class Service(BaseModel):
    """What is served.

    Args:
        judges: their names.
        replicas: processes at most; more are started as calls queue.
        num_cpus: what each of them reserves.
        nodes: labels of the nodes that they may be on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    judges: tuple[str, ...] = Field(min_length=1)
    replicas: int = Field(1, ge=1, le=256)
    num_cpus: float = Field(1, ge=0, le=64)
    nodes: dict[str, str] = {}


def build(args: Service) -> "Application":
    """The application. Serve reads the arguments by the annotation, which for that has to be the class itself.

    Raises:
        InputError: no token is set, or a judge is not known.
    """
    token = os.environ.get(TOKEN_ENV, "").strip()
    if not token:
        raise InputError(f"{TOKEN_ENV}: is not set; whoever had the address could use the judges")
    specs = [JudgeSpec(judge=name) for name in args.judges]
    replicas = replicas_of(specs, args.replicas, args.num_cpus, args.nodes, None)
    return entrance(specs, replicas, token, pool_state, quietly())
