"""function(): from symbolic inputs and outputs to something that can be called."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any


from symgraph.compile.build import Built, Recipe, build
from symgraph.compile.errors import explain
from symgraph.compile.io import parse_inputs, parse_outputs
from symgraph.compile.mode import get_mode
from symgraph.compile.updates import add_default_updates, parse_givens, parse_updates
from symgraph.config import config
from symgraph.graph.basic import Variable, set_evaluator
from symgraph.graph.digraph import to_networkx
from symgraph.graph.origin import current_origin
from symgraph.graph.traversal import clone_replace, graph_inputs
from symgraph.shared import SharedVariable

if TYPE_CHECKING:
    import networkx as nx

    from symgraph.graph.rewrite import Fired
    from symgraph.plan import Plan

__all__ = ["Function", "function"]


class Function:
    """A compiled function; made by `function`, not directly.

    Attributes
    ----------
    name : str
    trust_input : bool
        Do not check or convert arguments: faster, and a wrong argument is the caller's fault.
    source : str
        The generated program.
    plan : Plan
    fired : list of Fired
        The rewrite rules that fired, in order.
    """

    def __init__(self, recipe: Recipe, built: Built) -> None:
        self.recipe = recipe
        self.name = recipe.name
        self.trust_input = False
        self._built = built
        self._run, self._checked = built.program.run, built.program.call
        self._arity = len(recipe.inputs)
        self._defaults: dict[int, Any] = {}
        for i, entry in enumerate(recipe.inputs):
            if entry.value is not None:
                self._defaults[i] = entry.variable.type.filter(entry.value, entry.strict, entry.allow_downcast)
        self._plain = not self._defaults
        self.calls = 0
        self.seconds = 0.0

    # ---- calling --------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs and commit the updates: all of them, or none when an exception is raised."""
        if kwargs or not self._plain or len(args) != self._arity:
            return self._call_with_defaults(args, kwargs)
        try:
            return (self._run if self.trust_input else self._checked)(*args)
        except Exception as error:
            self._explain(error)
            raise

    def _call_with_defaults(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        values = self._bind(args, kwargs)
        try:
            result = (self._run if self.trust_input else self._checked)(*values)
        except Exception as error:
            self._explain(error)
            raise
        states = self.recipe.states
        if states:
            result, following = result
            for (position, _), value in zip(states, following, strict=True):
                self._defaults[position] = value
        return result

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Arguments, keywords and defaults in the order of the inputs, as Python binds them."""
        inputs = self.recipe.inputs
        open_places = [i for i, entry in enumerate(inputs) if not entry.implicit]
        names = [inputs[i].name or f"argument {i}" for i in open_places]
        if len(args) > len(open_places):
            raise TypeError(f"{self.name}() takes {len(open_places)} arguments ({', '.join(names)}) but {len(args)} were given")
        values: dict[int, Any] = dict(zip(open_places, args, strict=False))
        for name, value in kwargs.items():
            matches = [i for i in open_places if inputs[i].name == name]
            if not matches:
                raise TypeError(f"{self.name}() has no input named {name!r}; its inputs are {', '.join(names) or 'none'}")
            if len(matches) > 1:
                raise TypeError(f"{self.name}() has {len(matches)} inputs named {name!r}: pass them by position")
            if matches[0] in values:
                raise TypeError(f"{self.name}() got two values for input {name!r}")
            values[matches[0]] = value
        missing = [i for i in range(len(inputs)) if i not in values and i not in self._defaults]
        if missing:
            wanted = ", ".join(f"{inputs[i].name or f'argument {i}'} ({inputs[i].variable.type})" for i in missing)
            raise TypeError(f"{self.name}() is missing {len(missing)} of its {len(inputs)} inputs: {wanted}")
        return [values[i] if i in values else self._defaults[i] for i in range(len(inputs))]

    def _explain(self, error: Exception) -> None:
        place = self._built.program.step_at(error)
        if place is not None and not getattr(error, "__notes__", None):
            explain(error, *place, self.name)

    # ---- looking --------------------------------------------------------------------------------------------

    @property
    def source(self) -> str:
        """The generated program, as text."""
        return self._built.program.source

    @property
    def plan(self) -> Plan:
        """The plan: steps, buffers, views."""
        return self._built.plan

    @property
    def fired(self) -> list[Fired]:
        """Which rewrite rules fired, on what, for which line."""
        return self._built.fired

    @property
    def fgraph(self) -> Any:
        """The rewritten graph."""
        return self._built.fgraph

    @property
    def graph(self) -> nx.DiGraph[Any]:
        """The rewritten graph as a `networkx.DiGraph`."""
        return to_networkx(self._built.fgraph.outputs)

    @property
    def maker(self) -> SimpleNamespace:
        """What Theano's programs look into: ``f.maker.fgraph``, ``f.maker.mode``, ``f.maker.inputs``."""
        return SimpleNamespace(fgraph=self.fgraph, mode=self.recipe.mode, inputs=list(self.recipe.inputs),
                               outputs=list(self.recipe.outputs))

    @property
    def compile_seconds(self) -> dict[str, float]:
        """How long each stage of the compilation took, in seconds."""
        return dict(self._built.seconds)

    def get_shared(self) -> list[SharedVariable]:
        """The shared variables it reads or updates."""
        found = dict.fromkeys([*self.plan.shared, *(u.target for u in self.plan.updates)])
        return list(found)

    def __getitem__(self, key: Any) -> Any:
        """The present default of an input, or value of a shared variable, by variable or name."""
        position = self._position(key)
        if position is not None:
            return self._defaults.get(position)
        return self._shared(key).get_value()

    def __setitem__(self, key: Any, value: Any) -> None:
        position = self._position(key)
        if position is None:
            self._shared(key).set_value(value)
            return
        entry = self.recipe.inputs[position]
        self._defaults[position] = entry.variable.type.filter(value, entry.strict, entry.allow_downcast)
        self._plain = False

    @property
    def value(self) -> Function:
        """Access to values by variable or name: ``f.value[x]``."""
        return self

    def _position(self, key: Any) -> int | None:
        return next((i for i, e in enumerate(self.recipe.inputs) if e.variable is key or (
            isinstance(key, str) and e.name == key)), None)

    def _shared(self, key: Any) -> SharedVariable:
        for variable in self.get_shared():
            if variable is key or (isinstance(key, str) and variable.name == key):
                return variable
        raise KeyError(f"{self.name} has no input and no shared variable {key!r}")

    # ---- making others --------------------------------------------------------------------------------------

    def copy(self, share_memory: bool = False, swap: Mapping[Any, Any] | None = None, delete_updates: bool = False,
             name: str | None = None, profile: Any = None) -> Function:
        """Another function like this one.

        Parameters
        ----------
        share_memory : bool
            Accepted; scratch memory is never shared between functions, so that both can run at once.
        swap : dict of SharedVariable to SharedVariable, optional
            Shared variables to use in the place of others.
        delete_updates : bool
            Leave the updates out.
        name : str, optional

        Raises
        ------
        ValueError
            When a variable to swap is not used by the function.
        TypeError
            When the two are not of one type.
        """
        exchange = dict(swap or {})
        known = set(self.get_shared())
        for old, new in exchange.items():
            if old not in known:
                raise ValueError(f"copy: {old} is not a shared variable of {self.name}")
            if not isinstance(new, SharedVariable) or new.type != old.type:
                raise TypeError(f"copy: {old} ({old.type}) can only be swapped for a shared variable of its type, not {new}")
        recipe = self.recipe
        updates = [] if delete_updates else [(exchange.get(t, t), e) for t, e in recipe.updates]
        expressions = [*(o.variable for o in recipe.outputs), *(e for _, e in updates)]
        replaced = clone_replace(expressions, exchange) if exchange else expressions
        count = len(recipe.outputs)
        outputs = [replace_out(o, v) for o, v in zip(recipe.outputs, replaced[:count], strict=True)]
        givens = {k: clone_replace(v, exchange) for k, v in recipe.givens.items()} if exchange else recipe.givens
        made = replace(recipe, outputs=outputs, givens=givens, name=name or recipe.name, on_unused_input="ignore",
                       updates=[(t, e) for (t, _), e in zip(updates, replaced[count:], strict=True)])
        duplicate = make_function(made)
        duplicate.trust_input = self.trust_input
        duplicate._defaults = dict(self._defaults)
        return duplicate

    __copy__ = copy

    def free(self) -> None:
        """Let go of the scratch memory kept between calls."""
        self._built.program.free()

    def __repr__(self) -> str:
        inputs = ", ".join(f"{e.name or '?'}: {e.variable.type}" for e in self.recipe.inputs)
        return f"<Function {self.name}({inputs}), {len(self.plan.steps)} steps, {len(self.plan.updates)} updates>"


def replace_out(out: Any, variable: Variable) -> Any:
    """An `Out` with another variable."""
    return type(out)(variable, out.borrow)


class ProfiledFunction(Function):
    """A function that counts and times its calls."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        started = time.perf_counter()
        try:
            return super().__call__(*args, **kwargs)
        finally:
            self.calls += 1
            self.seconds += time.perf_counter() - started


def make_function(recipe: Recipe, profile: bool = False) -> Function:
    """A function from a finished recipe."""
    if recipe.mode.watch:
        from symgraph.compile.debug import watched_function

        return watched_function(recipe)
    return (ProfiledFunction if profile else Function)(recipe, build(recipe))


def function(
    inputs: Any,
    outputs: Any = None,
    mode: Any = None,
    updates: Any = None,
    givens: Any = None,
    no_default_updates: Any = False,
    accept_inplace: bool = False,
    name: str | None = None,
    rebuild_strict: bool = True,
    allow_input_downcast: bool | None = None,
    profile: Any = None,
    on_unused_input: str | None = None,
) -> Function:
    """Compile expressions into a function.

    Parameters
    ----------
    inputs : list of Variable or In
        What the caller passes, in this order.
    outputs : Variable, Out, list or dict of these, or None
        What the function returns, in this form; an empty list for None.
    mode : str or Mode, optional
        How much to rewrite; `config.mode` by default.
    updates : dict or list of (SharedVariable, expression), optional
        New values of shared variables. All outputs and updates are computed from the old values; then all updates are
        committed, or none when the call fails.
    givens : dict or list of (Variable, expression), optional
        Expressions to put in the place of variables.
    no_default_updates : bool or list of SharedVariable
        Leave out all default updates, or those of some variables.
    accept_inplace, rebuild_strict : bool
        Accepted for programs that pass them; the compiler alone decides what is done in place.
    name : str, optional
        For messages.
    allow_input_downcast : bool, optional
        Whether converting an argument may lose precision; None allows it for Python floats only.
    profile : bool, optional
        Count and time calls: ``f.calls``, ``f.seconds``.
    on_unused_input : {'raise', 'warn', 'ignore'}, optional

    Returns
    -------
    Function

    Raises
    ------
    MissingInputError
        When an expression needs a variable nobody provides.
    UnusedInputError
        When an input is not needed, unless `on_unused_input` says otherwise.
    TypeError, ValueError
        When arguments, updates or givens are not of the right types, or are given twice.

    Examples
    --------
    >>> import symgraph as sg, symgraph.tensor as T
    >>> x = T.dscalar("x")
    >>> total = sg.shared(0.0, name="total")
    >>> f = sg.function([x], x ** 2, updates=[(total, total + x)])
    >>> float(f(3)), float(total.get_value())
    (9.0, 3.0)
    """
    entries = parse_inputs(inputs)
    outs, form = parse_outputs(outputs)
    replacements = parse_givens(givens)
    pairs = parse_updates(updates)
    level = on_unused_input if on_unused_input is not None else config.on_unused_input
    if level not in ("raise", "warn", "ignore"):
        raise ValueError(f"on_unused_input must be 'raise', 'warn' or 'ignore', not {level!r}")
    roots = [*(o.variable for o in outs), *(e.update for e in entries if e.update is not None)]
    recipe = Recipe(
        inputs=entries, outputs=outs, form=form, givens=replacements, mode=get_mode(mode),
        updates=add_default_updates(pairs, roots, replacements, no_default_updates),
        name=name or f"function at {current_origin()}", allow_input_downcast=allow_input_downcast, on_unused_input=level,
    )
    return make_function(recipe, profile=bool(config.profile if profile is None else profile))


def _evaluate(variable: Variable, values: Mapping[Any, Any]) -> Any:
    """`Variable.eval`: compile once for each set of inputs, then call."""
    named: dict[Variable, Any] = {}
    for key, value in values.items():
        if isinstance(key, str):
            matches = [v for v in graph_inputs([variable]) if v.name == key]
            if len(matches) != 1:
                raise ValueError(f"eval: {len(matches)} inputs are named {key!r}")
            key = matches[0]
        named[key] = value
    inputs = tuple(named)
    cache: dict[tuple[Variable, ...], Function] = variable.__dict__.setdefault("_evaluators", {})
    compiled = cache.get(inputs)
    if compiled is None:
        compiled = cache[inputs] = function(list(inputs), variable, name=f"eval of {variable}", on_unused_input="ignore")
    return compiled(*named.values())


set_evaluator(_evaluate)

