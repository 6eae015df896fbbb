"""What can be seen of a running study from outside: its metrics and dashboard, its ports, and none of its secrets.

One study runs once for all of it: on an S3 store, with a judge that is a model, watched by Prometheus where it is
installed.
"""

from __future__ import annotations

import contextlib
import json
import math
import re
import secrets
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml
from moto.server import ThreadedMotoServer

from cluster.metrics import FAMILIES, OTHER
from tests.chat_server import ChatServer, Reply, said
from tests.sweeps.helpers import smoke
from tests.sweeps.outside import Ports, Prometheus, Secrets, ray_folder, running

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(900)]

scraped = pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs Debian's prometheus")

DASHBOARD = Path(__file__).parents[2] / "cluster" / "grafana" / "ddsweep.json"
BUCKET = "watched"
KEY_ENV = "PLANTED_JUDGE_KEY"


def score(body: dict[str, Any], seen: int) -> Reply:
    """A judge that scores by the length of what it reads, and cannot be read on every tenth of them."""
    words = body["messages"][-1]["content"]
    return said("prose" if len(words) % 10 == 0 else f'{{"mcas": {len(words) % 3}}}')


def question(url: str) -> dict[str, Any]:
    model = {
        "backend": "openai", "model": "m", "base_url": url, "concurrency": 16, "api_key_env": KEY_ENV,
        "usd_per_million": [1.0, 2.0],
    }  # fmt: skip
    return smoke(
        name="watched", replicates=[], judges=["checklist", "delivery", {"judge": "mcas", "model": model}],
        search={"generations": 1, "trials_per_generation": 1}, confirm={"train_seeds": 2},
        resources={"usd_per_hour": 10.0},
    )  # fmt: skip


@dataclass
class Seen:
    """What was seen of the run.

    Attributes:
        values: an expression of the dashboard → the values that Prometheus gave for it, over the whole run.
    """

    secrets: Secrets
    status: int
    printed: str
    objects: dict[str, bytes]
    ray: Path
    logs: Path
    keys: set[str | None]
    names: set[str]
    series: list[dict[str, Any]]
    exposition: str = ""
    ports: Ports = field(default_factory=Ports)
    arguments: list[str] = field(default_factory=list)
    values: dict[str, list[float]] = field(default_factory=dict)
    refused: int = 0
    actors: bytes = b""


