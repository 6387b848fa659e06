"""Compiling CUDA C: for a GPU by NVRTC or nvcc, for the emulated device by the host's C++ compiler.

Results are kept (see `backends.cupy.devices.cache`).
"""

from __future__ import annotations

import ctypes
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backends.cupy.devices.cache import cached, content_of
from backends.cupy.devices.device import KernelError
from backends.cupy.devices.libraries import load_library

__all__ = [
    "Compiled", "Usage", "compile_cuda", "cuda_compiler", "emulated_library", "emulation_scheduler", "host_compiler",
]

_EMULATION = Path(__file__).parent / "emulation"
_HEADER = "cuda_emulation.h"


def _run(command: Sequence[str], what: str) -> str:
    """The output of a compiler; its first lines as the error when it fails."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = (done.stdout + done.stderr).strip().splitlines()
        raise KernelError("\n".join([f"{what} does not compile:", *lines[:10]]))
    return done.stdout + done.stderr


@functools.lru_cache(maxsize=8)
def _version(compiler: str) -> str:
    return _run([compiler, "--version"], f"{compiler} --version")


# ---- GPUs

_OPTIONS = ("--std=c++17", "--fmad=true", "--ptxas-options=-v")
_COMPILER_MISSING = ("no compiler for CUDA was found: install NVIDIA's run-time compiler (pip install "
                     "'symgraph[cuda13]' or 'symgraph[cuda12]' brings it), or a CUDA toolkit whose nvcc is on the PATH")


@dataclass(frozen=True)
class Usage:
    """What a kernel takes of a multiprocessor, as the assembler says.

    Attributes
    ----------
    registers : int
        Of each thread.
    spilled : int
        Bytes that found no register: stores and loads.
    shared : int
        Bytes of static shared memory.
    stack : int
        Bytes of local arrays that could not be kept in registers.
    """

    registers: int
    spilled: int
    shared: int
    stack: int


@dataclass(frozen=True)
class Compiled:
    """Compiled CUDA C.

    Attributes
    ----------
    image : bytes
        What the driver loads: machine code, or PTX for a device that is newer than the compiler.
    log : str
        What the compiler said.
    """

    image: bytes
    log: str

    def usage(self) -> dict[str, Usage]:
        """For each kernel, what it takes; nothing of PTX."""
        found = {}
        for part in self.log.split("Compiling entry function ")[1:]:
            name = part.split("'")[1]
            found[name] = Usage(_number(r"Used (\d+) registers", part),
                                _number(r"(\d+) bytes spill stores", part) + _number(r"(\d+) bytes spill loads", part),
                                _number(r"(\d+) bytes smem", part), _number(r"(\d+) bytes stack frame", part))
        return found


def _number(pattern: str, text: str) -> int:
    found = re.search(pattern, text)
    return int(found[1]) if found else 0


class _Nvrtc:
    """NVIDIA's run-time compiler; it needs neither a driver nor a toolkit."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        major, minor = ctypes.c_int(), ctypes.c_int()
        self._call("Version", ctypes.byref(major), ctypes.byref(minor))
        self.version = f"NVRTC {major.value}.{minor.value}"

    def _call(self, name: str, *args: object) -> None:
        error = getattr(self._library, f"nvrtc{name}")(*args)
        if error:
            text = self._library.nvrtcGetErrorString
            text.restype = ctypes.c_char_p
            raise KernelError(f"nvrtc{name}: {text(error).decode()}")

    def _text(self, what: str, program: ctypes.c_void_p) -> bytes:
        size = ctypes.c_size_t()
        self._call(f"Get{what}Size", program, ctypes.byref(size))
        text = ctypes.create_string_buffer(max(size.value, 1))
        self._call(f"Get{what}", program, text)
        return text.raw[:size.value]

    def newest(self) -> int:
        """The highest compute capability it makes machine code for."""
        count = ctypes.c_int()
        self._call("GetNumSupportedArchs", ctypes.byref(count))
        known = (ctypes.c_int * count.value)()
        self._call("GetSupportedArchs", known)
        return max(known)

    def compile(self, source: str, arch: str) -> Compiled:
        """Machine code for a compute capability, or PTX if it is newer than the compiler."""
        newest = self.newest()
        direct = int(arch.rstrip("af")) <= newest
        options = [f"--gpu-architecture={'sm_' + arch if direct else f'compute_{newest}'}",
                   *(_OPTIONS if direct else _OPTIONS[:-1])]
        program = ctypes.c_void_p()
        self._call("CreateProgram", ctypes.byref(program), source.encode(), b"kernels.cu", 0, None, None)
        try:
            try:
                self._call("CompileProgram", program, len(options),
                           (ctypes.c_char_p * len(options))(*(o.encode() for o in options)))
            except KernelError:
                raise KernelError(_first_errors(self._text("ProgramLog", program).decode())) from None
            log = self._text("ProgramLog", program).rstrip(b"\0").decode()
            return Compiled(self._text("CUBIN" if direct else "PTX", program), log)
        finally:
            self._call("DestroyProgram", ctypes.byref(program))


class _Nvcc:
    """The compiler of a CUDA toolkit."""

    def __init__(self, path: str) -> None:
        self._path = path
        self.version = _version(path)

    def compile(self, source: str, arch: str) -> Compiled:
        """Machine code for a compute capability."""
        with tempfile.TemporaryDirectory(prefix="symgraph-") as folder:
            text, made = Path(folder) / "kernels.cu", Path(folder) / "made.cubin"
            text.write_text(source)
            log = _run([self._path, "-cubin", f"-arch=sm_{arch}", *_OPTIONS, "-o", str(made), str(text)], "a kernel")
            return Compiled(made.read_bytes(), log)


