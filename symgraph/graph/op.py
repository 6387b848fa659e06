"""Op: the contract between an operation and everything that handles graphs.

An operation says what it accepts (`make_node`, or just `infer_type`), what it computes (`perform`), its
derivatives (`L_op`, and `R_op` where it has a better one than two `L_op`), its outputs' shapes (`infer_shape`) and
which memory it shares (`view_map`, `destroy_map`). It knows no backend.

Our own operations are frozen dataclasses: their fields are their parameters, and equality, hash, repr and pickling
follow. A user's operation may list its parameters in ``__props__`` instead, as Theano's programs do.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from symgraph.config import config
from symgraph.graph.basic import Apply, Variable
from symgraph.graph.origin import current_origin, is_ours
from symgraph.graph.testvalues import compute_test_values
from symgraph.graph.type import NullType, Type

__all__ = ["FunctionOp", "Op", "as_op"]

_MOST_TYPES = 4096  # results of infer_type an operation remembers


class Op:
    """An operation on symbolic variables. Subclass it to add one.

    Attributes
    ----------
    view_map : dict of int to list of int
        Output index to the inputs whose memory it may share.
    destroy_map : dict of int to list of int
        Output index to the inputs that computing it overwrites.
    accepts_out : bool
        Whether a backend may compute the (single) output into an array it is given.
    overwrites : bool
        Whether that array may be one of the inputs of the same dtype and shape (each element is read before
        its place is written).
    accumulates : bool
        Whether the result grows out of the first input while the others are read in any order: then only the first may
        be overwritten, and only if it is none of the others.
    default_output : int or None
        Which output a call returns, for operations with several of which one is usually meant.
    itypes, otypes : sequence of Type, optional
        The types of inputs and outputs, for an operation that takes no others; they stand for `make_node`. A
        constructor of variables, such as ``T.dmatrix``, stands for its type.
    __props__ : tuple of str
        The attributes that tell two operations of a class apart; without it, an operation equals only itself.

    Examples
    --------
    >>> import numpy as np, symgraph as sg, symgraph.tensor as T
    >>> class Double(sg.Op):
    ...     __props__ = ()
    ...     def make_node(self, x):
    ...         x = T.as_tensor_variable(x)
    ...         return sg.Apply(self, [x], [x.type()])
    ...     def perform(self, node, inputs, output_storage):
    ...         output_storage[0][0] = 2 * inputs[0]
    ...     def L_op(self, inputs, outputs, output_gradients):
    ...         return [2 * output_gradients[0]]
    >>> x = T.dvector("x")
    >>> Double()(x).eval({x: np.array([1.0, 2.0])})
    array([2., 4.])
    """

    view_map: ClassVar[dict[int, list[int]]] = {}
    destroy_map: ClassVar[dict[int, list[int]]] = {}
    accepts_out: ClassVar[bool] = False
    overwrites: ClassVar[bool] = False
    accumulates: ClassVar[bool] = False
    default_output: ClassVar[int | None] = None
    itypes: Sequence[Any] | None = None
    otypes: Sequence[Any] | None = None
    __props__: ClassVar[tuple[str, ...] | None] = None

    _made_by_us: ClassVar[bool] = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        code = getattr(cls.make_node, "__code__", None)
        cls._made_by_us = code is not None and is_ours(code.co_filename)

    @property
    def head(self) -> Any:
        """By what rewrite rules tell operations apart at a glance: the class, or what stands for it."""
        return type(self)

    # ---- building -------------------------------------------------------------------------------------------

    def as_variable(self, value: Any) -> Variable:
        """Turn an argument that is not symbolic into a variable; a family of operations says how."""
        if self.itypes is not None and len({*_types(self.itypes)}) == 1:
            return _types(self.itypes)[0].filter_variable(value)
        raise TypeError(f"{self} takes symbolic variables, not {type(value).__name__}")

    def infer_type(self, *types: Type) -> Sequence[Type]:
        """The outputs' types, from the inputs' types.

        Raises
        ------
        TypeError, ValueError
            When the operation is not defined on such inputs.
        """
        if self.itypes is None or self.otypes is None:
            raise NotImplementedError(f"{type(self).__name__} must define make_node, infer_type, or itypes and otypes")
        if len(types) != len(self.itypes):
            raise TypeError(f"{self} takes {len(self.itypes)} inputs, not {len(types)}")
        for position, (wanted, found) in enumerate(zip(_types(self.itypes), types, strict=True)):
            if not wanted.is_super(found):
                raise TypeError(f"{self} takes {wanted} as input {position}, not {found}")
        return _types(self.otypes)

    def make_node(self, *inputs: Any) -> Apply:
        """Apply the operation to `inputs`, checking them."""
        variables = [x if isinstance(x, Variable) else self.as_variable(x) for x in inputs]
        return Apply(self, variables, self._cached_types(tuple([v.type for v in variables])))

    def _cached_types(self, types: tuple[Type, ...]) -> Sequence[Type]:
        cache: dict[tuple[Type, ...], Sequence[Type]] | None = self.__dict__.get("_types")
        if cache is None:
            cache = {}
            object.__setattr__(self, "_types", cache)  # operations are often frozen dataclasses
        found = cache.get(types)
        if found is None:
            if len(cache) >= _MOST_TYPES:
                cache.clear()
            found = cache[types] = self.infer_type(*types)
        return found

    def __call__(self, *inputs: Any, name: str | None = None, return_list: bool = False, **options: Any) -> Any:
        """Apply the operation; return its output, or the list of them when there are several.

        Parameters
        ----------
        *inputs
            What `make_node` takes; it gets further keywords too.
        name : str, optional
            For the (first) output.
        return_list : bool
            Return a list of all outputs, whatever their number.
        """
        for value in inputs:
            lift = getattr(value, "lift_op", None)
            if lift is not None:  # a pattern of a rewrite rule: applying an operation to it makes a larger pattern
                return lift(self, inputs)
        node = self.make_node(*inputs, **options) if options else self.make_node(*inputs)
        if not isinstance(node, Apply):
            raise TypeError(f"{self}.make_node must return an Apply, not {type(node).__name__}")
        if not self._made_by_us:
            node.origin = current_origin()  # a user's make_node is in the user's file: where it is called is meant
        if config.compute_test_value != "off":
            compute_test_values(node)
        outputs = node.outputs
        if name is not None:
            outputs[0].name = name
        if return_list:
            return list(outputs)
        if len(outputs) == 1:
            return outputs[0]
        return outputs[self.default_output] if self.default_output is not None else list(outputs)

    # ---- meaning --------------------------------------------------------------------------------------------

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Compute: read the arrays `inputs`, leave each output in ``output_storage[i][0]``."""
        raise NotImplementedError(f"{self} has no perform method, and the backend has no other way to compute it")

    def L_op(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        """The chain rule, backward: the cost's derivative by each input, given those by each output."""
        return self.grad(inputs, output_gradients)

    def pull(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        """What the backward walk asks for: `L_op`, to which a family of operations may have something to add."""
        return self.L_op(inputs, outputs, output_gradients)

    def grad(self, inputs: Sequence[Variable], output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        """`L_op` without sight of the outputs: the older form, still honoured."""
        reason = f"{self} has no gradient: it defines neither L_op nor grad"
        return [NullType(reason)() for _ in inputs]

    def R_op(self, inputs: Sequence[Variable], eval_points: Sequence[Variable | None]) -> Sequence[Variable | None]:
        """The chain rule, forward: the directional derivative of each output. By default, two backward passes."""
        raise NotImplementedError

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """For each input, for each output: whether the output's value depends on the input's elements."""
        return [[True] * len(node.outputs) for _ in node.inputs]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        """For each output, a tuple of symbolic lengths, from those of the inputs; no values are computed."""
        raise NotImplementedError

    # ---- identity -------------------------------------------------------------------------------------------

    def _props(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__props__ or ())

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        return self.__props__ is not None and type(self) is type(other) and self._props() == other._props()

    def __hash__(self) -> int:
        return object.__hash__(self) if self.__props__ is None else hash((type(self), self._props()))

    def __repr__(self) -> str:
        names = self.__props__ or tuple(getattr(self, "_fields", ()) or getattr(self, "__dataclass_fields__", ()))
        if not names:
            return type(self).__name__
        return f"{type(self).__name__}{{{', '.join(f'{name}={getattr(self, name)!r}' for name in names)}}}"

    def __str__(self) -> str:
        return repr(self)

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_types", "_hash")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)


def _types(kinds: Any) -> tuple[Type, ...]:
    """Types, given as such or by the constructors of their variables."""
    several = kinds if isinstance(kinds, (list, tuple)) else [kinds]
    return tuple(kind if isinstance(kind, Type) else kind().type for kind in several)


class FunctionOp(Op):
    """An operation made of a Python function of arrays; see `as_op`.

    Parameters
    ----------
    fn : callable
    itypes, otypes : Type or sequence of Type
    infer_shape : callable, optional
        ``(node, input_shapes)`` to the outputs' shapes.
    """

    __props__ = ("fn", "itypes", "otypes")

    def __init__(self, fn: Callable[..., Any], itypes: Any, otypes: Any,
                 infer_shape: Callable[[Apply, list[Any]], list[Any]] | None = None) -> None:
        self.fn = fn
        self.itypes, self.otypes = _types(itypes), _types(otypes)
        self._shapes = infer_shape
        self.__module__ = getattr(fn, "__module__", FunctionOp.__module__)  # where pickle looks the name up

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        results = self.fn(*inputs)
        if len(node.outputs) == 1 and not isinstance(results, (tuple, list)):
            results = (results,)
        if len(results) != len(node.outputs):
            raise ValueError(f"{self} returned {len(results)} values instead of {len(node.outputs)}")
        for storage, result in zip(output_storage, results, strict=True):
            storage[0] = result

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        if self._shapes is None:
            raise NotImplementedError
        return self._shapes(node, input_shapes)

    def __reduce__(self) -> Any:
        # The decorated name refers to the operation itself: by it, pickle finds the operation again.
        module = sys.modules.get(getattr(self.fn, "__module__", ""))
        found = getattr(module, getattr(self.fn, "__qualname__", ""), None)
        if found is self:
            return self.fn.__qualname__
        return FunctionOp, (self.fn, self.itypes, self.otypes, self._shapes)

    def __repr__(self) -> str:
        return f"{getattr(self.fn, '__name__', 'function')}"


def as_op(
    itypes: Any, otypes: Any, infer_shape: Callable[[Apply, list[Any]], list[Any]] | None = None,
) -> Callable[[Callable[..., Any]], FunctionOp]:
    """Turn a Python function of arrays into an operation, without a gradient. Used as a decorator.

    Parameters
    ----------
    itypes, otypes : Type or sequence of Type
        Of the inputs and outputs; a constructor such as ``T.dmatrix`` stands for its type.
    infer_shape : callable, optional
        ``(node, input_shapes)`` to the outputs' shapes.

    Examples
    --------
    >>> import numpy as np, symgraph.tensor as T
    >>> @as_op(itypes=[T.dmatrix], otypes=[T.dvector])
    ... def spectrum(a):
    ...     return np.linalg.svd(a, compute_uv=False)
    >>> m = T.dmatrix("m")
    >>> spectrum(m).eval({m: np.diag([3.0, 4.0])})
    array([4., 3.])
    """
    return lambda fn: FunctionOp(fn, itypes, otypes, infer_shape)
