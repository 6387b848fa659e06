"""The recurrent network: its grammar, its program, and that it learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tutorials import rnn
from tutorials.rnn import SYMBOLS, Grammar, batch_of, write_generator, write_program


@pytest.mark.parametrize("embedded", [False, True])
def test_strings_of_the_grammar(embedded: bool) -> None:
    grammar, rng = Grammar(embedded), np.random.default_rng(0)
    texts = [grammar.string(rng) for _ in range(200)]
    assert all(grammar.holds(text) for text in texts)
    assert not any(grammar.holds(text[:-1]) or grammar.holds(text + "E") for text in texts)
    swapped = [text[:1] + text[1].translate(str.maketrans("TP", "PT")) + text[2:] for text in texts]
    assert not any(grammar.holds(text) for text in swapped) or not embedded
    choices = [len(grammar.follow(text[:i])) for text in texts for i in range(1, len(text))]
    assert set(choices) == {1, 2}
    np.testing.assert_allclose(grammar.entropy(texts), np.log(2) * np.mean(np.array(choices) == 2))


def test_the_program_is_the_network() -> None:
    """Probabilities and cost against a loop of Python; strings that are filled up change nothing."""
    program = write_program(hidden=5, learning_rate=0.01, seed=0)
    values = {name: p.get_value().astype(float) for name, p in program.parameters.items()}
    texts = ["BTXSE", "BPVVE", "BTSSXXTVVE"]
    batch = batch_of(texts)
    p = program.predict(batch.symbols)
    logs = []
    for i, text in enumerate(texts):
        h = np.zeros(5)
        for t in range(len(text) - 1):
            h = np.tanh(values["W_in"][SYMBOLS.index(text[t])] + h @ values["W"] + values["b"])
            scores = np.exp(h @ values["W_out"] + values["b_out"])
            np.testing.assert_allclose(p[t, i], scores / scores.sum(), rtol=1e-4)
            logs.append(np.log(p[t, i, SYMBOLS.index(text[t + 1])]))
    np.testing.assert_allclose(program.train(batch.symbols, batch.mask), -np.mean(logs), rtol=1e-5)
    assert all(p.get_value().dtype == np.float32 for p in program.parameters.values())


def test_it_learns_the_grammar(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    flags = ["--strings", "500", "--epochs", "12", "--learning-rate", "0.006", "--out", str(tmp_path)]
    assert rnn.main(flags) == 0
    told = capsys.readouterr().out
    assert "predicted rightly" in told
    share = float(told.split("; ")[-1].split(" %")[0])
    assert share > 90
    with np.load(tmp_path / "model.npz") as saved:
        assert saved["W"].shape == (20, 20)


def test_strings_are_drawn_until_all_have_ended() -> None:
    program = write_program(hidden=3, learning_rate=0.01, seed=0)
    generate = write_generator(program.parameters, strings=4, ends=1, seed=1)
    first, second = generate(), generate()
    end = SYMBOLS.index("E")
    for symbols in (first, second):
        assert (symbols[0] == 0).all()
        ended = (symbols == end).cumsum(0) > 0
        assert ended[-1].all()
        assert not ended[:-1].all(1).any()
    assert first.shape != second.shape or (first != second).any()


def test_too_little_learning_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert rnn.main(["--strings", "20", "--epochs", "1"]) == 1
    with pytest.raises(SystemExit):
        rnn.main(["--hidden", "0"])
    assert "'0' is not a whole number of at least 1" in capsys.readouterr().err


@pytest.mark.slow
def test_it_keeps_a_symbol_in_mind(capsys: pytest.CaptureFixture[str]) -> None:
    assert rnn.main(["--embedded", "--hidden", "60"]) == 0
    assert float(capsys.readouterr().out.split("; ")[-1].split(" %")[0]) > 95
