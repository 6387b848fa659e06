"""Convolution and pooling as kernels, against the operations' own computation."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest

from backends.cupy.devices.emulated import EmulatedDevice
from backends.cupy.leaves.convolutions import conv, conv_grad_inputs, conv_grad_weights
from backends.cupy.leaves.pools import max_pool, max_pool_gather, max_pool_grad, sum_pool, sum_pool_grad
from backends.cupy.leaves.tiled import matmul
from backends.cupy.leaves.windows import overlap_add, windows
from symgraph.tensor.nnet.conv_ops import Conv, ConvGradInputs, ConvGradWeights
from symgraph.tensor.nnet.windows import OverlapAdd, Windows
from symgraph.tensor.signal.pool_ops import MaxPool, MaxPoolGather, MaxPoolGrad, SumPool, SumPoolGrad
from tests.cupy.leaf_runs import compiles, run_leaf

RNG = np.random.default_rng(8)


def performed(op: Any, *values: Any) -> np.ndarray:
    node = op.make_node(*[np.asarray(v) for v in values])
    out: list[list[Any]] = [[None]]
    op.perform(node, [np.asarray(v) for v in values], out)
    return np.asarray(out[0][0])


#: Border, subsample, dilation, flip, groups; images and filters.
CONVOLUTIONS: list[tuple[Any, Any, Any]] = [
    (("valid", (1, 1), (1, 1), True, 1), (3, 2, 7, 6), (4, 2, 3, 2)),
    ((((1, 2), (0, 1)), (2, 1), (1, 2), False, 2), (2, 4, 8, 7), (6, 2, 3, 2)),
    (("full", (3, 2), (1, 1), True, 1), (2, 3, 5, 6), (2, 3, 3, 3)),
    (("half", (2,), (1,), True, 1), (3, 2, 11), (70, 2, 3)),
    (("valid", (1, 1, 2), (1, 1, 1), False, 1), (2, 2, 4, 4, 5), (3, 2, 2, 3, 2)),
    (("valid", (1, 1), (1, 1), True, 1), (9, 1, 18, 18), (20, 1, 5, 5)),  # sums that several blocks share
]
FIRST = [CONVOLUTIONS[1], *(pytest.param(*case, marks=pytest.mark.slow) for case in
                            (CONVOLUTIONS[0], *CONVOLUTIONS[2:]))]


def tensor(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return RNG.normal(size=shape).astype(dtype)


def close(found: np.ndarray, wanted: np.ndarray) -> None:
    assert found.dtype == wanted.dtype
    digits = 1e-2 if found.dtype == np.float16 else 2e-5
    np.testing.assert_allclose(found, wanted, rtol=digits, atol=digits * float(np.abs(wanted).max(initial=1)))


@pytest.mark.parametrize(("options", "image", "filters"), FIRST)
def test_convolution(emulated: EmulatedDevice, options: Any, image: Any, filters: Any) -> None:
    op, x, w = Conv(*options), tensor(image), tensor(filters)
    close(run_leaf(emulated, partial(conv, op), [x, w]), performed(op, x, w))


@pytest.mark.parametrize(("options", "image", "filters"), FIRST)
def test_the_gradient_by_the_images(emulated: EmulatedDevice, options: Any, image: Any, filters: Any) -> None:
    z = performed(Conv(*options), tensor(image), w := tensor(filters))
    op, g, lengths = ConvGradInputs(*options), tensor(z.shape), image[2:]
    close(run_leaf(emulated, partial(conv_grad_inputs, op), [w, g], *lengths), performed(op, w, g, *lengths))


@pytest.mark.parametrize(("options", "image", "filters"), [*FIRST[:1], CONVOLUTIONS[5], *(
    pytest.param(*case, marks=pytest.mark.slow) for case in (CONVOLUTIONS[0], *CONVOLUTIONS[2:5]))])
def test_the_gradient_by_the_filters(emulated: EmulatedDevice, options: Any, image: Any, filters: Any) -> None:
    z = performed(Conv(*options), x := tensor(image), tensor(filters))
    op, g, lengths = ConvGradWeights(*options), tensor(z.shape), filters[2:]
    close(run_leaf(emulated, partial(conv_grad_weights, op), [x, g], *lengths), performed(op, x, g, *lengths))


@pytest.mark.parametrize("dtype", ["float16", *(pytest.param(d, marks=pytest.mark.slow)
                                                for d in ("float64", "complex64", "int32"))])
def test_convolution_of_any_dtype(dtype: str) -> None:
    options, image, filters = CONVOLUTIONS[0]
    op, x, w = Conv(*options), (3 * tensor(image)).astype(dtype), (3 * tensor(filters)).astype(dtype)
    close(run_leaf(EmulatedDevice(), partial(conv, op), [x, w]), performed(op, x, w))


def test_images_that_do_not_fit_the_filters() -> None:
    op = Conv(*CONVOLUTIONS[0][0])
    with pytest.raises(ValueError, match="do not fit filters"):
        run_leaf(EmulatedDevice(), partial(conv, op), [tensor((3, 3, 7, 6)), tensor((4, 2, 3, 2))])


#: Window, stride, pad, whether borders are ignored; images.
POOLS: list[tuple[Any, tuple[int, ...]]] = [
    (((2, 2), (2, 2), (0, 0), True), (2, 3, 5, 6)),
    (((3, 2), (1, 2), (1, 0), True), (2, 5, 7)),
    (((3,), (2,), (0,), False), (4, 8)),
    (((2, 3), (3, 1), (0, 0), False), (1, 6, 6)),
]
POOLED = [POOLS[1], *(pytest.param(*case, marks=pytest.mark.slow) for case in (POOLS[0], *POOLS[2:]))]


@pytest.mark.parametrize(("options", "shape"), POOLED)
def test_the_largest_elements(emulated: EmulatedDevice, options: Any, shape: tuple[int, ...]) -> None:
    x = np.round(tensor(shape) * 2) / 2  # with ties
    z = performed(MaxPool(*options), x)
    np.testing.assert_array_equal(run_leaf(emulated, partial(max_pool, MaxPool(*options)), [x]), z)
    g, v = tensor(z.shape), tensor(shape)
    close(run_leaf(emulated, partial(max_pool_grad, MaxPoolGrad(*options)), [x, z, g]),
          performed(MaxPoolGrad(*options), x, z, g))
    close(run_leaf(emulated, partial(max_pool_gather, MaxPoolGather(*options)), [x, z, v]),
          performed(MaxPoolGather(*options), x, z, v))


def test_a_window_with_nan_is_nan() -> None:
    x = tensor((4, 4))
    x[1, 2] = np.nan
    op = MaxPool(*POOLS[0][0])
    np.testing.assert_array_equal(run_leaf(EmulatedDevice(), partial(max_pool, op), [x]), performed(op, x))


@pytest.mark.parametrize("mode", ["average_exc_pad", *(pytest.param(m, marks=pytest.mark.slow)
                                                       for m in ("sum", "average_inc_pad"))])
@pytest.mark.parametrize(("options", "shape"), POOLED)
def test_sums_and_means(emulated: EmulatedDevice, options: Any, shape: tuple[int, ...], mode: str) -> None:
    op, back, x = SumPool(*options, mode), SumPoolGrad(*options, mode), tensor(shape)  # type: ignore[call-arg]
    z = performed(op, x)
    close(run_leaf(emulated, partial(sum_pool, op), [x]), z)
    g, lengths = tensor(z.shape), shape[-len(options[0]):]
    close(run_leaf(emulated, partial(sum_pool_grad, back), [g], *lengths), performed(back, g, *lengths))


@pytest.mark.parametrize("dtype", ["complex64", pytest.param("float16", marks=pytest.mark.slow)])
def test_means_of_any_dtype(dtype: str) -> None:
    op: Any = SumPool(*POOLS[1][0], "average_exc_pad")  # type: ignore[call-arg]
    x = tensor(POOLS[1][1]).astype(dtype)
    close(run_leaf(EmulatedDevice(), partial(sum_pool, op), [x]), performed(op, x))


@pytest.mark.parametrize(("left", "right", "dtype"), [
    ((3, 1, 5, 70), (4, 70, 6), "float32"),
    *(pytest.param(*case, marks=pytest.mark.slow) for case in [
        ((2, 66, 3), (2, 3, 65), "float64"), ((4, 3, 2), (2, 5), "int32"), ((2, 3, 900), (900, 2), "float32"),
        ((3, 2, 2), (3, 2, 2), "bool"), ((2, 3, 4), (4, 1), "complex64"), ((0, 3, 4), (4, 2), "float32"),
        ((2, 3, 0), (0, 2), "float32"), ((2, 3, 4), (2, 4, 3), "float16")])])
def test_stacks_of_matrices(emulated: EmulatedDevice, left: tuple[int, ...], right: tuple[int, ...],
                            dtype: str) -> None:
    a, b = (2 * tensor(left)).astype(dtype), (2 * tensor(right)).astype(dtype)
    a = np.array(a.swapaxes(-1, -2), order="C").swapaxes(-1, -2)
    close(run_leaf(emulated, matmul, [a, b]), np.matmul(a, b))


@pytest.mark.parametrize("options", [((2, 3), ((1, 0), (0, 2)), (2, 1), (1, 2)), pytest.param(
    ((3, 2), ((0, 0), (0, 0)), (1, 1), (1, 1)), marks=pytest.mark.slow)])
def test_windows_and_their_sum(emulated: EmulatedDevice, options: Any) -> None:
    op, back, x = Windows(*options), OverlapAdd(*options), tensor((2, 3, 6, 7))
    laid = performed(op, x)
    np.testing.assert_array_equal(run_leaf(emulated, partial(windows, op), [x]), laid)
    close(run_leaf(emulated, partial(overlap_add, back), [laid], 6, 7), performed(back, laid, 6, 7))


@pytest.mark.slow
def test_kernels_compile_for_gpus() -> None:
    options, image, filters = CONVOLUTIONS[0]
    compiles(partial(conv, Conv(*options)), [tensor(image), tensor(filters)])
    compiles(partial(max_pool_grad, MaxPoolGrad(*POOLS[0][0])),
             [tensor((2, 4, 4)), tensor((2, 2, 2)), tensor((2, 2, 2))])


@pytest.mark.gpu
@pytest.mark.parametrize(("options", "image", "filters"), CONVOLUTIONS)
def test_convolutions_on_a_gpu(gpu: Any, options: Any, image: Any, filters: Any) -> None:
    x, w = tensor(image), tensor(filters)
    z = performed(Conv(*options), x, w)
    close(run_leaf(gpu, partial(conv, Conv(*options)), [x, w]), z)
    g = tensor(z.shape)
    back, weights = ConvGradInputs(*options), ConvGradWeights(*options)
    close(run_leaf(gpu, partial(conv_grad_inputs, back), [w, g], *image[2:]), performed(back, w, g, *image[2:]))
    close(run_leaf(gpu, partial(conv_grad_weights, weights), [x, g], *filters[2:]),
          performed(weights, x, g, *filters[2:]))
