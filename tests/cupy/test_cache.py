"""The folder of compiled kernels: several processes share it, damage is repaired, and it does not grow without end."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from backends.cupy.devices import cache
from backends.cupy.devices.cache import cache_folder, cached, content_of, kept
from backends.cupy.devices.device import KernelError

SIZE = 1 << 20  # of a file, nearly


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    place = tmp_path / "cache"
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(place))
    return place


def build_counting(made: list[str], text: bytes = b"content") -> Any:
    def build(path: Path) -> None:
        made.append(path.name)
        path.write_bytes(text)

    return build


def test_what_was_built_is_not_built_again(folder: Path) -> None:
    made: list[str] = []
    first = cached(["a", "b"], ".bin", build_counting(made))
    assert content_of(first) == b"content"
    assert cached(["a", "b"], ".bin", build_counting(made, b"other")) == first
    assert content_of(first) == b"content"
    assert len(made) == 1
    assert first.is_relative_to(folder)


def test_every_part_of_the_key_counts(folder: Path) -> None:
    made: list[str] = []
    places = {cached(key, ".bin", build_counting(made)) for key in (["a", "b"], ["ab"], ["a", "c"], ["a", "b", ""])}
    assert len(places) == len(made) == 4


@pytest.mark.parametrize("damage", ["cut short", "emptied", "changed", "of another program"])
def test_damaged_files_are_made_anew(folder: Path, damage: str) -> None:
    made: list[str] = []
    place = cached(["a"], ".bin", build_counting(made, bytes(range(200))))
    data = place.read_bytes()
    place.write_bytes({"cut short": data[:-5], "emptied": b"", "changed": b"?" + data[1:],
                       "of another program": b"something else"}[damage])
    assert content_of(cached(["a"], ".bin", build_counting(made, b"new"))) == b"new"
    assert len(made) == 2


def test_a_build_that_fails_leaves_nothing(folder: Path) -> None:
    def build(path: Path) -> None:
        path.write_bytes(b"half")
        raise KernelError("no")

    with pytest.raises(KernelError):
        cached(["a"], ".bin", build)
    assert [path for path in folder.rglob("*") if path.is_file()] == []
    assert content_of(cached(["a"], ".bin", build_counting([]))) == b"content"


def _build_and_read(number: int) -> bytes:
    return content_of(cached(["same"], ".bin", build_counting([], bytes([number]) * 100000)))


def test_several_processes_share_the_folder(folder: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        found = pool.map(_build_and_read, range(6))
    assert all(len(content) == 100000 and len(set(content)) == 1 for content in found)


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(open_to_all))
    place = cached(["a"], ".bin", build_counting([]))
    assert not place.is_relative_to(open_to_all)
    assert cache_folder().stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert content_of(cached(["a"], ".bin", build_counting([]))) == b"content"


def test_the_folder_is_private_and_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMGRAPH_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "symgraph"
    assert (tmp_path / "symgraph").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_this_process_alone_goes_with_it(tmp_path: Path) -> None:
    program = "from backends.cupy.devices.cache import cache_folder; print(cache_folder())"
    (tmp_path / "file").write_text("")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          env={**os.environ, "SYMGRAPH_CACHE_DIR": str(tmp_path / "file")})
    assert "symgraph-" in done.stdout
    assert not Path(done.stdout.strip()).exists()


# ---- what goes


def aged(name: str, hours: float) -> Path:
    """A file of a MiB that was last used so long ago."""
    place = cached([name], ".bin", build_counting([], bytes(SIZE - 100)))
    used = time.time() - 3600 * hours
    os.utime(place, (used, used))
    return place


def test_what_was_not_used_for_the_longest_time_goes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "5")
    places = [aged(str(i), hours) for i, hours in enumerate((3, 1, 5, 2, 4))]
    aged("a sixth", 0)
    assert [place.exists() for place in places] == [True, True, False, True, False]  # four fifths are left


def test_to_be_asked_for_is_to_be_used(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "2.5")
    first, second = aged("first", 3), aged("second", 2)
    assert cached(["first"], ".bin", build_counting([])) == first
    aged("third", 1)
    assert (first.exists(), second.exists()) == (True, False)


def test_what_was_just_used_stays_though_it_is_too_much(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody may have been given its place, and be about to read it."""
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "0")
    places = [aged(str(i), 0.1) for i in range(3)]
    assert all(place.exists() for place in places)


def test_only_files_of_the_cache_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Data sets lie in the same folder of a user, and somebody may be writing."""
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "0")
    first = aged("first", 48)
    others = [folder / "mnist" / "images", first.parent / "notes.txt", first.parent / ".making-now" / "made.bin"]
    for place in others:
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(bytes(100))
        os.utime(place, (0, 0))
    forgotten = first.parent / ".making-long-ago"
    forgotten.mkdir()
    os.utime(forgotten, (0, 0))
    aged("second", 0)
    assert not first.exists()
    assert not forgotten.exists()
    assert all(place.exists() for place in others)


def test_nothing_goes_that_is_taken_meanwhile(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another process asks for a file between the look at the folder and the removal."""
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "1.5")
    first = aged("first", 3)
    looked = kept()
    os.utime(first)
    monkeypatch.setattr(cache, "kept", lambda: looked)
    assert cache._trim(0) == looked[0].size
    assert first.exists()


def _fill(number: int) -> bool:
    """Files of this process grow old, where others have not removed them yet; what it is given is there."""
    for i in range(20):
        with suppress(FileNotFoundError):
            aged(f"{number} {i}", 2)
        for name in (f"{number} {i // 2}", "of all"):
            assert content_of(cached([name], ".bin", build_counting([], bytes(SIZE - 100)))) == bytes(SIZE - 100)
    return True


def test_several_processes_remove_and_make_at_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "8")
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        assert all(pool.map(_fill, range(6)))
    assert sum(file.size for file in kept()) < 80 * SIZE


@pytest.mark.parametrize("text", ["many", "-1", "nan"])
def test_sizes_are_numbers(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", text)
    with pytest.raises(ValueError, match="SYMGRAPH_CACHE_SIZE is how many MiB"):
        cache.limit()


def test_the_size_is_500_mib_unless_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMGRAPH_CACHE_SIZE", raising=False)
    assert cache.limit() == 500 * 2**20
    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "inf")
    assert cache.limit() > 2**50


def test_the_doctor_tells_place_size_and_limit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.cupy.doctor import _cache

    monkeypatch.setenv("SYMGRAPH_CACHE_SIZE", "7")
    aged("first", 0)
    assert _cache("kernels").detail.startswith(f"{folder}: 1 files, 1.0 of at most 7 MiB")
