"""`python -m tests.bench [NAME...]`: runs the benchmarks of this folder, all or those named, into `build/bench.json`.

A name is that of a benchmark, or of a file here for all that are in it. A missed target is told and is no failure: the
figures are for a person. A benchmark that breaks is one, exit 1.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from pathlib import Path

from tests.bench.harness import BENCHMARKS, RESULTS, ROOT, Record, machine, reached, store


def main(names: list[str]) -> int:
    """Runs the benchmarks called `names`, or all; returns the exit status."""
    files: dict[str, list[str]] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem not in ("__init__", "__main__", "harness"):
            module = importlib.import_module(f"tests.bench.{path.stem}")
            files[path.stem] = sorted(
                name for name, one in BENCHMARKS.items() if one.measure.__module__ == module.__name__
            )
    if unknown := [name for name in names if name not in BENCHMARKS and not files.get(name)]:
        print(f"no such benchmark: {', '.join(unknown)}; there are: {', '.join(sorted(BENCHMARKS))}", file=sys.stderr)
        return 2
    chosen = [one for name in names for one in (files.get(name) or [name])] or sorted(BENCHMARKS)
    print(machine())
    records: list[Record] = []
    broken = 0
    for name in chosen:
        try:
            record = BENCHMARKS[name].run()
        except Exception:
            traceback.print_exc()
            print(f"{name:<24} broke", flush=True)
            broken += 1
            continue
        records.append(record)
        sign = "≤" if record["better"] == "lower" else "≥"
        print(
            f"{name:<24} {record['figure']:>10g} {record['unit']:<10} target {sign} {record['target']:g}"
            f"  {'reached' if reached(record) else 'MISSED'}  n={record['n']}",
            flush=True,
        )
    if records:
        store(records)
        print(f"written to {RESULTS.relative_to(ROOT)}")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
