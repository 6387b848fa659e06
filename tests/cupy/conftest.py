"""Devices for tests: the emulated one, which is always there, and a GPU where there is one."""

from __future__ import annotations

import os
from typing import Any

import pytest

from backends.cupy.devices.emulated import EmulatedDevice


def _no_gpu() -> str:
    """Why no GPU can be used; empty where one can."""
    try:
        from backends.cupy.devices.cuda import CupyDevice

        CupyDevice()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""


@pytest.fixture(autouse=True)
def _needs_gpu(request: pytest.FixtureRequest) -> None:
    """Tests marked `gpu` are skipped without one; with SYMGRAPH_REQUIRE_GPU=1 they fail."""
    if request.node.get_closest_marker("gpu") is None:
        return
    reason = _no_gpu()
    if reason and os.environ.get("SYMGRAPH_REQUIRE_GPU") == "1":
        pytest.fail(f"SYMGRAPH_REQUIRE_GPU=1, but no GPU can be used: {reason}", pytrace=False)
    if reason:
        pytest.skip(f"no GPU can be used: {reason}")


@pytest.fixture(params=[0, 1, 2], ids=["in order", "lanes at random", "warp by warp"])
def emulated(request: pytest.FixtureRequest) -> EmulatedDevice:
    """An emulated device that looks at each access to memory, under schedules of every kind."""
    return EmulatedDevice(seed=request.param, checked=True)


@pytest.fixture
def gpu() -> Any:
    """The GPU, in tests marked `gpu`."""
    from backends.cupy.devices.cuda import CupyDevice

    return CupyDevice()