def expressions() -> list[str]:
    """Of every panel of the dashboard, with what Grafana would put in."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    found = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    return [
        one.replace("$__rate_interval", "20s").replace("$__range", "10m").replace("$session", ".*") for one in found
    ]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seen]:
    folder = tmp_path_factory.mktemp("outside")
    planted = {
        "AWS_ACCESS_KEY_ID": f"AKIA{secrets.token_hex(8).upper()}",
        "AWS_SECRET_ACCESS_KEY": f"planted+aws/{secrets.token_hex(12)}",
        KEY_ENV: f"sk-planted-{secrets.token_hex(12)}",
        "RAY_AUTH_TOKEN": secrets.token_hex(24),
        "WANDB_API_KEY": secrets.token_hex(20),
        "MLFLOW_TRACKING_PASSWORD": f"planted {secrets.token_hex(8)}",
    }
    servant = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    servant.start()
    endpoint = "http://{}:{}".format(*servant.get_host_and_port())
    password = f"planted-{secrets.token_hex(8)}"
    client = boto3.client(
        "s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id=planted["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=planted["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    client.create_bucket(Bucket=BUCKET)
    with ChatServer(score).running() as judge, ray_folder() as ray:
        study = folder / "study.yaml"
        study.write_text(yaml.safe_dump(question(judge.url)))
        env = {
            **planted, "RAY_AUTH_MODE": "token", "RAY_TMPDIR": str(ray), "DDSWEEP_CACHE": str(folder / "cache"),
            "AWS_ENDPOINT_URL": endpoint, "AWS_REGION": "us-east-1", "RAY_metrics_report_interval_ms": "1000",
            "MLFLOW_TRACKING_URI": f"http://user:{password}@127.0.0.1:1/",
        }  # fmt: skip
        known = Secrets({**planted, "a password in an address": password})
        discovery = ray / "ray" / "prom_metrics_service_discovery.json"
        watcher = Prometheus(folder, discovery) if shutil.which("prometheus") else None
        found = Seen(known, -1, "", {}, ray, folder / "cache" / "logs", set(), set(), [])
        out = folder / "printed.txt"
        with contextlib.ExitStack() as stack:
            if watcher is not None:
                stack.enter_context(watcher.running())
            process = stack.enter_context(running("run", str(study), "--store", f"s3://{BUCKET}/x", out=out, **env))
            while process.poll() is None:
                found.ports.look(process.pid)
                found.arguments += known.in_command_lines(process.pid)
                look(found, watcher, out)
                time.sleep(2)
            found.status = process.wait()
            if watcher is not None:
                found.names = watcher.names()
                found.series = watcher.query('last_over_time({__name__=~"ray_ddsweep_.*"}[10m])')
        found.printed = out.read_text()
        pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        names = [one["Key"] for page in pages for one in page.get("Contents", ())]
        found.objects = {name: client.get_object(Bucket=BUCKET, Key=name)["Body"].read() for name in names}
        found.keys = judge.keys
        yield found
    servant.stop()


def look(found: Seen, watcher: Prometheus | None, out: Path) -> None:
    """One look at a study that runs."""
    for expression in expressions() if watcher is not None else ():
        values = [float(one["value"][1]) for one in watcher.query(expression)]
        found.values.setdefault(expression, []).extend(values)
    if (dashboard := re.search(r"dashboard (http://\S+)", out.read_text())) is None:
        return
    actors = f"{dashboard[1]}/api/v0/actors?detail=1&limit=1000"
    try:
        urllib.request.urlopen(actors, timeout=5)
    except urllib.error.HTTPError as error:
        found.refused = error.code
    except OSError:
        return
    token = {"Authorization": f"Bearer {found.secrets.planted['RAY_AUTH_TOKEN']}"}
    with contextlib.suppress(OSError):
        found.actors += urllib.request.urlopen(urllib.request.Request(actors, headers=token), timeout=5).read()


def test_the_study_ends_in_a_verdict_whose_first_line_was_the_dashboard(seen: Seen) -> None:
    assert seen.status == 0, seen.printed
    assert re.match(r"watched-[0-9a-f]{8} · dashboard http://127\.0\.0\.1:\d+ · store s3://watched/x\n", seen.printed)
    (driver,) = (data for name, data in seen.objects.items() if name.endswith("/driver.json"))
    assert json.loads(driver)["dashboard"] in seen.printed  # which `ddsweep watch` shows
    assert seen.keys == {f"Bearer {seen.secrets.planted[KEY_ENV]}"}  # the key was used, so it could have been kept


@scraped
def test_every_family_was_scraped(seen: Seen) -> None:
    for family in FAMILIES:
        suffixes = ("_bucket", "_sum", "_count") if family.kind == "histogram" else ("",)
        assert {f"ray_{family.name}{suffix}" for suffix in suffixes} <= seen.names


def latest(seen: Seen, name: str, **labels: str) -> float:
    """The sum of the last values of all series of a name with these labels."""
    chosen = [
        one for one in seen.series
        if one["metric"]["__name__"] == f"ray_{name}" and labels.items() <= one["metric"].items()
    ]  # fmt: skip
    return sum(float(one["value"][1]) for one in chosen)


def rows(seen: Seen, kind: str, column: str, value: str | None = None) -> int:
    """How many rows the store's blocks of a kind hold, or those whose `column` has a value."""
    import io

    import pyarrow.parquet as pq

    found = 0
    for name, data in seen.objects.items():
        if name.startswith(f"x/blocks/{kind}/") and name.endswith(".parquet"):
            cells = pq.read_table(io.BytesIO(data))[column].to_pylist()
            found += len(cells) if value is None else cells.count(value)
    return found


