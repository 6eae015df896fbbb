from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pytest

from dd_core.errors import IntegrityError
from dd_core.records import JUDGEMENTS, RESPONSES
from storage.tables import ROW_GROUP, from_parquet, to_parquet


def rows(n: int) -> pa.Table:
    return JUDGEMENTS.arrow(
        [
            {
                "response_id": f"r{i}",
                "axis": "correct",
                "score": None if i % 5 == 0 else i / 7,
                "judge": "j",
                "error": "ä",
            }
            for i in range(n)
        ]
    )


def test_a_table_comes_back_with_its_schema() -> None:
    for table in (rows(50), rows(0), RESPONSES.arrow([])):
        assert from_parquet(to_parquet(table)).equals(table, check_metadata=True)


def test_equal_tables_are_equal_bytes_however_they_were_cut() -> None:
    whole = rows(300)
    parts = pa.concat_tables([whole.slice(0, 7), whole.slice(7, 100), whole.slice(107)])
    longer = pa.concat_tables([rows(5), whole]).slice(5)
    noted = whole.replace_schema_metadata({"pandas": "{}"})
    again = from_parquet(to_parquet(whole))
    assert {to_parquet(table) for table in (parts, longer, noted, again)} == {to_parquet(whole)}


def test_metadata_of_a_column_changes_no_byte() -> None:
    plain = pa.schema([pa.field("a", pa.int64())])
    noted = pa.schema([pa.field("a", pa.int64(), metadata={"unit": "s"})])
    assert to_parquet(pa.table({"a": [1]}, schema=plain)) == to_parquet(pa.table({"a": [1]}, schema=noted))


def test_a_process_of_its_own_writes_the_same_bytes() -> None:
    code = "import sys, hashlib, pyarrow as pa; from storage.tables import to_parquet; " + (
        "print(hashlib.sha256(to_parquet(pa.table({'a': [1, None, 3], 'b': ['x', 'y', 'z']}))).hexdigest())"
    )
    runs = {subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout for _ in range(2)}
    assert len(runs) == 1
    assert len(runs.pop().strip()) == 64


def test_a_table_of_several_row_groups_comes_back() -> None:
    table = pa.table({"a": pa.array(range(ROW_GROUP + 3))})
    assert from_parquet(to_parquet(table)).equals(table)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not a table at all", to_parquet(pa.table({"a": [1]}))[:-3]])
def test_bytes_that_are_no_table_are_an_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError):
        from_parquet(data)
