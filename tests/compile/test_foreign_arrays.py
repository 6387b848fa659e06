"""Arrays of other libraries as arguments and shared values: each protocol alone, without a copy where that may be."""

from __future__ import annotations

import array
import ctypes
from typing import Any

import numpy as np
import pytest

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.foreign import lent_array


class Holder:
    """An object with an array that it shows by one protocol only."""

    def __init__(self, values: Any) -> None:
        self.values = values


class ByDLPack(Holder):
    def __dlpack__(self, **options: Any) -> Any:
        return self.values.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


class ByOldDLPack(Holder):
    """As before DLPack's version 1: no keywords but stream, and NumPy may only read."""

    def __dlpack__(self, stream: Any = None) -> Any:
        return self.values.__dlpack__()

    def __dlpack_device__(self) -> Any:
        return self.values.__dlpack_device__()


class ByInterface(Holder):
    @property
    def __array_interface__(self) -> Any:
        return self.values.__array_interface__


class ByArray(Holder):
    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return self.values if dtype is None else self.values.astype(dtype)


class ByStruct(Holder):
    @property
    def __array_struct__(self) -> Any:
        return self.values.__array_struct__


KINDS = [ByDLPack, ByOldDLPack, ByInterface, ByArray, ByStruct, memoryview]


class OnDevice:
    """Memory that only a device reads."""

    def __init__(self, device: tuple[int, int]) -> None:
        self.device = device

    def __dlpack__(self, **options: Any) -> Any:
        raise AssertionError("asked for memory of another device")

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device


class ByCudaInterface:
    __cuda_array_interface__ = {"shape": (2,), "typestr": "<f8", "data": (16, False), "version": 3}  # noqa: RUF012


