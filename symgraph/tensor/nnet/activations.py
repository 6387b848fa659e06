"""Activations newer than Theano, under the field's usual names, and piecewise approximations of the sigmoid."""

from __future__ import annotations

from math import pi, sqrt
from typing import Any

from symgraph import scalar
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.elemwise import cast, elemwise

__all__ = [
    "gelu", "hard_swish", "leaky_relu", "log_sigmoid", "mish", "silu", "softminus", "swish", "ultra_fast_sigmoid",
]

_sigmoid, _softplus, _switch = elemwise(scalar.sigmoid), elemwise(scalar.softplus), elemwise(scalar.switch)


def gelu(x: Any, approximate: bool | str = False) -> Any:
    """x times the probability that a standard normal variable is below x (Hendrycks and Gimpel, 2016).

    Parameters
    ----------
    x : tensor-like
    approximate : bool or {'none', 'tanh'}
        True or ``'tanh'``: the paper's approximation, 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x**3))).

    Raises
    ------
    ValueError
        For another `approximate`.

    Examples
    --------
    >>> gelu([-1.0, 0.0, 1.0]).eval().round(4)
    array([-0.1587,  0.    ,  0.8413])
    """
    if approximate not in (True, False, "none", "tanh"):
        raise ValueError(f"gelu: approximate must be True, False, 'none' or 'tanh', not {approximate!r}")
    v = as_tensor_variable(x)
    if approximate in (True, "tanh"):
        inner = sqrt(2 / pi) * (v + 0.044715 * (v * v * v))
        return 0.5 * v * (1 + elemwise(scalar.tanh)(inner))
    return 0.5 * v * elemwise(scalar.erfc)(v * -sqrt(0.5))  # 1 + erf would cancel for negative x


def silu(x: Any) -> Any:
    """x * sigmoid(x) (Elfwing, Uchibe and Doya, 2018)."""
    v = as_tensor_variable(x)
    return v * _sigmoid(v)


def swish(x: Any, beta: Any = 1) -> Any:
    """x * sigmoid(beta * x); `silu` for beta = 1 (Ramachandran, Zoph and Le, 2017)."""
    v = as_tensor_variable(x)
    return silu(v) if isinstance(beta, (int, float)) and beta == 1 else v * _sigmoid(beta * v)


def mish(x: Any) -> Any:
    """x * tanh(softplus(x)) (Misra, 2019)."""
    v = as_tensor_variable(x)
    return v * elemwise(scalar.tanh)(_softplus(v))


def hard_swish(x: Any) -> Any:
    """x * clip(x + 3, 0, 6) / 6 (Howard and others, 2019)."""
    v = as_tensor_variable(x)
    return v * (elemwise(scalar.clip)(v + 3, 0, 6) / 6)


def log_sigmoid(x: Any) -> Any:
    """log(sigmoid(x)), computed without leaving the range of floats."""
    v = as_tensor_variable(x)
    if v.type.is_discrete:  # an unsigned integer has no negative
        v = cast(v, _softplus(v).type.dtype)
    return -_softplus(-v)


def softminus(x: Any) -> Any:
    """x - softplus(x), which is `log_sigmoid`."""
    return log_sigmoid(x)


def leaky_relu(x: Any, alpha: Any = 0.01) -> Any:
    """x where positive, else alpha * x; a tensor `alpha`, which may be learned, broadcasts (He and others, 2015)."""
    v = as_tensor_variable(x)
    return _switch(v > 0, v, alpha * v)


def ultra_fast_sigmoid(x: Any) -> Any:
    """The sigmoid of Theano's name: a hyperbola near 0, then a straight line, then a constant; off by 0.03 at most.

    Its derivative is that of these pieces. Of NaN it is NaN.

    Examples
    --------
    >>> ultra_fast_sigmoid([-9.0, 0.0, 2.0]).eval().round(4)
    array([0.0025, 0.5   , 0.875 ])
    """
    half = as_tensor_variable(x) * 0.5
    size = elemwise(scalar.abs)(half)
    line = 0.935409070603099 + 0.0458812946797165 * (size - 1.7)
    curve = _switch(size < 1.7, 1.5 * size / (1 + size), _switch(size < 3, line, 0.99505475368673))
    value = 0.5 * (1 + _switch(half < 0, -curve, curve))
    return _switch(elemwise(scalar.isnan)(half), half, value)
