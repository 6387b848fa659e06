"""`OpFromGraph`: an operation made of a graph, whose derivatives may be given; `custom_gradient`, its short form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.gates import GradientGate
from symgraph.graph.gradient import Rop, grad
from symgraph.graph.inner import InnerGraph
from symgraph.graph.op import Op
from symgraph.graph.traversal import clone_replace, graph_inputs
from symgraph.graph.type import DisconnectedType, NullType, Type
from symgraph.shared import SharedVariable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.type import TensorType

__all__ = ["OpFromGraph", "custom_gradient"]

_DEFAULT = "default"


class OpFromGraph(Op):
    """An operation that computes some expressions of some inputs.

    Parameters
    ----------
    inputs : list of Variable
        The variables that stand for what the operation will be applied to.
    outputs : list of Variable
        Expressions of them. Shared variables in them are taken as they are, and can be differentiated by.
    inline : bool
        When a function is compiled, put the graph in the place of the operation, so that it is rewritten with what is
        around it. Otherwise it is compiled by itself.
    lop_overrides : callable, OpFromGraph, list or 'default'
        The derivatives, in the place of those of the graph: a callable of ``(inputs, outputs, output_gradients)``, each
        a list, that returns a gradient for each input; or a list that holds for each input a callable that returns its
        gradient, ``'default'`` (or None) for that of the graph, or a variable of `NullType` (there is none) or
        `DisconnectedType`. An `OpFromGraph` takes the same variables, in a row.
    grad_overrides : callable, OpFromGraph, list or 'default'
        The same, with ``(inputs, output_gradients)``.
    rop_overrides : callable, OpFromGraph, list or 'default'
        The derivatives forward: of ``(inputs, eval_points)``, for each output. An eval point is None for an input that
        does not move, which an `OpFromGraph` gets as zeros.
    connection_pattern : list of list of bool, optional
        For each input, for each output, whether it depends on it; that of the graph unless given.
    name : str, optional
        For printing and messages.
    **options
        Accepted for programs that pass what Theano gave to its compiler.

    Raises
    ------
    TypeError
        When inputs or outputs are not symbolic variables, or an override is something else.
    ValueError
        When an output needs a variable that is not among the inputs, both kinds of backward overrides are given, or a
        list of overrides is not as long as it must be.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x, y = T.dscalars("x", "y")
    >>> hypotenuse = sg.OpFromGraph([x, y], [T.sqrt(x ** 2 + y ** 2)], name="hypotenuse")
    >>> a = T.dscalar("a")
    >>> z = hypotenuse(a, 2 * a)
    >>> round(float(sg.grad(z, a).eval({a: 3.0})), 6)
    2.236068

    With a derivative of one's own:

    >>> clipped = sg.OpFromGraph([x], [x ** 2], grad_overrides=lambda inputs, g: [T.clip(g[0], -1, 1)])
    >>> float(sg.grad(5 * clipped(a), a).eval({a: 3.0}))
    1.0
    """

    def __init__(self, inputs: Sequence[Variable], outputs: Sequence[Variable], inline: bool = False,
                 lop_overrides: Any = _DEFAULT, grad_overrides: Any = _DEFAULT, rop_overrides: Any = _DEFAULT,
                 connection_pattern: Sequence[Sequence[bool]] | None = None, name: str | None = None,
                 **options: Any) -> None:
        given, results = _variables(inputs, "inputs"), _variables(outputs, "outputs")
        for v in given:
            if isinstance(v, (Constant, SharedVariable)):
                raise TypeError(f"OpFromGraph: {v} cannot be an input: it is a "
                                f"{'constant' if isinstance(v, Constant) else 'shared variable'}")
        if len(set(given)) < len(given):
            raise ValueError("OpFromGraph: a variable is given twice among the inputs")
        self.name, self.is_inline = name, bool(inline)
        self.shared_inputs = [v for v in graph_inputs(results, given)
                              if isinstance(v, SharedVariable) and v not in given]
        stand_ins = {v: v.type.make_variable(v.name) for v in (*given, *self.shared_inputs)}
        self.n_inputs = len(given)
        missing = [v for v in graph_inputs(results, given) if v not in stand_ins and not isinstance(v, Constant)]
        if missing:
            raise ValueError(f"{self}: {missing[0]} ({missing[0].type}) is needed but is not among the inputs")
        self.graph = InnerGraph(list(stand_ins.values()), clone_replace(results, stand_ins), str(self))
        if _is_given(lop_overrides) and _is_given(grad_overrides):
            raise ValueError(f"{self}: give lop_overrides or grad_overrides, not both")
        self._lop = _Overrides(self, "lop_overrides", lop_overrides, self.n_inputs)
        self._grad = _Overrides(self, "grad_overrides", grad_overrides, self.n_inputs)
        self._rop = _Overrides(self, "rop_overrides", rop_overrides, len(results))
        self._pattern = connection_pattern

    # ---- computing --------------------------------------------------------------------------------------------

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return [v.type for v in self.graph.outputs]

    def make_node(self, *inputs: Any) -> Apply:
        wanted = self.graph.inputs
        if len(inputs) == len(wanted) and self.shared_inputs:  # a copy of a node, with its shared variables
            values = list(inputs)
        elif len(inputs) == self.n_inputs:
            values = [*inputs, *self.shared_inputs]
        else:
            raise TypeError(f"{self} takes {self.n_inputs} inputs, not {len(inputs)}")
        filtered = []
        for place, (slot, value) in enumerate(zip(wanted, values, strict=True)):
            try:
                filtered.append(slot.type.filter_variable(value))
            except TypeError as error:
                raise TypeError(f"{self}, input {place}: {error}") from None
        return Apply(self, filtered, self.infer_type())

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        for cell, value in zip(output_storage, self.graph.evaluate(inputs), strict=True):
            cell[0] = value

    def inlined(self, node: Apply) -> list[Variable]:
        """The graph in the place of the operation."""
        return self.graph.applied_to(node.inputs)

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        """Known lengths, and those that are lengths of inputs; for others the outputs are asked."""
        from symgraph.tensor.shape import ShapeI

        shapes = []
        for output, inner in zip(node.outputs, self.graph.outputs, strict=True):
            if not isinstance(output.type, TensorType):
                raise NotImplementedError
            place = self.graph.inputs.index(inner) if inner in self.graph.inputs else None
            shapes.append(input_shapes[place] if place is not None else tuple(
                ShapeI(axis)(output) if n is None else n for axis, n in enumerate(output.type.shape)))
        return shapes

    @property
    def has_overrides(self) -> bool:
        """Whether derivatives are given in the place of the graph's."""
        return self._lop.given or self._grad.given or self._rop.given

    # ---- derivatives --------------------------------------------------------------------------------------------

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        found = self.graph.connections()
        if self._pattern is not None:
            found[: self.n_inputs] = [[bool(b) for b in row] for row in self._pattern]
        elif self._lop.given or self._grad.given:
            found[: self.n_inputs] = [[True] * len(node.outputs)] * self.n_inputs  # the overrides decide
        return found

    def L_op(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
             output_gradients: Sequence[Variable]) -> Sequence[Variable]:
        given = list(inputs[: self.n_inputs])
        full = [z.type.zeros_like(z) if isinstance(g.type, DisconnectedType) else g
                for z, g in zip(outputs, output_gradients, strict=True)]
        own = self._lop.apply(given, list(outputs), full) if self._lop.given else self._grad.apply(given, full)
        own += [_DEFAULT] * (len(inputs) - self.n_inputs)
        if all(map(_is_given, own)):
            return own
        default = self._pulled(inputs, outputs, output_gradients)
        return [found if _is_given(found) else d for found, d in zip(own, default, strict=True)]

    def _pulled(self, inputs: Sequence[Variable], outputs: Sequence[Variable],
                output_gradients: Sequence[Variable]) -> list[Variable]:
        """The graph's own derivatives, as an operation of the same kind."""
        graph = self.graph
        live = [j for j, g in enumerate(output_gradients) if not isinstance(g.type, DisconnectedType)]
        seeds = {j: graph.outputs[j].type.gradient_type()() for j in live}
        known = {GradientGate("same")(graph.outputs[j]): seeds[j] for j in live}  # one output may be made of another
        if not known:
            return [DisconnectedType()() for _ in inputs]
        pulled = grad(None, list(graph.inputs), disconnected_inputs="ignore", known_grads=known,
                      return_disconnected="disconnected", null_gradients="return")
        places = [i for i, g in enumerate(pulled) if not isinstance(g.type, (DisconnectedType, NullType))]
        # What the graph has computed is read from the operation's outputs.
        stand_ins = [z.type() for z in graph.outputs]
        ready = {z: s for z, s in zip(graph.outputs, stand_ins, strict=True) if z.owner is not None}
        bodies = clone_replace([pulled[i] for i in places], ready)
        found = self._derived("gradient", bodies, {
            **dict(zip(graph.inputs, inputs, strict=True)), **dict(zip(stand_ins, outputs, strict=True)),
            **{seeds[j]: output_gradients[j] for j in live}})
        result = list(pulled)
        for i, g in zip(places, found, strict=True):
            result[i] = g
        return result

    def _derived(self, what: str, bodies: Sequence[Variable], values: dict[Variable, Any]) -> list[Variable]:
        """An operation of what the graph's derivatives read, applied to values for that."""
        if not bodies:
            return []
        read = set(graph_inputs(bodies, values))
        used = [v for v in values if v in read]
        op = OpFromGraph(used, bodies, inline=self.is_inline, name=f"{what} of {self.name or 'graph'}")
        found: list[Variable] = op(*(values[v] for v in used), return_list=True)
        return found

    def R_op(self, inputs: Sequence[Variable], eval_points: Sequence[Variable | None]) -> Sequence[Variable | None]:
        given, points = list(inputs[: self.n_inputs]), list(eval_points[: self.n_inputs])
        own = self._rop.apply(given, points)
        if all(map(_is_given, own)):
            return own
        if self._lop.given or self._grad.given:
            raise NotImplementedError  # the derivative given backward is used, twice
        graph = self.graph
        moved = [i for i, p in enumerate(eval_points) if p is not None]
        seeds = {i: graph.inputs[i].type.gradient_type()() for i in moved}
        pushed = Rop(list(graph.outputs), [graph.inputs[i] for i in moved], list(seeds.values()),
                     disconnected_outputs="ignore", return_disconnected="none")
        places = [j for j, t in enumerate(pushed) if t is not None]
        found = self._derived("derivative", [pushed[j] for j in places], {
            **dict(zip(graph.inputs, inputs, strict=True)), **{seeds[i]: eval_points[i] for i in moved}})
        default: list[Variable | None] = [None] * len(pushed)
        for j, t in zip(places, found, strict=True):
            default[j] = t
        return [f if _is_given(f) else d for f, d in zip(own, default, strict=True)]

    def __repr__(self) -> str:
        return self.name or "OpFromGraph"


