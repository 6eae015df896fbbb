"""States of answers as a table in a trial, and the tables of all trials as the features of a claim bundle.

A column for each tag, a list of float32 in each row; a replicate's tags are `tag@SUBJECT`, since its states may be of
another width. Knows no model and no claim.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

ID = "response_id"


def states_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of `response_id` and one array [width] for each tag, the same tags in every row."""
    tags = [name for name in rows[0] if name != ID]
    columns = {ID: pa.array([row[ID] for row in rows], pa.string())}
    for tag in tags:
        stacked = np.stack([np.asarray(row[tag], dtype=np.float32) for row in rows])
        columns[tag] = pa.FixedSizeListArray.from_arrays(pa.array(stacked.reshape(-1)), stacked.shape[1])
    return pa.table(columns)


def features(tables: Sequence[pa.Table]) -> tuple[dict[str, np.ndarray], tuple[str, ...]]:
    """(tag → float32 [n, width], the n response ids) of several tables; a row of zeros is a state that was not read.

    Answers of one id that are in several tables are one.
    """
    ids = list(dict.fromkeys(name for table in tables for name in table[ID].to_pylist()))
    at = {name: i for i, name in enumerate(ids)}
    found: dict[str, np.ndarray] = {}
    for table in tables:
        where = [at[name] for name in table[ID].to_pylist()]
        for tag in (name for name in table.column_names if name != ID):
            values = table[tag].combine_chunks().flatten().to_numpy().reshape(table.num_rows, -1)
            found.setdefault(tag, np.zeros((len(ids), values.shape[1]), dtype=np.float32))[where] = values
    return found, tuple(ids)
