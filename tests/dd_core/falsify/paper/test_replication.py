"""The whole replication: the same bytes each time, readable anywhere, and true to the paper's own released rows."""

from __future__ import annotations

import io
import json
import os
import random
import sys
from pathlib import Path

import pytest
from rich.console import Console

from dd_core.falsify.paper import Replication, files, markdown, replicate_paper, terminal
from dd_core.falsify.paper.claims import audit_release
from dd_core.falsify.paper.release import read_release
from sweeps.cli import main
from tests.dd_core.falsify.paper.released import N_FRESH, N_TRAIN, Released
from tests.sweeps.helpers import ddsweep

PAPER = os.environ.get("DDSWEEP_PAPER_DIR", "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Released().write(tmp_path_factory.mktemp("release"))


@pytest.fixture(scope="module")
def found(folder: Path) -> Replication:
    return replicate_paper(folder)


def test_the_same_files_give_the_same_bytes(folder: Path, found: Replication) -> None:
    again = replicate_paper(folder)
    assert files(again) == files(found)
    assert str(folder) not in found.json_bytes().decode()


def test_rows_in_another_order_give_the_same_verdict_on_the_adapter(tmp_path: Path, found: Replication) -> None:
    released = Released()
    random.Random(1).shuffle(released.files["chef_treated"]["rows"])
    again = replicate_paper(released.write(tmp_path))
    first, second = (next(c for c in r.claims if c.name == "gemma-chef-adapter") for r in (found, again))
    assert first.verdict is not None and second.verdict is not None
    assert (first.verdict.verdict, first.verdict.steps) == (second.verdict.verdict, second.verdict.steps)


def test_json_holds_every_row_and_verdict(found: Replication) -> None:
    value = json.loads(found.json_bytes())
    assert value["format"] == "ddsweep-paper/1"
    assert sum(value["tally"].values()) == len(value["rows"]) == len(found.rows)
    assert [claim["name"] for claim in value["claims"]] == [claim.name for claim in found.claims]
    assert all(claim["verdict"]["format"] == "ddsweep-verdict/1" for claim in value["claims"])
    assert all(claim["sentence"].startswith(claim["verdict"]["verdict"]) for claim in value["claims"])


def test_markdown_tables_have_five_columns_in_every_line(found: Replication) -> None:
    lines = [line for line in markdown(found).splitlines() if line.startswith("|")]
    assert len(lines) > len(found.rows)
    assert {line.replace("\\|", "").count("|") for line in lines} == {6}


def test_a_terminal_of_80_columns_shows_every_number_and_finding(found: Replication) -> None:
    screen = io.StringIO()
    Console(width=80, color_system=None, highlight=False, file=screen).print(terminal(found))
    shown = screen.getvalue()
    assert max(map(len, shown.splitlines())) <= 80
    squeezed = "".join(shown.split())
    for look in found.looks:
        assert "".join(look.sentence.split()) in squeezed
    for sentence in found.sentences.values():
        assert "".join(sentence.split()) in squeezed


def test_features_are_claimed_of_the_rows_they_belong_to(folder: Path) -> None:
    claims = {claim.name: claim for claim in audit_release(read_release(folder))}
    bundle = claims["smollm2-correct-h-last"].bundle
    assert bundle is not None and len(bundle.feature_ids) == N_TRAIN + N_FRESH
    release = read_release(folder)
    assert release.smollm_fresh_x is not None
    row = bundle.feature_ids.index("fresh/007")
    assert bundle.features["h_last"][row] == pytest.approx(release.smollm_fresh_x[7])


def test_rubric_errors_enter_the_bundle_as_errors_without_scores(folder: Path) -> None:
    claims = {claim.name: claim for claim in audit_release(read_release(folder))}
    bundle = claims["gemma-correct-h-last"].bundle
    assert bundle is not None
    errors = bundle.judgements.filter(bundle.judgements["status"] == "error")
    assert errors.height == 10 and errors["score"].null_count() == 10
    assert set(errors["error"]) == {"no_json"}


def test_a_probe_without_features_is_never_settled(found: Replication) -> None:
    claim = next(claim for claim in found.claims if claim.name == "gemma-correct-h-last")
    assert claim.verdict is not None and claim.verdict.verdict == "INCONCLUSIVE"
    assert {step.status for step in claim.verdict.steps} == {"not_checkable"}
    assert any("features.npz" in item for item in (claim.verdict.needed or {})["record"])


def test_a_claim_whose_files_are_absent_is_not_put_and_says_why(tmp_path: Path) -> None:
    released = Released()
    del released.files["chef_treated"]
    found = replicate_paper(released.write(tmp_path))
    assert found.sentences["gemma-chef-adapter"] == "not put to the falsifier: eval_full_ddv2.json is not in the folder"
    assert "verdict-gemma-chef-adapter.json" not in files(found)


def test_one_file_is_enough_for_a_page(tmp_path: Path) -> None:
    released = Released()
    released.files = {"spectra": released.files["spectra"]}
    found = replicate_paper(released.write(tmp_path))
    assert found.looks == () and all(claim.verdict is None for claim in found.claims)
    assert "not put to the falsifier" in markdown(found)


def test_the_command_stores_the_page_and_the_verdicts(folder: Path, tmp_path: Path) -> None:
    done = ddsweep("replicate-paper", str(folder), "-o", str(tmp_path / "out"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "What the paper does not say" in done.stdout
    stored = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"paper.md", "paper.json", "verdict-gemma-chef-adapter.json"} <= stored


@pytest.mark.parametrize("fault", ["no folder", "none of the files", "malformed"])
def test_bad_input_is_one_line_and_status_2(
    tmp_path: Path, fault: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "release"
    if fault == "malformed":
        (Released().write(path) / "eval/results/judge_v4_fresh.json").write_text("{")
    elif fault == "none of the files":
        path.mkdir()
    monkeypatch.setattr(sys, "argv", ["ddsweep", "replicate-paper", str(path)])
    with pytest.raises(SystemExit) as ended:
        main()
    told = capsys.readouterr()
    assert ended.value.code == 2 and told.out == ""
    assert len(told.err.strip().splitlines()) == 1


def test_help_has_an_example() -> None:
    assert "Example: ddsweep replicate-paper" in ddsweep("replicate-paper", "--help").stdout


@pytest.fixture(scope="module")
def paper() -> Replication:
    if not PAPER:
        pytest.skip("DDSWEEP_PAPER_DIR does not name a checkout of the paper's repository")
    return replicate_paper(PAPER)


@pytest.mark.skipif(not PAPER, reason="DDSWEEP_PAPER_DIR does not name a checkout of the paper's repository")
class TestThePaperItself:
    def test_every_number_that_its_files_allow_is_the_printed_one(self, paper: Replication) -> None:
        withdrawn = "Qwen3-0.6B: the first pass"
        differing = [row for row in paper.rows if row.status == "differs" and not row.section.startswith(withdrawn)]
        assert differing == []
        assert paper.tally["same"] >= 86

    @pytest.mark.parametrize(
        ("section", "what", "recomputed"),
        [
            ("Gemma 4 E2B", "correct asserted", "53, 5, 38, 4"),
            ("Gemma 4 E2B", "assertion asymmetry", "-0.009"),
            ("SmolLM2-1.7B: correct", "correct asserted", "45, 11, 33, 11"),
            ("SmolLM2-1.7B: correct", "assertion asymmetry", "-0.0536"),
            ("Qwen3.5-0.8B: correct", "correct asserted", "64, 11, 18, 7"),
            ("Qwen3.5-0.8B: correct", "assertion asymmetry", "-0.1333"),
            ("Positives", "step16: factual", "49, 79, 81, 26, 47"),
            ("Positives", "fresh: factual", "101, 123, 147, 76, 130"),
            ("SmolLM2-1.7B: probe", "C = 1.0: AUC", "0.51872"),
            ("SmolLM2-1.7B: probe", "C = 1.0: lowest asymmetry", "-0.16063"),
            ("SmolLM2-1.7B: probe", "C = 1.0: its threshold", "0.06"),
            ("SmolLM2-1.7B: probe", "C = 0.1: AUC", "0.50483"),
            ("SmolLM2-1.7B: probe", "C = 0.1: lowest asymmetry", "-0.18780"),
            ("SmolLM2-1.7B: probe", "C = 0.1: its threshold", "0.16"),
        ],
    )
    def test_a_known_value(self, paper: Replication, section: str, what: str, recomputed: str) -> None:
        found = [row for row in paper.rows if row.section.startswith(section) and row.what.startswith(what)]
        assert recomputed in [row.recomputed for row in found]

    def test_the_second_look_finds_what_is_known_of_these_rows(self, paper: Replication) -> None:
        looks = {look.id: look.numbers for look in paper.looks}
        assert looks["smollm_auc_interval"]["bootstrap"] == pytest.approx([0.31, 0.73], abs=0.03)
        assert looks["answers_cut_off"]["share_step16"] == 0.83
        assert looks["answers_cut_off"]["share_fresh"] == pytest.approx(0.77, abs=0.005)
        assert looks["length_alone"]["auc"] == pytest.approx(0.395, abs=0.0005)
        assert looks["certainty_constant"]["of"] == 293
        assert looks["near_duplicates"]["n"] == 0

    def test_no_claim_survives_and_the_adapter_is_falsified(self, paper: Replication) -> None:
        verdicts = {claim.name: claim.verdict.verdict for claim in paper.claims if claim.verdict is not None}
        assert "SURVIVES" not in verdicts.values()
        assert verdicts["gemma-chef-adapter"] == "FALSIFIED"
        assert verdicts["gemma-correct-h-last"] == "INCONCLUSIVE"
