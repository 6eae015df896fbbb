"""What is handed to Kubernetes, AWS, Docker and Slurm is what these accept, and all of it speaks of one Ray."""

from __future__ import annotations

import copy
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dd_core import __version__
from dd_core.study import parse_study
from tests.sweeps.helpers import smoke

ROOT = Path(__file__).parents[2]
CLUSTER = ROOT / "cluster"
KINDS = {"RayCluster": "raycluster", "RayJob": "rayjob", "RayService": "rayservice"}
SCHEMAS = ROOT.parent / "shared" / "kuberay"
SECRETS = re.compile(r"(?i)(key|token|password|secret)")


def manifest(kind: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((CLUSTER / "kuberay" / f"{KINDS[kind]}.yaml").read_text())
    return loaded


def cluster_of(kind: str) -> dict[str, Any]:
    spec = manifest(kind)["spec"]
    found: dict[str, Any] = spec.get("rayClusterSpec") or spec.get("rayClusterConfig") or spec
    return found


def pods(kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    spec, cluster = manifest(kind)["spec"], cluster_of(kind)
    yield "head", cluster["headGroupSpec"]["template"]["spec"]
    for group in cluster["workerGroupSpecs"]:
        yield group["groupName"], group["template"]["spec"]
    if "submitterPodTemplate" in spec:
        yield "submitter", spec["submitterPodTemplate"]["spec"]


def strict(schema: Any) -> Any:
    """The schema, refusing what it does not list: Kubernetes would drop an unknown key without a word."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: strict(one) for name, one in schema.items()}
    if found.pop("x-kubernetes-int-or-string", False):
        found.pop("type", None)
    elif "properties" in found and not found.get("x-kubernetes-preserve-unknown-fields"):
        found.setdefault("additionalProperties", False)
    return found


def schema_of(kind: str) -> Any:
    path = SCHEMAS / f"{kind}.v1.schema.json.gz"
    if not path.is_file():
        pytest.skip(f"KubeRay's schemas are not in {SCHEMAS}")
    return strict(json.loads(gzip.decompress(path.read_bytes())))


def check(kind: str, data: dict[str, Any]) -> None:
    jsonschema.Draft202012Validator(schema_of(kind)).validate(data)


@pytest.mark.parametrize("kind", KINDS)
def test_kuberay_knows_every_key_of_a_manifest(kind: str) -> None:
    data = manifest(kind)
    assert (data["apiVersion"], data["kind"]) == ("ray.io/v1", kind)
    check(kind, data)


def test_a_key_that_is_written_wrong_is_found_where_it_stands() -> None:
    data = manifest("RayCluster")
    for path, key in (
        ((), "enableInTreeAutoscalin"),
        (("headGroupSpec",), "templates"),
        (("workerGroupSpecs", 1, "template", "spec", "containers", 0, "resources"), "limit"),
        (("headGroupSpec", "template", "spec", "containers", 0, "livenessProbe"), "periodSecond"),
    ):
        broken = copy.deepcopy(data)
        at: Any = broken["spec"]
        for step in path:
            at = at[step]
        at[key] = {}
        with pytest.raises(jsonschema.ValidationError, match=key):
            check("RayCluster", broken)


@pytest.mark.parametrize("kind", KINDS)
def test_no_pod_is_root_and_every_container_has_limits_and_probes(kind: str) -> None:
    autoscaler = cluster_of(kind)["autoscalerOptions"]
    assert autoscaler["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"cpu", "memory"} <= set(autoscaler["resources"]["limits"])
    for name, pod in pods(kind):
        assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 1000, name
        assert pod["restartPolicy"] == "Never", name
        for container in pod["containers"]:
            assert not container["securityContext"]["allowPrivilegeEscalation"], name
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name
            assert {"cpu", "memory"} <= set(container["resources"]["limits"]), name
            if name != "submitter":
                assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container), name
                mounted = {one["name"] for one in container["volumeMounts"]}
                assert mounted == {volume["name"] for volume in pod["volumes"]}, name


@pytest.mark.parametrize("kind", KINDS)
def test_credentials_come_from_secrets_alone(kind: str) -> None:
    for name, pod in pods(kind):
        for container in pod["containers"]:
            for entry in container.get("env", []):
                if SECRETS.search(entry["name"]):
                    assert set(entry["valueFrom"]) == {"secretKeyRef"}, (name, entry["name"])
    assert cluster_of(kind)["authOptions"] == {"mode": "token"}


@pytest.mark.parametrize("kind", ["RayCluster", "RayJob"])
def test_gpu_nodes_come_and_go_and_nothing_of_the_search_is_on_them(kind: str) -> None:
    cluster = cluster_of(kind)
    assert cluster["enableInTreeAutoscaling"] and cluster["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    groups = {group["groupName"]: group for group in cluster["workerGroupSpecs"]}
    gpu = groups["gpu"]
    assert gpu["minReplicas"] == 0 < gpu["maxReplicas"]
    assert gpu["template"]["spec"]["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert groups["cpu"]["minReplicas"] >= 1


def test_a_job_is_tried_once() -> None:
    spec = manifest("RayJob")["spec"]
    assert spec["backoffLimit"] == 0 and spec["submitterConfig"]["backoffLimit"] == 0
    assert spec["shutdownAfterJobFinishes"]


def test_the_study_that_the_manifest_of_a_cluster_shows_is_one_and_finds_its_nodes() -> None:
    from cluster.placement import matches

    text = (CLUSTER / "kuberay" / "raycluster.yaml").read_text()
    shown = re.search(r"resources: \{.*?\}\n(?!#\s+\S+:)", text.replace("\n#  ", " "), re.S)
    assert shown
    study = parse_study(smoke(resources=yaml.safe_load(shown[0])["resources"]))
    labels = [group["labels"] for group in cluster_of("RayCluster")["workerGroupSpecs"]]
    assert [matches(one, study.resources.trials_on) for one in labels] == [False, True]
    assert [matches(one, study.resources.judges_on) for one in labels] == [True, False]
    assert study.resources.cluster_grows  # the GPU nodes are not there when it begins


def test_the_service_builds_what_its_manifest_names(monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.serve._private.api import call_user_app_builder_with_args_if_necessary
    from ray.serve.schema import ServeDeploySchema

    from judges.pool import APP
    from judges.service import TOKEN_ENV, build
    from sweeps.verbs.judge import TOKEN_ENV as CALLERS

    config = ServeDeploySchema.model_validate(yaml.safe_load(manifest("RayService")["spec"]["serveConfigV2"]))
    (application,) = config.applications
    assert (application.name, application.import_path) == (APP, "judges.service:build")
    assert TOKEN_ENV == CALLERS
    monkeypatch.setenv(TOKEN_ENV, "t" * 24)
    built = call_user_app_builder_with_args_if_necessary(build, application.args)
    assert built._bound_deployment.name == "entrance"


def test_a_node_is_in_the_service_once_it_has_a_proxy_and_needs_no_key_of_a_store() -> None:
    for name, pod in pods("RayService"):
        [container] = pod["containers"]
        assert [entry["valueFrom"]["secretKeyRef"]["name"] for entry in container["env"]] == ["ddsweep-judges"], name
        if name != "head":
            assert container["readinessProbe"]["httpGet"] == {"path": "/-/healthz", "port": 8000}, name
            assert {"name": "serve", "containerPort": 8000} in container["ports"], name


def test_ray_accepts_the_file_for_aws() -> None:
    import ray

    schema = json.loads((Path(ray.__file__).parent / "autoscaler" / "ray-schema.json").read_text())
    config = yaml.safe_load((CLUSTER / "aws.yaml").read_text())
    jsonschema.Draft7Validator(schema).validate(config)
    with pytest.raises(jsonschema.ValidationError, match="max_worker"):
        jsonschema.Draft7Validator(schema).validate({**config, "max_worker": 1})
    kinds = config["available_node_types"]
    assert config["head_node_type"] in kinds and kinds["head"]["resources"] == {"CPU": 0}
    assert kinds["gpu"]["node_config"]["InstanceMarketOptions"] == {"MarketType": "spot"}
    # Ray's own commands, which stand where the file has none, start nodes without the token.
    assert all("RAY_AUTH_MODE=token" in command for name in ("head", "worker")
               for command in config[f"{name}_start_ray_commands"] if "ray start" in command)  # fmt: skip


def test_all_speak_of_the_ray_and_the_ddsweep_that_are_locked() -> None:
    locked = re.findall(r"^ray==(\S+)$", (ROOT / "requirements" / "cpu.txt").read_text(), re.M)
    assert locked == [version("ray")]
    for kind in KINDS:
        assert cluster_of(kind)["rayVersion"] == locked[0]
    images = {
        found
        for path in (*(CLUSTER / "kuberay").glob("*.yaml"), CLUSTER / "aws.yaml", CLUSTER / "Dockerfile")
        for found in re.findall(r"registry\.example\.com/\S+", path.read_text())
    }
    assert images == {f"registry.example.com/ddsweep:{__version__}-ray{locked[0]}-{build}" for build in ("cpu", "cuda")}


def linted(tool: str, *arguments: str) -> None:
    path = shutil.which(tool) or shutil.which(tool, path=str(Path(sys.executable).parent))
    if path is None:
        pytest.skip(f"{tool} is not installed")
    done = subprocess.run([path, *arguments], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dockerfile_has_nothing_that_hadolint_minds() -> None:
    linted("hadolint", str(CLUSTER / "Dockerfile"))


def test_the_image_says_where_its_users_home_is() -> None:
    """`ray up` mounts the token below the HOME that the image names, and below /root where it names none."""
    lines = (CLUSTER / "Dockerfile").read_text()
    (user,) = re.findall(r"useradd --create-home --uid 1000 --shell \S+ (\w+)", lines)
    assert f"ENV HOME=/home/{user} " in lines and "USER 1000:1000" in lines


def test_the_image_is_made_of_what_is_there_and_of_no_more() -> None:
    text = (CLUSTER / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", text, re.M) for name in line.split()}
    allowed = set(re.findall(r"^!(\S+)$", (CLUSTER / "Dockerfile.dockerignore").read_text(), re.M))
    assert copied == allowed
    assert all((ROOT / name).exists() for name in copied)


def test_the_slurm_script_has_nothing_that_shellcheck_minds() -> None:
    linted("shellcheck", str(CLUSTER / "ddsweep.sbatch"))


@pytest.mark.parametrize("status", [0, 2])
def test_the_slurm_script_runs_the_study_on_the_first_node_and_returns_its_status(tmp_path: Path, status: int) -> None:
    venv, said = tmp_path / "venv" / "bin", tmp_path / "said"
    venv.mkdir(parents=True)
    # What Slurm and Ray would do: the command behind `--` runs, once, on the first node.
    stubs = {
        "scontrol": "echo first; echo second",
        "srun": f'echo "srun $*" >>{said}; while [[ $1 == --* ]]; do shift; done; exec "$@"',
        "hostname": "echo 10.0.0.7 fe80::1",
        "ray": f'echo "ray $*" >>{said}; while [[ $1 != -- ]]; do shift; done; shift; "$@"; exit 9',
        "ddsweep": f'echo "$RAY_ADDRESS $RAY_AUTH_MODE $*" >>{said}; '
                   f'stat -c %a "$(dirname "$RAY_AUTH_TOKEN_PATH")" >>{said}; exit {status}',
    }  # fmt: skip
    for name, body in stubs.items():
        (venv / name).write_text(f"#!/bin/bash\n{body}\n")
        (venv / name).chmod(0o755)
    (tmp_path / "study.yaml").write_text("name: x\n")
    done = subprocess.run(
        ["bash", CLUSTER / "ddsweep.sbatch", "study.yaml", "store"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{venv}:{os.environ['PATH']}", "VENV": str(venv.parent),
             "SLURM_JOB_NODELIST": "n[1-2]", "SLURM_JOB_NUM_NODES": "2", "SLURM_CPUS_PER_TASK": "8",
             "SLURM_GPUS_ON_NODE": "1"},
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    (_, asked, *lines) = said.read_text().splitlines()
    assert asked.startswith("srun --cpus-per-task=8 ray symmetric-run ")  # srun takes none over from sbatch
    assert lines[0].startswith("ray symmetric-run --address 10.0.0.7:6379 --min-nodes 2 --num-cpus 8 --num-gpus 1 ")
    assert lines[1:] == [f"10.0.0.7:6379 token run study.yaml --store file://{tmp_path}/store", "700"]
    assert not list(tmp_path.glob(".ddsweep-*"))
