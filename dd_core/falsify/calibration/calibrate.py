"""One calibration from its settings to its figures, and one planted study as a bundle to look at."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dd_core.errors import InputError
from dd_core.falsify.calibration.figures import figures
from dd_core.falsify.calibration.generator import FALSE_KINDS, KINDS, POWER_KINDS, plant
from dd_core.falsify.calibration.plan import MOST_PROMPTS
from dd_core.falsify.calibration.run import QUICK_PROMPTS, run, tasks

DEFAULT_FALSE = DEFAULT_REAL = 1000
QUICK_REAL = 24
DEFAULT_ONLY = 100


@dataclass(frozen=True)
class Settings:
    """How many planted studies to run; None is the default, which is 0 for all that was not asked for by number.

    Args:
        n_false, n_real: 1,000 each if nothing is given. n_clean: clean bundles beside the real claims. n_power: studies
            in each of the 37 cells of the table of power.
        quick: every kind of false claim once, two real claims of every kind, of at most 120 prompts.
        only: one kind.
        seed: of all planted studies. jobs: worker processes, the number of cores by default.

    Raises:
        InputError: a number is negative, or the kind is not known.
    """

    n_false: int | None = None
    n_real: int | None = None
    n_clean: int | None = None
    n_power: int | None = None
    quick: bool = False
    only: str | None = None
    seed: int = 0
    jobs: int | None = None

    def __post_init__(self) -> None:
        numbers = {"--false": self.n_false, "--real": self.n_real, "--clean": self.n_clean, "--power": self.n_power,
                   "--seed": self.seed}  # fmt: skip
        lines = [f"{name} {value}: expected a number from 0" for name, value in numbers.items() if (value or 0) < 0]
        if self.jobs is not None and self.jobs < 1:
            lines.append(f"--jobs {self.jobs}: expected a number from 1")
        if self.only is not None:
            lines += unknown_kind(self.only)
        if not lines and not any(self.counts.values()):
            lines.append("nothing to run: --false, --real, --clean and --power are all 0")
        if lines:
            raise InputError(lines)

    @property
    def counts(self) -> dict[str, int]:
        """Arguments of `tasks`."""
        given = {"n_false": self.n_false, "n_real": self.n_real, "n_clean": self.n_clean, "n_power": self.n_power}
        if self.only is not None:
            asked = [n for n in given.values() if n is not None]
            return dict.fromkeys(("n_false", "n_real", "n_power"), asked[0] if asked else DEFAULT_ONLY)
        if all(n is None for n in given.values()):
            n_false = sum(kind.truth == "false" for kind in FALSE_KINDS.values())
            defaults = (n_false, QUICK_REAL) if self.quick else (DEFAULT_FALSE, DEFAULT_REAL)
            return {"n_false": defaults[0], "n_real": defaults[1], "n_clean": 0, "n_power": 0}
        return {name: n or 0 for name, n in given.items()}

    @property
    def most(self) -> int:
        return QUICK_PROMPTS if self.quick else MOST_PROMPTS

    @property
    def command(self) -> str:
        """The command that gives the same figures."""
        counts = "".join(
            f" --{name} {n}"
            for name, n in (
                ("false", self.n_false), ("real", self.n_real), ("clean", self.n_clean), ("power", self.n_power)
            )
            if n is not None
        )  # fmt: skip
        only = f" --only {self.only}" if self.only else ""
        return f"ddsweep calibrate{' --quick' if self.quick else ''}{counts}{only} --seed {self.seed}"


def unknown_kind(name: str) -> list[str]:
    """[] if there is such a kind, else the line that says so."""
    if name in KINDS:
        return []
    near = difflib.get_close_matches(name, KINDS, 1)
    return [f"{name}: no such kind{f'; did you mean {near[0]}?' if near else ''} (ddsweep calibrate --list)"]


def calibrate(settings: Settings, report: Callable[[int, int], None] | None = None) -> dict[str, Any]:
    """The figures of a calibration (`figures`): the same settings give the same figures, on any number of cores.

    Args:
        report: called with (done, all) as studies are finished.

    Raises:
        KeyboardInterrupt: the user stopped it; no process is left behind.
    """
    wanted = tasks(**settings.counts, seed=settings.seed, most=settings.most, only=settings.only)
    outcomes = run(wanted, jobs=settings.jobs or os.cpu_count() or 1, report=report)
    return figures(outcomes, {"command": settings.command, "seed": settings.seed, "most_prompts": settings.most})


def write_study(kind: str, index: int, folder: Path, seed: int = 0, quick: bool = False) -> None:
    """Save a planted study as a claim bundle.

    Args:
        quick: the study of that number in a quick calibration.

    Raises:
        InputError: there is no such kind, the index or the seed is negative, or the folder has files in it.
    """
    from dd_core.falsify.bundle import save_bundle

    lines = unknown_kind(kind)
    if index < 0:
        lines.append(f"{index}: the number of a planted study starts at 0")
    if seed < 0:
        lines.append(f"--seed {seed}: expected a number from 0")
    if lines:
        raise InputError(lines)
    most = QUICK_PROMPTS if quick and kind not in POWER_KINDS else MOST_PROMPTS
    save_bundle(plant(kind, index, seed, most).bundle, folder)