def _first_errors(log: str) -> str:
    lines = [line for line in log.splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if "error" in line), 0)
    return "\n".join(["a kernel does not compile:", *lines[start:start + 10]])


@functools.cache
def cuda_compiler(kind: str = "") -> _Nvrtc | _Nvcc:
    """The compiler for GPUs: NVRTC, else nvcc; or the one of a kind, ``nvrtc`` or ``nvcc``.

    Raises
    ------
    KernelError
        When there is none; the message says what to install.
    """
    if kind in ("", "nvrtc"):
        library = load_library("nvrtc")
        if library is not None:
            return _Nvrtc(library)
    if kind in ("", "nvcc"):
        path = shutil.which("nvcc")
        if path is not None:
            return _Nvcc(path)
    raise KernelError(_COMPILER_MISSING)


def compile_cuda(source: str, arch: str, kind: str = "") -> Compiled:
    """Compile CUDA C that includes nothing.

    Parameters
    ----------
    source : str
    arch : str
        The compute capability of the device, such as ``"90"``.
    kind : str, optional
        ``nvrtc`` or ``nvcc``; what there is by default.

    Raises
    ------
    KernelError
        When it does not compile, or there is no compiler.
    """
    compiler = cuda_compiler(kind)

    def build(made: Path) -> None:
        result = compiler.compile(source, arch)
        log = result.log.encode()
        made.write_bytes(len(log).to_bytes(8, "little") + log + result.image)

    data = content_of(cached([compiler.version, *_OPTIONS, arch, source], ".cubin", build))
    size = int.from_bytes(data[:8], "little")
    return Compiled(data[8 + size:], data[8:8 + size].decode())


# ---- The emulated device


def host_compiler() -> str:
    """The C++ compiler of this machine.

    Raises
    ------
    KernelError
        When there is none.
    """
    found = shutil.which(os.environ.get("CXX", "")) or shutil.which("g++") or shutil.which("c++")
    if not found:
        raise KernelError("the emulated device needs a C++ compiler, and none was found: install g++, or name one in "
                          "the environment variable CXX")
    return found


def emulation_scheduler() -> Path:
    """The library that runs the threads of emulated kernels and looks at their accesses to memory."""
    parts = [_EMULATION / name for name in ("scheduler.cpp", "accesses.cpp")]
    compiler = host_compiler()
    flags = ["-std=c++17", "-O1", "-fPIC", "-shared"]

    def build(made: Path) -> None:
        _run([compiler, *flags, *map(str, parts), "-o", str(made)], "the scheduler of emulated threads")

    text = [path.read_text() for path in (*parts, _EMULATION / "scheduler.h")]
    return cached([compiler, _version(compiler), *flags, *text], ".so", build)


#: Dynamic shared memory has no spelling in C++; lines stay where they are.
_DYNAMIC_SHARED = re.compile(
    r"extern\s+__shared__\s+(?:__align__\s*\(\s*\d+\s*\)\s+)?([\w ]+?)\s+(\w+)\s*\[\s*\]\s*;")


def emulated_library(source: str, names: Sequence[str], checked: bool = False) -> Path:
    """Kernels built for the host, behind ``emulation/cuda_emulation.h``.

    Parameters
    ----------
    source : str
        CUDA C that includes nothing.
    names : sequence of str
        Of its kernels.
    checked : bool
        Whether each access to memory is looked at.
    """
    compiler = host_compiler()
    flags = ["-std=c++17", "-O1", "-fPIC", "-w", "-fno-strict-aliasing", "-ffp-contract=off", "-fvisibility=hidden",
             "-ftrivial-auto-var-init=pattern"]
    if checked:  # a call in front of each access, which the scheduler's library answers, not the sanitizer's
        flags += ["-g1", "-fsanitize=thread", "--param", "tsan-distinguish-volatile=1"]
    text = "\n".join([f'#include "{_HEADER}"', '#line 1 "kernels.cu"',
                      _DYNAMIC_SHARED.sub(r"SYMGRAPH_DYNAMIC_SHARED(\1, \2);", source),
                      *(f"SYMGRAPH_EXPORT({name})" for name in names), ""])

    def build(made: Path) -> None:
        kernels, part = made.with_name("kernels.cpp"), made.with_name("kernels.o")
        kernels.write_text(text)
        ready = made.with_name("ready")
        ready.mkdir()
        (ready / f"{_HEADER}.gch").symlink_to(_parsed_header(compiler, *flags))
        command = [compiler, *flags, "-c", str(kernels), "-o", str(part)]
        own = f"-I{_EMULATION}"
        try:
            _run([*command, f"-I{ready}", own], "a kernel")
        except KernelError as error:
            if "PCH" not in str(error):
                raise
            _run([*command, own], "a kernel")  # where the compiler cannot put it at the address it was made for
        _run([compiler, "-shared", str(part), "-o", str(made)], "a kernel")

    return cached([compiler, _version(compiler), *flags, *_headers(), text], ".so", build)


@functools.cache
def _parsed_header(compiler: str, *flags: str) -> Path:
    """The header as the compiler has read it: most of the time that a small kernel takes."""

    def build(made: Path) -> None:
        _run([compiler, *flags, "-x", "c++-header", str(_EMULATION / _HEADER), "-o", str(made)], "the emulation")

    return cached([compiler, _version(compiler), *flags, *_headers()], ".gch", build)


def _headers() -> list[str]:
    return [(_EMULATION / name).read_text() for name in (_HEADER, "scheduler.h")]
