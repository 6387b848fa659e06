"""The operations: numbers drawn from a state, and the state after them.

Each is a function of its inputs alone: the same state gives the same numbers in any mode, thread and process.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph.graph.basic import Apply, Variable
from symgraph.graph.type import DisconnectedType, NullType
from symgraph.random.philox import Array, high_product, words
from symgraph.random.rejection import Source, binomial, gamma, multinomial, poisson
from symgraph.random.variates import STANDARD, per_word
from symgraph.tensor.basic import as_lengths, as_tensor_variable, static_length, zeros_like
from symgraph.tensor.elemwise import TensorOp
from symgraph.tensor.type import TensorType, tensor_type

__all__ = ["STATE", "Advance", "Categorical", "Draw", "Multinomial", "as_state", "draw"]

#: What holds a state: two words of key and the number of the next block.
STATE = TensorType("uint64", (3,))

_WORDS_AT_ONCE = 1 << 14  # what is computed of them then fits the cache of a core
_ELEMENTS_AT_ONCE = 1 << 14  # those that need a second attempt are then worth an array operation


def as_state(state: Any) -> Any:
    """A state as a variable.

    Raises
    ------
    TypeError
        When it is no vector of three uint64.
    """
    variable = as_tensor_variable(state)
    if variable.type.dtype != "uint64" or variable.type.ndim != 1:
        raise TypeError(f"the state of random numbers is a vector of 3 uint64 (key, key, counter), not {variable.type}")
    return STATE.filter_variable(variable)


def _integers(state: Array, first: int, count: int, low: Array, span: Array) -> Array:
    """low + floor(word * span / 2**64); a span of 0 stands for 2**64."""
    word = words(state, first // 4, -(-count // 4) * 4)[:count]
    span = span.astype(np.uint64)
    if span.ndim:
        scaled = np.where(span == 0, word, high_product(word, span))
    else:
        scaled = high_product(word, span) if span else word
    return (low.view(np.uint64) + scaled).view(np.int64)


def _by_source(sample: Callable[..., Array], *options: Any) -> Callable[..., Array]:
    return lambda state, first, count, *parameters: sample(Source(state, first, count), *parameters, *options)


#: From a state, the first element, how many, and parameters (for each, or of no dimensions for all) to elements; and
#: how many elements a block gives.
_SAMPLERS: dict[str, tuple[Callable[..., Array], int]] = {
    "integers": (_integers, 4), "gamma": (_by_source(gamma), 1), "log_gamma": (_by_source(gamma, True), 1),
    "poisson": (_by_source(poisson), 1), "binomial": (_by_source(binomial), 1),
}
#: How many parameters each takes.
_ARITY = {"integers": 2, "gamma": 1, "log_gamma": 1, "poisson": 1, "binomial": 2}


@dataclass(frozen=True, repr=False)
class Draw(TensorOp):
    """Independent numbers of one distribution, in an array of a given shape.

    Inputs are the state, the parameters (each broadcast to the shape), and the lengths of the shape. Element number i,
    in C order, is a function of the state, i, and its own parameters.

    Parameters
    ----------
    kind : str
        A row of `symgraph.random.variates.STANDARD`, which take no parameters; or ``integers`` (of the least, and of
        how many there are), ``gamma``, ``log_gamma`` (of the shape), ``poisson`` (of the mean), ``binomial``.
    dtype : str
        Of the result.
    """

    kind: str
    dtype: str

    accepts_out = True

    @property
    def arity(self) -> int:
        """How many parameters there are."""
        return _ARITY.get(self.kind, 0)

    @property
    def per_block(self) -> int:
        """How many elements a block of random words gives."""
        return _SAMPLERS[self.kind][1] if self.arity else 4 * per_word(self.dtype)

    # The static shape is made of the values of constant inputs, so it is worked out per node.
    def make_node(self, state: Any, *inputs: Any) -> Apply:
        parameters = [as_tensor_variable(p) for p in inputs[:self.arity]]
        lengths = as_lengths(inputs[self.arity:])
        kind = tensor_type(np.dtype(self.dtype).name, tuple(static_length(n) for n in lengths))
        return Apply(self, [as_state(state), *parameters, *lengths], [kind])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        state, *rest = inputs
        out = np.empty(self.shape(rest), self.dtype)
        self.fill(state, out.reshape(-1), 0, out.size, self.spread(rest, out.shape))
        output_storage[0][0] = out

    def shape(self, inputs: Sequence[Any]) -> tuple[int, ...]:
        """The shape of the result, from the inputs after the state."""
        return _shape(inputs[self.arity:])

    def spread(self, inputs: Sequence[Any], shape: tuple[int, ...]) -> list[Array]:
        """The parameters of each element in turn, or of no dimensions for all, from the inputs after the state."""
        return [p.reshape(()) if p.size == 1 else np.broadcast_to(p, shape).reshape(-1)
                for p in map(np.asarray, inputs[:self.arity])]

    def fill(self, state: Array, flat: Array, start: int, stop: int, parameters: Sequence[Array]) -> None:
        """Compute some of the elements, from the beginning of a block on."""
        if not self.arity:
            self._fill_standard(state, flat, start, stop)
            return
        sample, dtype = _SAMPLERS[self.kind][0], "int64" if self.kind == "integers" else "float64"
        for first in range(start, stop, _ELEMENTS_AT_ONCE):
            part = slice(first, min(first + _ELEMENTS_AT_ONCE, stop))
            values = [(p if p.ndim == 0 else p[part]).astype(dtype, copy=False) for p in parameters]
            flat[part] = sample(state, first, part.stop - first, *values)

    def _fill_standard(self, state: Array, flat: Array, start: int, stop: int) -> None:
        make, share = STANDARD[self.kind], per_word(self.dtype)
        step = _WORDS_AT_ONCE * share
        for first in range(start, stop, step):
            part = flat[first:min(first + step, stop)]
            count = -(-part.size // (4 * share)) * 4
            part[...] = make(words(state, first // (4 * share), count), self.dtype)[:part.size]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[1 <= i <= self.arity] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [tuple(node.inputs[1 + self.arity:])]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        back: list[Variable] = [DisconnectedType()() for _ in inputs]
        for i in range(1, 1 + self.arity):
            if self.kind in ("gamma", "log_gamma"):
                back[i] = NullType("gamma numbers have no derivative in closed form by the shape of the distribution")()
            else:
                back[i] = zeros_like(inputs[i])
        return back

    def __repr__(self) -> str:
        return f"random_{self.kind}{{{self.dtype}}}"


def _shape(lengths: Sequence[Any]) -> tuple[int, ...]:
    shape = tuple(int(n) for n in lengths)
    if min(shape, default=0) < 0:
        raise ValueError(f"negative dimension in the size {shape} of a random tensor")
    return shape


@dataclass(frozen=True, repr=False)
class Advance(TensorOp):
    """The state after a tensor of some shape was drawn: its counter grown by the blocks that took.

    Parameters
    ----------
    per_block : int
        How many elements a block gives.
    """

    per_block: int

    def make_node(self, state: Any, *lengths: Any) -> Apply:
        return Apply(self, [as_state(state), *as_lengths(lengths)], [STATE])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = self.after(*inputs)

    def after(self, state: Array, *lengths: Any) -> Array:
        """The value of the next state."""
        count = math.prod(_shape(lengths))
        out = np.array(state)
        out[2] = (int(state[2]) - (-count // self.per_block)) % (1 << 64)
        return out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False] for _ in node.inputs]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()() for _ in inputs]

    def __repr__(self) -> str:
        return f"advance{{{self.per_block}}}"


def draw(state: Any, kind: str, dtype: str, lengths: Sequence[Any], *parameters: Any) -> tuple[Any, Any]:
    """The state after a draw, and what is drawn."""
    op = Draw(kind, dtype)
    return Advance(op.per_block)(state, *lengths), op(state, *parameters, *lengths)


@dataclass(frozen=True, repr=False)
class Categorical(TensorOp):
    """The category that each of some uniform numbers falls into: the first whose cumulated weight exceeds it.

    Inputs are numbers in [0, 1) and weights, whose last axis runs over the categories and whose others are those of the
    numbers; or none, if all numbers have the same weights.
    """

    def make_node(self, u: Any, weights: Any) -> Apply:
        u, weights = as_tensor_variable(u), as_tensor_variable(weights)
        if weights.type.ndim not in (1, u.type.ndim + 1):
            raise ValueError(f"weights of {weights.type} do not fit numbers of {u.type}")
        return Apply(self, [u, weights], [tensor_type("int64", u.type.shape)])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        u, weights = inputs
        if not weights.shape[-1]:
            raise ValueError("there is no category to choose")
        sums = np.cumsum(weights, axis=-1, dtype=np.float64)
        with np.errstate(invalid="ignore", divide="ignore"):
            sums /= sums[..., -1:]
        if sums.ndim == 1:
            found = np.searchsorted(sums, u, side="right")
        else:
            found = np.sum(sums <= np.asarray(u)[..., None], axis=-1)
        output_storage[0][0] = np.asarray(np.minimum(found, weights.shape[-1] - 1), np.int64)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [zeros_like(x) for x in inputs]

    def __repr__(self) -> str:
        return "categorical"


@dataclass(frozen=True, repr=False)
class Multinomial(TensorOp):
    """How many of n things fall into each category, int64; inputs are the state, n, and weights with one axis more."""

    def make_node(self, state: Any, n: Any, weights: Any) -> Apply:
        n, weights = as_tensor_variable(n), as_tensor_variable(weights)
        if weights.type.ndim != n.type.ndim + 1:
            raise ValueError(f"weights of {weights.type} do not fit numbers of {n.type}")
        shape = tuple(a if a is not None else b for a, b in zip(n.type.shape, weights.type.shape, strict=False))
        return Apply(self, [as_state(state), n, weights], [tensor_type("int64", (*shape, weights.type.shape[-1]))])

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        state, n, weights = inputs
        n = np.broadcast_to(n, weights.shape[:-1])
        out = np.empty(weights.shape, np.int64)
        rows, flat = out.reshape(n.size, -1) if out.size else out.reshape(0, out.shape[-1] or 1), n.reshape(-1)
        table = weights.reshape(rows.shape)
        step = max(1, _ELEMENTS_AT_ONCE // max(1, rows.shape[-1]) * 4)
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            rows[part] = multinomial(state, start, flat[part], table[part].astype(np.float64))
        output_storage[0][0] = out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False], [True], [True]]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[2]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()(), *(zeros_like(x) for x in inputs[1:])]

    def __repr__(self) -> str:
        return "random_multinomial"
