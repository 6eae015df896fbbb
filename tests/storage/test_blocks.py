from __future__ import annotations

import json
import multiprocessing
import pickle
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dd_core.errors import IntegrityError
from storage import Store, open_store
from storage.blocks import BLOCK_VERSIONS, Block, Blocks, BlockSpec, Made

SPEC = BlockSpec("generate", {"prompts": ["a", "b"], "strength": 1.0, "budget": {"max_new_tokens": 24}})
FILES = {"responses.parquet": b"rows" * 100, "log.txt": b"said"}


@pytest.fixture
def store(uri: str) -> Store:
    return open_store(uri)


@pytest.fixture
def blocks(store: Store) -> Blocks:
    return Blocks(store)


def make() -> Made:
    return Made(dict(FILES), {"n_rows": 2})


def never() -> Made:
    raise AssertionError("a finished block was computed again")


def object_of(block: Block, name: str) -> str:
    return f"{block.folder}/{block.files[name].object}"


def tally(blocks: Blocks) -> tuple[int, int, int]:
    return blocks.made, blocks.reused, blocks.repaired


class TestKeys:
    def test_what_is_equal_by_value_has_one_key(self) -> None:
        other = {"budget": {"max_new_tokens": 24.0}, "strength": 1, "prompts": ("a", "b")}
        assert BlockSpec("generate", other).key == SPEC.key
        assert len(SPEC.key) == 64

    @pytest.mark.parametrize(
        "inputs",
        [
            {**SPEC.inputs, "strength": 1.000001},
            {**SPEC.inputs, "prompts": ["b", "a"]},
            {**SPEC.inputs, "seed": None},
            {},
        ],
    )
    def test_any_other_input_is_another_key(self, inputs: dict) -> None:
        assert BlockSpec("generate", inputs).key != SPEC.key

    def test_another_kind_is_another_key(self) -> None:
        assert len({BlockSpec(kind, SPEC.inputs).key for kind in BLOCK_VERSIONS}) == len(BLOCK_VERSIONS)

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_nan_is_refused(self, value: float) -> None:
        with pytest.raises(ValueError):
            _ = BlockSpec("train", {"deep": [{"lr": value}]}).key

    def test_an_unknown_kind_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no kind of block"):
            _ = BlockSpec("dream", {}).key

    def test_a_raised_kind_version_finds_no_old_block(self, blocks: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
        old = blocks.get_or_make(SPEC, make)
        monkeypatch.setitem(BLOCK_VERSIONS, "generate", BLOCK_VERSIONS["generate"] + 1)
        raised = BlockSpec(SPEC.kind, SPEC.inputs)
        assert blocks.get(raised) is None
        new = blocks.get_or_make(raised, make)
        assert new.key != old.key
        assert blocks.read(old, "log.txt") == blocks.read(new, "log.txt") == b"said"


class TestMaking:
    def test_a_block_is_made_once_and_then_reused(self, blocks: Blocks) -> None:
        assert blocks.get(SPEC) is None
        block = blocks.get_or_make(SPEC, make)
        assert blocks.get_or_make(SPEC, never) == block == blocks.get(SPEC)
        assert tally(blocks) == (1, 1, 0)
        assert block.meta == {"n_rows": 2}
        assert {name: blocks.read(block, name) for name in block.files} == FILES

    def test_another_study_shares_it(self, blocks: Blocks, uri: str) -> None:
        block = blocks.get_or_make(SPEC, make)
        assert Blocks(open_store(uri)).get_or_make(SPEC, never) == block

    def test_objects_are_named_by_their_content(self, blocks: Blocks, store: Store) -> None:
        block = blocks.get_or_make(SPEC, make)
        names = {f"{block.folder}/{entry.sha256}.{name.split('.')[1]}" for name, entry in block.files.items()}
        assert set(store.list("blocks/")) == names | {f"blocks/generate/{SPEC.key}/block.json"}

    def test_its_description_says_what_it_was_made_from(self, blocks: Blocks, store: Store) -> None:
        block = blocks.get_or_make(SPEC, make)
        said = json.loads(store.read(SPEC.description))
        assert said["format"] == "ddsweep-block/1"
        assert (said["kind"], said["version"], said["key"]) == ("generate", BLOCK_VERSIONS["generate"], SPEC.key)
        assert said["inputs"] == SPEC.inputs
        assert said["created"] == block.created

    def test_nobody_sees_a_block_before_it_is_whole(self, store: Store, blocks: Blocks) -> None:
        seen = []

        class Watched(type(store)):  # type: ignore[misc]
            def create(self, name: str, data: bytes) -> bool:
                seen.append((name.rpartition("/")[2], Blocks(store).get(SPEC)))
                return super().create(name, data)

        block = Blocks(Watched(store.uri)).get_or_make(SPEC, make)
        assert [name for name, _ in seen] == [*(entry.object for entry in block.files.values()), "block.json"]
        assert all(found is None for _, found in seen)

    def test_a_failed_computation_stores_nothing(self, blocks: Blocks, store: Store) -> None:
        def fail() -> Made:
            raise RuntimeError("out of memory")

        with pytest.raises(RuntimeError, match="out of memory"):
            blocks.get_or_make(SPEC, fail)
        assert list(store.list("blocks/")) == []
        assert tally(blocks) == (0, 0, 0)

    @pytest.mark.parametrize("name", ["noextension", ".parquet", "a/b.parquet", "a b.txt", "a.", ""])
    def test_a_file_name_that_cannot_be_stored_is_refused(self, blocks: Blocks, store: Store, name: str) -> None:
        with pytest.raises(ValueError):
            blocks.get_or_make(SPEC, lambda: Made({name: b"1"}))
        assert list(store.list("blocks/")) == []

    def test_a_meta_of_nan_is_refused_and_no_block_is_seen(self, blocks: Blocks) -> None:
        with pytest.raises(ValueError):
            blocks.get_or_make(SPEC, lambda: Made(dict(FILES), {"loss": float("nan")}))
        assert blocks.get(SPEC) is None

    def test_files_of_equal_bytes_are_one_object(self, blocks: Blocks, store: Store) -> None:
        block = blocks.get_or_make(SPEC, lambda: Made({"a.txt": b"1", "b.txt": b"1", "empty.txt": b""}))
        assert len(list(store.list("blocks/"))) == 3
        assert [blocks.read(block, name) for name in ("a.txt", "b.txt", "empty.txt")] == [b"1", b"1", b""]

    def test_a_file_that_the_block_does_not_have_is_a_key_error(self, blocks: Blocks) -> None:
        with pytest.raises(KeyError):
            blocks.read(blocks.get_or_make(SPEC, make), "other.txt")

    def test_blocks_can_be_shipped_to_another_process(self, blocks: Blocks) -> None:
        block = blocks.get_or_make(SPEC, make)
        copy = pickle.loads(pickle.dumps(blocks))
        assert copy.get_or_make(pickle.loads(pickle.dumps(SPEC)), never) == pickle.loads(pickle.dumps(block))
        assert tally(copy) == (0, 1, 0)


def flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


DAMAGE: dict[str, Callable[[bytes], bytes | None]] = {
    "flipped": flip,
    "cut": lambda data: data[:-1],
    "emptied": lambda data: b"",
    "grown": lambda data: data + b"\n",
    "missing": lambda data: None,
}


def damage(store: Store, name: str, how: str) -> None:
    broken = DAMAGE[how](store.read(name))
    if broken is None:
        store.delete(name)
    else:
        store.overwrite(name, broken)


class TestDamage:
    @pytest.mark.parametrize("how", DAMAGE)
    def test_a_damaged_object_is_never_read_and_is_repaired_in_place(
        self, blocks: Blocks, store: Store, how: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        block = blocks.get_or_make(SPEC, make)
        damage(store, object_of(block, "responses.parquet"), how)
        with pytest.raises(IntegrityError, match="responses.parquet"):
            blocks.read(block, "responses.parquet")
        assert blocks.read(block, "log.txt") == b"said"
        assert blocks.get_or_make(SPEC, make) == block
        assert tally(blocks) == (1, 0, 1)
        assert "computed again" in caplog.text
        assert Blocks(store).get_or_make(SPEC, never) == block
        assert len(list(store.list("blocks/"))) == 3

    @pytest.mark.parametrize("how", ["flipped", "cut", "emptied"])
    def test_a_damaged_description_is_written_anew(self, blocks: Blocks, store: Store, how: str) -> None:
        block = blocks.get_or_make(SPEC, make)
        sound = store.read(SPEC.description)
        if how == "flipped":
            store.overwrite(SPEC.description, sound.replace(b'"n_rows": 2', b'"n_rows": 3'))
        elif how == "cut":
            store.overwrite(SPEC.description, sound[: len(sound) // 2])
        else:
            store.overwrite(SPEC.description, b"")
        with pytest.raises(IntegrityError, match=r"block\.json"):
            blocks.get(SPEC)
        again = blocks.get_or_make(SPEC, make)
        assert (again.files, again.meta) == (block.files, block.meta)
        assert tally(blocks) == (1, 0, 1)
        assert Blocks(store).get_or_make(SPEC, never) == again

    @pytest.mark.parametrize("text", [b"[]", b"null", b'{"digest": 1}', b"\xff\xfe", b"[" * 100_000, b'{"a": NaN}'])
    def test_any_bytes_in_place_of_a_description_are_damage(self, blocks: Blocks, store: Store, text: bytes) -> None:
        store.overwrite(SPEC.description, text)
        with pytest.raises(IntegrityError):
            blocks.get(SPEC)
        assert blocks.read(blocks.get_or_make(SPEC, make), "log.txt") == b"said"

    def test_a_description_of_another_block_is_damage(self, blocks: Blocks, store: Store) -> None:
        other = BlockSpec("generate", {"other": 1})
        blocks.get_or_make(other, lambda: Made({"x.txt": b"other"}))
        store.overwrite(SPEC.description, store.read(other.description))
        with pytest.raises(IntegrityError, match="another block"):
            blocks.get(SPEC)
        assert set(blocks.get_or_make(SPEC, make).files) == set(FILES)

    def test_a_flipped_byte_anywhere_in_a_description_changes_nothing_unnoticed(self, tmp_path: Path) -> None:
        store = open_store(str(tmp_path))
        blocks = Blocks(store)
        block = blocks.get_or_make(SPEC, make)
        sound = store.read(SPEC.description)
        for at in range(len(sound)):
            (tmp_path / SPEC.description).write_bytes(sound[:at] + bytes([sound[at] ^ 1]) + sound[at + 1 :])
            try:
                assert blocks.get(SPEC) == block
            except IntegrityError:
                continue

    def test_other_bytes_from_the_same_inputs_withdraw_the_block(self, blocks: Blocks, store: Store) -> None:
        old = blocks.get_or_make(SPEC, make)
        damage(store, object_of(old, "log.txt"), "flipped")
        new = blocks.get_or_make(SPEC, lambda: Made({"responses.parquet": b"other rows", "log.txt": b"said"}))
        assert new.files["responses.parquet"] != old.files["responses.parquet"]
        assert Blocks(store).get_or_make(SPEC, never) == new
        assert blocks.read(new, "responses.parquet") == b"other rows"

    def test_a_half_written_block_is_none(self, blocks: Blocks, store: Store) -> None:
        block = blocks.get_or_make(SPEC, make)
        store.delete(SPEC.description)
        damage(store, object_of(block, "log.txt"), "cut")
        assert blocks.get(SPEC) is None
        assert blocks.get_or_make(SPEC, make).files == block.files
        assert blocks.made == 2
        assert blocks.read(block, "log.txt") == b"said"


class TestRaces:
    def test_of_many_threads_all_hold_one_block(self, blocks: Blocks, store: Store) -> None:
        together = threading.Barrier(8)

        def ask(i: int) -> Block:
            def slow() -> Made:
                together.wait(30)
                return Made({"shared.txt": b"all", f"own{i % 4}.txt": f"{i % 4}".encode()}, {"by": i})

            return blocks.get_or_make(SPEC, slow)

        with ThreadPoolExecutor(8) as pool:
            held = list(pool.map(ask, range(8)))
        assert all(block == held[0] for block in held)
        assert tally(blocks) == (1, 7, 0)
        assert len(list(store.list("blocks/"))) == 3, "the losers have removed what was theirs alone"
        assert Blocks(store).get_or_make(SPEC, never) == held[0]

    def test_of_two_processes_one_makes_and_both_hold_it(self, store: Store) -> None:
        specs = [BlockSpec("judge", {"i": i}) for i in range(12)]
        with multiprocessing.get_context("spawn").Pool(2) as pool:
            first, second = pool.starmap(_make_all, [(store, specs, "1"), (store, specs, "2")], chunksize=1)
        assert first[0] == second[0]
        assert first[1] + second[1] == len(specs)
        for block in first[0]:
            assert len(list(store.list(f"{block.folder}/"))) == 2

    def test_a_winner_that_is_damaged_is_not_taken(self, blocks: Blocks, store: Store) -> None:
        def while_another_finishes_and_rots() -> Made:
            theirs = Blocks(store).get_or_make(SPEC, lambda: Made({"log.txt": b"theirs"}))
            damage(store, object_of(theirs, "log.txt"), "flipped")
            return make()

        block = blocks.get_or_make(SPEC, while_another_finishes_and_rots)
        assert set(block.files) == set(FILES)
        assert Blocks(store).get_or_make(SPEC, never) == block

    def test_what_another_mended_meanwhile_is_taken(self, blocks: Blocks, store: Store) -> None:
        damage(store, object_of(blocks.get_or_make(SPEC, make), "log.txt"), "flipped")
        mended = []

        def while_another_mends_it() -> Made:
            mended.append(Blocks(store).get_or_make(SPEC, lambda: Made({"log.txt": b"theirs"})))
            return Made({"log.txt": b"ours"})

        assert [blocks.get_or_make(SPEC, while_another_mends_it)] == mended
        assert blocks.read(mended[0], "log.txt") == b"theirs"


def _make_all(store: Store, specs: list[BlockSpec], own: str) -> tuple[list[Block], int]:
    """The blocks that this process holds, and how many it made; it begins when two processes are there."""
    store.create(f"here/{own}", b"")
    deadline = time.monotonic() + 60
    while len(list(store.list("here/"))) < 2 and time.monotonic() < deadline:
        time.sleep(0.001)
    blocks = Blocks(store)
    return [blocks.get_or_make(spec, lambda: Made({"x.txt": own.encode()}, {"by": own})) for spec in specs], blocks.made


WRITER = """
import sys
from storage import open_store
from storage.blocks import Blocks, BlockSpec, Made

blocks = Blocks(open_store(sys.argv[1]))
for i in range(int(sys.argv[2])):
    made = Made({"rows.parquet": b"%d rows" % i * 30_000, "log.txt": b"%d" % i})
    blocks.get_or_make(BlockSpec("generate", {"i": i}), lambda: made)
    print(i, flush=True)
"""


def test_kill_9_at_any_moment_loses_nothing_finished(uri: str) -> None:
    n_blocks, finished = 30, 0
    random_ = random.Random(0)
    for _ in range(3):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, uri, str(n_blocks)], stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(finished + random_.randint(1, 5)):
            told = writer.stdout.readline()
        time.sleep(random_.uniform(0.0, 0.03))  # somewhere in the middle of the next block or two
        writer.send_signal(signal.SIGKILL)
        finished = max(map(int, [told, *writer.stdout.read().split("\n")[:-1]])) + 1
        writer.wait()
        writer.stdout.close()
        blocks = Blocks(open_store(uri))
        for i in range(finished):
            block = blocks.get_or_make(BlockSpec("generate", {"i": i}), never)
            assert blocks.read(block, "log.txt") == f"{i}".encode()
    run = subprocess.run(
        [sys.executable, "-c", WRITER, uri, str(n_blocks)], capture_output=True, text=True, timeout=120
    )
    assert run.returncode == 0, run.stderr
    assert Blocks(open_store(uri)).get_or_make(BlockSpec("generate", {"i": n_blocks - 1}), never)
    objects = set(open_store(uri).list("blocks/"))
    assert len(objects) == 3 * n_blocks, "of each block two files and a description, and nothing half-written"


def test_a_slow_clock_dates_nothing_before_what_it_came_after(store):
    later = datetime.now(UTC) + timedelta(hours=1)
    dated = Blocks(store, not_before=later.isoformat())
    made = pickle.loads(pickle.dumps(dated)).get_or_make(SPEC, make)
    assert datetime.fromisoformat(made.created) == later
