"""Elemwise: a scalar function applied to every element, with broadcasting.

Inputs of lower rank are broadcast as NumPy does it, from the right; of two axes of the same place, only one known
to be 1 is stretched. Promotion is NumPy's too: Python numbers are weak and take the dtype of the tensors beside them.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from symgraph import scalar
from symgraph.config import config
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.graph.op import Op
from symgraph.graph.origin import current_origin
from symgraph.graph.testvalues import compute_test_values
from symgraph.graph.type import DisconnectedType, NullType, Type
from symgraph.scalar import ScalarFunction
from symgraph.scalar_ops import as_scalar_function
from symgraph.tensor.type import TensorType, broadcast_static_shapes, dtype_name, tensor_type

__all__ = [
    "Elemwise", "TensorOp", "cast", "confine", "conjugated", "elemwise", "float_policy", "is_complex", "meeting_axes",
    "unbroadcast",
]

_PYTHON_NUMBERS = (bool, int, float, complex)
_SELECTING = {"switch", "maximum", "minimum", "clip", "complex"}  # their gradients are chosen, not multiplied
_COMPARISONS = {"lt", "gt", "le", "ge", "eq", "neq"}


class TensorOp(Op):
    """The base of operations on tensors: whatever is not symbolic becomes a tensor constant."""

    #: What is raised at run time where lengths that must be equal are not.
    unfit: ClassVar[type[Exception]] = ValueError

    def as_variable(self, value: Any) -> Variable:
        from symgraph.tensor.basic import as_tensor_variable

        return as_tensor_variable(value)

    def pull(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        from symgraph.tensor.support import confined

        return confined(self, inputs, outputs, output_gradients, self.L_op(inputs, outputs, output_gradients))

    def reach(self, x: Any, z: Any, mask: Any) -> Any:
        """Which elements of the input x the elements of the output z in a mask depend on; by default, all or none."""
        from symgraph.tensor.reduce import any as some

        return some(mask)

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Pairs of (input, axis) whose lengths must be equal, since NumPy would stretch one of them if it were 1.

        The plan makes sure of it: when it cannot tell from how the inputs were made, by a check at run time.
        """
        return []


