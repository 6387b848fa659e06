"""What a program needs of a device: arrays, transfers, compiled kernels and their launches, products, graphs.

Two classes fulfil it: `CupyDevice` of `backends.cupy.devices.cuda` on a GPU, and `EmulatedDevice` of
`backends.cupy.devices.emulated`, which runs the same kernels on the CPU and watches for what a GPU would punish.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

__all__ = ["Bound", "Device", "Dim3", "GpuOutOfMemory", "Graph", "Kernel", "KernelError", "out_of_memory", "pack",
           "value_of"]

#: The blocks of a grid, or the threads of a block, along x, y and z.
Dim3 = tuple[int, int, int]


class GpuOutOfMemory(MemoryError):
    """The device has no room for an array; the message names the largest that it holds."""


class KernelError(RuntimeError):
    """A kernel did what a GPU answers with an error, a wait without end or a wrong result."""


class Kernel(Protocol):
    """A compiled function of a loaded module."""

    name: str


class Bound(Protocol):
    """A launch with all it needs: call it to launch.

    Attributes
    ----------
    arguments : list
        Of ctypes values, one per parameter: pointers are `ctypes.c_void_p`. Their `value` may be changed between calls.
    """

    arguments: list[Any]

    def __call__(self) -> None:
        """Launch on the current stream."""
        ...


class Graph(Protocol):
    """What was captured: launches at fixed addresses. Who captures keeps the arrays alive as long as the graph."""

    def launch(self) -> None:
        """Do all of it again, in order, on the current stream."""
        ...

    def change(self, bound: Bound) -> None:
        """Let a captured launch have the arguments that it has now, from the next time on that the graph is launched.

        Parameters
        ----------
        bound : Bound
            One of those that `Device.capture` was told of.

        Raises
        ------
        KernelError
            When it cannot be changed.
        """
        ...


class Device(Protocol):
    """A place where kernels run.

    Attributes
    ----------
    name : str
        ``cuda:0``, or ``emulated:0``.
    xp : Any
        CuPy, or what stands for it: its functions take and give arrays of the device.
    arch : str
        The compute capability, ``"90"``.
    multiprocessors : int
        How many blocks of full size run at once, about.
    cooperative : bool
        Whether kernels may wait for all their blocks.
    waits_for_each : bool
        Whether each launch is waited for, to name the kernel that fails; nothing can be captured then.
    """

    name: str
    xp: Any
    arch: str
    multiprocessors: int
    cooperative: bool
    waits_for_each: bool

    def empty(self, shape: Sequence[int], dtype: Any, label: str = "") -> Any:
        """A C-ordered array of unknown content, aligned to 256 bytes; the label names it when memory runs out.

        Raises
        ------
        GpuOutOfMemory
            When there is no room.
        """
        ...

    def to_device(self, host: np.ndarray, into: Any = None) -> Any:
        """A copy of a host array on the device, in an array of its own or in `into`; ordered by the current stream.

        The host array may be changed once this returns.
        """
        ...

    def to_host(self, array: Any) -> np.ndarray:
        """A copy of a device array on the host; waits for what the current stream still does."""
        ...

    def copy(self, target: Any, source: Any) -> None:
        """Copy within the device, between arrays of one shape and dtype, any strides; may be captured."""
        ...

    def is_array(self, value: Any) -> bool:
        """Whether a value is an array of this kind of device."""
        ...

    def address(self, array: Any) -> int:
        """Where the first element of an array lies."""
        ...

    def load(self, source: str, names: Sequence[str]) -> list[Kernel]:
        """Compile CUDA C that includes nothing and load its functions.

        Parameters
        ----------
        source : str
            With one ``extern "C" __global__`` function per name.
        names : sequence of str

        Raises
        ------
        KernelError
            When it does not compile; the message holds the compiler's first errors.
        """
        ...

    def bind(self, kernel: Kernel, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
             cooperative: bool = False) -> Bound:
        """A launch that can be repeated, with other addresses and numbers if need be.

        Parameters
        ----------
        kernel : Kernel
        grid, block : tuple of int
            Blocks of the grid and threads of a block; none may be 0.
        shared_bytes : int
            Of dynamic shared memory.
        args : sequence
            For each parameter, an array of the device, whose address is passed; a NumPy scalar; a ctypes value or
            structure. Python numbers are refused: their width is not said. A bound launch does not keep arrays alive.
        cooperative : bool
            Whether all blocks are to run at once, so that they can wait for each other.
        """
        ...

    def launch(self, kernel: Kernel, grid: Dim3, block: Dim3, shared_bytes: int, args: Sequence[Any],
               cooperative: bool = False) -> None:
        """Launch a kernel once on the current stream. Parameters as for `bind`."""
        ...

    def do_all(self, steps: Iterable[Callable[[], None]]) -> None:
        """Call all of these, of which most are bound launches, one after the other."""
        ...

    def product(self, out: Any, a: Any, b: Any, alpha: float = 1.0, beta: float = 0.0, tf32: bool = False) -> None:
        """``out = alpha * a @ b + beta * out`` by the vendor's library, on the current stream; may be captured.

        Parameters
        ----------
        out, a, b : device arrays
            Matrices, or stacks of matrices of one length, of one dtype: float32, float64 or float16. Each has unit
            stride along one of its two last axes; `out` along the last.
        alpha, beta : float
            With `beta` 0 what `out` holds is not read.
        tf32 : bool
            Whether float32 factors may be rounded to 10 bits; never unless asked for.
        """
        ...

    def capture(self, changing: Collection[Any] = ()) -> AbstractContextManager[Graph]:
        """What this thread launches, copies and multiplies in the block is not done but recorded, as a graph.

        Transfers between host and device, allocations by functions of `xp` and waits have no place in it. The graph
        can be launched once the block has ended.

        Parameters
        ----------
        changing : collection of Bound
            Launches whose arguments `Graph.change` may change later; each is captured once.

        Raises
        ------
        KernelError
            When something cannot be captured; then there is no graph, and the device is as before.
        """
        ...

    def which_stream(self) -> Any:
        """What is equal to itself as long as this thread launches on the same stream, and to that of no other."""
        ...

    def record(self) -> Any:
        """An event: the place behind all that was given to the current stream so far."""
        ...

    def wait(self, event: Any) -> None:
        """Let what is given to the current stream from now on come after an event. The host does not wait."""
        ...

    def finish(self) -> None:
        """Wait until everything on all streams is done.

        Raises
        ------
        KernelError
            When a kernel failed.
        """
        ...

    def synchronize(self) -> None:
        """Wait until everything on the current stream is done.

        Raises
        ------
        KernelError
            When a kernel failed.
        """
        ...

    def memory(self) -> tuple[int, int]:
        """Free and total bytes."""
        ...


_CTYPES: dict[str, Any] = {
    "b": ctypes.c_int8, "h": ctypes.c_int16, "i": ctypes.c_int32, "l": ctypes.c_int64, "q": ctypes.c_int64,
    "B": ctypes.c_uint8, "H": ctypes.c_uint16, "I": ctypes.c_uint32, "L": ctypes.c_uint64, "Q": ctypes.c_uint64,
    "?": ctypes.c_bool, "f": ctypes.c_float, "d": ctypes.c_double,
}


def value_of(device: Device, argument: Any) -> Any:
    """An argument of a kernel as the ctypes value that is passed.

    Raises
    ------
    TypeError
        For a host array, a Python number or any other value whose passing is not defined.
    """
    if device.is_array(argument):
        return ctypes.c_void_p(device.address(argument))
    if isinstance(argument, np.generic):
        kind = _CTYPES.get(argument.dtype.char)
        if kind is not None:
            return kind(argument.item())
        return (ctypes.c_char * argument.dtype.itemsize).from_buffer_copy(argument.tobytes())
    if isinstance(argument, (ctypes._SimpleCData, ctypes.Structure, ctypes.Array)):
        return argument
    if isinstance(argument, np.ndarray):
        raise TypeError("a host array was passed to a kernel; copy it to the device first")
    raise TypeError(f"a kernel takes device arrays, NumPy scalars and ctypes values, not {type(argument).__name__}: "
                    "of a Python number the width is not known, write np.int32(n)")


def pack(values: Sequence[Any]) -> Any:
    """The addresses of ctypes values, as a kernel launch takes them."""
    return (ctypes.c_void_p * max(len(values), 1))(*(ctypes.addressof(v) for v in values))


def out_of_memory(size: int, free: int, total: int, held: Iterable[tuple[int, str]]) -> str:
    """What to say when there is no room: how much was asked for, how much there is, and who holds the most."""
    largest = sorted(held, key=lambda entry: -entry[0])[:5]
    lines = [f"no room for {_bytes(size)} on the device: {_bytes(free)} of {_bytes(total)} are free"]
    if largest:
        names = ", ".join(f"{label or 'unnamed'} ({_bytes(n)})" for n, label in largest)
        lines.append(f"the largest arrays are {names}")
    return "; ".join(lines)


def _bytes(n: int) -> str:
    for unit, size in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if n >= size:
            return f"{n / size:.1f} {unit}"
    return f"{n} bytes"
