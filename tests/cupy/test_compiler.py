"""Compiling: the cache on disk, what compilers say, and what is done without one."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.cupy.devices import compiler
from backends.cupy.devices.compiler import cached, compile_cuda, content_of, cuda_compiler, emulated_library
from backends.cupy.devices.device import KernelError
from tests.cupy.gate import check_compiles

SCALE = """
extern "C" __global__ void scale(float *y, const float *x, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i];
}
"""


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
    assert compiler.cache_folder().stat().st_mode & 0o077 == 0


def test_a_folder_that_cannot_be_made_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SYMGRAPH_CACHE_DIR", str(tmp_path / "file" / "below"))
    assert content_of(cached(["a"], ".bin", build_counting([]))) == b"content"


def test_the_folder_is_private_and_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SYMGRAPH_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert compiler.cache_folder() == tmp_path / "symgraph"
    assert (tmp_path / "symgraph").stat().st_mode & 0o777 == 0o700


def test_a_folder_of_this_process_alone_goes_with_it(tmp_path: Path) -> None:
    program = "from backends.cupy.devices.compiler import cache_folder; print(cache_folder())"
    (tmp_path / "file").write_text("")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True,
                          env={**os.environ, "SYMGRAPH_CACHE_DIR": str(tmp_path / "file")})
    assert "symgraph-" in done.stdout
    assert not Path(done.stdout.strip()).exists()


@pytest.mark.parametrize("arch", ["75", "90"])
def test_machine_code_and_what_it_takes(arch: str) -> None:
    result = compile_cuda(SCALE, arch)
    assert result.image.startswith(b"\x7fELF")
    usage = result.usage()["scale"]
    assert 0 < usage.registers < 32
    assert (usage.spilled, usage.shared, usage.stack) == (0, 0, 0)


def test_errors_name_the_line_and_what_is_wrong() -> None:
    with pytest.raises(KernelError, match=r"does not compile[\s\S]*4[\s\S]*nothing_known") as caught:
        compile_cuda(SCALE.replace("a * x[i]", "nothing_known"), "90")
    assert len(str(caught.value).splitlines()) <= 12


def test_kernels_that_spill_do_not_pass_the_gate() -> None:
    names = [f"v{i}" for i in range(80)]
    body = "".join(f"  float {name} = x[threadIdx.x * 80 + {i}];\n" for i, name in enumerate(names))
    uses = "".join(f"  y[threadIdx.x * 80 + {i}] = {name} * {names[-i - 1]} + {names[i * 7 % 80]};\n"
                   for i, name in enumerate(names))
    source = (f'extern "C" __global__ void __launch_bounds__(1024, 2) k(float *y, const float *x) {{\n{body}'
              f"  __syncthreads();\n{uses}}}\n")
    with pytest.raises(AssertionError, match="spill"):
        check_compiles(source)


def test_texts_with_the_same_names_pass_the_gate_together() -> None:
    usage = check_compiles(SCALE, SCALE.replace("a * x", "a + x"))
    assert set(usage) == {"75", "90"}
    assert set(usage["90"]) == {"0.scale", "1.scale"}


def test_without_a_compiler_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "load_library", lambda name: None)
    monkeypatch.setattr(compiler.shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    cuda_compiler.cache_clear()
    try:
        with pytest.raises(KernelError, match=r"pip install 'symgraph\[cuda13\]'"):
            compile_cuda(SCALE + "// never compiled", "90")
        with pytest.raises(KernelError, match=r"install g\+\+"):
            emulated_library(SCALE, ["scale"])
    finally:
        cuda_compiler.cache_clear()


def test_both_compilers_where_both_are() -> None:
    found = 0
    for kind in ("nvrtc", "nvcc"):
        try:
            cuda_compiler(kind)
        except KernelError:
            continue
        assert compile_cuda(SCALE, "90", kind).usage()["scale"].spilled == 0
        found += 1
    assert found, "no compiler for CUDA is here: install one, the gate cannot do without"


def test_a_device_newer_than_the_compiler_gets_text_for_the_driver() -> None:
    try:
        cuda_compiler("nvrtc")
    except KernelError:
        pytest.skip("NVRTC is not installed here; nvcc knows the devices it knows")
    assert b".target sm_" in compile_cuda(SCALE, "990", "nvrtc").image


def test_kernels_for_the_host_say_what_does_not_compile() -> None:
    with pytest.raises(KernelError, match=r"kernels\.cu:4:\d+: error: .nothing_known"):
        emulated_library(SCALE.replace("a * x[i]", "nothing_known"), ["scale"])
