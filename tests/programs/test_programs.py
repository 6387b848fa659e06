"""Whole programs as they were written for Theano, small, against NumPy."""

from __future__ import annotations

import itertools
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

import symgraph as theano
import symgraph.tensor as T
from symgraph.tensor.shared_randomstreams import RandomStreams


def shared(value: Any, name: str | None = None) -> Any:
    return theano.shared(np.asarray(value, dtype=theano.config.floatX), name=name, borrow=True)


def digits(rng: np.random.RandomState, n: int, size: int = 12) -> np.ndarray:
    """Bars of ones on a noisy ground: something that can be learned."""
    return ((np.arange(size) // 3 == rng.randint(4, size=(n, 1))) ^ (rng.rand(n, size) < 0.05)).astype("float64")


# ---- auto-encoders, layer by layer ----------------------------------------------------------------------------------


class Autoencoder:
    def __init__(self, numpy_rng: Any, theano_rng: Any = None, input: Any = None, n_visible: int = 12,
                 n_hidden: int = 6, W: Any = None, bhid: Any = None, bvis: Any = None) -> None:
        if not theano_rng:
            theano_rng = RandomStreams(numpy_rng.randint(2 ** 30))
        if not W:
            W = shared(numpy_rng.uniform(-0.5, 0.5, size=(n_visible, n_hidden)), "W")
        self.x = T.dmatrix(name="input") if input is None else input
        self.W, self.theano_rng = W, theano_rng
        self.b = bhid if bhid else shared(np.zeros(n_hidden), "b")
        self.b_prime = bvis if bvis else shared(np.zeros(n_visible), "b_prime")
        self.params = [self.W, self.b, self.b_prime]

    def reconstruction(self, x: Any) -> Any:
        return T.nnet.sigmoid(T.dot(T.nnet.sigmoid(T.dot(x, self.W) + self.b), self.W.T) + self.b_prime)

    def get_cost_updates(self, corruption: Any, rate: Any) -> Any:
        kept = self.theano_rng.binomial(size=self.x.shape, n=1, p=1 - corruption, dtype=theano.config.floatX)
        z = self.reconstruction(kept * self.x)
        cost = T.mean(-T.sum(self.x * T.log(z) + (1 - self.x) * T.log(1 - z), axis=1))
        return cost, [(p, p - rate * g) for p, g in zip(self.params, T.grad(cost, self.params), strict=True)]


def test_stacked_denoising_autoencoders() -> None:
    rng = np.random.RandomState(3)
    data = shared(digits(rng, 200))
    index, corruption, rate = T.lscalar("index"), T.scalar("corruption"), T.scalar("rate")
    x = T.matrix("x")
    layers, below, size = [], x, 12
    for hidden in (8, 4):
        W, b = shared(rng.uniform(-0.5, 0.5, (size, hidden)), "W"), shared(np.zeros(hidden), "b")
        layers.append(Autoencoder(rng, None, below, size, hidden, W, b))
        below, size = T.nnet.sigmoid(T.dot(below, W) + b), hidden
    for layer in layers:
        cost, updates = layer.get_cost_updates(corruption, rate)
        train = theano.function(inputs=[index, theano.In(corruption, value=0.1), theano.Param(rate, default=0.5)],
                                outputs=cost, updates=updates, givens={x: data[index * 20: (index + 1) * 20]})
        costs = [np.mean([train(i) for i in range(10)]) for _ in range(15)]
        assert costs[-1] < 0.9 * costs[0]
    z = theano.function([x], layers[0].reconstruction(x))(data.get_value())
    assert (np.round(z) == data.get_value()).mean() > 0.8
    loaded = pickle.loads(pickle.dumps(layers[0]))
    np.testing.assert_array_equal(theano.function([loaded.x], loaded.reconstruction(loaded.x))(data.get_value()), z)


# ---- restricted Boltzmann machines ----------------------------------------------------------------------------------


class RBM:
    def __init__(self, input: Any = None, seed: int = 1) -> None:
        self.input = input if input is not None else T.matrix("input")
        self.W = shared(np.random.RandomState(seed).uniform(-0.1, 0.1, (12, 5)), "W")
        self.hbias, self.vbias = shared(np.zeros(5), "hbias"), shared(np.zeros(12), "vbias")
        self.params, self.theano_rng = [self.W, self.hbias, self.vbias], RandomStreams(seed)

    def free_energy(self, v: Any) -> Any:
        return -T.sum(T.log(1 + T.exp(T.dot(v, self.W) + self.hbias)), axis=1) - T.dot(v, self.vbias)

    def sample(self, mean: Any) -> Any:
        return self.theano_rng.binomial(size=mean.shape, n=1, p=mean, dtype=theano.config.floatX)

    def gibbs_hvh(self, h: Any) -> list[Any]:
        before = T.dot(h, self.W.T) + self.vbias
        v_mean = T.nnet.sigmoid(before)
        v = self.sample(v_mean)
        h_mean = T.nnet.sigmoid(T.dot(v, self.W) + self.hbias)
        return [before, v_mean, v, h_mean, self.sample(h_mean)]

    def get_cost_updates(self, rate: float, persistent: Any, k: int) -> Any:
        start = persistent if persistent else self.sample(T.nnet.sigmoid(T.dot(self.input, self.W) + self.hbias))
        [_, _, v, _, h], updates = theano.scan(self.gibbs_hvh, outputs_info=[None, None, None, None, start],
                                               n_steps=k, name="gibbs_hvh")
        end = v[-1]
        cost = T.mean(self.free_energy(self.input)) - T.mean(self.free_energy(end))
        for p, g in zip(self.params, T.grad(cost, self.params, consider_constant=[end]), strict=True):
            updates[p] = p - g * T.cast(rate, dtype=theano.config.floatX)
        if persistent:
            updates[persistent] = h[-1]
        return self.pseudo_likelihood(updates), updates

    def pseudo_likelihood(self, updates: Any) -> Any:
        bit = theano.shared(value=0, name="bit")
        x = T.round(self.input)
        flipped = T.set_subtensor(x[:, bit], 1 - x[:, bit])
        updates[bit] = (bit + 1) % 12
        return T.mean(12 * T.log(T.nnet.sigmoid(self.free_energy(flipped) - self.free_energy(x))))


def test_boltzmann_machines_by_contrastive_divergence() -> None:
    data = digits(np.random.RandomState(0), 100)
    for persistent in (None, shared(np.zeros((20, 5)))):
        rbm = RBM(T.matrix("x"))
        index, v = T.lscalar("index"), data[:20]
        W, h = rbm.W.get_value(), rbm.hbias.get_value()
        slope = theano.function([rbm.input], T.grad(T.mean(rbm.free_energy(rbm.input)), rbm.W))
        np.testing.assert_allclose(slope(v), -v.T @ (1 / (1 + np.exp(-(v @ W + h)))) / 20)
        cost, updates = rbm.get_cost_updates(0.1, persistent, 3)
        train = theano.function([index], cost, updates=updates, name="train_rbm",
                                givens={rbm.input: shared(data)[index * 20: (index + 1) * 20]})
        costs = [np.mean([train(i % 5) for i in range(60)]) for _ in range(4)]  # each bit five times
        assert costs[-1] > costs[0] + 0.5


# ---- words, labels, states -------------------------------------------------------------------------------------------


def test_word_vectors_by_negative_sampling() -> None:
    rng = np.random.RandomState(0)
    inside, outside = rng.uniform(-0.5, 0.5, (30, 4)), rng.uniform(-0.5, 0.5, (30, 4))
    A, B = shared(inside.copy(), "A"), shared(outside.copy(), "B")
    center, near, far, rate = T.ivector("center"), T.ivector("near"), T.imatrix("far"), T.scalar("rate")
    u, v, n = A[center], B[near], B[far]
    cost = (-T.log(T.nnet.sigmoid((u * v).sum(axis=1))) - T.log(T.nnet.sigmoid(-T.batched_dot(n, u))).sum(axis=1)).sum()
    gu, gv, gn = T.grad(cost, [u, v, n])
    train = theano.function([center, near, far, rate], cost, allow_input_downcast=True, updates=[
        (A, T.inc_subtensor(u, -rate * gu)), (B, T.inc_subtensor(T.inc_subtensor(v, -rate * gv)[far], -rate * gn))])
    for _ in range(3):
        c, o, k = rng.randint(0, 30, 16), rng.randint(0, 30, 16), rng.randint(0, 30, (16, 3))
        u_, v_, n_ = inside[c], outside[o], outside[k]
        close = 1 / (1 + np.exp(-(u_ * v_).sum(axis=1)))
        apart = 1 / (1 + np.exp(-np.einsum("bkd,bd->bk", n_, u_)))
        np.testing.assert_allclose(train(c, o, k, 0.1), -np.log(close).sum() - np.log(1 - apart).sum())
        np.add.at(inside, c, -0.1 * ((close - 1)[:, None] * v_ + (apart[:, :, None] * n_).sum(axis=1)))
        np.add.at(outside, o, -0.1 * (close - 1)[:, None] * u_)
        np.add.at(outside, k, -0.1 * apart[:, :, None] * u_[:, None])
    np.testing.assert_allclose(A.get_value(), inside)
    np.testing.assert_allclose(B.get_value(), outside)


def test_temporal_classification_sums_over_all_paths() -> None:
    labels, scores = T.lvector("labels"), T.matrix("scores")
    size = 2 * labels.shape[0] + 1
    padded = T.set_subtensor(T.zeros((size,), dtype="int64")[1::2], labels)
    differ = T.neq(padded[2:], padded[:-2]) * T.neq(padded[2:], 0)
    skip = T.concatenate([T.zeros((2,), "int64"), T.cast(differ, "int64")])
    moves = T.eye(size) + T.eye(size, size, 1) + T.eye(size, size, 2) * skip.dimshuffle("x", 0)
    p = T.nnet.softmax(scores)[:, padded]
    alphas, _ = theano.scan(lambda p_t, a: p_t * T.dot(a, moves), sequences=[p],
                            outputs_info=[T.eq(T.arange(size), 0) * 1.0])
    cost = -T.log(alphas[-1, -1] + alphas[-1, -2])
    f = theano.function([labels, scores], [cost, T.grad(cost, scores)])
    rng = np.random.RandomState(0)
    points, wanted = rng.randn(5, 3), [1, 2, 2]

    def by_paths(s: np.ndarray) -> float:
        q = np.exp(s) / np.exp(s).sum(axis=1, keepdims=True)
        good = [path for path in itertools.product(range(3), repeat=5)
                if [k for k, _ in itertools.groupby(path) if k] == wanted]
        return float(-np.log(sum(np.prod(q[range(5), path]) for path in good)))

    value, slope = f(wanted, points)
    np.testing.assert_allclose(value, by_paths(points))
    step = 1e-5 * rng.randn(5, 3)
    np.testing.assert_allclose((slope * step).sum(), (by_paths(points + step) - by_paths(points - step)) / 2, rtol=1e-6)


def test_a_kalman_filter_and_its_likelihood() -> None:
    A, Q = shared([[1, 0.1], [0, 0.95]], "A"), shared(np.eye(2) * 0.01, "Q")
    C, R, y = shared([[1.0, 0.0]], "C"), shared([[0.1]], "R"), T.matrix("y")

    def step(y_t: Any, m: Any, P: Any, A: Any, C: Any, Q: Any, R: Any) -> list[Any]:
        m, P = T.dot(A, m), T.dot(T.dot(A, P), A.T) + Q
        S = T.dot(T.dot(C, P), C.T) + R
        inverse, r = T.nlinalg.matrix_inverse(S), y_t - T.dot(C, m)
        K = T.dot(T.dot(P, C.T), inverse)
        likelihood = -0.5 * (T.log(T.nlinalg.det(2 * np.pi * S)) + T.dot(T.dot(r, inverse), r))
        return [m + T.dot(K, r), T.dot(T.eye(2) - T.dot(K, C), P), likelihood]

    (means, _, likelihoods), _ = theano.scan(step, sequences=y, outputs_info=[T.zeros(2), T.eye(2), None],
                                             non_sequences=[A, C, Q, R], strict=True)
    f = theano.function([y], [means, likelihoods.sum(), theano.grad(likelihoods.sum(), A)])

    def in_numpy(points: np.ndarray, A: np.ndarray) -> Any:
        m, P, c, total, found = np.zeros(2), np.eye(2), np.array([[1.0, 0.0]]), 0.0, []
        for point in points:
            m, P = A @ m, A @ P @ A.T + np.eye(2) * 0.01
            S, r = c @ P @ c.T + 0.1, point - c @ m
            total -= 0.5 * (np.log(2 * np.pi * S[0, 0]) + r @ r / S[0, 0])
            K = P @ c.T / S
            m, P = m + K @ r, (np.eye(2) - K @ c) @ P
            found.append(m)
        return np.array(found), total

    points, value = np.random.RandomState(0).randn(20, 1).cumsum(axis=0), A.get_value()
    found, total, slope = f(points)
    np.testing.assert_allclose(found, in_numpy(points, value)[0])
    np.testing.assert_allclose(total, in_numpy(points, value)[1])
    step_ = 1e-6 * np.array([[1.0, -2.0], [0.5, 1.0]])
    np.testing.assert_allclose((slope * step_).sum(), (in_numpy(points, value + step_)[1]
                                                       - in_numpy(points, value - step_)[1]) / 2, rtol=1e-5)


# ---- state beside the parameters -------------------------------------------------------------------------------------


def test_batch_normalisation_by_default_updates() -> None:
    gamma, beta, mean, var = (shared(v, n) for v, n in ((np.ones(3), "gamma"), (np.zeros(3), "beta"),
                                                        (np.zeros(3), "mean"), (np.ones(3), "var")))
    x = T.matrix("x")
    m, v = x.mean(axis=0), x.var(axis=0)
    running_mean, running_var = (theano.clone(s, share_inputs=False) for s in (mean, var))
    running_mean.default_update = 0.9 * running_mean + 0.1 * m
    running_var.default_update = 0.9 * running_var + 0.1 * v
    out = T.nnet.bn.batch_normalization(x, gamma, beta, m + 0 * running_mean, T.sqrt(v + 0 * running_var + 1e-4))
    train = theano.function([x], out)
    look = theano.function([x], out, no_default_updates=True)
    test = theano.function([x], T.nnet.batch_normalization(x, gamma, beta, mean, T.sqrt(var + 1e-4)))
    rng, want_mean, want_var = np.random.RandomState(0), np.zeros(3), np.ones(3)
    for _ in range(5):
        points = rng.randn(20, 3) * [1, 2, 3] + [5, 0, -5]
        want_mean, want_var = 0.9 * want_mean + 0.1 * points.mean(axis=0), 0.9 * want_var + 0.1 * points.var(axis=0)
        normal = (points - points.mean(axis=0)) / np.sqrt(points.var(axis=0) + 1e-4)
        np.testing.assert_allclose(train(points), normal)
        np.testing.assert_allclose(look(points), normal)
    np.testing.assert_allclose(mean.get_value(), want_mean)
    np.testing.assert_allclose(test(points), (points - want_mean) / np.sqrt(want_var + 1e-4))


def test_a_network_and_its_target_learn_values_of_actions() -> None:
    rng = np.random.RandomState(0)

    def network() -> list[Any]:
        return [shared(rng.randn(4, 16) / 2, "W1"), shared(np.zeros(16), "b1"), shared(rng.randn(16, 3) / 4, "W2")]

    def values(x: Any, params: list[Any]) -> Any:
        return T.dot(T.maximum(T.dot(x, params[0]) + params[1], 0), params[2])

    online, target = network(), network()
    states, following, rewards, actions = T.matrix("states"), T.matrix("following"), T.col("rewards"), T.icol("actions")
    best = theano.gradient.disconnected_grad(T.max(values(following, target), axis=1, keepdims=True))
    chosen = values(states, online)[T.arange(actions.shape[0]), actions.reshape((-1,))].reshape((-1, 1))
    diff = rewards + 0.0 * best - chosen
    quadratic = T.minimum(abs(diff), 1.0)
    loss = T.mean(0.5 * quadratic ** 2 + abs(diff) - quadratic)
    updates: Any = OrderedDict()
    for p, g in zip(online, T.grad(loss, online), strict=True):
        square = theano.shared(np.zeros_like(p.get_value(borrow=True)))
        updates[square] = 0.9 * square + 0.1 * T.sqr(g)
        updates[p] = p - 0.01 * g / T.sqrt(updates[square] + 1e-6)
    train = theano.function([states, following, rewards, actions], loss, updates=updates)
    synchronise = theano.function([], updates=list(zip(target, online, strict=True)))
    losses = []
    for i in range(300):
        s, a = rng.randn(32, 4), rng.randint(0, 3, (32, 1)).astype("int32")
        losses.append(train(s, s, (s[np.arange(32), a[:, 0]] > 0)[:, None] * 1.0, a))
        if i % 100 == 99:
            synchronise()
    assert np.mean(losses[-20:]) < 0.5 * np.mean(losses[:20])
    for p, q in zip(online, target, strict=True):
        np.testing.assert_array_equal(p.get_value(), q.get_value())
