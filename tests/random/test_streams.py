"""States, updates, seeds: the same seed gives the same numbers, wherever and however they are drawn."""

from __future__ import annotations

import importlib
import pickle
import threading
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.config import config
from symgraph.random import MRG_RandomStreams, RandomStreams, make_state

WEIGHTS = np.array([[0.2, 0.3, 0.5], [0.6, 0.4, 0.0]])
#: One call of every method.
CALLS: dict[str, Any] = {
    "uniform": lambda s, x: s.uniform((3, 40), x, 2.0),
    "normal": lambda s, x: s.normal((3, 40), x, 2.0),
    "truncated_normal": lambda s, x: s.truncated_normal((30,)),
    "lognormal": lambda s, x: s.lognormal((30,), 0.1),
    "exponential": lambda s, x: s.exponential((3, 40), x + 1),
    "laplace": lambda s, x: s.laplace((30,)),
    "logistic": lambda s, x: s.logistic((3, 40), x, dtype="float32"),
    "gumbel": lambda s, x: s.gumbel((30,)),
    "cauchy": lambda s, x: s.cauchy((30,)),
    "weibull": lambda s, x: s.weibull((30,), 2.0),
    "gamma": lambda s, x: s.gamma((3, 40), x + 0.5, 2.0),
    "chisquare": lambda s, x: s.chisquare((30,), 3),
    "beta": lambda s, x: s.beta((30,), 0.5, 0.5),
    "dirichlet": lambda s, x: s.dirichlet((30,), [1.0, 2.0, 3.0]),
    "bernoulli": lambda s, x: s.bernoulli((60,), 0.4),
    "binomial": lambda s, x: s.binomial((3, 40), 80, x),
    "poisson": lambda s, x: s.poisson((3, 40), 40 * x),
    "geometric": lambda s, x: s.geometric((60,), 0.1),
    "integers": lambda s, x: s.integers((60,), 100),
    "random_integers": lambda s, x: s.random_integers((60,), -50, 50),
    "choice": lambda s, x: s.choice((60,), 3, p=WEIGHTS[0]),
    "permutation": lambda s, x: s.permutation((4,), 12),
    "shuffle_row_elements": lambda s, x: s.shuffle_row_elements(T.outer(x, x)),
    "multinomial": lambda s, x: s.multinomial((30,), 90, WEIGHTS[0]),
    "multinomial_wo_replacement": lambda s, x: s.multinomial_wo_replacement(n=2, pvals=np.tile(WEIGHTS, (20, 1))),
}
AT = np.linspace(0.05, 0.95, 40)


def everything(mode: Any = None, seed: int = 1) -> Any:
    """A function of all of them, from a new object."""
    x = T.dvector("x")
    streams = RandomStreams(seed)
    return sg.function([x], {name: call(streams, x) for name, call in CALLS.items()}, mode=mode)


def same(first: Any, second: Any) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        assert value.dtype == second[name].dtype
        np.testing.assert_array_equal(value, second[name], err_msg=name)


@pytest.fixture(scope="module")
def wanted() -> Any:
    f = everything()
    return [f(AT) for _ in range(2)]


def test_every_method_is_here() -> None:
    assert set(CALLS) == {name for name in sg.random.__all__ if name.islower()} - {"make_state"}


def test_two_calls_differ_and_so_do_two_tensors(wanted: Any) -> None:
    first, second = wanted
    for name, value in first.items():
        assert (value != second[name]).any(), name
    streams = RandomStreams(1)
    a, b = sg.function([], [streams.normal((9,)), streams.normal((9,))])()
    assert (a != b).all()
    x = streams.normal((9,))
    c, d = sg.function([], [x, x])()
    np.testing.assert_array_equal(c, d)


@pytest.mark.parametrize("mode", ["None", "FAST_COMPILE", "FAST_RUN", "DebugMode", "NanGuardMode"])
def test_every_mode_gives_the_same_numbers(mode: str, wanted: Any) -> None:
    f = everything(mode)
    for values in wanted:
        same(f(AT), values)


def test_any_number_of_threads_gives_the_same_numbers() -> None:
    x = {}
    for threads in (1, 3):
        with sg.config.change_flags(threads=threads):
            streams = RandomStreams(3)
            f = sg.function([], [streams.normal((300, 1000)).sum(axis=0), streams.binomial((300_000,), 9, 0.4) * 2])
            x[threads] = f()
    for a, b in zip(x[1], x[3], strict=True):
        np.testing.assert_array_equal(a, b)