@pytest.mark.parametrize("kind", KINDS)
class TestEachProtocol:
    def test_argument(self, kind: Any) -> None:
        x = T.dmatrix("x")
        values = np.arange(6.0).reshape(2, 3)
        f = sg.function([x], [x * 2, x])
        doubled, same = f(kind(values))
        np.testing.assert_array_equal(doubled, 2 * values)
        assert not np.shares_memory(same, values)
        np.testing.assert_array_equal(np.from_dlpack(doubled), doubled)  # results speak DLPack in turn

    def test_no_copy_is_made(self, kind: Any) -> None:
        values = np.arange(3.0)
        assert np.shares_memory(T.dvector().type.filter(kind(values)), values)

    def test_default_value(self, kind: Any) -> None:
        x, y = T.dvector("x"), T.dvector("y")
        values = np.ones(2)
        f = sg.function([x, sg.In(y, value=kind(values))], x + y)
        values[:] = 7
        np.testing.assert_array_equal(f(np.zeros(2)), [1.0, 1.0])

    def test_shared_variable(self, kind: Any) -> None:
        values = np.arange(3.0)
        own, lent = sg.shared(kind(values)), sg.shared(kind(values), borrow=True)
        values[0] = 5.0
        np.testing.assert_array_equal(own.get_value(), [0.0, 1.0, 2.0])
        np.testing.assert_array_equal(lent.get_value(), [5.0, 1.0, 2.0])
        own.set_value(kind(values))
        lent.set_value(kind(values), borrow=True)
        values[0] = 6.0
        np.testing.assert_array_equal(own.get_value(), [5.0, 1.0, 2.0])
        np.testing.assert_array_equal(lent.get_value(), [6.0, 1.0, 2.0])
        step = sg.function([], lent.sum(), updates=[(lent, lent + 1)])
        assert [float(step()), float(step())] == [9.0, 12.0]
        np.testing.assert_array_equal(values, [6.0, 1.0, 2.0])

    def test_constant(self, kind: Any) -> None:
        np.testing.assert_array_equal((T.dvector("x") + kind(np.ones(2))).eval({"x": np.ones(2)}), [2.0, 2.0])

    def test_precision_is_not_lost_in_silence(self, kind: Any) -> None:
        x = T.fvector("x")
        with pytest.raises(TypeError, match=r"float64 of shape .* would lose precision"):
            sg.function([x], x)(kind(np.ones(2)))
        assert sg.function([x], x, allow_input_downcast=True)(kind(np.ones(2))).dtype == "float32"
        assert sg.function([T.dvector("y")], [], on_unused_input="ignore")(kind(np.ones(2, "float32"))) == []
        with pytest.raises(TypeError, match=r"strict"):
            sg.function([sg.In(x, strict=True)], x)(kind(np.ones(2, "float32")))
        with pytest.raises(TypeError, match="expected 1 dimensions"):
            sg.function([x], x)(kind(np.ones((2, 2), "float32")))

    def test_a_function_that_may_overwrite(self, kind: Any) -> None:
        x = T.dvector("x")
        f = sg.function([sg.In(x, mutable=True)], T.exp(x) + 1)
        np.testing.assert_allclose(f(kind(np.zeros(3))), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("kind", ["array", "ctypes"])
def test_buffers(kind: str) -> None:
    value: Any = array.array("d", [1.0, 2.0]) if kind == "array" else (ctypes.c_double * 2)(1.0, 2.0)
    np.testing.assert_array_equal(sg.function([x := T.dvector("x")], x + 1)(value), [2.0, 3.0])
    np.testing.assert_array_equal(sg.shared(value).get_value(), [1.0, 2.0])


@pytest.mark.parametrize(("value", "where"), [
    (OnDevice((2, 1)), r"OnDevice lives on cuda:1"), (OnDevice((10, 0)), "rocm:0"),
    (OnDevice((77, 0)), "device type 77:0"),
    (ByCudaInterface(), "lives in the memory of a CUDA device"),
])
def test_memory_of_devices_is_refused(value: Any, where: str) -> None:
    x = T.dvector("x")
    words = rf"{where}.*copy it to the processor first.*x\.get\(\)"
    with pytest.raises(TypeError, match=rf"argument 0 \(x\): .*{words}"):
        sg.function([x], x)(value)
    with pytest.raises(TypeError, match=words):
        sg.shared(value)
    with pytest.raises(TypeError, match=rf"created at .*{words}"):
        sg.shared(np.ones(2)).set_value(value)
    with pytest.raises(TypeError, match=words):
        x + value


def test_what_the_library_does_not_lend() -> None:
    class Recording(ByDLPack):
        def __dlpack__(self, **options: Any) -> Any:
            raise BufferError("it records gradients: detach it")

    x = T.dvector("x")
    with pytest.raises(TypeError, match="Recording cannot be lent to NumPy: it records gradients: detach it"):
        sg.function([x], x)(Recording(np.ones(2)))
    with pytest.raises(TypeError, match=r"numpy\.frombuffer"):
        sg.function([x], x)(b"12345678")
    with pytest.raises(TypeError, match="not an array of numbers"):
        sg.function([x], x)(object())


def test_memory_that_the_processor_reads_too() -> None:
    class Pinned(ByDLPack):
        def __dlpack_device__(self) -> Any:
            return (3, 0)

    values = np.ones(2)
    assert np.shares_memory(lent_array(Pinned(values)), values)


def test_arrays_that_claim_to_copy_and_do_not() -> None:
    values = np.ones(2)
    constant = T.constant(ByArray(values))
    values[:] = 7
    np.testing.assert_array_equal(constant.data, [1.0, 1.0])


def test_pytorch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    x = T.fmatrix("x")
    values = torch.arange(6, dtype=torch.float32).reshape(2, 3)
    found = sg.function([x], x * 2)(values)
    np.testing.assert_array_equal(torch.from_dlpack(found), 2 * values)
    assert np.shares_memory(x.type.filter(values), values.numpy())
    state = sg.shared(values, borrow=True)
    values[0, 0] = 9.0
    assert state.get_value()[0, 0] == 9.0
    with pytest.raises(TypeError, match="detach"):
        sg.function([x], x)(values.clone().requires_grad_())
