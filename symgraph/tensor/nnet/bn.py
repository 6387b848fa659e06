"""Batch normalisation (Ioffe and Szegedy, 2015)."""

from __future__ import annotations

from typing import Any

from symgraph import scalar
from symgraph.graph.basic import Variable
from symgraph.tensor.basic import as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import cast, elemwise
from symgraph.tensor.reduce import mean as tensor_mean
from symgraph.tensor.reduce import normalize_axes
from symgraph.tensor.shape import shape_i
from symgraph.tensor.specify import addbroadcast

__all__ = ["batch_normalization", "batch_normalization_test", "batch_normalization_train", "layer_norm"]


def _axes(axes: Any, ndim: int, who: str) -> tuple[int, ...]:
    """The axes to normalise over, in order."""
    if isinstance(axes, str):
        if axes not in ("per-activation", "spatial"):
            raise ValueError(f"{who}: axes must be 'per-activation', 'spatial' or axes by number, not {axes!r}")
        axes = (0,) if axes == "per-activation" else (0, *range(2, ndim))
    found: tuple[int, ...] = normalize_axes(axes, ndim, who)
    if not found:
        raise ValueError(f"{who}: there must be an axis to normalise over, of {ndim} dimensions")
    return found


def _floats(x: Any, who: str) -> Any:
    variable = as_tensor_variable(x)
    if variable.type.numpy_dtype.kind != "f":
        raise TypeError(f"{who} takes a tensor of real floats, not {variable.type}")
    return variable


class _Layout:
    """How parameters lie beside the inputs: with the normalised axes of length 1, or without them.

    Parameters
    ----------
    inputs, gamma : TensorVariable
    axes : tuple of int
    who : str
        Of which function to speak in errors.
    """

    def __init__(self, inputs: Any, gamma: Any, axes: tuple[int, ...], who: str) -> None:
        self.ndim, self.axes, self.who = inputs.type.ndim, axes, who
        self.kept = [axis for axis in range(self.ndim) if axis not in axes]
        self.reduced = gamma.type.ndim != self.ndim

    def spread(self, parameter: Any, name: str) -> Any:
        """A parameter with as many axes as the inputs, stretched along the normalised ones."""
        variable = as_tensor_variable(parameter)
        wanted = len(self.kept) if self.reduced else self.ndim
        if variable.type.ndim != wanted:
            raise ValueError(
                f"{self.who}: {name} has {variable.type.ndim} dimensions; all parameters must have {self.ndim}, with "
                f"axes {self.axes} of length 1, or all {len(self.kept)}, without these")
        if not self.reduced:
            return addbroadcast(variable, *self.axes)
        return dimshuffle(variable, [self.kept.index(axis) if axis in self.kept else "x" for axis in range(self.ndim)])

    def gather(self, spread: Any) -> Any:
        """The inverse of `spread`."""
        return dimshuffle(spread, self.kept) if self.reduced else spread


def batch_normalization_train(inputs: Any, gamma: Any, beta: Any, axes: Any = "per-activation", epsilon: Any = 1e-4,
                              running_average_factor: Any = 0.1, running_mean: Any = None,
                              running_var: Any = None) -> tuple[Any, ...]:
    """The inputs, shifted and scaled to mean 0 and variance 1 along axes, then scaled by `gamma` and shifted by `beta`.

    Parameters
    ----------
    inputs : tensor of floats
    gamma, beta : tensor
        Of the inputs' rank with length 1 along `axes`, or without these axes.
    axes : 'per-activation', 'spatial' or sequence of int
        ``'per-activation'`` is the first axis; ``'spatial'`` all but the second.
    epsilon : float
        Added to the variance.
    running_average_factor : float
        How much of the new averages comes from this batch.
    running_mean, running_var : tensor, optional
        The averages so far, laid out as `gamma`.

    Returns
    -------
    out, mean, invstd : TensorVariable
        The result, the batch's mean, and 1 / sqrt(variance + epsilon), laid out as `gamma`.
    new_running_mean, new_running_var : TensorVariable
        When the averages so far are given: what to update them to. The variance is that of the population, estimated
        from the batch (divided by one less than the number of elements).

    Raises
    ------
    ValueError
        When ranks do not fit, axes are out of range, or one of the averages is given without the other.
    TypeError
        When the inputs are not of real floats.

    Examples
    --------
    >>> import numpy as np
    >>> out, mean, invstd = batch_normalization_train(np.array([[1.0], [3.0]]), np.ones(1), np.zeros(1), epsilon=0)
    >>> out.eval()
    array([[-1.],
           [ 1.]])
    """
    who = "batch_normalization_train"
    x, scale = _floats(inputs, who), as_tensor_variable(gamma)
    over = _axes(axes, x.type.ndim, who)
    layout = _Layout(x, scale, over, who)
    _positive(epsilon, who)
    if (running_mean is None) != (running_var is None):
        raise ValueError(f"{who}: running_mean and running_var must both be given, or neither")
    mean = tensor_mean(x, over, keepdims=True)
    centred = x - mean
    variance = tensor_mean(elemwise(scalar.sqr)(centred), over, keepdims=True)
    invstd = 1 / elemwise(scalar.sqrt)(variance + epsilon)
    out = centred * (layout.spread(scale, "gamma") * invstd) + layout.spread(beta, "beta")
    results = [out, layout.gather(mean), layout.gather(invstd)]
    if running_mean is not None:
        part = running_average_factor
        population = variance * _correction(x, over)
        for old, new, name in ((running_mean, mean, "running_mean"), (running_var, population, "running_var")):
            results.append(layout.gather(layout.spread(old, name) * (1 - part) + new * part))
    return tuple(results)


