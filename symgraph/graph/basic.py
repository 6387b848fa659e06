"""Variable, Constant, Apply: what a user's expression is made of.

Nodes have identity: building the same expression twice makes two nodes (were they one, the gradient of
``y1 + 3*y2`` with respect to ``y1`` alone could not be asked for). They are never edited after they are built.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from symgraph.graph.origin import Origin, current_origin
from symgraph.graph.pickling import Bundle, bundle_of, shell
from symgraph.graph.type import Type

if TYPE_CHECKING:
    from symgraph.graph.op import Op

__all__ = ["Apply", "Constant", "Variable", "one_line", "set_evaluator"]

_LONGEST_NAME = 200

_evaluate: Callable[[Variable, Mapping[Variable, Any]], Any] | None = None


def set_evaluator(evaluate: Callable[[Variable, Mapping[Variable, Any]], Any]) -> None:
    """Say how `Variable.eval` computes. The compiler does, since the graph does not know it."""
    global _evaluate
    _evaluate = evaluate


def one_line(text: str, longest: int = _LONGEST_NAME) -> str:
    """Text fit to be shown: one line, no control characters, not endless."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


class Variable:
    """A symbolic value: an input of a graph, or an output of an `Apply`.

    Parameters
    ----------
    type : Type
        The values it may take.
    owner : Apply, optional
        The node that computes it; None for an input.
    index : int, optional
        Which output of `owner` it is.
    name : str, optional
        For people; need not be unique.
    """

    __slots__ = ("__dict__", "__weakref__", "index", "name", "origin", "owner", "type")

    type: Any  # a Type; which kind, the family of operations knows
    owner: Apply | None
    index: int | None
    name: str | None
    origin: Origin | None

    def __init__(
        self, type: Type, owner: Apply | None = None, index: int | None = None, name: str | None = None
    ) -> None:
        self.type = type
        self.owner = owner
        self.index = index
        self.name = name
        self.origin = None

    @property
    def tag(self) -> SimpleNamespace:
        """A place for a user's own notes on this variable; it has no meaning to the compiler."""
        notes: SimpleNamespace = self.__dict__.setdefault("_tag", SimpleNamespace())
        return notes

    @tag.setter
    def tag(self, value: SimpleNamespace) -> None:
        self.__dict__["_tag"] = value

    def clone(self, name: str | None = None) -> Variable:
        """A new input variable of the same type and name."""
        copy = self.type.make_variable(name if name is not None else self.name)
        copy.origin = self.origin
        return copy

    def get_parents(self) -> list[Apply]:
        """The node this variable comes from, in a list that is empty for an input."""
        return [] if self.owner is None else [self.owner]

    def eval(self, inputs_to_values: Mapping[Any, Any] | None = None) -> Any:
        """Compute the variable's value now, compiling the expression on first use.

        Parameters
        ----------
        inputs_to_values : dict, optional
            The value of each input variable the expression needs.

        Returns
        -------
        numpy.ndarray

        Raises
        ------
        MissingInputError
            When an input has no value.

        Examples
        --------
        >>> import symgraph.tensor as T
        >>> x = T.dscalar("x")
        >>> float((x ** 2).eval({x: 3.0}))
        9.0
        """
        if _evaluate is None:
            raise RuntimeError("eval needs the compiler: import symgraph first")
        return _evaluate(self, inputs_to_values or {})

    def __str__(self) -> str:
        if self.name:
            return one_line(self.name)
        if self.owner is None:
            return f"<{self.type}>"
        suffix = f".{self.index}" if len(self.owner.outputs) > 1 else ""
        return f"{self.owner.op}{suffix}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self} : {self.type}>"

    def _notes(self) -> dict[str, Any]:
        """What users hung on the variable; what the package caches there is not kept."""
        return {key: value for key, value in self.__dict__.items() if key == "_tag" or not key.startswith("_")}

    def __copy__(self) -> Variable:
        copy: Variable = object.__new__(type(self))
        if self.owner is None:
            copy.__setstate__(self.__getstate__())
        else:
            copy.type, copy.owner, copy.index, copy.name, copy.origin = (
                self.type, self.owner, self.index, self.name, self.origin)
            copy.__dict__.update(self._notes())
        return copy

    def __reduce_ex__(self, protocol: Any) -> Any:
        return shell, (type(self),), self.__getstate__() if self.owner is None else bundle_of(self.owner)

    def __getstate__(self) -> Any:
        return (self.type, self.name, self.origin, self._notes())

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Bundle):
            return  # it sets the attributes of all its variables
        self.type, self.name, self.origin, notes = state
        self.owner = self.index = None
        self.__dict__.update(notes)


