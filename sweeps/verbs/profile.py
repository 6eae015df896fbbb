"""The verb `profile`: what a subject is like before any edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from sweeps.shell import folder_writer, interruptible, make_folder


def profile(
    subjects: Annotated[
        list[str], typer.Argument(metavar="SUBJECT", help="One or more of: ddsweep subjects list.", show_default=False)
    ],
    domain: Annotated[str, typer.Option(metavar="DOMAIN", help="Whose prompts.", show_default=False)],
    split: Annotated[str, typer.Option(help="train, eval or fresh.")] = "eval",
    n: Annotated[int | None, typer.Option("-n", metavar="PROMPTS", min=1, help="All of the split if left out.")] = None,
    samples: Annotated[
        int, typer.Option(metavar="N", min=1, help="Answers to each prompt; several need a temperature.")
    ] = 1,
    temperature: Annotated[
        float | None, typer.Option(metavar="T", min=0, max=10, help="The subject's own if left out; 0 is greedy.")
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(metavar="N", min=1, help="Budget of an answer.")] = 96,
    seed: Annotated[int, typer.Option(help="Chooses the prompts where -n leaves some out.")] = 0,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    store: Annotated[
        str, typer.Option("--store", metavar="URI", help="Where answers are kept, and found again.")
    ] = "ddsweep-store",
    out: Annotated[Path, typer.Option("-o", "--out", metavar="DIR", help="Where page and figures go.")] = Path(
        "profile"
    ),
) -> None:
    """Show how often subjects are right, how often they sound sure, and whether the one tells of the other.

    Generates answers, judges them, and writes profile.html and profile.json; run again to resume.
    """
    from rich.console import Console

    from dd_core.report.profile import page, terminal
    from sweeps.bar import progress
    from sweeps.profile import asked, made

    wanted = asked(
        subjects, domain, split=split, n=n, samples=samples, temperature=temperature, max_new_tokens=max_new_tokens,
        seed=seed, device=device,
    )  # fmt: skip
    make_folder(out)
    with interruptible(), progress("answers") as report:
        found = made(wanted, store, report)
    console = Console(highlight=False)
    console.print(terminal(found))
    kept = f"{found.found:,} of them found in the store"
    console.print(f"{found.answers:,} answers of at most {found.max_new_tokens} tokens each, {kept}", soft_wrap=True)
    write = folder_writer(out)
    data = json.dumps(found.as_json(), indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    print(f"figures: {write('profile.json', data.encode())}")
    print(f"page: {write('profile.html', page(found).encode())}")
