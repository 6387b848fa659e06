"""``python -m symgraph doctor`` says what is here, what is missing and what works; without a GPU too."""

from __future__ import annotations

import shutil
from typing import Any

import pytest

from symgraph import config
from symgraph.__main__ import main
from symgraph.backend import Finding, examine


def test_it_tells_of_the_core_and_tries_the_emulated_device(capsys: Any) -> None:
    with config.change_flags(rewrite_budget=77):
        assert main(["doctor"]) == 0
    text = capsys.readouterr().out
    assert "here    numpy: " in text
    assert "works   emulated device: a kernel, a product and a graph computed what they should" in text
    assert "works   compiling a kernel: " in text
    assert "rewrite_budget: 77" in text


def test_what_is_missing_is_said_and_what_to_install(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from backends.cupy import doctor
    from backends.cupy.devices import compiler

    monkeypatch.setattr(doctor, "load_library", lambda name: None)
    monkeypatch.setattr(compiler, "load_library", lambda name: None)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.delenv("CXX", raising=False)
    compiler.cuda_compiler.cache_clear()
    try:
        assert main(["doctor"]) == 0
        found = {f.name: f for f in examine("cuda")}
    finally:
        compiler.cuda_compiler.cache_clear()
    assert {name for name, f in found.items() if f.state == "missing"} >= {
        "compiler for GPUs", "cuBLASLt", "compiling a kernel", "emulated device"}
    assert "symgraph[cuda13]" in found["compiler for GPUs"].advice
    assert "install g++" in capsys.readouterr().out


def test_what_does_not_work_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    from backends.cupy import doctor

    monkeypatch.setattr(doctor, "KERNEL", doctor.KERNEL.replace("x[i] * x[i]", "x[i]"))
    assert main(["doctor"]) == 1
    assert "fails   emulated device: RuntimeError: a kernel launched gave" in capsys.readouterr().out


def test_a_doctor_does_not_fall_ill(monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.cupy import doctor

    def burst(name: str) -> Finding:
        raise OSError("no")

    monkeypatch.setattr(doctor, "_cache", burst)
    *_, last = examine("cuda")
    assert (last.state, last.detail) == ("fails", "OSError: no")


def test_other_words_are_refused(capsys: Any) -> None:
    with pytest.raises(SystemExit):
        main(["nurse"])
    assert "doctor" in capsys.readouterr().err
