"""Random numbers in graphs, from one counter-based generator.

`RandomStreams` draws tensors that differ at every call. Below it are functions from a state to the state after a draw
and the numbers (`uniform`, `normal`, ...), for programs that keep the state themselves; `make_state` makes one of a
seed.
"""

from symgraph.random.choosing import choice, multinomial, multinomial_wo_replacement, permutation, shuffle_row_elements
from symgraph.random.continuous import (
    beta,
    cauchy,
    chisquare,
    dirichlet,
    exponential,
    gamma,
    gumbel,
    laplace,
    logistic,
    lognormal,
    normal,
    truncated_normal,
    uniform,
    weibull,
)
from symgraph.random.discrete import bernoulli, binomial, geometric, integers, poisson, random_integers
from symgraph.random.philox import make_state
from symgraph.random.streams import MRG_RandomStreams, RandomStreams

__all__ = [
    "MRG_RandomStreams", "RandomStreams", "bernoulli", "beta", "binomial", "cauchy", "chisquare", "choice", "dirichlet",
    "exponential", "gamma", "geometric", "gumbel", "integers", "laplace", "logistic", "lognormal", "make_state",
    "multinomial", "multinomial_wo_replacement", "normal", "permutation", "poisson", "random_integers",
    "shuffle_row_elements", "truncated_normal", "uniform", "weibull",
]
