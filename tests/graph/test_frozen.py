"""`frozen` agrees with the standard library's frozen dataclasses, but for what it is there to spare."""

from __future__ import annotations

import copy
import inspect
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, dataclass
from typing import Any, ClassVar

import pytest

from symgraph.graph.frozen import frozen
from symgraph.tensor.index import SliceSpec


def make(decorate: Callable[..., Any]) -> tuple[Any, Any]:
    @decorate
    class Base:
        kind: ClassVar[str] = "base"
        a: int
        b: str = "x"

    @decorate
    class Derived(Base):
        b: str = "y"
        c: tuple[int, ...] = ()

        def __post_init__(self) -> None:
            object.__setattr__(self, "c", tuple(self.c))

        def __repr__(self) -> str:
            return f"Derived of {self.a}"

    return Base, Derived


OURS, THEIRS = make(frozen), make(dataclass(frozen=True))


@pytest.mark.parametrize("arguments", [
    lambda cls: cls(1), lambda cls: cls(1, "z"), lambda cls: cls(b="z", a=1), lambda cls: cls(1, b="z"),
])
@pytest.mark.parametrize("place", [0, 1])
def test_objects_have_the_same_fields_and_text(arguments: Any, place: int) -> None:
    ours, theirs = arguments(OURS[place]), arguments(THEIRS[place])
    assert vars(ours) == vars(theirs)
    assert repr(ours) == repr(theirs)
    assert str(inspect.signature(type(ours))).replace(" ", "").split("->")[0].count(",") == len(vars(theirs)) - 1


@pytest.mark.parametrize("call", [
    lambda cls: cls(), lambda cls: cls(1, "x", (), 4), lambda cls: cls(1, a=2), lambda cls: cls(1, d=2),
])
@pytest.mark.parametrize("classes", [OURS, THEIRS], ids=["ours", "theirs"])
def test_calls_that_do_not_fit(call: Any, classes: tuple[Any, Any]) -> None:
    with pytest.raises(TypeError):
        call(classes[1])


@pytest.mark.parametrize("classes", [OURS, THEIRS], ids=["ours", "theirs"])
def test_equality_and_hash_go_by_class_and_fields(classes: tuple[Any, Any]) -> None:
    base, derived = classes
    assert base(1) == base(1, "x") != base(2)
    assert hash(base(1)) == hash(base(1, "x"))
    assert derived(1, "x") != base(1, "x")
    assert base(1) != 1
    assert len({base(1), base(1), base(2), derived(1)}) == 3
    with pytest.raises(TypeError, match="unhashable"):
        hash(base([]))


@pytest.mark.parametrize("classes", [OURS, THEIRS], ids=["ours", "theirs"])
def test_nothing_can_be_set_or_deleted(classes: tuple[Any, Any]) -> None:
    thing = classes[1](1)
    for name in ("a", "other"):
        with pytest.raises(FrozenInstanceError):
            setattr(thing, name, 2)
        with pytest.raises(FrozenInstanceError):
            delattr(thing, name)


def test_a_default_must_not_stand_before_what_has_none() -> None:
    with pytest.raises(TypeError, match="'b' has no default"):
        @frozen
        class Wrong:
            a: int = 1
            b: int


def test_a_class_without_equality_goes_by_identity() -> None:
    @frozen(eq=False)
    class Thing:
        a: int

    one = Thing(1)
    assert one == one != Thing(1)


def test_copies_and_pickles_are_equal() -> None:
    spec = SliceSpec(1, None, 2)
    assert hash(spec) == hash(copy.deepcopy(spec))
    again = pickle.loads(pickle.dumps(spec))
    assert again == spec
    assert hash(again) == hash(spec)


def test_a_pickle_does_not_carry_the_hash_to_another_process() -> None:
    spec = SliceSpec("a", "b")
    assert spec in {spec}
    program = ("import pickle, sys; from symgraph.tensor.index import SliceSpec; "
               f"assert pickle.loads({pickle.dumps(spec)!r}) in {{SliceSpec('a', 'b')}}")
    subprocess.run([sys.executable, "-c", program], check=True)
