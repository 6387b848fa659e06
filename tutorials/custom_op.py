"""Operations and types of one's own: what to write when the operation you need is not there.

Run it with ``python -m tutorials.custom_op`` and read the output beside this file. ``--size N`` sets the number of
elements. From the least effort to the most control: a function of arrays (`as_op`), a gradient for a function of
symbols (`custom_gradient`), an `Op` with everything, and a `Type` for values that are no arrays.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.testing import verify_grad

__all__ = ["Logit", "Polynomial", "PolynomialAt", "PolynomialType", "main", "median_of", "polynomial", "step"]


def heading(number: int, title: str) -> None:
    """Print the title of a step."""
    print(f"\n{number}. {title}\n{'-' * (len(title) + 3)}")


# ---- 1. A function of arrays becomes an operation. It has no gradient. ----------------------------------------------


@sg.as_op(itypes=[T.dmatrix], otypes=[T.dvector], infer_shape=lambda node, shapes: [shapes[0][:1]])
def median_of(rows: Any) -> Any:
    """The median of each row, by NumPy."""
    return np.median(rows, axis=1)


# ---- 2. A function of symbols gets a gradient of its own. -----------------------------------------------------------


@sg.custom_gradient(lambda inputs, outputs, gradients: gradients[0] * (abs(inputs[0]) <= 1))
def step(x: Any) -> Any:
    """1 where x is positive, else 0: flat, so that its true gradient is zero everywhere and nothing could be learned.

    The gradient given lets the cost pass where x is small, as if the step were a ramp.
    """
    return T.cast(x > 0, x.dtype)


# ---- 3. An operation with everything. -------------------------------------------------------------------------------


class Logit(sg.Op):
    """log((x - low) / (high - x)), elementwise."""

    #: What tells two of them apart: equality, hash and printing follow.
    __props__ = ("low", "high")

    def __init__(self, low: float = 0.0, high: float = 1.0) -> None:
        self.low, self.high = low, high

    def make_node(self, x: Any) -> sg.Apply:
        """Check the input while the user builds, and say of what type the output is."""
        x = T.as_tensor_variable(x)
        if x.dtype not in ("float32", "float64"):
            raise TypeError(f"Logit takes float32 or float64, not {x.dtype}")
        return sg.Apply(self, [x], [x.type()])

    def perform(self, node: sg.Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """Compute. The result must be an array of the type that make_node promised."""
        (x,) = inputs
        result = np.log((x - self.low) / (self.high - x))
        output_storage[0][0] = np.asarray(result, dtype=node.outputs[0].type.dtype)

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        """The chain rule: symbols in, symbols out, so that it can be differentiated again."""
        (x,), (g,) = inputs, output_gradients
        return [g * (1 / (x - self.low) + 1 / (self.high - x))]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> list[Any]:
        """The derivative in a direction. This may be left out: it follows from L_op, in two passes."""
        return self.L_op(inputs, [], eval_points)

    def infer_shape(self, node: sg.Apply, input_shapes: list[Any]) -> list[Any]:
        """With this, the shape of the result is known without computing the result."""
        return input_shapes


# ---- 4. Values that are no arrays: a type, and operations on it. ----------------------------------------------------


class Polynomial(np.polynomial.Polynomial):
    """NumPy's polynomials: values with coefficients, a domain, and arithmetic."""


class PolynomialType(sg.Type):
    """The type of polynomials."""

    def filter(self, value: Any, strict: bool = False, allow_downcast: bool | None = None) -> Any:
        """A value as a polynomial, or an error that says why it is none."""
        if isinstance(value, Polynomial):
            return value
        if strict:
            raise TypeError(f"expected a Polynomial, got {type(value).__name__}")
        return Polynomial(value)  # from a list of coefficients

    def values_eq(self, a: Any, b: Any) -> bool:
        """DebugMode asks whether two values are one."""
        return bool(a == b)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))

    def __repr__(self) -> str:
        return "polynomial"


polynomial = PolynomialType()