def _positive(epsilon: Any, who: str) -> None:
    if not isinstance(epsilon, Variable) and not epsilon >= 0:
        raise ValueError(f"{who}: epsilon must not be negative, but is {epsilon!r}")


def _correction(x: Any, axes: tuple[int, ...]) -> Any:
    """n / (n - 1) for n elements along axes; 1 for a single one."""
    count: Any = 1
    for axis in axes:
        count = shape_i(x, axis) * count
    ratio = cast(count, "float64") / elemwise(scalar.maximum)(count - 1, 1)
    return cast(ratio, x.type.dtype)


def batch_normalization_test(inputs: Any, gamma: Any, beta: Any, mean: Any, var: Any, axes: Any = "per-activation",
                             epsilon: Any = 1e-4) -> Any:
    """The inputs normalised by given averages: (inputs - mean) * gamma / sqrt(var + epsilon) + beta.

    Parameters
    ----------
    inputs : tensor of floats
    gamma, beta, mean, var : tensor
        Of the inputs' rank with length 1 along `axes`, or all without these axes.
    axes, epsilon
        As for `batch_normalization_train`.

    Returns
    -------
    TensorVariable
    """
    who = "batch_normalization_test"
    x, scale = _floats(inputs, who), as_tensor_variable(gamma)
    layout = _Layout(x, scale, _axes(axes, x.type.ndim, who), who)
    _positive(epsilon, who)
    std = elemwise(scalar.sqrt)(layout.spread(var, "var") + epsilon)
    return (x - layout.spread(mean, "mean")) * (layout.spread(scale, "gamma") / std) + layout.spread(beta, "beta")


def batch_normalization(inputs: Any, gamma: Any, beta: Any, mean: Any, std: Any, mode: str = "low_mem") -> Any:
    """(inputs - mean) * gamma / std + beta, the older form: everything broadcasts against the inputs.

    Parameters
    ----------
    inputs, gamma, beta, mean, std : tensor
    mode : {'low_mem', 'high_mem'}
        Accepted for Theano's programs; the result does not depend on it.
    """
    if mode not in ("low_mem", "high_mem"):
        raise ValueError(f"batch_normalization: mode must be 'low_mem' or 'high_mem', not {mode!r}")
    x, scale, shift, centre, spread = map(as_tensor_variable, (inputs, gamma, beta, mean, std))
    return (x - centre) * (scale / spread) + shift


def layer_norm(inputs: Any, gamma: Any = None, beta: Any = None, axes: Any = -1, epsilon: Any = 1e-5) -> Any:
    """The inputs, shifted and scaled to mean 0 and variance 1 along axes of each example (Ba, Kiros and Hinton, 2016).

    Parameters
    ----------
    inputs : tensor of floats
    gamma, beta : tensor, optional
        What to scale and shift by, of the shape of the normalised axes.
    axes : int or sequence of int
    epsilon : float
        Added to the variance.

    Returns
    -------
    TensorVariable

    Raises
    ------
    ValueError
        When ranks do not fit, axes are out of range, or `epsilon` is negative.
    TypeError
        When the inputs are not of real floats.

    Examples
    --------
    >>> layer_norm([[1.0, 3.0], [0.0, 8.0]], epsilon=0).eval()
    array([[-1.,  1.],
           [-1.,  1.]])
    """
    x = _floats(inputs, "layer_norm")
    over = _axes(axes, x.type.ndim, "layer_norm")
    _positive(epsilon, "layer_norm")
    centred = x - tensor_mean(x, over, keepdims=True)
    variance = tensor_mean(elemwise(scalar.sqr)(centred), over, keepdims=True)
    out = centred / elemwise(scalar.sqrt)(variance + epsilon)
    order = [over.index(axis) if axis in over else "x" for axis in range(x.type.ndim)]
    for parameter, name in ((gamma, "gamma"), (beta, "beta")):
        if parameter is None:
            continue
        v = as_tensor_variable(parameter)
        if v.type.ndim != len(over):
            raise ValueError(f"layer_norm: {name} must have a dimension for each of the axes {over}, but is {v.type}")
        spread = dimshuffle(v, order)
        out = out * spread if name == "gamma" else out + spread
    return out
