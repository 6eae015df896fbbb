"""How a `Verdict` looks without its rows: plain text, a terminal, a notebook.

    words.py     a plain name for every step and status, numbers as people write them
    summary.py   what is told, and in which order; the one source of the three below and of the report's summary
    plain.py     `str(verdict)`
    terminal.py  rich
    notebook.py  HTML

Knows what a verdict holds, and neither the claim nor the rows: `dd_core.report` does. Loaded when something is printed.
"""
