"""A recurrent network: learning a grammar from strings, one symbol after the other.

An Elman network [1]_ reads a string symbol by symbol and keeps what it has read in mind, as a vector of hidden units::

    h(t) = tanh(W_in[symbol t] + h(t - 1) W + b)
    p(next symbol | symbols 0 .. t) = softmax(h(t) W_out + b_out)

`symgraph.scan` says that with a function of one step. The derivative of the cost by ``W`` goes back through all steps
(back-propagation through time); that too is one line, `symgraph.grad`.

The strings are walks through a small graph, Reber's grammar [2]_: at most points two symbols may follow, with equal
probability. So it is known what a perfect network would say. Its cost would be the entropy of the grammar, it would
give some probability to just those symbols that may follow, and strings drawn from it would be grammatical. The network
is measured by all three. The embedded grammar (``--embedded``) is harder: the symbol before the last is the same as the
second, so that it must be kept in mind while a whole string of the simple grammar goes by.

What happens where:

- ``W_in[symbols]`` is looked up for all steps at once, before the loop, and ``W_out`` is applied to all states at once,
  after it: only what depends on the state before must be in the loop.
- Strings of different lengths make a minibatch by filling up the shorter ones; a mask leaves out what was filled up.
- Strings are drawn from the network by a loop as well, with random numbers in it, ``until`` all of them have ended.

Run it with::

    python -m tutorials.rnn                             # some seconds
    python -m tutorials.rnn --embedded --hidden 60    # the harder grammar, some minutes
    python -m tutorials.rnn --strings 100 --epochs 2    # a moment, to see it work

References
----------
.. [1] J. L. Elman, "Finding structure in time", Cognitive Science 14, 1990.
.. [2] A. Cleeremans, D. Servan-Schreiber, J. L. McClelland, "Finite state automata and simple recurrent networks",
   Neural Computation 1, 1989.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import symgraph as sg
import symgraph.tensor as T
from symgraph.random import RandomStreams
from tutorials.flags import count, rate, seed
from tutorials.saving import save_model

__all__ = ["SYMBOLS", "Batch", "Grammar", "batches", "main", "write_generator", "write_program"]

SYMBOLS = "BTPSXVE"
#: From a place to the symbols that may follow there and the places they lead to.
REBER = {
    0: (("B", 1),), 1: (("T", 2), ("P", 3)), 2: (("S", 2), ("X", 4)), 3: (("T", 3), ("V", 5)),
    4: (("X", 3), ("S", 6)), 5: (("P", 4), ("V", 6)), 6: (("E", 7),), 7: (),
}
LONGEST = 100


# ---- the grammar ----------------------------------------------------------------------------------------------------


class Grammar:
    """Reber's grammar, or the embedded one: ``B``, ``T`` or ``P``, a string of the simple one, the same again, ``E``.

    Parameters
    ----------
    embedded : bool

    Examples
    --------
    >>> grammar = Grammar()
    >>> grammar.follow("B"), grammar.follow("BT")
    ('TP', 'SX')
    >>> grammar.holds("BTXSE"), grammar.holds("BTXS"), grammar.holds("BXE")
    (True, False, False)
    >>> Grammar(embedded=True).follow("BPBTXSE")
    'P'
    """

    def __init__(self, embedded: bool = False) -> None:
        self.edges: dict[Any, tuple[tuple[str, Any], ...]] = dict(REBER)
        if embedded:
            self.edges = {0: (("B", 1),), 1: (("T", "T0"), ("P", "P0")), "end": (("E", "over"),), "over": ()}
            for kept in "TP":
                self.edges.update({f"{kept}{place}": tuple((symbol, f"{kept}{target}") for symbol, target in edges)
                                   for place, edges in REBER.items()})
                self.edges[f"{kept}7"] = ((kept, "end"),)

    def follow(self, text: str) -> str:
        """The symbols that may follow after a beginning; none after a whole string, or what is no beginning of one."""
        place: Any = 0
        for symbol in text:
            place = dict(self.edges[place]).get(symbol)
            if place is None:
                return ""
        return "".join(symbol for symbol, _ in self.edges[place])

    def holds(self, text: str) -> bool:
        """Whether a string is one of the grammar."""
        return all(symbol in self.follow(text[:i]) for i, symbol in enumerate(text)) and not self.follow(text)

    def string(self, rng: np.random.Generator) -> str:
        """A random string."""
        place: Any = 0
        text = ""
        while self.edges[place]:
            symbol, place = self.edges[place][rng.integers(len(self.edges[place]))]
            text += symbol
        return text

    def entropy(self, texts: Sequence[str]) -> float:
        """What no network can do better than on these strings: the mean of -log p of their symbols after the first."""
        return float(np.mean([np.log(len(self.follow(text[:i]))) for text in texts for i in range(1, len(text))]))


@dataclass(frozen=True)
class Batch:
    """Some strings, a column each.

    Attributes
    ----------
    symbols : int32 array (time + 1, strings)
        Numbers of symbols; 0 behind the end of shorter strings.
    mask : float32 array (time, strings)
        1 where there is a next symbol to predict.
    """

    symbols: np.ndarray
    mask: np.ndarray


def batch_of(texts: Sequence[str]) -> Batch:
    """Fill strings up to one length."""
    longest = max(map(len, texts))
    symbols = np.zeros((longest, len(texts)), "int32")
    mask = np.zeros((longest - 1, len(texts)), "float32")
    for i, text in enumerate(texts):
        symbols[: len(text), i] = [SYMBOLS.index(symbol) for symbol in text]
        mask[: len(text) - 1, i] = 1
    return Batch(symbols, mask)


def batches(texts: Sequence[str], size: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Minibatches of all strings, in random order."""
    order = rng.permutation(len(texts))
    for start in range(0, len(texts), size):
        yield batch_of([texts[i] for i in order[start: start + size]])