def meeting_axes(
    operands: Sequence[Any], places: Sequence[int], trailing: int = 0
) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Pairs of axes that meet when operands are broadcast together, leaving out those known to be 1.

    Parameters
    ----------
    operands : sequence of TensorVariable
    places : sequence of int
        The operands' positions among a node's inputs.
    trailing : int
        How many last axes take no part.
    """
    pairs: list[tuple[tuple[int, int], tuple[int, int]]] = []
    for axis in range(-max((v.type.ndim for v in operands), default=0), -trailing):
        meeting = [(place, v.type.ndim + axis) for place, v in zip(places, operands, strict=True)
                   if v.type.ndim >= -axis and v.type.shape[axis] != 1]
        pairs.extend((meeting[0], other) for other in meeting[1:])
    return pairs


@frozen(repr=False)
class Elemwise(TensorOp):
    """A function of the table in `symgraph.scalar`, or of a user, applied element by element.

    Parameters
    ----------
    scalar : ScalarFunction or symgraph.scalar.ScalarOp
    """

    scalar: ScalarFunction

    accepts_out = True
    overwrites = True

    @property
    def scalar_op(self) -> ScalarFunction:
        """Theano's name of `scalar`."""
        return self.scalar

    @property
    def head(self) -> ScalarFunction:
        """The scalar function: what rewrite rules go by."""
        return self.scalar

    # ---- building -------------------------------------------------------------------------------------------

    def __call__(self, *inputs: Any, name: str | None = None, return_list: bool = False, **options: Any) -> Any:
        if options:
            raise TypeError(f"{self} takes no argument {', '.join(options)}")
        symbolic = True
        for value in inputs:
            if not isinstance(value, Variable):
                lift = getattr(value, "lift_op", None)
                if lift is not None:
                    return lift(self, inputs)
                symbolic = False
        if not symbolic:
            inputs = tuple(self._lift_numbers(inputs))
        types = self._cached_types(tuple([v.type for v in inputs]))
        if types[0].dtype in ("float64", "complex128"):  # type: ignore[attr-defined]
            capped = self._cap(inputs, types[0])  # type: ignore[arg-type]
            if capped is not None:
                inputs, types = tuple(capped[0]), capped[1]
        node = Apply(self, inputs, types, current_origin())
        if config.compute_test_value != "off":
            compute_test_values(node)
        output = node.outputs[0]
        if name is not None:
            output.name = name
        return [output] if return_list else output

    def make_node(self, *inputs: Any) -> Apply:
        variables = self._lift_numbers(inputs)
        return Apply(self, variables, self._cached_types(tuple([v.type for v in variables])))

    def _lift_numbers(self, inputs: Sequence[Any]) -> Sequence[Variable]:
        """Turn what is not symbolic into constants; Python's numbers take their dtype from their neighbours."""
        from symgraph.tensor.basic import as_tensor_variable, number_constant

        self._check_count(len(inputs))
        weak = [type(value) in _PYTHON_NUMBERS for value in inputs]
        if all(weak) or not any(weak):
            return [as_tensor_variable(value) for value in inputs]
        strong = [value if w else as_tensor_variable(value) for value, w in zip(inputs, weak, strict=True)]
        kinds = tuple([type(v) if w else v.type.numpy_dtype for v, w in zip(strong, weak, strict=True)])
        resolved = self._resolve(tuple(np.dtype(bool) if kind is bool else kind for kind in kinds))
        if resolved[-1] in (np.float64, np.complex128):  # a Python number is no reason for it
            tensors = [v for v, w in zip(strong, weak, strict=True) if not w]
            dtype = float_policy(str(self), tensors, tensor_type(resolved[-1].name, ()))
            if dtype is not None and resolved[-1] == np.float64 and all(v.type.is_discrete for v in tensors):
                resolved = tuple(np.dtype(dtype) if d == np.float64 else d for d in resolved)
        return [number_constant(self._fit(v, dtype)) if w else v
                for v, w, dtype in zip(strong, weak, resolved, strict=False)]

    def _fit(self, value: Any, dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
        """A Python number as an array of `dtype`; one that does not fit still compares, as in NumPy."""
        try:
            return np.asarray(value, dtype)
        except OverflowError:
            if self.scalar.name in _COMPARISONS:
                return np.asarray(value)
            raise OverflowError(
                f"{self}: the Python integer {value} does not fit {dtype}, the dtype it meets"
            ) from None

    def _resolve(self, kinds: tuple[Any, ...]) -> tuple[Any, ...]:
        cache: dict[Any, Any] = self.__dict__.setdefault("_types", {})
        found = cache.get(kinds)
        if found is None:
            found = cache[kinds] = self.scalar.resolve(kinds)
        return found

    def _cap(self, inputs: Sequence[Variable], out: TensorType) -> tuple[Sequence[Variable], Sequence[Type]] | None:
        """Keep floats that arise from integers at floatX: the float policy, applied where the user builds."""
        if self.scalar.name.startswith("cast{"):
            return None  # asked for
        dtype = float_policy(str(self), inputs, out)
        if dtype is None:
            return None
        capped = [cast(v, dtype) if v.type.is_discrete and not (self.scalar.name == "switch" and i == 0) else v
                  for i, v in enumerate(inputs)]
        return capped, self._cached_types(tuple([v.type for v in capped]))

    def _check_count(self, count: int) -> None:
        if count != self.scalar.nin:
            raise TypeError(f"{self} takes {self.scalar.nin} argument{'s' * (self.scalar.nin != 1)}, not {count}")

    def infer_type(self, *types: Type) -> Sequence[TensorType]:
        self._check_count(len(types))
        for kind in types:
            if not isinstance(kind, TensorType):
                raise TypeError(f"{self} takes tensors, not {kind}")
        dtype = self.scalar.resolve(tuple([t.numpy_dtype for t in types]))[-1]  # type: ignore[attr-defined]
        return (tensor_type(dtype_name(dtype), broadcast_static_shapes([t.shape for t in types], str(self))),)  # type: ignore[attr-defined]

    @property
    def commutative(self) -> bool:
        """Whether the order of two inputs does not matter."""
        return self.scalar.commutative

    # ---- meaning --------------------------------------------------------------------------------------------

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(self.scalar.impl(*inputs), node.outputs[0].type.numpy_dtype)

    def equal_axes(self, node: Apply) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        return meeting_axes(node.inputs, range(len(node.inputs)))

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        out = node.outputs[0].type
        lengths: list[Any] = []
        for axis in range(-out.ndim, 0):
            known = out.shape[axis]
            lengths.append(known if known is not None else next(
                shape[axis] for v, shape in zip(node.inputs, input_shapes, strict=True)
                if v.type.ndim >= -axis and v.type.shape[axis] != 1))
        return [tuple(lengths)]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any],
             output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (z,), (g,) = outputs, output_gradients
        if z.type.is_discrete:
            return [x.type.zeros_like(x) for x in inputs]
        if self.scalar.pullback is None and not self.scalar.partials:
            return [NullType(f"the derivative of {self} is not known")() for _ in inputs]
        unknown = self.scalar.unknown
        return [NullType(f"the derivative of {self} by its argument {i} is not known")() if i in unknown
                and not isinstance(x, Constant) else _disconnected_or_zero(x) if term is None else term
                for i, (x, term) in enumerate(zip(inputs, self._back(g, z, inputs), strict=True))]

    def _back(self, g: Any, z: Any, inputs: Sequence[Any]) -> list[Any]:
        """The gradients by each input, in its shape; None where zero."""
        choice = chosen(g)
        if choice is None:
            mask = self._support(g)
            return [None if term is None else unbroadcast(confine(term, mask), x)
                    for x, term in zip(inputs, self._pulled(g, z, inputs), strict=True)]
        terms = self._back(choice.gradient, z, inputs) if choice.fits(z, inputs) else None
        if terms is not None:
            return [None if term is None else g if term is choice.gradient else choice.restrict(term) for term in terms]
        return [None if term is None else unbroadcast(choice.restrict(term), x)
                for x, term in zip(inputs, self._pulled(choice.gradient, z, inputs), strict=True)]

    def _support(self, g: Any) -> Any | None:
        """Where the gradient can be other than zero, for functions by whose derivative it is multiplied."""
        if self.scalar.name in _SELECTING or (
            self.scalar.pullback is None and not any(map(callable, self.scalar.partials))
        ):
            return None
        from symgraph.tensor.support import support

        return support(g)

    def _pulled(self, g: Any, z: Any, inputs: Sequence[Any]) -> Sequence[Any]:
        """The gradients by each input, in the shape of the output; None where zero."""
        if is_complex(z) or any(map(is_complex, inputs)):
            return self._pulled_complex(g, z, inputs)
        if self.scalar.pullback is not None:
            return self.scalar.pullback(g, z, *inputs)
        return [None if isinstance(x, Constant) else _times(g, partial, z, inputs)
                for x, partial in zip(inputs, self.scalar.partials, strict=True)]

    def _pulled_complex(self, g: Any, z: Any, inputs: Sequence[Any]) -> Sequence[Any]:
        """As `_pulled`: of a holomorphic function, with the partials conjugated."""
        function = self.scalar
        if function.complex_pullback is not None:
            return function.complex_pullback(g, z, *inputs)
        if function.pullback is not None:
            return [None if t is None else conjugated(t) for t in function.pullback(conjugated(g), z, *inputs)]
        return [None if isinstance(x, Constant) else
                _times(g, conjugated(partial(z, *inputs)), z, inputs) if callable(partial) else
                _times(g, partial, z, inputs) for x, partial in zip(inputs, function.partials, strict=True)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        function = self.scalar
        if function.complex_pullback is not None and any(map(is_complex, inputs)):
            raise NotImplementedError
        if function.pullback is not None or not function.partials or any(
            eval_points[i] is not None for i in function.unknown
        ):
            raise NotImplementedError
        z = self(*inputs)
        if z.type.is_discrete:
            return [z.type.zeros_like(z)]
        terms = [confine(_times(t, partial, z, inputs), self._support(t))
                 for t, partial in zip(eval_points, function.partials, strict=True) if t is not None]
        terms = [t for t in terms if t is not None]
        if not terms:
            return [z.type.zeros_like(z)]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return [total if total.type.broadcastable == z.type.broadcastable else elemwise(scalar.second)(z, total)]

    def __repr__(self) -> str:
        return self.scalar.name


def _initialise(self: Elemwise, scalar: Any, inplace_pattern: Any = None, name: str | None = None,
                nfunc_spec: Any = None) -> None:
    """With Theano's arguments, of which only the first says something here; it may be a user's operation."""
    object.__setattr__(self, "scalar", as_scalar_function(scalar))


setattr(Elemwise, "__init__", _initialise)  # noqa: B010


@frozen
class Choice:
    """A gradient that came through one branch of a `switch`: zero wherever the other branch was taken.

    What is computed from it is computed inside the branch, and the zeros put back at the end. Were they multiplied
    through instead, ``switch(x > 0, sqrt(x), 0)`` would have the gradient 0 * inf = nan at 0.
    """

    condition: Any
    gradient: Any
    when: bool

    def fits(self, z: Any, inputs: Sequence[Any]) -> bool:
        """Whether the choice is the same all along the axes over which gradients are summed back to the inputs."""
        shape = self.condition.type.shape
        if self.gradient.type.broadcastable != z.type.broadcastable:
            return False
        return all(
            x.type.ndim >= len(shape)
            and all(
                mine != 1 or theirs == 1
                for mine, theirs in zip(x.type.shape[x.type.ndim - len(shape) :], shape, strict=True)
            )
            for x in inputs
            if not isinstance(x, Constant)
        )

    def restrict(self, term: Any) -> Any:
        """`term` where this branch was taken, else zero."""
        branches = (term, 0) if self.when else (0, term)
        return elemwise(scalar.switch)(self.condition, *branches)


def chosen(g: Any) -> Choice | None:
    """The branch a gradient came through, or None."""
    if g.owner is None or not isinstance(g.owner.op, Elemwise) or g.owner.op.scalar is not scalar.switch:
        return None
    condition, a, b = g.owner.inputs
    if _is_zero(b) and a.type.ndim == g.type.ndim:
        return Choice(condition, a, True)
    return Choice(condition, b, False) if _is_zero(a) and b.type.ndim == g.type.ndim else None


def _is_zero(v: Variable) -> bool:
    return isinstance(v, Constant) and v.type.ndim == 0 and v.data == 0


def confine(term: Any, mask: Any) -> Any:
    """`term` where `mask` holds and zero elsewhere; unchanged where either is None."""
    return term if mask is None or term is None else elemwise(scalar.switch)(mask, term, 0)


def _times(g: Any, partial: Any, z: Any, inputs: Sequence[Any]) -> Any:
    """g * partial, without the multiplications that do nothing; None where it is zero."""
    if callable(partial):
        return g * partial(z, *inputs)
    if isinstance(partial, Variable):
        return g * partial
    if partial == 0:
        return None
    return g if partial == 1 else -g if partial == -1 else g * partial


def is_complex(x: Any) -> bool:
    """Whether the dtype is complex."""
    return bool(x.type.numpy_dtype.kind == "c")


def conjugated(x: Any) -> Any:
    """The complex conjugate of a tensor; a real one itself."""
    if not is_complex(x):
        return x
    if isinstance(x, Constant):
        return x.type.constant(np.conj(x.data))
    conj = elemwise(scalar.conj)
    return x.owner.inputs[0] if x.owner is not None and x.owner.op is conj else conj(x)


def _disconnected_or_zero(x: Variable) -> Variable:
    return DisconnectedType()() if isinstance(x, Constant) else x.type.zeros_like(x)


def unbroadcast(term: Any, x: Any) -> Any:
    """Sum a gradient over the axes along which `x` was stretched."""
    extra = term.type.ndim - x.type.ndim
    stretched = [axis for axis in range(extra, term.type.ndim)
                 if x.type.shape[axis - extra] == 1 and term.type.shape[axis] != 1]
    if extra == 0 and not stretched:
        return term
    from symgraph.tensor.reduce import sum as tensor_sum

    if stretched:
        term = tensor_sum(term, axis=stretched, keepdims=True)
    return tensor_sum(term, axis=list(range(extra))) if extra else term


def float_policy(who: str, inputs: Sequence[Variable], out: TensorType) -> str | None:
    """The dtype that discrete inputs are cast to first, where the float policy keeps a result from being float64.

    Parameters
    ----------
    who : str
        The operation, for messages.
    inputs : sequence of TensorVariable
    out : TensorType
        What NumPy's promotion would give.

    Returns
    -------
    str or None
        None where promotion stands: no float64 arises, an input brought it, or the flags let it.

    Raises
    ------
    TypeError
        When ``warn_float64`` is ``raise`` and a float64 arises that no input brought.
    """
    if out.dtype not in ("float64", "complex128") or (config.floatX == "float64" and config.warn_float64 == "ignore"):
        return None
    if any(v.type.dtype in ("float64", "complex128") for v in inputs):
        return None
    if config.cast_policy == "floatX" and config.floatX != "float64":
        return config.floatX
    if config.warn_float64 != "ignore":
        origin = current_origin()
        message = (f"{who} of {' and '.join(str(v.type) for v in inputs)} gives {out.dtype}, at {origin}; cast its "
                   "inputs, or set cast_policy=floatX and a floatX other than float64")
        if config.warn_float64 == "raise":
            raise TypeError(message)
        if config.warn_float64 == "pdb":
            print(message)
            breakpoint()
            return None
        warnings.warn_explicit(message, UserWarning, origin.filename, origin.lineno)
    return None


_instances: dict[ScalarFunction, Elemwise] = {}


def elemwise(function: ScalarFunction) -> Elemwise:
    """The one operation that applies a scalar function to every element."""
    return _instances.get(function) or _instances.setdefault(function, Elemwise(function))


def cast(x: Any, dtype: Any) -> Any:
    """Convert to another dtype, element by element.

    Parameters
    ----------
    x : tensor-like
    dtype : str or numpy.dtype
        ``"floatX"`` stands for `config.floatX`.

    Returns
    -------
    TensorVariable
        `x` itself when it has that dtype already.

    Raises
    ------
    TypeError
        When a complex tensor would be cast to a real dtype: take its ``real()`` or ``abs()``.

    Examples
    --------
    >>> import symgraph.tensor as T
    >>> cast(T.ivector("i"), "float32").dtype
    'float32'
    """
    from symgraph.tensor.basic import as_tensor_variable

    variable: Any = as_tensor_variable(x)
    name = config.floatX if dtype == "floatX" else dtype_name(np.dtype(dtype))
    if variable.type.dtype == name:
        return variable
    target = TensorType(name)
    if variable.type.numpy_dtype.kind == "c" and target.numpy_dtype.kind != "c":
        raise TypeError(f"cannot cast {variable.type} to {name}: take real(), imag() or abs() first")
    return elemwise(scalar.cast_to(name))(variable)


