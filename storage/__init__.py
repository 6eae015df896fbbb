"""Where results live: named bytes behind one interface, and the three things built on them.

`base` says what a store promises, `filesystem` and `s3` keep it, `opening` chooses; on top are `blocks` (work, cache
and resume), `commits` (the files of a study) and `bundles` (a study's rows as the falsifier reads them). Knows nothing
of Ray, judges or models.
"""

from __future__ import annotations

from storage.base import Store
from storage.bundles import load_bundle
from storage.opening import open_store, reopen_store

__all__ = ["Store", "load_bundle", "open_store", "reopen_store"]