@scraped
def test_what_was_scraped_is_what_is_stored(seen: Seen) -> None:
    # The last seconds of a run may come after the last scrape.
    assert 0.8 * rows(seen, "generate", "row_id") <= latest(seen, "ddsweep_responses_total")
    assert latest(seen, "ddsweep_responses_total") <= rows(seen, "generate", "row_id")
    cut = latest(seen, "ddsweep_responses_total", finish="length")
    assert 0.8 * rows(seen, "generate", "finish_reason", "length") <= cut
    assert cut <= rows(seen, "generate", "finish_reason", "length")
    errors = latest(seen, "ddsweep_judgements_total", status="error")
    assert 0.8 * rows(seen, "judge", "status", "error") <= errors <= rows(seen, "judge", "status", "error")
    assert latest(seen, "ddsweep_judgements_total", judge="mcas", status="ok") > 0
    assert latest(seen, "ddsweep_tokens_total") > latest(seen, "ddsweep_responses_total")
    assert latest(seen, "ddsweep_trials") == 1 + 1 + 5 and latest(seen, "ddsweep_trials", state="failed") == 0
    assert latest(seen, "ddsweep_trials", state="done") >= 5
    assert latest(seen, "ddsweep_blocks_total", kind="generate", outcome="reused") > 0
    assert latest(seen, "ddsweep_blocks_total", kind="chat", outcome="made") > 0  # of a replica of the judges
    assert latest(seen, "ddsweep_store_seconds_count", operation="create", outcome="ok") > 0
    assert latest(seen, "ddsweep_store_seconds_count", outcome="error") == 0
    assert latest(seen, "ddsweep_cost_usd") > latest(seen, "ddsweep_machine_seconds") / 3600 * 10


@scraped
def test_labels_are_of_small_closed_sets_and_name_no_trial(seen: Seen) -> None:
    of_ray = {"Component", "NodeAddress", "SessionName", "Version", "WorkerId", "le", "instance", "job", "__name__"}
    families = {f"ray_{family.name}": family for family in FAMILIES}
    for one in seen.series:
        labels = {name: value for name, value in one["metric"].items() if not name.startswith("otel_")}
        family = families[re.sub("_(bucket|sum|count)$", "", labels["__name__"])]
        own = {name: value for name, value in labels.items() if name not in of_ray}
        assert own.keys() == family.labels.keys()
        assert OTHER not in own.values()
        assert not any(re.search(r"watched|seed|search-|baseline-|s3:", value) for value in own.values())
    assert seen.secrets.in_bytes("the series", json.dumps(seen.series).encode()) == []


@scraped
def test_every_panel_shows_something_of_a_running_study(seen: Seen) -> None:
    for expression in expressions():
        named = set(re.findall(r"\bray_\w+", expression))
        assert named and named <= seen.names, expression
        shown = [value for value in seen.values[expression] if math.isfinite(value)]
        assert shown, f"nothing was ever shown by {expression}"
    assert all(any(f"ray_{family.name}" in one for one in expressions()) for family in FAMILIES)


def test_the_dashboard_is_one_that_grafana_reads() -> None:
    board = json.loads(DASHBOARD.read_text())
    assert board["uid"] == "ddsweep" and board["schemaVersion"] >= 39 and board["title"]
    variables = {one["name"]: one for one in board["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24 and not cells & taken, panel["title"]
        taken |= cells
        for target in panel.get("targets", []):
            assert target["datasource"] == panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            assert '{SessionName=~"$session"' in target["expr"]


def test_whatever_listens_is_on_this_machine_alone(seen: Seen) -> None:
    assert len(seen.ports.seen) >= 8  # Ray's head, raylet, agents, workers, the dashboard
    assert seen.ports.beyond_loopback() == set()


def test_a_call_without_the_token_is_refused(seen: Seen) -> None:
    assert seen.refused == 401


def test_no_secret_is_in_the_store(seen: Seen) -> None:
    assert any(name.endswith("report.html") for name in seen.objects)
    assert [line for name, data in seen.objects.items() for line in seen.secrets.in_object(name, data)] == []


def test_no_secret_is_in_what_was_printed_or_logged(seen: Seen) -> None:
    assert list(seen.logs.glob("*.log"))
    assert list(seen.ray.rglob("logs/*.log"))
    assert seen.secrets.in_bytes("printed", seen.printed.encode()) == []
    assert seen.secrets.in_folder(seen.logs) == []
    assert seen.secrets.in_folder(seen.ray) == []


def test_no_secret_is_in_what_ray_tells_of_its_actors(seen: Seen) -> None:
    assert b"PL_DISABLE_FORK" in seen.actors  # of the runtime environment that Tune makes
    assert seen.secrets.in_bytes("the actors", seen.actors) == []


def test_no_secret_is_in_the_arguments_of_a_process(seen: Seen) -> None:
    assert seen.arguments == []
