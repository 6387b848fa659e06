"""`frozen`: a frozen dataclass that costs nothing to define.

The standard library's decorator writes and compiles the source of five methods for each class, about a millisecond;
a hundred operations would be most of the time it takes to import the package. Here all classes share one set of
methods, and an object keeps its hash once it is known, as operations are looked up again and again.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import FrozenInstanceError
from operator import attrgetter
from typing import Any, TypeVar, dataclass_transform, overload

__all__ = ["frozen"]

C = TypeVar("C")

_HASH = "_hash"  # where an object keeps it


@overload
@dataclass_transform(eq_default=True, frozen_default=True)
def frozen(cls: type[C]) -> type[C]: ...
@overload
@dataclass_transform(eq_default=True, frozen_default=True)
def frozen(*, repr: bool = True, eq: bool = True) -> Callable[[type[C]], type[C]]: ...


def frozen(cls: Any = None, *, repr: bool = True, eq: bool = True) -> Any:
    """Make a class of its annotated attributes: objects take them as arguments, and never change.

    What the class itself defines stays, but for ``__init__``. The names of the fields, those of the bases first, are
    the keys of ``_fields``. ``__post_init__`` is called where there is one.

    Parameters
    ----------
    cls : type
    repr : bool
        Whether objects show their fields, as ``Name(field=value)``.
    eq : bool
        Whether objects of the class with equal fields are equal, and have equal hashes.

    Raises
    ------
    TypeError
        When a field without a default follows one that has a default.

    Examples
    --------
    >>> @frozen
    ... class Point:
    ...     x: float
    ...     y: float = 0.0
    >>> Point(1.0) == Point(1.0, y=0.0), Point(2.0)
    (True, Point(x=2.0, y=0.0))
    >>> Point(1.0).x = 3.0
    Traceback (most recent call last):
        ...
    dataclasses.FrozenInstanceError: cannot assign to field 'x'
    """
    return _frozen(cls, repr, eq) if cls is not None else lambda decorated: _frozen(decorated, repr, eq)


def _frozen(cls: Any, repr: bool, eq: bool) -> Any:
    defaults = _defaults(cls)
    cls._fields = defaults
    cls.__init__ = _initializer(defaults, hasattr(cls, "__post_init__"))
    cls.__signature__ = _Signature()
    cls.__setattr__, cls.__delattr__ = _refuse_to_set, _refuse_to_delete
    own = vars(cls)
    if repr and "__repr__" not in own:
        cls.__repr__ = _shown
    if eq and "__eq__" not in own:
        cls.__eq__, cls.__hash__ = _comparisons(tuple(defaults))
    if cls.__getstate__ is object.__getstate__:
        cls.__getstate__ = _state
    return cls


def _defaults(cls: type) -> dict[str, Any]:
    """The fields, each with its default or `inspect.Parameter.empty`."""
    found: dict[str, Any] = {}
    for base in cls.__mro__[:0:-1]:
        if "_fields" in vars(base):
            found.update(vars(base)["_fields"])
    for name, kind in inspect.get_annotations(cls).items():
        if "ClassVar[" not in str(kind):
            found[name] = vars(cls).get(name, found.get(name, inspect.Parameter.empty))
    optional = ""
    for name, default in found.items():
        if default is not inspect.Parameter.empty:
            optional = name
        elif optional:
            raise TypeError(f"{cls.__name__}: the field {name!r} has no default, but {optional!r} before it has one")
    return found


def _initializer(defaults: Mapping[str, Any], checks: bool) -> Callable[..., None]:
    """An ``__init__`` that takes these fields."""
    names, last = tuple(defaults), tuple(defaults.values())
    count = len(names)
    needed = sum(value is inspect.Parameter.empty for value in last)

    def __init__(self: Any, *args: Any, **options: Any) -> None:
        if options or not needed <= len(args) <= count:
            args = _bound(type(self), args, options)
        elif len(args) < count:
            args += last[len(args):]
        self.__dict__.update(zip(names, args))  # noqa: B905  (of one length, and this is where time counts)
        if checks:
            self.__post_init__()

    return __init__


def _bound(cls: Any, args: Sequence[Any], options: Mapping[str, Any]) -> tuple[Any, ...]:
    """The value of each field, from the arguments of a call."""
    names, defaults = tuple(cls._fields), cls._fields
    if len(args) > len(names):
        raise TypeError(f"{cls.__name__}() takes {len(names)} arguments, not {len(args)}")
    for name in options:
        if name not in defaults:
            raise TypeError(f"{cls.__name__}() takes no argument {name!r}")
        if name in names[: len(args)]:
            raise TypeError(f"{cls.__name__}() got two values for the argument {name!r}")
    rest = [options[name] if name in options else defaults[name] for name in names[len(args):]]
    missing = [name for name, value in zip(names[len(args):], rest, strict=True) if value is inspect.Parameter.empty]
    if missing:
        raise TypeError(f"{cls.__name__}() lacks the argument{'s' * (len(missing) > 1)} {', '.join(missing)}")
    return *args, *rest


def _comparisons(names: tuple[str, ...]) -> tuple[Callable[..., Any], Callable[..., int]]:
    """``__eq__`` and ``__hash__`` by these fields."""
    values: Callable[[Any], tuple[Any, ...]]
    if len(names) > 1:
        values = attrgetter(*names)
    else:
        def values(self: Any) -> tuple[Any, ...]:
            return tuple([getattr(self, name) for name in names])

    def __eq__(self: Any, other: object) -> Any:
        if self is other:
            return True
        return values(self) == values(other) if type(self) is type(other) else NotImplemented

    def __hash__(self: Any) -> int:
        try:
            return self._hash
        except AttributeError:
            known = self.__dict__[_HASH] = hash((type(self), values(self)))
            return known

    return __eq__, __hash__


def _state(self: Any) -> dict[str, Any]:
    """What is pickled: not the hash, which another process has another of."""
    return {key: value for key, value in self.__dict__.items() if key != _HASH}


def _shown(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"


def _refuse_to_set(self: Any, name: str, value: Any) -> None:
    if "_fields" in vars(type(self)) or name in self._fields:
        raise FrozenInstanceError(f"cannot assign to field {name!r}")
    object.__setattr__(self, name, value)


def _refuse_to_delete(self: Any, name: str) -> None:
    if "_fields" in vars(type(self)) or name in self._fields:
        raise FrozenInstanceError(f"cannot delete field {name!r}")
    object.__delattr__(self, name)


class _Signature:
    """The signature of a frozen class, worked out when somebody asks."""

    def __get__(self, instance: object, owner: Any) -> inspect.Signature:
        if instance is not None:  # how an object is called is another question
            raise AttributeError("__signature__")
        return inspect.Signature([
            inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=default)
            for name, default in owner._fields.items()
        ])
