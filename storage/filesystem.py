"""A store in a folder, for one machine or a shared file system.

Knows nothing of what is stored, and needs of the file system only hard links and an atomic rename.
"""

from __future__ import annotations

import errno
import os
import re
import time
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote, urlsplit

from dd_core.errors import StoreError
from storage.base import Entry, Leftover, Store, check_name, check_prefix, is_name

_MARK = "~"
"""First character of a temporary file; no object's name may hold it, so that no listing can show one."""

_TEMPORARY = re.compile(rf"(?:(.+)/)?{_MARK}[0-9a-f]{{32}}")
"""Path of a temporary file below the root; its group is that of its folder."""


def path_of(uri: str) -> Path | None:
    """What a `file:///absolute/path` names, its escapes decoded; None where `uri` is another address."""
    parts = urlsplit(uri)
    here = parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/")
    return Path(unquote(parts.path)) if here else None


class FilesystemStore(Store):
    """Objects are files under `root`.

    An object is written to a temporary file in its own folder, flushed to the disk, and linked to its name: `os.link`
    refuses a target that exists, which `os.replace` does not. Folders are not flushed and never removed: after a power
    cut an object may be gone, which whoever reads it finds out, and a removed folder could be the one that another
    writer has just made.

    Args:
        uri: `file:///absolute/path`; escapes such as %20 are decoded.
    """

    def __init__(self, uri: str) -> None:
        root = path_of(uri)
        if root is None:
            raise StoreError(f"store {uri}: a file URI has three slashes and an absolute path, file:///data/store")
        if "\0" in str(root):
            raise StoreError(f"store {uri}: no path can hold a null byte")
        self.root = root
        self.uri = self.root.as_uri()

    def create(self, name: str, data: bytes) -> bool:
        target = self.root / check_name(name)
        if target.exists():
            return False
        temporary = self._write_temporary(target, data)
        try:
            os.link(temporary, target)
            return True
        except FileExistsError:
            # Over NFS a link that was made, but whose answer was lost, is tried again and finds itself.
            return os.stat(temporary).st_nlink == 2
        finally:
            temporary.unlink(missing_ok=True)

    def overwrite(self, name: str, data: bytes) -> None:
        target = self.root / check_name(name)
        temporary = self._write_temporary(target, data)
        try:
            os.replace(temporary, target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

    def read(self, name: str) -> bytes:
        try:
            return (self.root / check_name(name)).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise KeyError(name) from None

    def list(self, prefix: str = "") -> Iterator[str]:
        return iter(sorted(name for name in self._files(prefix) if is_name(name)))

    def entries(self, prefix: str = "") -> Iterator[Entry]:
        return self._told(name for name in self._files(prefix) if not _is_temporary(name))

    def delete(self, name: str) -> None:
        try:
            (self.root / check_name(name)).unlink()
        except (FileNotFoundError, NotADirectoryError):
            return

    def exists(self, name: str) -> bool:
        return (self.root / check_name(name)).is_file()

    def now(self) -> datetime:
        """By a file that is made and removed, as a file server dates by its clock; by ours where one may only read."""
        probe = self.root / f"{_MARK}{uuid.uuid4().hex}"
        try:
            probe.touch(exist_ok=False)
        except OSError:
            return datetime.fromtimestamp(time.time(), UTC)
        try:
            return datetime.fromtimestamp(probe.stat().st_mtime, UTC)
        finally:
            probe.unlink(missing_ok=True)

    def leftovers(self) -> Iterator[Leftover]:
        for one in self._told(filter(_is_temporary, self._files(""))):
            yield Leftover(one.name, one.n_bytes, one.modified, one.name)

    def discard(self, leftover: Leftover) -> None:
        (self.root / leftover.handle).unlink(missing_ok=True)

    def explain(self, error: Exception) -> str | None:
        if not isinstance(error, OSError):
            return None
        where = error.filename or self.root
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        remedy = "free some space" if full else "give a writable folder that allows hard links"
        return f"store {self.uri}: {error.strerror or error} ({where}); {remedy}"

    def place(self, name: str) -> str:
        return str(self.root / check_name(name))

    def _files(self, prefix: str) -> Iterator[str]:
        """Every file under `root` whose path there begins with `prefix`, temporaries and strangers' included.

        Raises:
            OSError: a folder may not be read: what it holds would be missing without a word.
        """
        for folder, _, files in os.walk(self.root / check_prefix(prefix).rpartition("/")[0], onerror=_unless_absent):
            parent = Path(folder).relative_to(self.root).as_posix()
            inside = "" if parent == "." else f"{parent}/"
            yield from (inside + file for file in files if (inside + file).startswith(prefix))

    def _told(self, names: Iterable[str]) -> Iterator[Entry]:
        """The files of these names, sorted; without those that were deleted meanwhile."""
        for name in sorted(names):
            try:
                found = (self.root / name).stat()
            except (FileNotFoundError, NotADirectoryError):
                continue
            yield Entry(name, found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))

    def _write_temporary(self, target: Path, data: bytes) -> Path:
        """A new file beside `target` that holds `data`, flushed to the disk."""
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f"{_MARK}{uuid.uuid4().hex}"
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            error.filename = error.filename or str(target)  # a full disk is told without a path: whose disk?
            temporary.unlink(missing_ok=True)
            raise
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


def _is_temporary(name: str) -> bool:
    """Whether a writer of ours makes such a file: in a folder that objects can be in."""
    found = _TEMPORARY.fullmatch(name)
    return found is not None and (found[1] is None or is_name(found[1]))


def _unless_absent(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise error
