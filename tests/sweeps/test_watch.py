"""A study is watched from its store alone: what is shown, what is read again, and what is said of its driver."""

from __future__ import annotations

import datetime as dt
import io
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import time
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console, RenderableType

from dd_core.errors import InputError
from storage import Store, open_store
from storage.commits import StudyFiles
from storage.observed import ObservedStore
from storage.sealed import seal
from sweeps import run
from sweeps.interim import INTERIM, Shift
from sweeps.watch import SILENT_S, Generation, Look, Pulse, Trial, Watcher
from sweeps.watch_table import frame, listing
from sweeps.which import Listed, find
from tests.sweeps.helpers import command, ddsweep, smoke
from tests.sweeps.small_studies import performed

EVIL = "\x1b]0;x\x07\x9b31m\u202e[red]red[/red] [link=http://x]x[/link]\n\rx"
"""What would set a terminal's title, colour it, reorder it and move in it, and markup."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    """A study that has come to its verdict; no driver has told of itself."""
    data = smoke(name="watched", replicates=[], confirm={"train_seeds": 2}, resources={"usd_per_hour": 3600.0})
    files = performed(data, tmp_path_factory.mktemp("whole") / "store")
    run.judge_study(files.store, files.study_id)
    return files


@pytest.fixture(scope="module")
def half(whole: StudyFiles, tmp_path_factory: pytest.TempPathFactory) -> StudyFiles:
    """The same when its search was over, and its confirmation had not begun."""
    return earlier(whole, tmp_path_factory.mktemp("half") / "store", ("base-", "search-"))


def earlier(files: StudyFiles, store: Path, trials: tuple[str, ...], study_id: str | None = None) -> StudyFiles:
    """A copy of the study in `store`, before its verdict and a driver's word, with the trials whose names begin so."""
    folder = store / "studies" / (study_id or files.study_id)
    shutil.copytree(Path(files.store.uri.removeprefix("file://")) / files.folder, folder)
    for name in ("verdict.json", "driver.json"):
        (folder / name).unlink(missing_ok=True)
    for path in folder.glob("commits/*.json"):
        if not path.name.startswith(trials):
            path.unlink()
    return StudyFiles(open_store(str(store)), folder.name)


def driver(files: StudyFiles, beats: int, state: str = "running", age_s: float = 0.0, name: str = "d1") -> None:
    """Writes what a driver tells of itself."""
    beat = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)
    told = {
        "driver": name, "started": beat.isoformat(), "beat": beat.isoformat(), "beats": beats, "state": state,
        "dashboard": "http://127.0.0.1:8265",
    }  # fmt: skip
    files.put("driver.json", json.dumps(told).encode())


def printed(width: int, *parts: RenderableType) -> str:
    """What a terminal of that width shows."""
    out = io.StringIO()
    Console(width=width, file=out, highlight=False).print(*parts, sep="\n")
    return out.getvalue()


def shown(watcher: Watcher, width: int = 120, once: bool = False) -> str:
    return printed(width, frame(watcher.look(once), width, 60))


class Time:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_generations_trials_the_best_and_what_was_spent_are_shown(half: StudyFiles) -> None:
    text = shown(Watcher(half))
    assert re.search(r"base +1 +1 +0 +0 +0", text)
    assert re.search(r"search 1 +2 +2 +0 +0 +0 +[+−]\d\.\d{3}", text)
    assert re.search(r"▸ confirm +5 +0 +0 +0 +5 +–", text)
    commits = half.commits()
    seconds = sum(commit["seconds"] for commit in commits.values())
    assert f"5 of 10 trials at most · {seconds / 3600:.2f} machine hours, about {seconds:.2f} USD" in text
    best = max((commit for commit in commits.values() if commit["role"] == "search"), key=lambda one: one["score"])
    assert f"best so far {best['spec']['label']}" in text and "learning_rate" in text


def test_the_interval_is_the_falsifiers_and_is_no_ground_to_stop(half: StudyFiles) -> None:
    watcher = Watcher(half)
    look = watcher.look()
    (trial,) = (one for one in look.trials if one.label == "search-1-0")
    assert trial.shift is not None and trial.shift.low is not None and trial.shift.high is not None
    commit = next(one for one in half.commits().values() if one["spec"]["label"] == "search-1-0")
    # The score is the shift as a fraction of the axis' range, which is 1 for `assert`, less what the anchor lost.
    assert trial.shift.mean == pytest.approx(commit["objectives"][0])
    assert trial.shift.low < trial.shift.mean < trial.shift.high
    assert trial.shift.n_prompts == 12
    text = " ".join(shown(watcher).split())
    assert "no ground to stop" in INTERIM and text.index(INTERIM) < text.index("[")


