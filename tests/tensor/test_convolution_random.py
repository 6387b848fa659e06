"""Convolutions of random shapes and parameters, by matrix products and by transforms, against loops over places."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symgraph as sg
import symgraph.tensor as T
from symgraph.tensor.nnet import conv_columns, conv_fft, conv_kernels
from symgraph.tensor.nnet.conv_geometry import Geometry
from tests.records.convolution import Loops
from tests.tensor.common import compute, symbol

RNG = np.random.default_rng(8)
SMALL = st.integers(0, 3)


@st.composite
def convolutions(draw: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Shapes of images and filters that fit, and the parameters of a convolution."""
    rank = draw(st.integers(1, 3))
    groups, mine, each = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    window = [draw(st.integers(1, 3)) for _ in range(rank)]
    dilation = [draw(st.integers(1, 2)) for _ in range(rank)]
    spans = [(k - 1) * d + 1 for k, d in zip(window, dilation, strict=True)]
    border = draw(st.one_of(st.sampled_from(["valid", "full", "half"]), st.lists(
        st.one_of(SMALL, st.tuples(SMALL, SMALL)), min_size=rank, max_size=rank).map(tuple), SMALL))
    space = [n + draw(SMALL) for n in spans]
    options = {"border_mode": border, "subsample": tuple(draw(st.integers(1, 3)) for _ in range(rank)),
               "filter_flip": draw(st.booleans()), "filter_dilation": tuple(dilation), "num_groups": groups}
    batch = draw(st.integers(0, 3))
    return (batch, groups * mine, *space), (groups * each, mine, *window), options


def products(x: Any, w: Any, z: Any, rank: int, options: dict[str, Any]) -> list[Any]:
    """The convolution, and by the chain rule its two transposes, as expressions."""
    made = getattr(T.nnet, f"conv{rank}d")(x, w, **options)
    return [made, *sg.grad(T.sum(made * z), [x, w], disconnected_inputs="raise")]


@given(convolutions())
@settings(max_examples=40, deadline=None)
def test_as_loops(case: Any) -> None:
    images, filters, options = case
    rank, loops = len(images) - 2, Loops(images[2:], filters[2:], **options)
    x, w = RNG.normal(size=images), RNG.normal(size=filters)
    z = RNG.normal(size=(images[0], filters[0], *loops.made))
    inputs = [symbol(v) for v in (x, w, z)]
    found = compute(inputs, products(*inputs, rank, options), [x, w, z])
    for made, wanted in zip(found, (loops.forward(x, w), loops.by_inputs(w, z), loops.by_weights(x, z)), strict=True):
        np.testing.assert_allclose(made, wanted, rtol=1e-10, atol=1e-10)


def geometry(images: Any, filters: Any, options: dict[str, Any]) -> tuple[Geometry, Loops]:
    rank, loops = len(images) - 2, Loops(images[2:], filters[2:], **{**options, "filter_flip": False})
    pads = tuple((a, n - a - m) for a, n, m in zip(loops.before, loops.whole, images[2:], strict=True))
    made = Geometry(tuple(images[2:]), tuple(filters[2:]), tuple(loops.made), pads, options["subsample"],
                    options["filter_dilation"], options["num_groups"])
    assert made.rank == rank
    return made, loops


@pytest.mark.parametrize("way", ["columns, few places", "columns, many places", "columns, in small runs", "transforms"])
@given(case=convolutions())
@settings(max_examples=30, deadline=None)
def test_every_way_gives_the_same(way: str, case: Any) -> None:
    """Both layouts of columns, rows in runs, and transforms: also where another way would be taken."""
    images, filters, options = case
    g, loops = geometry(images, filters, options)
    x, w = RNG.normal(size=images), RNG.normal(size=filters)
    z = RNG.normal(size=(images[0], filters[0], *g.output))
    module: Any = conv_fft if way == "transforms" else conv_columns
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_columns, "_FEW_PLACES", 10**6 if "few" in way else 0)
        patch.setattr(conv_columns, "_COLUMN_BYTES", 500 if "runs" in way else 10**6)
        patch.setattr(conv_fft, "_SPECTRUM_BYTES", 2000)
        found = [module.correlate(x, w, g), module.correlate_images(w, z, g), module.correlate_filters(x, z, g)]
        if module is conv_columns:
            found.append(conv_columns._scattered(w, z, g))
    wanted = [loops.forward(x, w), loops.by_inputs(w, z), loops.by_weights(x, z), loops.by_inputs(w, z)]
    for made, right in zip(found, wanted, strict=False):
        np.testing.assert_allclose(np.broadcast_to(made, right.shape), right, rtol=1e-10, atol=1e-10)


