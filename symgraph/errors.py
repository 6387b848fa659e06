"""The exceptions of the package.

Bad types, ranks and shapes raise the ordinary ``TypeError``, ``ValueError`` and ``IndexError`` that NumPy users
expect; the classes here name the mistakes only a symbolic program can make. Each is also one of the built-in
kinds, so that a program which knows nothing of symgraph can still catch it.
"""

from __future__ import annotations

__all__ = [
    "ConfigError",
    "DisconnectedInputError",
    "InconsistentPlanError",
    "MissingInputError",
    "NonConvergenceError",
    "NotScalarConstantError",
    "NullTypeGradError",
    "UnusedInputError",
]


class MissingInputError(ValueError):
    """A compiled output needs a variable that is neither an input, a shared variable nor a given."""


class UnusedInputError(ValueError):
    """An input of ``function`` is used by no output and no update."""


class DisconnectedInputError(ValueError):
    """A gradient was asked for with respect to a variable the cost does not depend on."""


class NullTypeGradError(TypeError):
    """A gradient passes through an operation whose derivative is undefined or not written."""


class NotScalarConstantError(ValueError):
    """A constant value was asked of an expression that has none at build time."""


class NonConvergenceError(RuntimeError):
    """Rewriting did not reach a fixed point within its work budget."""


class InconsistentPlanError(RuntimeError):
    """A plan broke its own rules: a defect of the compiler, never of the user's program."""


class ConfigError(ValueError):
    """An unknown configuration flag, or a value the flag does not take."""