class Constant(Variable):
    """A variable whose value is known when the graph is built.

    Parameters
    ----------
    type : Type
    data : object
        The value; it must never be changed afterwards.
    name : str, optional
    """

    __slots__ = ("data",)

    data: Any

    def __init__(self, type: Type, data: Any, name: str | None = None) -> None:
        super().__init__(type, None, None, name)
        self.data = data

    @property
    def value(self) -> Any:
        """The constant's value, under the name Theano's programs use."""
        return self.data

    def signature(self) -> Any:
        """A hashable key, equal for constants that may stand for each other."""
        return (self.type, id(self.data))

    def clone(self, name: str | None = None) -> Variable:
        return self

    def __str__(self) -> str:
        return one_line(self.name or str(self.data), 80)

    def __copy__(self) -> Variable:
        return self

    def __getstate__(self) -> Any:
        return (super().__getstate__(), self.data)

    def __setstate__(self, state: Any) -> None:
        base, self.data = state
        super().__setstate__(base)
        if hasattr(self.data, "setflags"):
            self.data.setflags(write=False)  # an array must not change here either


class Apply:
    """The application of an `Op` to input variables, giving new output variables.

    Parameters
    ----------
    op : Op
    inputs : sequence of Variable
    outputs : sequence of Variable or Type
        New variables without an owner; a type is turned into such a variable.
    origin : Origin, optional
        The line it stands for; found from the call stack when not given.
    """

    __slots__ = ("__weakref__", "_bundle", "inputs", "op", "origin", "outputs")

    op: Any  # an Op; its parameters are the business of those who know the kind
    inputs: tuple[Variable, ...]
    outputs: tuple[Variable, ...]
    origin: Origin
    _bundle: Any

    def __init__(
        self, op: Op, inputs: Sequence[Variable], outputs: Iterable[Variable | Type], origin: Origin | None = None
    ) -> None:
        self.op = op
        self.inputs = tuple(inputs)
        for variable in self.inputs:
            if not isinstance(variable, Variable):
                raise TypeError(f"the inputs of {op} must be symbolic variables, not {type(variable).__name__}")
        made = []
        for index, output in enumerate(outputs):
            if not isinstance(output, Variable):
                made.append(output.make_variable(None, self, index))
            else:
                made.append(self._own(output, index))
        self.outputs = tuple(made)
        self.origin = origin if origin is not None else current_origin()

    def _own(self, output: Variable, index: int) -> Variable:
        """Take a variable that has no owner as an output."""
        if output.owner is not None:
            raise ValueError(f"output {index} of {self.op} already belongs to {output.owner.op}: make a new variable, "
                             "x.type()")
        if any(output is v for v in self.inputs):
            raise ValueError(f"output {index} of {self.op} is one of its inputs: make a new variable, x.type()")
        output.owner, output.index = self, index
        return output

    @property
    def out(self) -> Variable:
        """The output, for a node that has only one (or whose op names a default)."""
        return self.outputs[self.op.default_output or 0]

    @property
    def nin(self) -> int:
        """How many inputs."""
        return len(self.inputs)

    @property
    def nout(self) -> int:
        """How many outputs."""
        return len(self.outputs)

    def clone_with_new_inputs(self, inputs: Sequence[Variable]) -> Apply:
        """The same application to other inputs; types are worked out anew only where the inputs' types differ."""
        for new, old in zip(inputs, self.inputs, strict=True):
            if new.type is not old.type and new.type != old.type:
                fresh: Apply = self.op.make_node(*inputs)
                fresh.origin = self.origin
                return fresh
        node: Apply = object.__new__(Apply)
        node.op, node.inputs, node.origin = self.op, tuple(inputs), self.origin
        node.outputs = tuple([o.type.make_variable(None, node, i) for i, o in enumerate(self.outputs)])
        return node

    def __repr__(self) -> str:
        shown = ", ".join(map(str, self.inputs[:8]))
        return f"{self.op}({shown}{', ...' if len(self.inputs) > 8 else ''})"

    def __copy__(self) -> Apply:
        raise TypeError("an Apply is not copied by itself, as its outputs belong to it: use clone_with_new_inputs")

    def __reduce_ex__(self, protocol: Any) -> Any:
        return shell, (Apply,), bundle_of(self)

    def __setstate__(self, state: Bundle) -> None:
        pass  # the bundle sets the attributes of all its nodes


Type.variable_class, Type.constant_class = Variable, Constant
