"""CUDA graphs: captured through CuPy's runtime calls, the arguments of their launches changed through the driver's.

CuPy's own graphs let go of the nodes once a graph is there, and change none of them. So the capture is begun and ended
here, and the two functions of the driver that nodes need are called through ctypes.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from backends.cupy.devices.device import KernelError
from backends.cupy.devices.libraries import load_library

if TYPE_CHECKING:
    from backends.cupy.devices.cuda import CupyDevice

__all__ = ["CupyGraph", "NodeParameters"]

_CAPTURING = 1  # of CUstreamCaptureStatus


class NodeParameters(ctypes.Structure):
    """``CUDA_KERNEL_NODE_PARAMS`` of the driver's second version; the first has all but the last two."""

    _fields_ = (
        ("function", ctypes.c_void_p), ("grid", ctypes.c_uint * 3), ("block", ctypes.c_uint * 3),
        ("shared_bytes", ctypes.c_uint), ("arguments", ctypes.c_void_p), ("extra", ctypes.c_void_p),
        ("kernel", ctypes.c_void_p), ("context", ctypes.c_void_p),
    )


@functools.cache
def driver() -> Any:
    """NVIDIA's driver; it is there wherever CuPy finds a device.

    Raises
    ------
    KernelError
        When it lacks what graphs need.
    """
    library = load_library("cuda")
    if library is None:
        try:
            library = ctypes.CDLL("libcuda.so.1")
        except OSError:
            raise KernelError("the driver's library libcuda is not found") from None
    if not hasattr(library, "cuGraphExecKernelNodeSetParams_v2"):
        raise KernelError("the driver is older than CUDA 12: it does not change launches in graphs")
    return library


def last_node(stream: int) -> int:
    """The node that was captured last on a stream."""
    status, number, graph = ctypes.c_int(), ctypes.c_uint64(), ctypes.c_void_p()
    nodes, count = ctypes.POINTER(ctypes.c_void_p)(), ctypes.c_size_t()
    asked = (ctypes.c_void_p(stream), ctypes.byref(status), ctypes.byref(number), ctypes.byref(graph),
             ctypes.byref(nodes))
    if hasattr(driver(), "cuStreamGetCaptureInfo_v2"):
        failed = driver().cuStreamGetCaptureInfo_v2(*asked, ctypes.byref(count))
    else:  # the next version tells of edges too
        failed = driver().cuStreamGetCaptureInfo_v3(*asked, None, ctypes.byref(count))
    if failed or status.value != _CAPTURING or count.value != 1 or not nodes[0]:
        raise KernelError(f"the node of a launch is not known: error {failed}, status {status.value}, {count.value} "
                          "nodes")
    return int(nodes[0])


class CupyGraph:
    """What was captured.

    Parameters
    ----------
    device : CupyDevice
    changing : collection
        Bound launches whose arguments may be changed.

    Attributes
    ----------
    stream : int
        It is captured on.
    """

    def __init__(self, device: CupyDevice, changing: Collection[Any], stream: int) -> None:
        self._device, self._runtime, self.stream = device, device.xp.cuda.runtime, stream
        self._changing = set(changing)
        self._nodes: dict[Any, tuple[ctypes.c_void_p, NodeParameters]] = {}
        self._graph = self._ready = 0
        self._workspaces: list[Any] = []  # of products: nobody else's, since two graphs may run at once

    def begin(self) -> None:
        """Begin the capture."""
        if self._changing:
            driver()
        self._runtime.streamBeginCapture(self.stream, self._runtime.streamCaptureModeRelaxed)

    def end(self) -> None:
        """End it, and make the graph ready."""
        try:
            self._graph = self._runtime.streamEndCapture(self.stream)
            self._ready = self._runtime.graphInstantiate(self._graph)
        except RuntimeError as error:
            raise KernelError(f"the capture of a graph failed: {error}") from error

    def abandon(self) -> None:
        """End it after an error, which is the one to report."""
        with contextlib.suppress(RuntimeError):
            self._graph = self._runtime.streamEndCapture(self.stream)

    def launched(self, bound: Any) -> None:
        """Note a launch that was just captured."""
        if bound in self._changing:
            if bound in self._nodes:
                raise KernelError("a launch that is to be changed is captured twice")
            self._nodes[bound] = ctypes.c_void_p(last_node(self.stream)), bound.node_parameters()

    def change(self, bound: Any) -> None:
        """Let a launch have the arguments that it has now."""
        if bound not in self._nodes or not self._ready:
            raise KernelError("a launch is changed that was not captured to be changed")
        node, parameters = self._nodes[bound]
        failed = driver().cuGraphExecKernelNodeSetParams_v2(
            ctypes.c_void_p(self._ready), node, ctypes.byref(parameters))
        if failed:
            raise KernelError(f"the arguments of a launch in a graph cannot be changed: error {failed}")

    def workspace(self, size: int) -> int:
        """The address of so many bytes for products; one after the other they use the same."""
        if not self._workspaces or self._workspaces[-1].nbytes < size:
            self._workspaces.append(self._device.empty((max(size, 256),), "uint8", "workspace of products in a graph"))
        return int(self._workspaces[-1].data.ptr)

    def launch(self) -> None:
        """Do it all again on the current stream."""
        if not self._ready:
            raise KernelError("a graph is launched after its capture has ended")
        self._device.enter()
        try:
            self._runtime.graphLaunch(self._ready, self._device.stream())
        except RuntimeError as error:
            raise KernelError(f"a graph cannot be launched: {error}") from error

    def __del__(self) -> None:
        with contextlib.suppress(Exception):  # at the end of the process the driver may be gone
            if self._ready:
                self._runtime.graphExecDestroy(self._ready)
            if self._graph:
                self._runtime.graphDestroy(self._graph)
