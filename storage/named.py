"""What a commit, a `block.json` and the digest of a derived file name, for whoever looks at a whole store.

Such a store may hold what strangers or other editions wrote, sealed as well as ours. So every member that is used is
held to its shape, and every name that is made of them to the rules of names. Does not know what a block or a row means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt

from dd_core.canonical import digest
from dd_core.errors import IntegrityError
from storage.base import check_name
from storage.blocks import BLOCK_FORMAT, FileEntry
from storage.sealed import unseal

DESCRIPTION = "block.json"
Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
M = TypeVar("M", bound=BaseModel)


class Table(BaseModel):
    """A table as a commit names it, inside the folder of the study; older commits tell no length."""

    model_config = ConfigDict(frozen=True, strict=True)
    name: str
    sha256: Digest
    n_bytes: NonNegativeInt | None = None
    rows: NonNegativeInt


class Derived(BaseModel):
    """What was last written of a file that is overwritten."""

    model_config = ConfigDict(frozen=True, strict=True)
    sha256: Digest
    n_bytes: NonNegativeInt


class _Taken(BaseModel):
    """A block as a commit names it: its key, and the SHA-256 of each file."""

    model_config = ConfigDict(frozen=True, strict=True)
    key: Digest
    files: dict[str, Digest]


class _Commit(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    status: Any = None
    tables: dict[str, Table] = {}
    blocks: dict[str, list[_Taken]] = {}


class _File(Derived):
    name: str


class _Description(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)
    inputs: dict[str, Any]
    files: dict[str, _File]


@dataclass(frozen=True)
class Commit:
    """What a commit names.

    Args:
        said: all that it says.
        done: whether its trial came to its end.
        tables: by the names of their objects.
        blocks: kind and key → object → SHA-256 of each file.
    """

    said: dict[str, Any]
    done: bool
    tables: dict[str, Table]
    blocks: dict[tuple[str, str], dict[str, str]]


@dataclass(frozen=True)
class Description:
    """What a `block.json` tells.

    Args:
        inputs: what the block was made from.
        files: by the names of their objects.
    """

    inputs: dict[str, Any]
    files: dict[str, FileEntry]


def committed(data: bytes, where: str, folder: str) -> Commit:
    """The commit in `data`.

    Args:
        where: name of its object.
        folder: the study's.

    Raises:
        IntegrityError: it is damaged, or not of the shape of a commit.
    """
    said = unseal(data, where)
    commit = _shaped(_Commit, said, where)
    try:
        tables = {check_name(f"{folder}/{table.name}"): table for table in commit.tables.values()}
        blocks = {
            (kind, block.key): {
                object_name(kind, block.key, FileEntry(file, its_digest, 0).object): its_digest
                for file, its_digest in block.files.items()
            }
            for kind, several in commit.blocks.items()
            for block in several
        }
        for key in blocks:
            object_name(*key, DESCRIPTION)
    except ValueError as error:
        raise IntegrityError(f"{where} is damaged: {error}") from error
    return Commit(said, commit.status == "done", tables, blocks)


def described(data: bytes, where: str, key: tuple[str, str]) -> Description:
    """What a `block.json` says, of whatever version.

    Args:
        where: name of its object.
        key: kind and key of the block.

    Raises:
        IntegrityError: it is damaged, or not of the shape of one, or it is another block's: its key is not the digest
            of what it was made from.
    """
    value = unseal(data, where)
    made_from = digest({name: value.get(name) for name in ("kind", "version", "inputs")})
    told = (value.get("format"), value.get("kind"), value.get("key"), made_from)
    if told != (BLOCK_FORMAT, *key, key[1]):
        raise IntegrityError(f"{where} is damaged: it describes another block")
    said = _shaped(_Description, value, where)
    files = [FileEntry(file.name, file.sha256, file.n_bytes) for file in said.files.values()]
    try:
        return Description(said.inputs, {object_name(*key, file.object): file for file in files})
    except ValueError as error:
        raise IntegrityError(f"{where} is damaged: {error}") from error


def derived(data: bytes, where: str) -> Derived:
    """What the digest that is kept of a derived file says.

    Args:
        where: name of the digest's object.

    Raises:
        IntegrityError: it is damaged, or of another shape.
    """
    return _shaped(Derived, unseal(data, where), where)


def object_name(kind: str, key: str, inside: str) -> str:
    """Name of an object of a block.

    Raises:
        ValueError: none may be called so.
    """
    return check_name(f"blocks/{kind}/{key}/{inside}")


def _shaped(model: type[M], value: dict[str, Any], where: str) -> M:
    """`value` as `model` has it.

    Raises:
        IntegrityError: it is of another shape.
    """
    try:
        return model.model_validate(value)
    except ValueError as error:
        raise IntegrityError(f"{where} is damaged: {' '.join(str(error).split()):.200}") from error
