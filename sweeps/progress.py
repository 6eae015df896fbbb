"""How a run looks while it goes on: one live line on a terminal, a line per finished trial elsewhere.

Consumes the events that trials report. Knows neither Ray nor a store.
"""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Column

from sweeps.plan import slot

QUIET_LINE_EVERY_S = 30.0


class Display:
    """Shows the events of a run.

    Args:
        console: where to; a live line only if it is a terminal.
        done, total: trials finished before this run, and in the whole study.
        weights: trial id or label → estimated seconds, for the time left; missing ones count as the mean.
    """

    def __init__(self, console: Console, done: int, total: int, weights: dict[str, float]) -> None:
        self._console, self._weights = console, weights
        self._left_s = sum(weights.values())
        self._started = time.monotonic()
        self._spent_s = 0.0
        self._last_end = self._started
        self._last_line = self._started
        self._done, self._total = done, total
        self._running: dict[str, str] = {}
        self._ended: set[str] = set()
        self._best: tuple[float, str] | None = None
        self._tokens: list[tuple[float, int]] = []
        self._judged = self._errors = self._failed = 0
        self._bar = Progress(
            BarColumn(20, table_column=Column(width=20)),
            TextColumn("{task.completed}/{task.total} trials", table_column=Column(width=14, no_wrap=True)),
            TextColumn("{task.fields[state]}", style="dim", table_column=Column(ratio=1, no_wrap=True)),
            console=console,
            transient=True,
            expand=True,
        )
        self._task = self._bar.add_task("running", total=total, completed=done, state="starting")

    def __enter__(self) -> Display:
        if self._console.is_terminal:
            self._bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._bar.stop()

    def event(self, event: dict[str, Any]) -> None:
        """Takes in one event: its `kind` is start, note, fit, tokens, judged, end, or stop (of all labels that begin
        with its own)."""
        label = event["label"]
        match event["kind"]:
            case "start":
                self._running[label] = "starting"
            case "note":
                self._running[label] = event["text"]
            case "fit":
                self._running[label] = f"step {event['step']}/{event['n_steps']}, loss {event['loss']:.2f}"
            case "tokens":
                self._tokens.append((time.monotonic(), event["n"]))
                self._running[label] = f"{event['arm']} answers"
            case "judged":
                self._judged += event["n"]
                self._errors += event["errors"]
            case "end":
                self._end(label, event)
            case "stop":
                self._stop(label, event["text"])
        self._refresh()

    def tick(self) -> None:
        """To be called now and then, also when nothing was reported."""
        self._refresh()

    def _end(self, label: str, event: dict[str, Any]) -> None:
        self._running.pop(label, None)
        if label in self._ended:  # its process was lost after it had told of its end, so that it was handed out again
            return
        self._ended.add(label)
        self._done += 1
        weight = self._weights.pop(self._planned(label), 0.0)
        self._left_s -= weight
        self._spent_s += weight
        self._last_end = time.monotonic()
        if event["score"] is not None and (self._best is None or event["score"] > self._best[0]):
            self._best = (event["score"], label)
        outcome = "done"
        if event["status"] == "failed":
            self._failed += 1
            outcome = f"failed: {event['error']}"
        elif event["score"] is not None:
            outcome = f"score {event['score']:+.3f}"
        if not self._console.is_terminal or event["status"] == "failed":
            self._line(f"{label}: {outcome} · {self._state()}")

    def _planned(self, label: str) -> str:
        """The label under which a trial was planned: which configurations a rung takes is not known before."""
        if label in self._weights:
            return label
        return next((planned for planned in self._weights if slot(planned) == slot(label)), label)

    def _stop(self, prefix: str, why: str) -> None:
        gone = [label for label in self._weights if label.startswith(prefix)]
        self._total -= len(gone)
        self._left_s -= sum(self._weights.pop(label) for label in gone)
        self._line(why)

    def _rate(self) -> float:
        now = time.monotonic()
        self._tokens = [(at, n) for at, n in self._tokens if now - at < 20]
        return sum(n for _, n in self._tokens) / max(1.0, now - self._tokens[0][0]) if self._tokens else 0.0

    def _state(self) -> str:
        parts = []
        if self._spent_s:
            # How much slower than estimated things went is known as of the last end; since then time has passed.
            slower = (self._last_end - self._started) / self._spent_s
            left = self._left_s * slower - (time.monotonic() - self._last_end)
            parts.append(f"about {left / 60:.0f} min left" if left > 90 else f"about {max(left, 0):.0f} s left")
        parts += [f"{label} ({what})" for label, what in self._running.items()]
        if self._best:
            parts.append(f"best {self._best[0]:+.3f} ({self._best[1]})")
        if rate := self._rate():
            parts.append(f"{rate:.0f} tokens/s")
        if self._judged:
            parts.append(f"{self._judged} rows judged" + (f", {self._errors} errors" if self._errors else ""))
        if self._failed:
            parts.append(f"{self._failed} failed")
        return " · ".join(parts)

    def _refresh(self) -> None:
        if self._console.is_terminal:
            self._bar.update(self._task, completed=self._done, total=self._total, state=self._state())
        elif time.monotonic() - self._last_line > QUIET_LINE_EVERY_S:
            self._line(self._state())

    def _line(self, text: str) -> None:
        self._console.print(f"[{self._done}/{self._total}] {text}", markup=False, soft_wrap=True)
        self._last_line = time.monotonic()