LARGE = Geometry((64, 64), (31, 31), (34, 34), ((0, 0), (0, 0)), (1, 1), (1, 1))


def test_when_transforms_pay() -> None:
    """Large filters; never for integers, half or complex numbers, nor small filters."""
    assert conv_fft.pays(LARGE, 2, 2, 4, np.dtype("float32"))
    assert conv_fft.pays(LARGE, 2, 2, 4, np.dtype("float64"))
    assert not any(conv_fft.pays(LARGE, 2, 2, 4, np.dtype(d)) for d in ("float16", "int64", "complex64"))
    small = Geometry((56, 56), (3, 3), (54, 54), ((0, 0), (0, 0)), (1, 1), (1, 1))
    assert not conv_fft.pays(small, 8, 64, 64, np.dtype("float32"))


def test_transforms_can_be_ruled_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conv_fft, "ADVANTAGE", math.inf)
    assert not conv_fft.pays(LARGE, 2, 2, 4, np.dtype("float32"))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_transforms_keep_precision(dtype: str) -> None:
    """Errors are a few units in the last place of the largest element, and single stays single."""
    x, w = RNG.normal(size=(2, 2, 64, 64)).astype(dtype), RNG.normal(size=(4, 2, 31, 31)).astype(dtype)
    z = RNG.normal(size=(2, 4, 34, 34)).astype(dtype)
    for name, first, second in (("correlate", x, w), ("correlate_filters", x, z), ("correlate_images", w, z)):
        found = getattr(conv_kernels, name)(first, second, LARGE)
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, getattr(conv_fft, name)(first, second, LARGE))
        wanted = getattr(conv_columns, name)(first.astype("float64"), second.astype("float64"), LARGE)
        assert np.abs(found - wanted).max() < 16 * np.finfo(dtype).eps * np.abs(wanted).max()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_reaches_only_what_sees_it(bad: float) -> None:
    """A spectrum would spread it over the whole image."""
    image = RNG.normal(size=(2, 2, 64, 64)).astype("float32")
    image[0, 0, 0, 0] = bad
    w = RNG.normal(size=(4, 2, 31, 31)).astype("float32")
    made = conv_kernels.correlate(image, w, LARGE)
    assert not np.isfinite(made[0, :, 0, 0]).any()
    assert np.isfinite(made[0, :, 1:, 1:]).all()
    assert np.isfinite(made[1:]).all()


def test_a_layer_with_large_filters_is_differentiated() -> None:
    """Where transforms are taken, first and second derivatives agree with those by matrix products."""
    values = [RNG.normal(size=(2, 2, 32, 32)), RNG.normal(size=(4, 2, 23, 23))]
    x, w = (symbol(v) for v in values)
    made = T.nnet.conv2d(x, w, border_mode="half")
    by_x, by_w = sg.grad(T.sum(T.tanh(made * 0.01)), [x, w])
    outputs = [made, by_x, by_w, sg.grad(T.sum(by_x ** 2), w)]
    found = compute([x, w], outputs, values, "FAST_RUN")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(conv_fft, "ADVANTAGE", math.inf)
        wanted = compute([x, w], outputs, values, "FAST_RUN")
    assert any((a != b).any() for a, b in zip(found, wanted, strict=True)), "transforms were not taken"
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-11)
