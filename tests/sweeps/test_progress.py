"""Progress is a line per finished trial where nobody watches, and names what failed."""

from __future__ import annotations

import io

from rich.console import Console

from sweeps.progress import Display


def shown(*events: dict) -> list[str]:
    out = io.StringIO()
    with Display(
        Console(file=out, width=60), 1, 4, {"search-1-0": 10.0, "search-1-1": 10.0, "baseline": 20.0}
    ) as display:
        for event in events:
            display.event({"label": "search-1-0", **event})
    return out.getvalue().strip().splitlines()


def end(**changes) -> dict:
    return {"kind": "end", "status": "done", "score": 0.25, "error": None} | changes


def test_a_finished_trial_is_one_line_with_its_score_the_best_and_the_time_left():
    (line,) = shown({"kind": "start"}, {"kind": "tokens", "n": 64, "arm": "treated"}, end())
    assert line.startswith("[2/4] search-1-0: score +0.250") and "best +0.250" in line and "left" in line


def test_a_trial_that_tells_of_its_end_twice_is_one_trial():
    (line,) = shown({"kind": "start"}, end(), {"kind": "start"}, end())
    assert line.startswith("[2/4]")


def test_a_failed_trial_says_why_and_is_counted():
    (line,) = shown(end(status="failed", score=None, error="the loss is nan at step 2"))
    assert "failed: the loss is nan at step 2" in line and "1 failed" in line


def test_judge_errors_are_told():
    (line,) = shown({"kind": "judged", "n": 40, "errors": 2}, end())
    assert "40 rows judged, 2 errors" in line


def test_nothing_is_printed_between_trials_where_nobody_watches():
    fit = {"kind": "fit", "step": 1, "n_steps": 6, "loss": 2.0}
    assert shown({"kind": "start"}, {"kind": "note", "text": "loading"}, fit) == []


def test_a_search_that_ends_early_says_why_and_counts_no_more_on_what_is_left_out():
    lines = shown(end(), {"kind": "stop", "label": "search-", "text": "6 trials are made (limit 6)"})
    assert lines[-1] == "[2/3] 6 trials are made (limit 6)"


def test_a_rung_is_known_whichever_configuration_takes_it():
    out = io.StringIO()
    with Display(Console(file=out, width=80), 0, 1, {"search-1-0-rung-1": 10.0}) as display:
        display.event({"label": "search-1-3-rung-1", **end()})
    assert "[1/1] search-1-3-rung-1" in out.getvalue() and "about 0 s left" in out.getvalue()


def test_the_time_left_falls_while_a_trial_runs(monkeypatch):
    now = [0.0]
    monkeypatch.setattr("sweeps.progress.time.monotonic", lambda: now[0])
    out = io.StringIO()
    with Display(Console(file=out, width=200), 0, 3, dict.fromkeys(("a", "b", "c"), 100.0)) as display:
        for moment, event in ((0, "start"), (200, "end"), (230, None), (300, None)):
            now[0] = float(moment)
            if event:
                display.event({"label": "a", **(end() if event == "end" else {"kind": event})})
            else:
                display.tick()
    told = [int(line.split("about ")[1].split(" min")[0]) for line in out.getvalue().splitlines() if "about" in line]
    assert told == [7, 5]
