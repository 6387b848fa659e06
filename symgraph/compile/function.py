"""function(): from symbolic inputs and outputs to something that can be called."""

from __future__ import annotations

import copy
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from symgraph.compile.binding import default_of, refuse_call, state_of
from symgraph.compile.build import Built, build
from symgraph.compile.entry import Kinds, entry_for, kinds_of
from symgraph.compile.errors import explain
from symgraph.compile.io import parse_inputs, parse_outputs
from symgraph.compile.looking import Looking
from symgraph.compile.many import call_many
from symgraph.compile.mode import get_mode
from symgraph.compile.profile import Profile
from symgraph.compile.recipe import Recipe
from symgraph.compile.subset import select, with_outputs
from symgraph.compile.updates import add_default_updates, parse_givens, parse_updates
from symgraph.config import config
from symgraph.graph.basic import Variable
from symgraph.graph.origin import current_origin
from symgraph.shared import SharedVariable

if TYPE_CHECKING:
    from symgraph.compile.memory import LengthsProgram

__all__ = ["Function", "function"]


class Function(Looking):
    """A compiled function; made by `function`, not directly.

    Attributes
    ----------
    name : str or None
    trust_input : bool
        Do not check or convert arguments: faster, and a wrong argument is the caller's fault.
    source : str
        The generated program.
    plan : Plan
    fired : list of Fired
        The rewrite rules that fired, in order.
    profile : Profile or None
        Where the time of its calls goes, when it was made with ``profile=True``.
    """

    def __init__(self, recipe: Recipe, built: Built, states: Mapping[int, SharedVariable],
                 profile: Profile | None = None) -> None:
        self.recipe = recipe
        self.name = recipe.name
        self._built = built
        self._run, self._checked = built.program.run, built.program.call
        self._states = dict(states)
        self._defaults: dict[int, Any] = {}
        for i, entry in enumerate(recipe.inputs):
            if entry.value is not None and i not in self._states:
                self._defaults[i] = default_of(recipe, i, entry.value)
        self._state_lock = threading.RLock()
        self._arity = len(recipe.inputs)
        self._open_places = [i for i, entry in enumerate(recipe.inputs) if not entry.implicit]
        names = [recipe.inputs[i].name for i in self._open_places]
        self._named = {name: i for name, i in zip(names, self._open_places, strict=True) if names.count(name) == 1}
        self._trusting = False
        self._set_up()
        self._subsets: dict[tuple[Any, ...], Function] = {}
        self._lengths: dict[str, LengthsProgram] = {}  # made when first needed
        self.profile = profile

    def _set_up(self) -> None:
        self._target = self._run if self._trusting else self._checked
        # A call that passes this many arguments by position has nothing to look up; no call does when there are states.
        self._plain = -1 if self._states or any(e.implicit for e in self.recipe.inputs) else self._arity

    @property
    def trust_input(self) -> bool:
        """Whether arguments are used as they come, neither checked nor converted: faster, and wrong ones are the
        caller's fault."""
        return self._trusting

    @trust_input.setter
    def trust_input(self, trust: bool) -> None:
        self._trusting = bool(trust)
        self._set_up()

    # ---- calling --------------------------------------------------------------------------------------------

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs and commit the updates: all of them, or none when an exception is raised.

        Besides the inputs' names there is the keyword ``output_subset``, a list of the outputs to compute, by position,
        or by key where the outputs are a dict. What only others need is not computed; all updates are. The result is a
        list of those outputs, or a dict.
        """
        if kwargs or len(args) != self._plain:
            return self._call_binding(args, kwargs)
        try:
            return self._target(*args)
        except Exception as error:
            self._explain(error)
            raise

    def _call_binding(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A call with keywords, defaults or states. States are read and replaced by one call at a time."""
        if not kwargs and len(args) == self._plain:
            return self._run_explaining(args)
        if "output_subset" in kwargs and "output_subset" not in self._named:
            subset = kwargs.pop("output_subset")
            return (self if subset is None else self._with_outputs(subset))(*args, **kwargs)
        if not self._states:
            return self._run_explaining(self._bind(args, kwargs))
        with self._state_lock:
            return self._run_explaining(self._bind(args, kwargs))

    def _with_outputs(self, subset: Any) -> Function:
        """A function for some of the outputs, with the same states, defaults and updates; made when first needed."""
        chosen = select(self.recipe, subset)
        with self._state_lock:
            found = self._subsets.get(chosen)
            if found is None:
                found = make_function(with_outputs(self.recipe, chosen), self.profile is not None, self._states)
                found._defaults, found._state_lock = self._defaults, self._state_lock
                self._subsets[chosen] = found
                if self.profile is not None and found.profile is not None:
                    self.profile.subsets[chosen] = found.profile
            if found.trust_input != self._trusting:
                found.trust_input = self._trusting
        return found

    def _run_explaining(self, values: Sequence[Any]) -> Any:
        try:
            return self._target(*values)
        except Exception as error:
            self._explain(error)
            raise

    def _bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[Any]:
        """Arguments, keywords and defaults in the order of the inputs, as Python binds them."""
        places = self._open_places
        if len(args) > len(places):
            refuse_call(self.recipe, self._open_places, self._has_default, args, kwargs)
        values = dict(zip(places, args, strict=False))
        for name, value in kwargs.items():
            position = self._named.get(name)
            if position is None or position in values:
                refuse_call(self.recipe, self._open_places, self._has_default, args, kwargs)
            values[position] = value
        if len(values) < self._arity:
            for i, entry in enumerate(self.recipe.inputs):
                if i not in values:
                    if not self._has_default(i):
                        refuse_call(self.recipe, self._open_places, self._has_default, args, kwargs)
                    values[i] = self._default(i, copied=entry.mutable)
        return [values[i] for i in range(self._arity)]

    def _has_default(self, position: int) -> bool:
        return position in self._defaults or position in self._states

    def _default(self, position: int, copied: bool = True) -> Any:
        """What an input is when nothing is passed; a copy where the function (or the caller) may write on it."""
        state = self._states.get(position)
        if state is not None:
            return state.get_value(borrow=not copied, return_internal_type=not copied)
        value = self._defaults.get(position)
        return copy.copy(value) if copied else value

    def _explain(self, error: Exception) -> None:
        """Add to an error where it happened, unless a function called by this one has done so."""
        place = self._built.program.step_at(error)
        if place is not None and not getattr(error, "_explained_by_symgraph", False):
            with suppress(Exception):  # whatever is odd about the error or the operation, the error itself must arrive
                explain(error, *place, self.recipe.label)
                error._explained_by_symgraph = True  # type: ignore[attr-defined]

    def map(self, *sequences: Any) -> Any:
        """Call the function once for each element of a sequence, and stack the results.

        That is a loop of calls, in order, each of which sees the updates of those before. On a GPU the loop is
        launched as a whole where that is possible, and all results are moved to the host together.

        Parameters
        ----------
        *sequences : sequence
            One for each input, all of one length.

        Returns
        -------
        The outputs in the function's form, each with a new first axis for the calls.

        Raises
        ------
        TypeError, ValueError
            When there is no sequence, or their lengths differ, or the results of the calls have different shapes.
            What a call raises is raised here; what the calls before it have updated stays.

        Examples
        --------
        >>> import symgraph as sg, symgraph.tensor as T
        >>> x, total = T.dscalar("x"), sg.shared(0.0)
        >>> f = sg.function([x], total, updates=[(total, total + x)])
        >>> f.map([1, 2, 3])
        array([0., 1., 3.])
        """
        return call_many(self, sequences)

    def program_of_many(self) -> Any:
        """What runs many calls in one; None where a loop of calls is as good."""
        program = self._built.program
        return None if self._states or self._plain < 0 else program.many

    # ---- values ---------------------------------------------------------------------------------------------

    def __getitem__(self, key: Any) -> Any:
        """The present default of an input (None without one), or value of a shared variable, by variable or name."""
        position = self._position(key)
        return self._shared(key).get_value() if position is None else self._default(position)

    def __setitem__(self, key: Any, value: Any) -> None:
        position = self._position(key)
        if position is None:
            self._shared(key).set_value(value)
        elif position in self._states:
            new = default_of(self.recipe, position, value)
            with self._state_lock:
                self._states[position].set_value(new)
        else:
            self._defaults[position] = default_of(self.recipe, position, value)

    def __contains__(self, key: Any) -> bool:
        return self._position(key) is not None or any(self._is(v, v.name, key) for v in self.get_shared())

    @property
    def value(self) -> Function:
        """Access to values by variable or name: ``f.value[x]``."""
        return self

    @staticmethod
    def _is(variable: Variable, name: str | None, key: Any) -> bool:
        return variable is key or (isinstance(key, str) and name == key)

    def _position(self, key: Any) -> int | None:
        entries = self.recipe.inputs
        return next((i for i, e in enumerate(entries) if self._is(e.variable, e.name, key)), None)

    def _shared(self, key: Any) -> SharedVariable:
        for variable in self.get_shared():
            if self._is(variable, variable.name, key):
                return variable
        raise KeyError(f"{self.recipe.label} has no input and no shared variable {key!r}")

    # ---- making others --------------------------------------------------------------------------------------

    def copy(self, share_memory: bool = False, swap: Mapping[Any, Any] | None = None, delete_updates: bool = False,
             name: str | None = None, profile: Any = None) -> Function:
        """Another function like this one, with states and defaults of its own.

        Parameters
        ----------
        share_memory : bool
            Accepted; scratch memory is never shared between functions, so that both can run at once.
        swap : dict of SharedVariable to SharedVariable, optional
            Shared variables to use in the place of others.
        delete_updates : bool
            Leave the updates out.
        name : str, optional
        profile : bool, optional
            Count and time the copy's calls; as this function does unless given.

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
                raise ValueError(f"copy: {old} is not a shared variable of {self.recipe.label}")
            if not isinstance(new, SharedVariable) or new.type != old.type:
                kind = f" ({new.type})" if isinstance(new, Variable) else ""
                raise TypeError(
                    f"copy: {old} ({old.type}) can only be swapped for a shared variable of its type, not {new}{kind}")
        recipe = replace(self.recipe, name=name or self.recipe.name, on_unused_input="ignore",
                         updates=() if delete_updates else self.recipe.updates)
        duplicate = make_function(recipe.exchanged(exchange) if exchange else recipe,
                                  self.profile is not None if profile is None else bool(profile))
        duplicate._take_over(self._present(), self._trusting)
        return duplicate

    def _present(self) -> dict[int, Any]:
        """The present defaults and states, by position."""
        return {i: self._default(i) for i in (*self._defaults, *self._states)}

    def _take_over(self, values: Mapping[int, Any], trusting: bool) -> None:
        for position, value in values.items():
            state = self._states.get(position)
            if state is None:
                self._defaults[position] = value
            else:
                state.set_value(value, borrow=True)
        self.trust_input = trusting

    def __copy__(self) -> Function:
        return self.copy()

    def __reduce__(self) -> Any:
        return _restored, (self.recipe, self._present(), self._trusting, self.profile is not None)

    def free(self) -> None:
        """Let go of the scratch memory kept between calls."""
        self._built.program.free()
        for subset in self._subsets.values():
            subset.free()

    def __repr__(self) -> str:
        inputs = ", ".join(f"{e.name or '?'}: {e.variable.type}" for e in self.recipe.inputs)
        return f"<{self.recipe.label}({inputs}), {len(self.plan.steps)} steps, {len(self.plan.updates)} updates>"


class ProfiledFunction(Function):
    """A function that notes where the time of its calls goes."""

    profile: Profile

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs.get("output_subset") is not None and "output_subset" not in self._named:
            return super().__call__(*args, **kwargs)  # the function for these outputs has a profile of its own
        started = time.perf_counter()
        try:
            return super().__call__(*args, **kwargs)
        finally:
            self.profile.note_call(time.perf_counter() - started)


def make_function(recipe: Recipe, profiled: bool = False,
                  states: Mapping[int, SharedVariable] | None = None) -> Function:
    """A function from a finished recipe, with states of its own unless some are given."""
    if states is None:
        states = {i: state_of(recipe, i) for i in recipe.stateful}
    profile = Profile() if profiled else None
    if recipe.mode.watch:
        from symgraph.compile.debug import watched_function

        return watched_function(recipe, states, profile)
    built = build(recipe, states=list(states.values()), profile=profile)
    if profile is not None:
        return ProfiledFunction(recipe, built, states, profile)
    plain = not states and not any(entry.implicit for entry in recipe.inputs)
    if not plain:
        return Function(recipe, built, states)
    writable = any(built.plan.blocks[variable].writable for variable in built.plan.inputs)
    positions = [place for place in built.program.positions if not recipe.inputs[place].strict]
    kinds = None if writable else kinds_of([variable.type for variable in built.plan.inputs], positions)
    return _called_with(len(recipe.inputs), kinds)(recipe, built, states)


@cache
def _called_with(count: int, kinds: Kinds | None) -> type[Function]:
    """The class of functions that take so many inputs, or inputs of some kinds, and have no states.

    Their method of calling is written for these; Python looks for it in the class.
    """
    like = {name: getattr(Function, name) for name in ("__doc__", "__module__", "__qualname__")}
    return type("Function", (Function,), {"__call__": entry_for(count, kinds), **like})


def _restored(recipe: Recipe, values: Mapping[int, Any], trusting: bool, profiled: bool) -> Function:
    """What unpickling calls: compile again."""
    made = make_function(recipe, profiled)
    made._take_over(values, trusting)
    return made


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
        What the function returns, in this form; an empty list for None. Lists, tuples and dicts may be nested.
    mode : str or Mode, optional
        How much to rewrite; `config.mode` by default.
    updates : dict or list of (SharedVariable, expression), optional
        New values of shared variables. All outputs and updates are computed from the old values; then all updates are
        committed, or none when the call fails.
    givens : dict or list of (Variable, expression), optional
        Expressions to put in the place of variables. What replaces one may hold another.
    no_default_updates : bool or list of SharedVariable
        Leave out all default updates, or those of some variables.
    accept_inplace, rebuild_strict : bool
        Accepted for programs that pass them; the compiler alone decides what is done in place.
    name : str, optional
        For messages.
    allow_input_downcast : bool, optional
        Whether converting an argument may lose precision; None allows it for Python floats only.
    profile : bool, optional
        Note where the time of calls goes, for ``f.profile``; `config.profile` by default.
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

    Notes
    -----
    What a call returns belongs to the caller: it shares memory with no argument, shared variable, other result or later
    call, unless `In` or `Out` say ``borrow``. Likewise no argument is written on or kept, unless ``mutable``.

    Functions can be called from many threads at once, and from inside an operation they use. Calls that update a
    common shared variable follow one another; a function that reads several sees values of one moment. Only an
    operation that, inside one updating function, calls another which updates other variables can wait for its opposite
    in a circle.

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
    replacements = parse_givens(givens, [entry.variable for entry in entries])
    pairs = parse_updates(updates)
    level = on_unused_input if on_unused_input is not None else config.on_unused_input
    if level not in ("raise", "warn", "ignore"):
        raise ValueError(f"on_unused_input must be 'raise', 'warn' or 'ignore', not {level!r}")
    if name is not None and not isinstance(name, str):
        raise TypeError(f"function: name must be a string, not {name!r} of type {type(name).__name__}")
    roots = [*(o.variable for o in outs), *(e.update for e in entries if e.update is not None)]
    recipe = Recipe(
        inputs=entries, outputs=outs, form=form, givens=replacements, mode=get_mode(mode), name=name or None,
        updates=add_default_updates(pairs, roots, replacements, no_default_updates,
                                    [entry.variable for entry in entries]),
        origin=current_origin(), allow_input_downcast=allow_input_downcast, on_unused_input=level,
    )
    return make_function(recipe, bool(config.profile if profile is None else profile))