class PolynomialAt(sg.Op):
    """The value of a polynomial at places. It can be differentiated by the places."""

    __props__ = ()
    itypes, otypes = (polynomial, T.dvector), (T.dvector,)

    def perform(self, node: sg.Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """One polynomial, many places."""
        p, x = inputs
        output_storage[0][0] = p(x)

    def connection_pattern(self, node: sg.Apply) -> list[list[bool]]:
        """No gradient flows to the polynomial."""
        return [[False], [True]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> list[Any]:
        """By the polynomial's derivative, which is a polynomial again."""
        (p, x), (g,) = inputs, output_gradients
        return [sg.gradient.DisconnectedType()(), g * PolynomialAt()(Derivative()(p), x)]


class Derivative(sg.Op):
    """The derivative of a polynomial."""

    __props__ = ()
    itypes, otypes = (polynomial,), (polynomial,)

    def perform(self, node: sg.Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        """By NumPy."""
        output_storage[0][0] = inputs[0].deriv()


# ---- the tour -------------------------------------------------------------------------------------------------------


def functions_of_arrays(rng: np.random.Generator, size: int) -> None:
    """Step 1."""
    heading(1, "A function of arrays: as_op")
    m = T.dmatrix("m")
    f = sg.function([m], [median_of(m).sum(), median_of(m).shape[0]])
    total, rows = f(rng.normal(size=(4, size)))
    print(f"the medians of {int(rows)} rows add up to {float(total):.3f}")
    try:
        sg.grad(median_of(m).sum(), m)
    except Exception as error:
        print(f"its gradient: {type(error).__name__}, {error}")


def gradients_of_ones_own(rng: np.random.Generator, size: int) -> float:
    """Step 2: a step that learns."""
    heading(2, "A gradient of one's own: custom_gradient")
    x, t = T.dmatrix("x"), T.dvector("t")
    w = sg.shared(np.array([0.3, 0.1]), name="w")
    cost = ((step(x @ w) - t) ** 2).mean()
    train = sg.function([x, t], cost, updates=[(w, w - 0.5 * sg.grad(cost, w))])
    points = rng.normal(size=(max(size, 50), 2))
    labels = (points @ [1.0, -1.0] > 0).astype(float)
    errors = [float(train(points, labels)) for _ in range(100)]
    print(f"the part of points on the wrong side falls from {errors[0]:.2f} to {errors[-1]:.2f}")
    return errors[-1]


def operations(rng: np.random.Generator, size: int) -> None:
    """Step 3."""
    heading(3, "An operation with everything: Op")
    x = T.dvector("x")
    y = Logit(0.0, 2.0)(x)
    f = sg.function([x], [y, sg.grad(y.sum(), x), y.shape[0]])
    places = rng.uniform(0.1, 1.9, size)
    value, slope, _ = f(places)
    print(f"{y.owner.op} of {places[0]:.3f} is {value[0]:.3f}, its slope there {slope[0]:.3f}")
    verify_grad(Logit(0.0, 2.0), [places[:20]], rng=rng)
    print("its derivatives agree with finite differences")
    checked = sg.function([x], sg.hessian(y.sum(), x), mode="DebugMode")
    print(f"and DebugMode finds nothing wrong; second derivatives: {np.diag(checked(places[:3])).round(3)}")
    print(f"one function, for many vectors at once: {sg.vmap(Logit(0.0, 2.0))(T.dmatrix('many')).type}")


def types(rng: np.random.Generator, size: int) -> float:
    """Step 4: Newton's method on polynomials that are symbolic inputs."""
    heading(4, "Values that are no arrays: Type")
    p, x = polynomial("p"), T.dvector("x")
    value = PolynomialAt()(p, x)
    slope = sg.grad(value.sum(), x)
    newton = sg.function([p, x], x - value / slope)
    place = rng.uniform(1.0, 2.0, size)
    for _ in range(20):
        place = newton([-2.0, 0.0, 1.0], place)  # x**2 - 2: a list of coefficients is converted by `filter`
    print(f"the root of x**2 - 2 is {place[0]:.12f}")
    return float(abs(place - np.sqrt(2)).max())


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tour; 0 when everything it promises came true."""
    parser = argparse.ArgumentParser(prog="python -m tutorials.custom_op", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=1000, help="how many elements (default 1000)")
    size = parser.parse_args(argv).size
    if size < 3:
        parser.error("--size must be at least 3")
    rng = np.random.default_rng(0)
    functions_of_arrays(rng, size)
    wrong = gradients_of_ones_own(rng, size)
    operations(rng, size)
    return int(wrong > 0.1 or types(rng, size) > 1e-9)


if __name__ == "__main__":
    raise SystemExit(main())
