"""Arrow tables as Parquet bytes that are the same whenever the table is the same. Knows no columns and no store."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.parquet as pq

from dd_core.errors import IntegrityError

ROW_GROUP = 65_536
"""Rows in a row group; fixed, since it moves the bytes."""


def to_parquet(table: pa.Table) -> bytes:
    """`table` as Parquet: zstd at level 3, no metadata of pandas or anybody else.

    Equal tables (schema and values) give equal bytes with one version of pyarrow, however they were chunked or sliced.
    """
    plain = pa.schema([field.remove_metadata() for field in table.schema])
    table = table.cast(plain).replace_schema_metadata(None).combine_chunks()
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd", compression_level=3, row_group_size=ROW_GROUP)
    return sink.getvalue().to_pybytes()


def from_parquet(data: bytes) -> pa.Table:
    """The table in `data`.

    Raises:
        IntegrityError: the bytes are no Parquet file.
    """
    try:
        # A thread of Arrow's that still holds the bytes when the interpreter ends aborts it: one command in three that
        # ended right after reading a block did.
        return pq.ParquetFile(pa.BufferReader(data)).read(use_threads=False)
    except (pa.ArrowInvalid, OSError) as error:
        raise IntegrityError(f"{len(data)} bytes are no Parquet table: {error!s:.200}") from error
