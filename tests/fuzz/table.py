"""All operations of the fuzzer."""

from __future__ import annotations

from tests.fuzz import elementwise, reductions, shapes
from tests.fuzz.recipes import Operation

OPERATIONS: tuple[Operation, ...] = (*elementwise.OPERATIONS, *reductions.OPERATIONS, *shapes.OPERATIONS)