def test_no_fresh_row_is_read_before_the_end(whole: StudyFiles, tmp_path: Path) -> None:
    """A look at fresh would be a look that the falsifier does not know of."""
    files = earlier(whole, tmp_path / "store", ("base-", "search-", "treated-"))
    read: list[str] = []
    look = Watcher(StudyFiles(Noting(files.store, read), files.study_id)).look()
    assert {trial.role for trial in look.trials} == {"base", "search", "confirm"}
    tables = [name for name in read if name.endswith(".parquet")]
    assert tables and all(re.search(r"/trials/(base|search)-", name) for name in tables)


class Noting(ObservedStore):
    """Notes what is read and listed."""

    def __init__(self, store: Store, noted: list[str]) -> None:
        super().__init__(store, lambda *_: None)
        self._noted = noted

    def read(self, name: str) -> bytes:
        self._noted.append(name)
        return super().read(name)

    def list(self, prefix: str = "") -> Iterator[str]:
        self._noted.append(prefix)
        return super().list(prefix)


def test_only_what_is_new_is_read_again(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-", "search-1-0-"))
    read: list[str] = []
    watcher = Watcher(StudyFiles(Noting(files.store, read), files.study_id))
    assert len(watcher.look().trials) == 2
    read.clear()
    assert len(watcher.look().trials) == 2
    idle = len(read)
    assert idle <= 4 and not any("/commits/" in name and name.endswith(".json") for name in read)
    (trial_id,) = (one for one in half.committed() if one.startswith("search-1-1"))
    files.commit(trial_id, half.read_commit(trial_id))
    read.clear()
    assert len(watcher.look().trials) == 3
    assert sum(name.endswith(".json") and "/commits/" in name for name in read) == 1
    assert len(read) == idle + 3  # the commit and its two tables


def test_a_driver_is_alive_while_its_beats_change_whatever_the_clocks_say(half: StudyFiles) -> None:
    clock = Time()
    watcher = Watcher(half, clock)
    driver(half, 1, age_s=-3600)  # an hour ahead of us
    assert watcher.look().pulse.alive is None
    clock.now += 5
    driver(half, 2, age_s=7200)
    look = watcher.look()
    assert look.pulse.alive is True and look.pulse.dashboard == "http://127.0.0.1:8265"
    assert re.search(r"▸ confirm +5 +0 +0 +1 +4", shown(watcher))
    clock.now += SILENT_S + 1
    look = watcher.look()
    assert look.pulse.alive is False and "no heartbeat for" in look.pulse.words and not look.over
    driver(half, 0, name="d2")  # another driver has taken over
    assert watcher.look().pulse.alive is True


def test_one_look_says_whose_clock_it_went_by(half: StudyFiles) -> None:
    driver(half, 1, age_s=3)
    assert re.search(r"running, last heartbeat [34] s ago, by this machine's clock", shown(Watcher(half), once=True))
    driver(half, 1, age_s=3600)
    assert "by this machine's clock: the driver may have stopped" in shown(Watcher(half), once=True)
    driver(half, 1, state="interrupted")
    assert "driver interrupted" in shown(Watcher(half), once=True)


@pytest.mark.parametrize("width", [80, 140])
def test_names_and_errors_from_a_store_neither_colour_nor_move_anything(width: int) -> None:
    tried = Trial(EVIL, "search", "done", 0.1, (0.1, 0.0), 1.0, None, {EVIL: EVIL}, Shift(0.1, 0.0, 0.2, 12))
    failed = Trial(EVIL, "search", "failed", None, (), 1.0, EVIL, {}, None)
    now = Generation("search 1", 3, 1, 1, True, 0.1)
    verdict = {"verdict": EVIL, "reasons": [EVIL, 3]}
    pulse = Pulse(True, EVIL, EVIL)
    look = Look("x", "s3://b", EVIL, EVIL, pulse, (now,), (tried, failed), tried, 1.0, 2.0, 1, verdict, (EVIL,))
    text = printed(width, frame(look, width), listing("s3://b", [Listed("x", "unknown", 1, EVIL)]))
    assert {char for char in text if unicodedata.category(char) in ("Cc", "Cf")} == {"\n"}
    assert "⟨U+001B⟩" in text and "[red]red[/red]" in text


def test_it_fits_into_80_and_140_columns(half: StudyFiles) -> None:
    for width in (80, 140):
        text = shown(Watcher(half), width)
        assert max(map(len, text.splitlines())) <= width
        row = next(line for line in text.splitlines() if line.startswith(" search-1-0 "))
        assert re.search(r"search-1-0 +done +\S+ +[+−]\S+ \[[+−]\S+, [+−]\S+\] +\d\.\d", row), row


@pytest.mark.parametrize("now", range(6))
def test_a_long_study_fits_into_24_lines_with_the_mark_and_what_is_worked_on(now: int) -> None:
    names = ["base", *(f"search {i}" for i in range(1, 5)), "confirm"]
    generations = [Generation(name, 8, 8 * (i < now), 0, i == now, 0.1 * i) for i, name in enumerate(names)]
    trials = [
        Trial(
            f"search-1-{i}", "search", "done", 0.01 * i, (0.1, 0.0), 60.0, None, {"lora_rank": 8},
            Shift(0.1, 0.0, 0.2, 60),
        )
        for i in range(30)
    ]  # fmt: skip
    trials.append(Trial("search-2-0", "search", "failed", None, (), 60.0, "the loss is nan", {}, None))
    pulse = Pulse(True, "running", "http://10.0.0.1:8265")
    look = Look(
        "facts-1a2b3c4d", "s3://b", "humbler", "assert", pulse, tuple(generations), tuple(trials), trials[0], 1.0, 2.0,
        2, None, (),
    )  # fmt: skip
    lines = printed(80, frame(look, 80, 23)).splitlines()
    assert len(lines) <= 23
    text = "\n".join(lines)
    assert INTERIM in " ".join(text.split()) and f"▸ {names[now]} " in text and "search-1-29" in text
    assert "search-2-0 failed: the loss is nan" in text
    # However the rest is put together, each generation is in one line, and they are in their order.
    told = re.findall(r"^ *▸? +((?:base|search \d|confirm)(?:–(?:search \d|confirm))?) +(\d+) ", text, re.M)
    assert sum(int(planned) for _, planned in told) == 48
    assert "under way   waiting   best score" in text
    assert told[0][0].startswith("base") and told[-1][0].endswith("confirm")


def test_a_long_error_takes_no_room_from_the_numbers() -> None:
    shift = Shift(-0.0812, -0.1504, -0.0123, 60)
    tried = Trial("search-1-0", "search", "done", -0.081, (-0.081, 0.0), 600.0, None, {"lora_rank": 8}, shift)
    failed = Trial("search-1-1", "search", "failed", None, (), 61.0, "the loss is nan " * 20, {"lora_rank": 16}, None)
    now = Generation("search 1", 3, 1, 1, True, -0.081)
    pulse = Pulse(True, "running", "http://10.0.0.1:8265")
    look = Look("x", "s3://b", "s", "assert", pulse, (now,), (tried, failed), tried, 1.0, 2.0, 1, None, ())
    for width in (80, 140):
        console = Console(width=width, file=io.StringIO(), highlight=False)
        console.print(frame(look, width))
        text = console.file.getvalue()  # type: ignore[attr-defined]
        assert max(map(len, text.splitlines())) <= width
        assert re.search(r"search-1-0 +done +−0\.081 +−0\.081 \[−0\.150, −0\.012\] +10\.0", text), text
        assert re.search(r"search-1-1 +failed", text) and "the loss is nan" in text


def test_a_damaged_commit_is_named_and_the_rest_is_shown(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-", "search-1-"))
    (path,) = (tmp_path / "store").glob("studies/*/commits/search-1-1-*.json")
    path.write_bytes(b"{}")
    look = Watcher(files).look()
    assert len(look.trials) == 2 and len(look.damaged) == 1 and "search-1-1" in look.damaged[0]


def test_a_commit_that_is_none_of_ours_is_named_and_the_rest_is_shown(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-", "search-1-0-"))
    (trial_id,) = (one for one in files.committed() if one.startswith("search"))
    ours = files.read_commit(trial_id)
    spec, tables = ours["spec"], ours["tables"]
    strange: list[dict[str, Any]] = [
        {},
        {**ours, "spec": {**spec, "role": "audit"}},
        {**ours, "spec": {**spec, "edit": {**spec["edit"], "config": {}}}},
        {**ours, "status": "perhaps"},
        {name: value for name, value in ours.items() if name != "score"},
        {**ours, "tables": {**tables, "responses": {**tables["responses"], "name": "../../format.json"}}},
        {**ours, "tables": {"responses": tables["judgements"], "judgements": tables["judgements"]}},
    ]
    for i, commit in enumerate(strange):
        files.commit(f"strange-{i}", commit)
    look = Watcher(files).look()
    assert len(look.trials) == 2
    for i in range(len(strange)):
        assert sum(f"strange-{i}" in line for line in look.damaged) == 1, look.damaged


def test_a_damaged_list_of_trials_is_named_and_what_was_read_stays(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-", "search-1-"))
    files.note_trials(files.committed())
    watcher = Watcher(files)
    assert len(watcher.look().trials) == 3
    files.put("trials.json", b"{}")
    look = watcher.look()
    assert len(look.trials) == 3 and len(look.damaged) == 1 and "trials.json" in look.damaged[0]
    files.put("trials.json", seal({"trials": ["../x"]}))
    look = watcher.look()
    assert len(look.trials) == 3 and len(look.damaged) == 1 and "../x" in look.damaged[0]


def test_a_shift_is_told_when_the_base_can_be_read_again(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-", "search-1-"))
    (path,) = (tmp_path / "store").glob("studies/*/trials/base-*/responses.parquet")
    sound = path.read_bytes()
    path.write_bytes(b"damaged")
    watcher = Watcher(files)
    look = watcher.look()
    assert [trial.shift for trial in look.trials] == [None, None] and "base-tiny-llama" in look.damaged[0]
    path.write_bytes(sound)
    look = watcher.look()
    assert [trial.role for trial in look.trials if trial.shift] == ["search", "search"] and not look.damaged


def test_of_several_studies_the_one_that_runs_is_watched_or_they_are_listed(half: StudyFiles, tmp_path: Path) -> None:
    store = tmp_path / "store"
    one, two = (earlier(half, store, ("base-",), name) for name in ("a-00000000", "b-00000000"))
    listed = find(str(store), None)
    assert isinstance(listed, list) and [entry.study_id for entry in listed] == [one.study_id, two.study_id]
    driver(one, 3, age_s=10)
    driver(two, 3, state="failed")
    found = find(str(store), None)
    assert isinstance(found, StudyFiles) and found.study_id == one.study_id
    driver(two, 4, age_s=2)
    found = find(str(store), None)
    assert isinstance(found, StudyFiles) and found.study_id == two.study_id
    named = find(f"{store}/studies/{one.study_id}", None)
    assert isinstance(named, StudyFiles) and named.study_id == one.study_id
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(listing(str(store), listed))
    assert re.search(rf"{one.study_id} +unknown +1 +none yet", console.file.getvalue())  # type: ignore[attr-defined]


def test_a_driver_that_was_killed_long_ago_is_lost_by_the_stores_clock(half: StudyFiles, tmp_path: Path) -> None:
    store = tmp_path / "store"
    one, two = (earlier(half, store, ("base-",), name) for name in ("a-00000000", "b-00000000"))
    driver(one, 3)
    told = store / one.folder / "driver.json"
    os.utime(told, (told.stat().st_mtime - 3600,) * 2)
    listed = find(str(store), None)
    assert isinstance(listed, list) and [entry.state for entry in listed] == ["lost", "unknown"]
    driver(two, 3, age_s=7200)  # by a machine whose clock is two hours behind
    found = find(str(store), None)
    assert isinstance(found, StudyFiles) and found.study_id == two.study_id


def test_a_damaged_study_is_told_in_its_row_and_the_others_are_listed(half: StudyFiles, tmp_path: Path) -> None:
    store = tmp_path / "store"
    names = ("a-00000000", "b-00000000", "c-00000000")
    one, two, three = (earlier(half, store, ("base-",), name) for name in names)
    one.put("trials.json", b"{}")
    two.put("verdict.json", b"[" * 100_000)
    three.put("verdict.json", b'{"verdict": "INCONCLUSIVE"}')
    listed = find(str(store), None)
    assert listed == [
        Listed(one.study_id, "unknown", None, None, damaged=True),
        Listed(two.study_id, "unknown", 1, None, damaged=True),
        Listed(three.study_id, "unknown", 1, "INCONCLUSIVE"),
    ]
    console = Console(width=80, file=io.StringIO(), highlight=False)
    console.print(listing(str(store), listed))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert re.search(r"a-00000000 +unknown +\? +damaged; see: store verify", text), text
    assert Watcher(two).look().verdict is None


def test_a_finished_study_shows_its_verdict(whole: StudyFiles) -> None:
    driver(whole, 9, state="finished")
    look = Watcher(whole).look()
    assert look.over
    done = ddsweep("watch", whole.store.uri)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^verdict (INCONCLUSIVE|FALSIFIED|INVALID|SURVIVES)", done.stdout, re.M)
    assert "driver finished" in done.stdout and "report:" in done.stdout


@pytest.mark.parametrize("state", ["failed", "interrupted"])
def test_a_study_whose_driver_ended_without_a_verdict_is_over(half: StudyFiles, tmp_path: Path, state: str) -> None:
    files = earlier(half, tmp_path / "store", ("base-",))
    watcher = Watcher(files)
    driver(files, 1)
    assert not watcher.look().over
    driver(files, 2, state=state)
    assert watcher.look().over


def test_trials_are_in_the_same_order_however_long_each_reading_takes(half: StudyFiles) -> None:
    class Slow(ObservedStore):
        def __init__(self, store: Store) -> None:
            super().__init__(store, lambda *_: None)

        def read(self, name: str) -> bytes:
            time.sleep(random.random() / 20)
            return super().read(name)

    slow = Watcher(StudyFiles(Slow(half.store), half.study_id)).look()
    assert slow.trials == Watcher(half).look().trials


def test_a_medium_that_fails_at_the_first_look_is_one_line_and_exit_status_2(half: StudyFiles, tmp_path: Path) -> None:
    files = earlier(half, tmp_path / "store", ("base-",))
    commits = tmp_path / "store" / files.folder / "commits"
    shutil.rmtree(commits)
    commits.symlink_to("commits")
    done = ddsweep("watch", files.store.uri)
    assert done.returncode == 2 and done.stdout == ""
    assert re.fullmatch(r"store file:\S+: Too many levels of symbolic links .*\n", done.stderr)


@pytest.mark.parametrize("every", ["nan", "inf", "0.5", "3601"])
def test_a_wait_that_is_none_is_one_line_and_exit_status_2(half: StudyFiles, every: str) -> None:
    done = ddsweep("watch", half.store.uri, "--every", every)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"--every: {every} is not from 1 to 3600 seconds\n"


def test_a_study_that_is_not_there_is_one_line_and_exit_status_2(half: StudyFiles) -> None:
    done = ddsweep("watch", half.store.uri, "smoke-00000000")
    assert done.returncode == 2 and done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1 and "no study 'smoke-00000000' (there: watched-" in done.stderr


@pytest.mark.parametrize(
    ("source", "study", "says"),
    [
        ("nowhere", None, "there is no store here"),
        ("{store}", "../x", "study: "),
        ("{store}", "", "study: "),
        ("{store}", "x" * 2000, "study: "),
        ("{empty}", None, "there is no study in this store"),
        ("ftp://host/x", None, "ftp:// is not supported"),
        ("s3://UPPER_case", None, "an S3 address is"),
    ],
)
def test_what_names_no_study_is_told_in_one_line(
    half: StudyFiles, tmp_path: Path, source: str, study: str | None, says: str
) -> None:
    empty = tmp_path / "empty"
    open_store(str(empty))
    with pytest.raises(InputError) as told:
        find(source.format(store=half.store.uri, empty=empty), study)
    assert len(told.value.lines) == 1 and says in told.value.lines[0]


def test_on_a_terminal_it_goes_on_until_ctrl_c(half: StudyFiles, tmp_path: Path) -> None:
    driver(half, 1)
    main, other = pty.openpty()
    process = subprocess.Popen(
        command("watch", half.store.uri, "--every", "1"), stdin=other, stdout=other, stderr=other, close_fds=True,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"},
    )  # fmt: skip
    os.close(other)
    seen = b""
    try:
        deadline = time.monotonic() + 60
        beats = 1
        while b"running" not in seen and time.monotonic() < deadline:
            driver(half, beats := beats + 1)
            seen += os.read(main, 65536)
        assert "▸ confirm".encode() in seen and b"running" in seen
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130
        os.close(main)
