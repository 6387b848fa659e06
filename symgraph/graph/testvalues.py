"""Values computed while an expression is built, from examples the user hangs on its inputs (``x.tag.test_value``).

With ``config.compute_test_value`` other than ``"off"`` every operation is computed when it is applied: what does not
fit fails at the user's line, and each variable has its value in ``tag.test_value``. Inside the step of a loop, and
while a function is compiled, nothing is computed.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from symgraph.config import config
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.origin import current_origin

__all__ = ["compute_test_values", "get_debug_values", "get_test_value", "test_values_at"]


def get_test_value(variable: Any) -> Any:
    """The example value of a variable: its `tag.test_value`, a constant's or a shared variable's value.

    Raises
    ------
    AttributeError
        When it has none.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> x.tag.test_value = 3.0
    >>> get_test_value(x)
    array(3.)
    """
    if not isinstance(variable, Variable):
        return variable
    if isinstance(variable, Constant):
        return variable.data
    shared = getattr(variable, "get_value", None)
    if shared is not None:
        return shared(borrow=True)
    found = getattr(variable.__dict__.get("_tag"), "test_value", None)
    if found is None:
        raise AttributeError(f"{variable} ({variable.type}) has no test value. Give it one, "
                             f"{variable}.tag.test_value = ..., or set config.compute_test_value to 'off'")
    return variable.type.filter(found)


def get_debug_values(*variables: Any) -> Iterator[list[Any]]:
    """Once, the test values of all `variables`; nothing where one has none, or none are computed."""
    if config.compute_test_value != "off":
        try:
            yield [get_test_value(v) for v in variables]
        except AttributeError:
            return


@contextmanager
def test_values_at(level: str) -> Iterator[None]:
    """Another level of `config.compute_test_value` where the package builds expressions, unless none are computed."""
    if config.compute_test_value == "off":
        yield
        return
    with config.change_flags(compute_test_value=level):
        yield


def compute_test_values(node: Apply) -> None:
    """Compute what a node gives for the test values of its inputs, and hang it on its outputs.

    Raises
    ------
    AttributeError
        When an input that is not computed has no test value and `config.compute_test_value` is ``"raise"``.
    Exception
        Whatever the operation raises on these values, with a note that says which expression it was.
    """
    values = []
    for variable in node.inputs:
        try:
            values.append(get_test_value(variable))
        except AttributeError as error:
            if variable.owner is None:  # of a computed variable this has been said before
                _tell_missing(str(error))
            return
    storage: list[list[Any]] = [[None] for _ in node.outputs]
    try:
        with config.change_flags(compute_test_value="off"):
            node.op.perform(node, values, storage)
    except Exception as error:
        from symgraph.graph.rewrite import brief  # for messages only

        read = [f"  {brief(v, 2)}: {_described(value)}" for v, value in zip(node.inputs, values, strict=True)]
        error.add_note("\n".join([f"in {brief(node.outputs[0], 3)}, built at {node.origin}, of the test values",
                                  *read[:6], *(["  ..."] if len(read) > 6 else [])]))
        raise
    for output, (value,) in zip(node.outputs, storage, strict=True):
        output.tag.test_value = value


def _tell_missing(text: str) -> None:
    level = config.compute_test_value
    if level == "raise":
        raise AttributeError(text)
    if level == "warn":
        origin = current_origin()
        warnings.warn_explicit(text, UserWarning, origin.filename, origin.lineno)


def _described(value: Any) -> str:
    shape, dtype = getattr(value, "shape", None), getattr(value, "dtype", None)
    return repr(value) if dtype is None else f"{dtype} of shape {shape}"