# ---- the network ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Program:
    """The compiled network.

    Attributes
    ----------
    train : callable
        One step of learning on the symbols and the mask of a batch; gives the cost.
    predict : callable
        Of symbols: the probabilities of the symbols that follow, (time, strings, symbols).
    parameters : dict of str to SharedVariable
    """

    train: Callable[[np.ndarray, np.ndarray], Any]
    predict: Callable[[np.ndarray], np.ndarray]
    parameters: Mapping[str, Any]


def initial_parameters(hidden: int, seed: int) -> dict[str, np.ndarray]:
    """Small random weights, and for the recurrent ones an orthogonal matrix, which neither blows up nor forgets."""
    rng = np.random.default_rng(seed)
    orthogonal, _ = np.linalg.qr(rng.normal(size=(hidden, hidden)))
    drawn = {
        "W_in": rng.normal(size=(len(SYMBOLS), hidden)) * 0.5,
        "W": orthogonal * 0.9,
        "b": np.zeros(hidden),
        "W_out": rng.normal(size=(hidden, len(SYMBOLS))) / np.sqrt(hidden),
        "b_out": np.zeros(len(SYMBOLS)),
    }
    return {name: value.astype("float32") for name, value in drawn.items()}


def step(entering: T.TensorVariable, h: T.TensorVariable, W: T.TensorVariable, b: T.TensorVariable) -> T.TensorVariable:
    """One step of the network: the next state, from what the symbol adds and the state before."""
    return T.tanh(entering + T.dot(h, W) + b)


def write_program(hidden: int, learning_rate: float, seed: int) -> Program:
    """Write down the network, its cost and how it learns, and compile them."""
    parameters = {name: sg.shared(value, name=name) for name, value in initial_parameters(hidden, seed).items()}
    W_in, W, b, W_out, b_out = parameters.values()
    symbols = T.imatrix("symbols")
    mask = T.fmatrix("mask")

    first = T.zeros((symbols.shape[1], hidden), dtype="float32")
    states, _ = sg.scan(step, sequences=W_in[symbols[:-1]], outputs_info=first, non_sequences=[W, b])
    p = T.nnet.softmax(T.dot(states, W_out) + b_out, axis=-1)

    after = symbols[1:]
    right = p.reshape((-1, len(SYMBOLS)))[T.arange(after.size), after.flatten()]
    cost = -T.sum(T.log(right) * mask.flatten()) / T.sum(mask)
    return Program(
        train=sg.function([symbols, mask], cost, updates=rmsprop(cost, list(parameters.values()), learning_rate)),
        predict=sg.function([symbols], p),
        parameters=parameters,
    )


def rmsprop(cost: T.TensorVariable, parameters: Sequence[Any], learning_rate: float) -> list[tuple[Any, Any]]:
    """Updates that divide each slope by the root of the mean of its squares, of late; long slopes are cut first."""
    slopes = sg.grad(cost, list(parameters))
    length = T.sqrt(sum(T.sum(slope**2) for slope in slopes))
    updates: list[tuple[Any, Any]] = []
    for parameter, slope in zip(parameters, slopes, strict=True):
        squares = sg.shared(np.zeros_like(parameter.get_value()), name=f"squares of {parameter.name}")
        cut = slope * T.minimum(1, 1 / length)
        mean = 0.95 * squares + 0.05 * cut**2
        updates += [(squares, mean), (parameter, parameter - learning_rate * cut / T.sqrt(mean + 1e-6))]
    return updates


