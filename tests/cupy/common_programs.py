"""What the tests of programs on the emulated device share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import symgraph as sg
from backends.cupy import backend_on
from backends.cupy.devices.emulated import EmulatedDevice


def device() -> EmulatedDevice:
    """The device that functions run on."""
    found = backend_on("emulated").device
    assert isinstance(found, EmulatedDevice)
    return found


def on_device(**flags: Any) -> Any:
    """A block in which functions run on the emulated device."""
    return sg.config.change_flags(**{"device": "emulated", **flags})


@contextmanager
def counted() -> Iterator[dict[str, int]]:
    """What the device does in a block, by kind; filled in at its end."""
    found: dict[str, int] = {}
    before = dict(vars(device().counts))
    yield found
    found.update({name: n - before[name] for name, n in vars(device().counts).items()})
