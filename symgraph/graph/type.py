"""Type: a set of run-time values, with its zero and its sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from symgraph.graph.basic import Apply, Constant, Variable

__all__ = ["DisconnectedType", "NullType", "Type"]


class Type:
    """A set of run-time values that a `Variable` may take.

    A subclass says how a value is checked (`filter`), and, where it has gradients, what its zero and its sum are.
    Types compare by value: two variables of equal types are interchangeable in a graph.
    """

    variable_class: ClassVar[type[Variable]]
    constant_class: ClassVar[type[Constant]]

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """Return `value` as a member of this type.

        Parameters
        ----------
        value : object
            What a caller passed.
        strict : bool
            Accept only values that already are members, unchanged.
        allow_downcast : bool or None
            Whether a conversion may lose precision; None allows it for Python floats only.

        Raises
        ------
        TypeError
            When `value` cannot be a member.
        """
        return value

    def is_valid_value(self, value: Any) -> bool:
        """Whether `value` is a member of this type as it is."""
        try:
            self.filter(value, strict=True)
        except (TypeError, ValueError):
            return False
        return True

    def filter_variable(self, other: Any) -> Variable:
        """Return `other` as a symbolic variable of this type, or raise `TypeError`."""
        from symgraph.graph.basic import Variable

        if isinstance(other, Variable):
            if self.is_super(other.type):
                return other
            raise TypeError(f"cannot use a variable of type {other.type} where {self} is wanted")
        return self.constant(other)

    def is_super(self, other: Type) -> bool:
        """Whether every value of `other` is a value of this type."""
        return self == other

    def constant(self, value: Any, name: str | None = None) -> Constant:
        """A constant of this type."""
        return self.constant_class(self, self.filter(value), name)

    def make_variable(self, name: str | None = None, owner: Apply | None = None, index: int | None = None) -> Variable:
        """A new symbolic variable of this type."""
        return self.variable_class(self, owner, index, name)

    def __call__(self, name: str | None = None) -> Variable:
        """A new symbolic variable of this type; as an input, it carries the user's line."""
        from symgraph.graph.origin import current_origin

        variable = self.make_variable(name)
        variable.origin = current_origin()
        return variable

    # What the chain rule asks. A type without gradients keeps these.

    def zeros_like(self, variable: Variable) -> Variable:
        """The gradient of a cost that does not depend on `variable`."""
        raise TypeError(f"variables of type {self} have no gradient")

    def add_terms(self, terms: list[Variable]) -> Variable:
        """The sum of gradient contributions to one variable."""
        raise TypeError(f"variables of type {self} have no gradient")

    def check_gradient(self, variable: Variable, gradient: Variable) -> Variable:
        """Return `gradient` as a gradient of `variable` must be, or raise `TypeError`/`ValueError`."""
        return gradient

    def seed(self, variable: Variable) -> Variable:
        """The derivative of a cost by itself."""
        raise TypeError(f"a cost must be a floating-point scalar, not of type {self}")

    def gradient_type(self) -> Type:
        """The type of a gradient of a variable of this type."""
        return self

    def values_eq(self, a: Any, b: Any) -> bool:
        """Whether two values are the same."""
        return bool(a == b)

    def values_eq_approx(self, a: Any, b: Any) -> bool:
        """Whether two values are the same up to rounding."""
        return self.values_eq(a, b)


class _Marker(Type):
    """A type that stands in a gradient for the absence of one; it has no values."""

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        raise TypeError(f"{self!r} has no values: it marks a gradient that does not exist")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return type(self).__name__


class DisconnectedType(_Marker):
    """The gradient with respect to something the cost does not depend on at all."""


class NullType(_Marker):
    """The gradient of something that has none: undefined, or not written yet.

    Parameters
    ----------
    why : str
        The reason, shown when the gradient is used.
    """

    def __init__(self, why: str = "") -> None:
        self.why = why
