"""The JSON Schema of verdict.json (draft 2020-12), which ships as `verdict.schema.json` beside this file.

    python -c "from dd_core.falsify.schema import write; write()"

writes it anew after the model was changed; a test holds the two equal. The schema says what may stand where, not
whether a verdict follows from its rows: only recomputing it says that.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from dd_core.falsify.verdict import Verdict

SCHEMA_FILE = Path(__file__).with_name("verdict.schema.json")
DRAFT = "https://json-schema.org/draft/2020-12/schema"


def verdict_schema() -> dict[str, Any]:
    """The schema as shipped."""
    return json.loads(SCHEMA_FILE.read_bytes())


def model_schema() -> dict[str, Any]:
    """The schema that `Verdict` gives now."""
    return {"$schema": DRAFT, **Verdict.model_json_schema(mode="serialization")}


def write(path: Path = SCHEMA_FILE) -> None:
    """Ship what the model gives now."""
    path.write_text(json.dumps(model_schema(), indent=2) + "\n", encoding="ascii")