def test_calls_from_many_threads_share_one_stream_without_gaps() -> None:
    """Which call gets which numbers is open, but each part of the stream goes to one of them."""
    f = sg.function([], RandomStreams(5).integers((64,), 10**9))
    found: list[Any] = []
    workers = [threading.Thread(target=lambda: found.extend(f() for _ in range(10))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    g = sg.function([], RandomStreams(5).integers((64,), 10**9))
    assert sorted(v.tolist() for v in found) == sorted(g().tolist() for _ in range(40))


# ---- save and load -----------------------------------------------------------------------------------------------


def test_a_pickled_function_goes_on_where_it_was(wanted: Any) -> None:
    f = everything()
    f(AT)
    again = pickle.loads(pickle.dumps(f))
    same(again(AT), wanted[1])
    same(f(AT), wanted[1])


def test_pickled_streams_go_on_where_they_were() -> None:
    streams = RandomStreams([4, 5])
    x = streams.normal((5,))
    f = sg.function([], x)
    f()
    copied, y = pickle.loads(pickle.dumps((streams, x)))
    g = sg.function([], y)
    np.testing.assert_array_equal(f(), g())
    a, b = streams.uniform((4,)), copied.uniform((4,))
    np.testing.assert_array_equal(a.eval(), b.eval())
    copied.seed(8)
    streams.seed(8)
    np.testing.assert_array_equal(f(), g())


# ---- states ------------------------------------------------------------------------------------------------------


def test_a_state_is_read_and_put_back() -> None:
    streams = RandomStreams(6)
    x = streams.normal((5,))
    f = sg.function([], x)
    f()
    before = x.rng.get_value()
    first = f()
    assert before.tolist() == [6, 0, 2]
    assert x.rng.get_value().tolist() == [6, 0, 4]  # five numbers of float64 take two blocks
    x.rng.set_value(before)
    np.testing.assert_array_equal(f(), first)
    streams[x.rng] = before
    assert streams[x.rng].tolist() == before.tolist()
    np.testing.assert_array_equal(f(), first)
    x.rng.set_value(make_state(6))
    f()
    np.testing.assert_array_equal(f(), first)
    with pytest.raises(KeyError, match="no tensor drawn"):
        streams[RandomStreams(6).normal().rng]
    with pytest.raises((TypeError, ValueError), match="length 3"):
        x.rng.set_value(np.zeros(2, "uint64"))


def test_functions_that_share_a_stream_advance_it() -> None:
    x = RandomStreams(7).uniform((3,))
    f, g = sg.function([], x), sg.function([], x * 2)
    a, b, c = f(), g(), f()
    y = RandomStreams(7).uniform((3,))
    h = sg.function([], y)
    np.testing.assert_array_equal(a, h())
    np.testing.assert_array_equal(b, 2 * h())
    np.testing.assert_array_equal(c, h())


def test_no_default_updates() -> None:
    streams = RandomStreams(8)
    x, y = streams.uniform((3,)), streams.uniform((3,))
    still = sg.function([], [x, y], no_default_updates=True)
    a, b = still(), still()
    np.testing.assert_array_equal(a, b)
    half = sg.function([], [x, y], no_default_updates=[x.rng])
    c, d = half(), half()
    np.testing.assert_array_equal(c[0], d[0])
    np.testing.assert_array_equal(a, c)
    assert (c[1] != d[1]).all()


def test_updates_are_given_by_hand() -> None:
    streams = RandomStreams(9)
    x = streams.uniform((3,))
    assert streams.updates() == streams.state_updates == [(x.rng, x.rng.default_update)] == [x.update]
    f = sg.function([], x, updates=streams.updates(), no_default_updates=True)
    g = sg.function([], RandomStreams(9).uniform((3,)))
    for _ in range(2):
        np.testing.assert_array_equal(f(), g())


def test_a_failing_call_leaves_the_state() -> None:
    p = T.dscalar("p")
    x = RandomStreams(1).binomial((3,), 4, p)
    f = sg.function([p], x)
    with pytest.raises(ValueError, match="p must be in"):
        f(1.5)
    assert x.rng.get_value()[2] == 0


def test_seeding() -> None:
    streams = RandomStreams(10)
    x, y = streams.uniform((3,)), streams.normal((3,))
    f = sg.function([], [x, y])
    first = f()
    f()
    streams.seed()
    np.testing.assert_array_equal(f(), first)
    streams.seed(11)
    other = f()
    assert (other[0] != first[0]).all()
    fresh = RandomStreams(11)
    np.testing.assert_array_equal(sg.function([], [fresh.uniform((3,)), fresh.normal((3,))])(), other)
    with pytest.raises(ValueError, match="non-negative"):
        streams.seed(-1)
    assert RandomStreams().default_instance_seed != RandomStreams().default_instance_seed
    word: Any = "abc"
    with pytest.raises(TypeError, match="seed"):
        RandomStreams(word)


def test_seeds_from_seeds() -> None:
    a, b = RandomStreams(12), RandomStreams(12)
    seeds = [a.gen_seed() for _ in range(3)]
    assert len(set(seeds)) == 3
    assert seeds == [b.gen_seed() for _ in range(3)]


def test_functions_of_states() -> None:
    """The same numbers without any shared variable: the state is a value like others."""
    state = T.TensorType("uint64", (3,))("state")
    after, x = sg.random.normal(state, (5,), dtype="float64")
    f = sg.function([state], [after, x])
    g = sg.function([], RandomStreams(13).normal((5,), dtype="float64"))
    now = make_state(13)
    for _ in range(3):
        now, value = f(now)
        np.testing.assert_array_equal(value, g())
    with pytest.raises(TypeError, match="3 uint64"):
        sg.random.normal(T.dvector("v"), (5,))


def test_givens_replace_a_state() -> None:
    x = RandomStreams(14).uniform((3,))
    state = T.TensorType("uint64", (3,))("state")
    f = sg.function([state], x, givens={x.rng: state})
    np.testing.assert_array_equal(f(make_state(14)), sg.function([], x)())


# ---- Theano's names ----------------------------------------------------------------------------------------------


def test_theanos_module_paths() -> None:
    raw = importlib.import_module("symgraph.tensor.raw_random")
    module = importlib.import_module("symgraph.tensor.shared_randomstreams")
    from symgraph.sandbox.rng_mrg import MRG_RandomStreams as Named

    assert module is getattr(T, "shared_randomstreams")  # noqa: B009
    assert module.RandomStreams is RandomStreams
    assert raw is getattr(T, "raw_random") is sg.random  # noqa: B009
    assert Named is MRG_RandomStreams


def test_theanos_calls() -> None:
    x = T.matrix("x")
    streams = MRG_RandomStreams(seed=1234, use_cuda=False)
    mask = streams.binomial(size=x.shape, n=1, p=0.5, ndim=2, dtype=config.floatX, nstreams=None)
    noisy = sg.function([x], x * mask)(np.ones((50, 40), config.floatX))
    assert set(np.unique(noisy)) == {0, 1}
    assert noisy.dtype == config.floatX
    sample = streams.multinomial(n=1, pvals=T.nnet.softmax(x), dtype=config.floatX)
    drawn = sg.function([x], sample)(np.zeros((5, 3), config.floatX))
    np.testing.assert_array_equal(drawn.sum(axis=1), np.ones(5))
    truncated = streams.normal(size=(1000,), avg=1.0, std=0.5, truncate=True)
    assert abs(truncated.eval() - 1).max() <= 1
    theano = RandomStreams(seed=np.int64(3))
    assert theano.binomial(size=(2,), n=1, prob=1.0).eval().tolist() == [1, 1]


def test_states_of_mrg() -> None:
    streams = MRG_RandomStreams(3)
    assert streams.rstate.tolist() == [3, 0, 0]
    assert streams.get_substream_rstates(2).tolist() == [[3, 0, 0], [3, 1, 0]]
    streams.inc_rstate()
    assert streams.uniform().rng.get_value().tolist() == [3, 3, 0]
    streams.seed(4)
    assert streams.state_updates[0][0].get_value().tolist() == [4, 3, 0]
    streams.set_rstate(5)
    assert streams.uniform().rng.get_value().tolist() == [5, 0, 0]
    with pytest.raises(ValueError, match="positive"):
        streams.get_substream_rstates(0)


def test_dropout_in_training() -> None:
    """Gradients pass through a mask as it was drawn."""
    w = sg.shared(np.ones(6))
    mask = RandomStreams(2).binomial((6,), p=0.5, dtype="float64")
    cost = (w * mask).sum()
    f = sg.function([], [mask, sg.grad(cost, w)])
    for _ in range(3):
        drawn, gradient = f()
        np.testing.assert_array_equal(drawn, gradient)
