"""Finding a backend: by device or name, at use, with advice when it is missing."""

from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from backends.numpy import NumpyBackend
from symgraph.backend import get_backend

without_cupy = pytest.mark.skipif(
    importlib.util.find_spec("cupy") is not None or importlib.util.find_spec("backends.cupy") is not None,
    reason="there is a backend for CUDA here")


def test_the_cpu_is_numpy() -> None:
    assert isinstance(get_backend("cpu"), NumpyBackend)
    assert get_backend("numpy") is get_backend("cpu")
    assert get_backend("cpu").name == "numpy"


@without_cupy
@pytest.mark.parametrize("name", ["cuda", "cupy", "abacus"])
def test_a_device_without_a_backend_is_refused(name: str) -> None:
    message = rf"device '{name}' cannot be used: this version .* has no backend.*device='cpu'"
    with pytest.raises(RuntimeError, match=message):
        get_backend(name)


def test_a_backend_that_lacks_a_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it is when the CUDA backend is there and CuPy is not."""

    def without_library(name: str) -> None:
        raise ModuleNotFoundError("No module named 'cupy'", name="cupy")

    monkeypatch.setattr("symgraph.backend.importlib.import_module", without_library)
    with pytest.raises(RuntimeError, match=r"No module named 'cupy'; install CuPy \(pip install 'symgraph\[cuda13\]'"):
        get_backend("cuda")


@without_cupy
def test_nothing_falls_back_when_a_function_is_made_for_cuda() -> None:
    x = T.dvector("x")
    with pytest.raises(RuntimeError, match="device 'cuda' cannot be used"):
        sg.function([x], x + 1, mode=sg.Mode(linker="cuda"))
    with sg.config.change_flags(device="cuda"), pytest.raises(RuntimeError, match="cuda"):
        sg.function([x], x + 1)


@without_cupy
def test_auto_takes_what_is_there() -> None:
    """To ask for the best device is no silent fall-back: the caller said that either will do."""
    assert get_backend("auto").name == "numpy"


def test_the_package_is_imported_without_any_backend() -> None:
    """A backend is loaded when the first function is made."""
    code = ("import sys, symgraph, symgraph.tensor\n"
            "assert not [m for m in sys.modules if m.startswith('backends') or m == 'cupy'], sys.modules\n")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_program_is_the_five_things_the_compiler_uses() -> None:
    x = T.dvector("x")
    mode = sg.compile.FAST_RUN.excluding("part_of_elementwise")
    program = sg.function([x], T.exp(x)[1], name="program", mode=mode)._built.program
    np.testing.assert_array_equal(program.run(np.zeros(2)), 1.0)
    np.testing.assert_array_equal(program.call([0, 0]), 1.0)
    assert "np.exp" in program.source
    program.free()
    with pytest.raises(IndexError) as caught:
        program.run(np.zeros(1))
    place = program.step_at(caught.value)
    assert place is not None
    step, values = place
    assert str(step.node.op) == "[1]"
    np.testing.assert_array_equal(values[0], [1.0])
