"""Values of flags, checked; and the error that says what is wrong with one."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["UsageError", "compiling", "count", "rate", "seed"]


class UsageError(ValueError):
    """A flag cannot be followed; the message says which, why, and what would do."""


@contextmanager
def compiling() -> Iterator[None]:
    """Where functions are compiled: a device that is not there is a mistake in the flags."""
    try:
        yield
    except RuntimeError as error:
        raise UsageError(str(error)) from None


def count(text: str) -> int:
    """A whole number of at least 1.

    Raises
    ------
    argparse.ArgumentTypeError
        When the text is none; so do the other functions of this kind.
    """
    return int(_number(text, int, lambda number: number >= 1, "a whole number of at least 1"))


def seed(text: str) -> int:
    """A seed of NumPy's generators."""
    return int(_number(text, int, lambda number: 0 <= number < 2**32, "a whole number from 0 to 4294967295"))


def rate(text: str) -> float:
    """A positive number."""
    return _number(text, float, lambda number: 0 < number < math.inf, "a positive number")


def _number(text: str, kind: Callable[[str], float], fits: Callable[[float], bool], wanted: str) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not fits(number):
        raise argparse.ArgumentTypeError(f"{text!r} is not {wanted}")
    return number