class _Overrides:
    """Derivatives a user gives, in any of the forms that `OpFromGraph` takes."""

    def __init__(self, op: OpFromGraph, what: str, value: Any, count: int) -> None:
        self.who, self.value, self.count = f"{op}, {what}", value, count
        self.given = _is_given(value)
        if isinstance(value, (list, tuple)):
            if len(value) != count:
                raise ValueError(f"{self.who}: {len(value)} overrides are given; there must be {count}")
            for part in value:
                self._check(part, special=True)
        elif self.given:
            self._check(value, special=isinstance(value, Variable))

    def _check(self, value: Any, special: bool) -> None:
        marker = isinstance(value, Variable) and isinstance(value.type, (NullType, DisconnectedType))
        if _is_given(value) and not callable(value) and not (special and marker):
            raise TypeError(f"{self.who}: an override is a callable, an OpFromGraph, 'default', a variable of NullType "
                            f"or DisconnectedType, or a list of these, not {value!r}")

    def apply(self, *groups: list[Any]) -> list[Any]:
        """The derivative for each input (or output); 'default' or None where it is not overridden."""
        if not self.given:
            return [_DEFAULT] * self.count
        if isinstance(self.value, (list, tuple)):
            return [self._single(part, groups) for part in self.value]
        if isinstance(self.value, Variable):
            return [self.value.type() for _ in range(self.count)]
        found = self._called(self.value, groups)
        if len(found) != self.count:
            raise ValueError(f"{self.who} returned {len(found)} derivatives; there must be {self.count}")
        return found

    def _single(self, part: Any, groups: Sequence[list[Any]]) -> Any:
        if not _is_given(part):
            return _DEFAULT
        if isinstance(part, Variable):
            return part.type()
        found = self._called(part, groups)
        if len(found) != 1:
            raise ValueError(f"{self.who}: the override of one derivative returned {len(found)}")
        return found[0]

    def _called(self, function: Any, groups: Sequence[list[Any]]) -> list[Any]:
        if isinstance(function, OpFromGraph):
            inputs = groups[0]
            rows = [*groups[:-1], [x.type.zeros_like(x) if p is None else p
                                   for x, p in zip(inputs, groups[-1], strict=True)]] if None in groups[-1] else groups
            found: Any = function(*(v for row in rows for v in row), return_list=True)
        else:
            found = function(*groups)
        return list(found) if isinstance(found, (list, tuple)) else [found]


