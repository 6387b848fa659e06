"""RandomStreams: random tensors that differ at every call of a function, from a seed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from symgraph.random import choosing, continuous, discrete
from symgraph.random.draw import STATE, as_state
from symgraph.random.philox import Array, Seed, make_state, words
from symgraph.shared import SharedVariable, TensorSharedVariable, shared

__all__ = ["MRG_RandomStreams", "RandomStateSharedVariable", "RandomStreams"]

_SEEDS = (1 << 64) - 1  # the number of the stream that `gen_seed` draws from, which no tensor uses

Size = int | Sequence[Any] | Any


class RandomStateSharedVariable(TensorSharedVariable):
    """The state of a random tensor, so that programs can tell it from their other shared variables."""


class RandomStreams:
    """A source of random tensors.

    Each tensor drawn has a state of its own, a shared variable of three uint64 (`symgraph.random.philox`) with a
    default update: a function that computes the tensor draws new numbers at every call, and leaves the state where the
    next call, of this function or another, goes on. The numbers depend on the seed, on how many tensors were drawn
    from this object before, and on the calls, and on nothing else: neither the mode, nor the number of threads, nor
    the device.

    Parameters
    ----------
    seed : int or sequence of int, optional
        None takes one from the system.
    no_warn : bool
        Without effect; Theano's programs pass it.

    Attributes
    ----------
    state_updates : list of (shared variable, variable)
        The states of the tensors drawn so far, and what they become. A drawn tensor x has its state as ``x.rng``.
    default_instance_seed : int, sequence of int or None
        The seed.

    Notes
    -----
    A tensor is drawn once in a call, wherever it stands: under `symgraph.vmap`, too, it is the same for all rows.

    Every method takes ``size`` (an integer, a sequence of integers and scalars, or a symbolic vector; None for the
    shape the parameters have together), ``ndim`` (needed for a vector of unknown length), ``dtype`` and ``nstreams``
    (without effect; one generator serves any number of threads). See `symgraph.random.continuous`,
    `symgraph.random.discrete` and `symgraph.random.choosing` for the distributions, their derivatives and what they
    raise.

    Examples
    --------
    >>> import symgraph as sg
    >>> streams = RandomStreams(seed=42)
    >>> x = streams.normal((2,), dtype="float64")
    >>> f = sg.function([], x)
    >>> first, second = f(), f()
    >>> bool((first == second).any())
    False
    >>> streams.seed(42)
    >>> bool((f() == first).all())
    True
    """

    def __init__(self, seed: Seed = None, no_warn: bool = False) -> None:
        make_state(seed)  # refuse what is no seed
        self.state_updates: list[tuple[Any, Any]] = []
        self.default_instance_seed: Seed = _entropy() if seed is None else seed
        self._numbers: list[int] = []
        self._next = 0
        self._seeds_given = 0

    # ---- states ---------------------------------------------------------------------------------------------

    def updates(self) -> list[tuple[Any, Any]]:
        """The states of all tensors drawn, and what they become: for ``updates=``, where default updates are off."""
        return list(self.state_updates)

    def seed(self, seed: Seed = None) -> None:
        """Put every state back to its start, with another seed or (None) with the first one."""
        if seed is not None:
            make_state(seed)
            self.default_instance_seed = seed
        for number, (state, _) in zip(self._numbers, self.state_updates, strict=True):
            state.set_value(make_state(self.default_instance_seed, number), borrow=True)

    def gen_seed(self) -> int:
        """A seed for another object, that follows from this one's and differs at each call."""
        self._seeds_given += 1
        return int(words(make_state(self.default_instance_seed, _SEEDS), self._seeds_given, 1)[0])

    def __getitem__(self, state: SharedVariable) -> Array:
        """The present value of a state."""
        return self._own(state).get_value()

    def __setitem__(self, state: SharedVariable, value: Any) -> None:
        """Put a state to a value had from another, or from `symgraph.random.philox.make_state`."""
        self._own(state).set_value(value)

    def _own(self, state: Any) -> Any:
        for own, _ in self.state_updates:
            if own is state:
                return own
        raise KeyError(f"{state} is the state of no tensor drawn from this object")

    def gen(self, function: Callable[..., tuple[Any, Any]], *args: Any, **options: Any) -> Any:
        """Draw a tensor by a function ``(state, *args, **options)`` to the state after it and the tensor."""
        state = shared(make_state(self.default_instance_seed, self._next), name=f"rng{self._next}", shape=STATE.shape)
        state.__class__ = RandomStateSharedVariable
        after, drawn = function(as_state(state), *args, **options)
        state.default_update = after
        drawn.rng, drawn.update = state, (state, after)
        self.state_updates.append((state, after))
        self._numbers.append(self._next)
        self._next += 1
        return drawn

    # ---- continuous -----------------------------------------------------------------------------------------

    def uniform(self, size: Size = None, low: Any = 0.0, high: Any = 1.0, ndim: int | None = None, dtype: Any = None,
                nstreams: Any = None) -> Any:
        """Uniform numbers in [low, high)."""
        return self.gen(continuous.uniform, size, low, high, ndim, dtype)

    def normal(self, size: Size = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None, dtype: Any = None,
               nstreams: Any = None, truncate: bool = False) -> Any:
        """Normal numbers; with `truncate`, those within two standard deviations."""
        return self.gen(continuous.truncated_normal if truncate else continuous.normal, size, avg, std, ndim, dtype)

    def truncated_normal(self, size: Size = None, avg: Any = 0.0, std: Any = 1.0, ndim: int | None = None,
                         dtype: Any = None, nstreams: Any = None) -> Any:
        """Normal numbers at most two standard deviations from the mean."""
        return self.gen(continuous.truncated_normal, size, avg, std, ndim, dtype)

    def lognormal(self, size: Size = None, mean: Any = 0.0, sigma: Any = 1.0, ndim: int | None = None,
                  dtype: Any = None) -> Any:
        """Numbers whose logarithms are normal."""
        return self.gen(continuous.lognormal, size, mean, sigma, ndim, dtype)

    def exponential(self, size: Size = None, scale: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Any:
        """Exponential numbers of a mean."""
        return self.gen(continuous.exponential, size, scale, ndim, dtype)

    def laplace(self, size: Size = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
                dtype: Any = None) -> Any:
        """Laplace numbers."""
        return self.gen(continuous.laplace, size, loc, scale, ndim, dtype)

    def logistic(self, size: Size = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
                 dtype: Any = None) -> Any:
        """Logistic numbers."""
        return self.gen(continuous.logistic, size, loc, scale, ndim, dtype)

    def gumbel(self, size: Size = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
               dtype: Any = None) -> Any:
        """Gumbel numbers."""
        return self.gen(continuous.gumbel, size, loc, scale, ndim, dtype)

    def cauchy(self, size: Size = None, loc: Any = 0.0, scale: Any = 1.0, ndim: int | None = None,
               dtype: Any = None) -> Any:
        """Cauchy numbers."""
        return self.gen(continuous.cauchy, size, loc, scale, ndim, dtype)

    def weibull(self, size: Size = None, shape: Any = 1.0, scale: Any = 1.0, ndim: int | None = None,
                dtype: Any = None) -> Any:
        """Weibull numbers."""
        return self.gen(continuous.weibull, size, shape, scale, ndim, dtype)

    def gamma(self, size: Size = None, shape: Any = 1.0, scale: Any = 1.0, ndim: int | None = None,
              dtype: Any = None) -> Any:
        """Gamma numbers."""
        return self.gen(continuous.gamma, size, shape, scale, ndim, dtype)

    def chisquare(self, size: Size = None, df: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Any:
        """Chi-square numbers."""
        return self.gen(continuous.chisquare, size, df, ndim, dtype)

    def beta(self, size: Size = None, a: Any = 1.0, b: Any = 1.0, ndim: int | None = None, dtype: Any = None) -> Any:
        """Beta numbers."""
        return self.gen(continuous.beta, size, a, b, ndim, dtype)

    def dirichlet(self, size: Size = None, alpha: Any = (1.0, 1.0), ndim: int | None = None, dtype: Any = None) -> Any:
        """Vectors that sum to 1, along a last axis as long as that of `alpha`."""
        return self.gen(continuous.dirichlet, size, alpha, ndim, dtype)

    # ---- integers -------------------------------------------------------------------------------------------

    def binomial(self, size: Size = None, n: Any = 1, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64",
                 nstreams: Any = None, prob: Any = None) -> Any:
        """How many of n trials succeed; `prob` is an older name of p."""
        return self.gen(discrete.binomial, size, n, p if prob is None else prob, ndim, dtype)

    def bernoulli(self, size: Size = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64") -> Any:
        """1 with probability p, else 0."""
        return self.gen(discrete.bernoulli, size, p, ndim, dtype)

    def random_integers(self, size: Size = None, low: Any = 0, high: Any = 1, ndim: int | None = None,
                        dtype: Any = "int64") -> Any:
        """Integers in [low, high]."""
        return self.gen(discrete.random_integers, size, low, high, ndim, dtype)

    def integers(self, size: Size = None, low: Any = 0, high: Any = None, ndim: int | None = None,
                 dtype: Any = "int64") -> Any:
        """Integers in [low, high), or in [0, low)."""
        return self.gen(discrete.integers, size, low, high, ndim, dtype)

    def poisson(self, size: Size = None, lam: Any = 1.0, ndim: int | None = None, dtype: Any = "int64") -> Any:
        """Poisson numbers of a mean."""
        return self.gen(discrete.poisson, size, lam, ndim, dtype)

    def geometric(self, size: Size = None, p: Any = 0.5, ndim: int | None = None, dtype: Any = "int64") -> Any:
        """The number of the first trial that succeeds."""
        return self.gen(discrete.geometric, size, p, ndim, dtype)

    # ---- elements, orders, categories -----------------------------------------------------------------------

    def choice(self, size: Size = None, a: Any = 2, replace: bool = True, p: Any = None, ndim: int | None = None,
               dtype: Any = "int64", nstreams: Any = None) -> Any:
        """Elements of `a`, or integers below it."""
        return self.gen(choosing.choice, size, a, replace, p, ndim, dtype)

    def permutation(self, size: Size = None, n: Any = 1, ndim: int | None = None, dtype: Any = "int64") -> Any:
        """Random orders of the integers below n, or of the slices of a tensor."""
        return self.gen(choosing.permutation, size, n, ndim, dtype)

    def shuffle_row_elements(self, input: Any) -> Any:
        """A tensor with each row, along its last axis, in a random order."""
        return self.gen(choosing.shuffle_row_elements, input)

    def multinomial(self, size: Size = None, n: Any = 1, pvals: Any = (0.5, 0.5), ndim: int | None = None,
                    dtype: Any = "int64", nstreams: Any = None) -> Any:
        """How many of n things fall into each category, along a last axis."""
        return self.gen(choosing.multinomial, size, n, pvals, ndim, dtype)

    def multinomial_wo_replacement(self, size: Size = None, n: Any = 1, pvals: Any = (0.5, 0.5), replace: bool = False,
                                   ndim: int | None = None, dtype: Any = "int64", nstreams: Any = None) -> Any:
        """n categories for each row of `pvals`: different ones, unless `replace`."""
        if replace:
            return self.gen(choosing.choice, n, None, True, pvals, ndim, dtype)
        return self.gen(choosing.multinomial_wo_replacement, size, n, pvals, ndim, dtype)


def _entropy() -> int:
    return int(make_state(None)[0])


class MRG_RandomStreams(RandomStreams):
    """`RandomStreams` with the defaults and the further methods of Theano's class of this name; the generator is the
    same.

    Parameters
    ----------
    seed : int or sequence of int
    use_cuda : bool, optional
        Without effect: numbers are drawn where the function runs.

    Examples
    --------
    >>> import numpy as np
    >>> x = MRG_RandomStreams(1).choice(size=2, p=np.array([[0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]), replace=False)
    >>> x.eval()
    array([[0, 1],
           [2, 1]])
    """

    def __init__(self, seed: Seed = 12345, use_cuda: bool | None = None) -> None:
        super().__init__(seed)

    @property
    def rstate(self) -> Array:
        """The state that the next tensor starts from."""
        return make_state(self.default_instance_seed, self._next)

    def set_rstate(self, seed: Seed) -> None:
        """The seed of tensors drawn from now on, which are counted anew."""
        make_state(seed)
        self.default_instance_seed, self._next = seed, 0

    def inc_rstate(self) -> None:
        """Leave out the state that the next tensor would have started from."""
        self._next += 1

    def get_substream_rstates(self, n_streams: int, dtype: Any = None, inc_rstate: bool = True) -> Array:
        """An array of the states that the next tensors would start from, which are left out unless told otherwise."""
        if n_streams < 1:
            raise ValueError(f"the number of streams must be positive, not {n_streams}")
        first = self._next
        if inc_rstate:
            self._next += n_streams
        return np.stack([make_state(self.default_instance_seed, first + i) for i in range(n_streams)])

    def choice(self, size: Size = 1, a: Any = None, replace: bool = True, p: Any = None, ndim: int | None = None,
               dtype: Any = "int64", nstreams: Any = None) -> Any:
        """Elements of `a`, integers below it, or (None) as many integers as there are probabilities."""
        return super().choice(size, a, replace, p, ndim, dtype)