def write_generator(parameters: Mapping[str, Any], strings: int, ends: int, seed: int) -> Callable[[], np.ndarray]:
    """Compile a function that draws strings from the network: symbols, a column each, until the last ``E`` of all."""
    W_in, W, b, W_out, b_out = parameters.values()
    streams = RandomStreams(seed)

    def draw(symbol: T.TensorVariable, h: T.TensorVariable, ended: T.TensorVariable) -> tuple[Any, Any]:
        h = step(W_in[symbol], h, W, b)
        p = T.nnet.softmax(T.dot(h, W_out) + b_out)
        following = T.argmax(streams.multinomial(pvals=p), axis=1)
        ended = ended + T.eq(following, SYMBOLS.index("E"))
        return [following, h, ended], sg.scan_module.until(T.all(ended >= ends))

    start = [T.zeros(strings, dtype="int64"), T.zeros((strings, W.shape[0]), dtype="float32"),
             T.zeros(strings, dtype="int64")]
    (drawn, _, _), updates = sg.scan(draw, outputs_info=start, n_steps=LONGEST)
    generate: Callable[[], np.ndarray] = sg.function([], T.concatenate([start[0][None], drawn]), updates=updates)
    return generate


# ---- learning and measuring -----------------------------------------------------------------------------------------


def measure(program: Program, grammar: Grammar, texts: Sequence[str]) -> tuple[float, float]:
    """The cost on strings, and the share of symbols after which just those symbols that may follow have a chance.

    A symbol has a chance if its probability is more than a third of what the grammar would give it.
    """
    batch = batch_of(texts)
    p = program.predict(batch.symbols)
    costs, right = [], []
    for i, text in enumerate(texts):
        for t in range(len(text) - 1):
            follow = grammar.follow(text[: t + 1])
            costs.append(-np.log(p[t, i, SYMBOLS.index(text[t + 1])]))
            chances = {symbol for symbol, share in zip(SYMBOLS, p[t, i], strict=True) if share > 1 / (3 * len(follow))}
            right.append(chances == set(follow))
    return float(np.mean(costs)), float(np.mean(right))


def drawn_texts(program: Program, embedded: bool, strings: int, seed: int) -> list[str]:
    """Strings drawn from the network, up to and with the last ``E``: the first one, or in the embedded grammar the
    second.
    """
    ends = 2 if embedded else 1
    symbols = write_generator(program.parameters, strings, ends, seed)()
    texts = []
    for column in symbols.T:
        parts = "".join(SYMBOLS[k] for k in column).split("E")
        texts.append("E".join(parts[:ends]) + "E" * (len(parts) > ends))
    return texts


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; 0 when the network has learned the grammar to the mark given by ``--mark``."""
    options = _parser().parse_args(arguments)
    rng = np.random.default_rng(options.seed)
    grammar = Grammar(options.embedded)
    texts = [grammar.string(rng) for _ in range(options.strings)]
    tests = [grammar.string(rng) for _ in range(max(50, options.strings // 10))]
    print(f"{len(texts)} strings to learn from, such as {texts[0]} and {texts[1 % len(texts)]}; {len(tests)} to test")
    program = write_program(options.hidden, options.learning_rate, options.seed)
    best = grammar.entropy(tests)
    started = time.perf_counter()
    cost, right = measure(program, grammar, tests)
    print(f"before learning: cost {cost:.4f}, the best possible is {best:.4f}; {100 * right:.1f} % predicted rightly")
    for epoch in range(1, options.epochs + 1):
        for batch in batches(texts, options.batch_size, rng):
            program.train(batch.symbols, batch.mask)
        if epoch in (1, options.epochs) or epoch % 5 == 0:
            cost, right = measure(program, grammar, tests)
            print(f"epoch {epoch:3d}: cost {cost:.4f}, {100 * right:.1f} % predicted rightly", flush=True)
    print(f"learned in {time.perf_counter() - started:.1f} s")
    drawn = drawn_texts(program, options.embedded, 500, options.seed)
    share = float(np.mean([grammar.holds(text) for text in drawn]))
    print(f"drawn from the network: {', '.join(drawn[:4])}; {100 * share:.1f} % of 500 are grammatical")
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        save_model(options.out / "model.npz", {n: p.get_value() for n, p in program.parameters.items()})
    return int(100 * right < options.mark)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tutorials.rnn",
                                     description="Learn a grammar with an Elman network, by back-propagation through "
                                                 "time.")
    add = parser.add_argument
    add("--embedded", action="store_true", help="the grammar with a symbol to keep in mind")
    add("--strings", type=count, default=2000, metavar="N", help="strings to learn from (%(default)s)")
    add("--hidden", type=count, default=20, metavar="N", help="hidden units (%(default)s)")
    add("--epochs", type=count, default=20, metavar="N", help="passes over the strings (%(default)s)")
    add("--batch-size", type=count, default=20, metavar="N", help="strings a minibatch (%(default)s)")
    add("--learning-rate", type=rate, default=0.003, metavar="R", help="step size (%(default)s)")
    add("--mark", type=rate, default=99.0, metavar="P",
        help="percentage of symbols to predict rightly for an exit status of 0 (%(default)s)")
    add("--seed", type=seed, default=1, metavar="N", help="seed of the strings and the first weights (%(default)s)")
    add("--out", type=Path, metavar="DIR", help="folder for the learned weights (they are not kept)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