def _is_given(value: Any) -> bool:
    return value is not None and not (isinstance(value, str) and value == _DEFAULT)


def _variables(values: Any, what: str) -> list[Variable]:
    if isinstance(values, Variable) or not isinstance(values, (list, tuple)):
        raise TypeError(f"OpFromGraph: {what} must be a list of symbolic variables, not {values!r}")
    for value in values:
        if not isinstance(value, Variable):
            raise TypeError(f"OpFromGraph: {what} must hold symbolic variables, not {value!r}")
    return list(values)


def custom_gradient(gradient: Callable[..., Any], *, forward: Callable[..., Any] | None = None) -> Callable[..., Any]:
    """Give a function of symbolic tensors a gradient of one's own. Used as a decorator.

    Parameters
    ----------
    gradient : callable
        ``(inputs, outputs, output_gradients)``, each a list of variables, to the gradient for each input (a list; a
        variable where there is one input). None stands for the gradient that follows from the function itself.
    forward : callable, optional
        ``(inputs, eval_points)`` to the derivative of each output in that direction; from `gradient` unless given.

    Returns
    -------
    callable
        A decorator of functions from symbolic tensors to one or several. What it returns computes the same.

    Raises
    ------
    ValueError
        When `gradient` does not give one for each input, or the function needs a variable that is neither an argument
        nor shared: pass it as an argument.

    Examples
    --------
    A rounding that lets gradients pass (a "straight-through estimator"):

    >>> import symgraph as sg, symgraph.tensor as T
    >>> @sg.custom_gradient(lambda inputs, outputs, gradients: gradients)
    ... def rounded(x):
    ...     return T.round(x)
    >>> x = T.dvector("x")
    >>> sg.function([x], [rounded(x), sg.grad((rounded(x) ** 2).sum(), x)])([0.4, 1.7])
    [array([0., 2.]), array([0., 4.])]
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(function)
        def applied(*args: Any) -> Any:
            values = [a if isinstance(a, Variable) else as_tensor_variable(a) for a in args]
            inside = [v.type(v.name) for v in values]
            made = function(*inside)
            several = isinstance(made, (list, tuple))
            results = [v if isinstance(v, Variable) else as_tensor_variable(v) for v in (made if several else [made])]
            op = OpFromGraph(inside, results, inline=True, lop_overrides=gradient, rop_overrides=forward,
                             name=function.__name__)
            outputs = op(*values, return_list=True)
            return type(made)(outputs) if several else outputs[0]

        return applied

    return decorate
