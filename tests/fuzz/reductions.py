"""Operations of the fuzzer that reduce, accumulate, sort, count and multiply matrices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as special

import symgraph.tensor as T
from tests.fuzz.recipes import Growth, Operation
from tests.fuzz.tolerance import finite, of_terms, ulps, wide

Array = np.ndarray[Any, Any]


def some_axes(growth: Growth, ndim: int, one: bool = False) -> Any:
    """None, an axis counted from either side, or several."""
    if ndim == 0 or growth.chance(4):
        return None
    if not one and ndim > 1 and growth.chance(4):
        return tuple(sorted({growth.choose(ndim), growth.choose(ndim)}))
    return growth.choose(ndim) - (ndim if growth.choose(2) else 0)


def some_axis(growth: Growth, ndim: int) -> int:
    return growth.choose(ndim) - (ndim if growth.choose(2) else 0)


def has_axes(v: Any) -> bool:
    return bool(v.array.ndim > 0)


# ---- reductions -------------------------------------------------------------------------------------------------


def _count(x: Array, axis: Any) -> int:
    axes = range(x.ndim) if axis is None else [axis] if isinstance(axis, int) else axis
    return int(np.prod([x.shape[a] for a in axes]))


def _sum_tolerance(result: Array, x: Array, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    return of_terms(result, _count(x, axis), np.sum(finite(x), axis=axis, keepdims=keepdims))


def _mean_tolerance(result: Array, x: Array, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    count = max(_count(x, axis), 1)
    total = np.sum(finite(x), axis=axis, keepdims=keepdims)
    largest = float(np.finfo(result.dtype).max) if result.dtype != np.float16 else float(np.finfo("float32").max)
    return np.where(total > largest / 2, np.inf, of_terms(result, 4, total / count))


def _prod_tolerance(result: Array, x: Array, axis: Any = None, keepdims: bool = False, **_: Any) -> Any:
    """n roundings of the product; nothing is said where the factors in some order overflow or vanish on the way."""
    if result.dtype.kind not in "fc":
        return None
    size = np.where(np.isfinite(wide(x)), wide(x), 1)
    limits = np.finfo(result.dtype)
    up = np.prod(np.maximum(size, 1), axis=axis, keepdims=keepdims)
    down = np.prod(np.where(size < 1, size, 1), axis=axis, keepdims=keepdims)
    zero = np.any(wide(x) == 0, axis=axis, keepdims=keepdims)
    unsaid = (up > float(limits.max) / 2) | (down < float(limits.tiny)) & ~(zero & np.isfinite(up))
    return np.where(unsaid, np.inf, max(4, _count(x, axis)) * float(limits.eps) * finite(result))


def _var_tolerance(result: Array, x: Array, axis: Any = None, keepdims: bool = False, ddof: int = 0) -> Any:
    count = max(_count(x, axis), 1)
    squares = np.sum(finite(x) ** 2, axis=axis, keepdims=keepdims)
    return np.where(squares > float(np.finfo(result.dtype).max) / 8, np.inf,
                    of_terms(result, 4 * count, squares / max(count - ddof, 1)))


def _std_tolerance(result: Array, x: Array, **options: Any) -> Any:
    moved = _var_tolerance(result, x, **options)
    with np.errstate(all="ignore"):
        near = moved / finite(result)
    return np.where(np.isinf(moved), np.inf, np.fmin(np.sqrt(moved), near) + ulps(result))


def _reduction(name: str, tolerance: Any = None, weight: int = 2, **more: Any) -> Operation:
    def draw(growth: Growth) -> Any:
        x = growth.place()
        options = {"axis": some_axes(growth, growth.values[x].array.ndim), "keepdims": growth.chance(3)}
        if name in ("var", "std") and growth.chance(3):
            options["ddof"] = 1
        return [x], options

    return Operation(name, getattr(T, name), getattr(np, name), draw, tolerance, weight)


def _place_of_extreme(name: str) -> Operation:
    def draw(growth: Growth) -> Any:
        x = growth.place()
        return [x], {"axis": some_axes(growth, growth.values[x].array.ndim, one=True), "keepdims": growth.chance(4)}

    return Operation(name, getattr(T, name), getattr(np, name), draw)


def _norm(growth: Growth) -> Any:
    x = growth.place(lambda v: v.array.size > 0)  # that of no elements depends on NumPy's version
    return [x], {"axis": some_axes(growth, growth.values[x].array.ndim, one=True), "ord": growth.one_of((1, 2, np.inf))}


def _numpy_norm(x: Array, ord: Any, axis: Any) -> Any:
    flat = x.reshape(-1) if axis is None else x
    return np.linalg.norm(flat, ord=ord, axis=-1 if axis is None else axis)


def _norm_tolerance(result: Array, x: Array, axis: Any = None, ord: Any = None) -> Any:
    if ord == np.inf:
        return ulps(result)
    if ord == 1:
        return _sum_tolerance(result, x, axis)
    tiny = float(np.finfo(result.dtype).tiny)
    squares = np.sum(finite(x) ** 2, axis=axis)
    relative = of_terms(result, _count(x, axis), np.where(np.isfinite(result), result, 0))
    return np.where((squares > float(np.finfo(result.dtype).max) / 2) | (squares < tiny), np.inf, relative)


REDUCTIONS = (
    _reduction("sum", _sum_tolerance, 6), _reduction("mean", _mean_tolerance, 3), _reduction("prod", _prod_tolerance),
    _reduction("max", weight=4), _reduction("min"), _reduction("any"), _reduction("all"),
    _reduction("var", _var_tolerance), _reduction("std", _std_tolerance), _place_of_extreme("argmax"),
    _place_of_extreme("argmin"),
    # That of no booleans is wrong in two ways: NumPy looks at the length first, the library at the dtype.
    Operation("ptp", T.ptp, np.ptp, lambda g: ([x := g.place(lambda v: v.kind != "b" or v.array.size > 0)], {
        "axis": some_axes(g, g.values[x].array.ndim)}), ulps),
    Operation("norm", T.norm, _numpy_norm, _norm, _norm_tolerance),
)

# ---- along an axis ----------------------------------------------------------------------------------------------


def _along(name: str, tolerance: Any = None, none: bool = True, symbolic: Any = None, numeric: Any = None,
           weight: int = 1, **fixed: Any) -> Operation:
    def draw(growth: Growth) -> Any:
        x = growth.place(has_axes)
        ndim = growth.values[x].array.ndim
        axis = None if none and growth.chance(4) else some_axis(growth, ndim)
        return [x], {"axis": axis, **fixed}

    return Operation(name, symbolic or getattr(T, name), numeric or getattr(np, name), draw, tolerance, weight)


def _cumprod_tolerance(result: Array, x: Array, axis: Any = None) -> Any:
    return None


def _logsumexp(growth: Growth) -> Any:
    x = growth.place(lambda v: v.kind == "f" and v.array.ndim > 0 and v.array.size > 0)  # SciPy gives 0-d ones an axis
    return [x], {"axis": some_axes(growth, growth.values[x].array.ndim), "keepdims": growth.chance(3)}


def _exact(function: Callable[..., Any]) -> Callable[..., Any]:
    """The reference, computed in the dtype above, and rounded to the argument's."""

    def compute(x: Array, **options: Any) -> Any:
        return np.asarray(function(x.astype(np.longdouble), **options)).astype(x.dtype)

    return compute


def _softmax(growth: Growth) -> Any:
    x = growth.place(lambda v: v.kind == "f" and v.array.ndim > 0 and v.array.size > 0)
    return [x], {"axis": some_axis(growth, growth.values[x].array.ndim)}


def _some(factor: float) -> Any:
    return lambda result, *arrays, **options: ulps(result, factor=factor)


def _shifted_tolerance(result: Array, x: Array, **_: Any) -> Any:
    """Differences from the largest element are rounded, in units of that."""
    largest = float(np.max(finite(x), initial=0))
    return ulps(result, factor=4) + float(np.finfo(result.dtype).eps) * 4 * largest * np.maximum(finite(result), 1)


def _take_along(growth: Growth) -> Any:
    x = growth.place(has_axes)
    array = growth.values[x].array
    axis = some_axis(growth, array.ndim)
    n = array.shape[axis]
    places = growth.place(lambda v: v.kind in "iu" and v.array.ndim == array.ndim and v.array.size > 0
                          and v.array.shape[:axis % array.ndim] == array.shape[:axis % array.ndim]
                          and v.array.shape[axis % array.ndim + 1:] == array.shape[axis % array.ndim + 1:]
                          and v.static == growth.values[x].static
                          and bool(np.all((v.array.astype(float) >= -n) & (v.array.astype(float) < n))))
    return [x, places], {"axis": axis}


def _topk(growth: Growth) -> Any:
    x = growth.place(lambda v: v.array.ndim > 0 and v.array.size > 0 and v.kind in "iuf"
                     and not np.any(np.isnan(v.array)))
    axis = some_axis(growth, growth.values[x].array.ndim)
    k = 1 + growth.choose(growth.values[x].array.shape[axis])
    return [x], {"kth": k if growth.choose(2) else -k, "axis": axis}


def _numpy_topk(x: Array, kth: int, axis: int) -> Any:
    ordered = np.flip(np.sort(x, axis=axis), axis=axis)
    n = x.shape[axis]
    return np.take(ordered, range(kth) if kth > 0 else range(n + kth, n), axis=axis)


ALONG = (
    _along("cumsum", weight=2), _along("cumprod"), _along("sort", weight=2),
    _along("argsort", kind="stable"),
    _along("diff", none=False), _along("flip", none=True, weight=2),
    Operation("logsumexp", T.logsumexp, _exact(special.logsumexp), _logsumexp, _shifted_tolerance),
    Operation("softmax", T.nnet.softmax, _exact(special.softmax), _softmax, _shifted_tolerance, 2),
    Operation("take_along_axis", T.take_along_axis, np.take_along_axis, _take_along),
    Operation("topk", T.topk, _numpy_topk, _topk),
)

# ---- counting ---------------------------------------------------------------------------------------------------


def _vector(kinds: str = "biufc") -> Callable[[Growth], Any]:
    def draw(growth: Growth) -> Any:
        return [growth.place(lambda v: v.kind in kinds)], {}

    return draw


def _bincount(growth: Growth) -> Any:
    # Whether numpy.bincount takes uint64 depends on its version.
    wanted = growth.place(lambda v: v.array.ndim == 1 and v.kind in "iu" and v.array.dtype != np.uint64
                          and bool(np.all(v.array <= 50)))
    return [wanted], {"minlength": growth.choose(4)}


def _searchsorted(growth: Growth) -> Any:
    a = growth.place(lambda v: v.array.ndim == 1 and v.kind in "biuf" and v.array.dtype != np.float16
                     and bool(np.all(v.array[:-1] <= v.array[1:])))
    v = growth.place(lambda v: v.array.dtype == growth.values[a].array.dtype)
    return [a, v], {"side": growth.one_of(("left", "right"))}


COUNTING = (
    Operation("bincount", T.bincount, np.bincount, _bincount),
    Operation("searchsorted", T.searchsorted, np.searchsorted, _searchsorted),
    Operation("unique", T.unique, np.unique, _vector()),
    Operation("count_nonzero", T.count_nonzero, np.count_nonzero, _vector()),
    Operation("nonzero", lambda x: T.nonzero(x)[-1], lambda x: np.nonzero(x)[-1], lambda g: ([g.place(has_axes)], {})),
    Operation("flatnonzero", T.flatnonzero, np.flatnonzero, _vector()),
    Operation("nan_to_num", T.nan_to_num, np.nan_to_num, _vector()),
)

# ---- products of matrices ---------------------------------------------------------------------------------------


def _product_tolerance(function: Callable[..., Any]) -> Callable[..., Any]:
    def tolerance(result: Array, a: Array, b: Array, **options: Any) -> Any:
        if result.dtype.kind not in "fc":
            return None
        scale = function(finite(a), finite(b), **options)
        counts = function(np.ones_like(a, dtype=int), np.ones_like(b, dtype=int), **options)
        limit = of_terms(result, int(np.max(counts, initial=1)), scale)
        lost = [~np.isfinite(v) for v in (a, b)]
        if not (np.any(lost[0]) or np.any(lost[1])):
            return limit
        # BLAS may leave out a factor 0, though 0 * inf and 0 * nan are nan, and multiplies complex numbers its own way.
        zero = [np.ones_like(v, bool) if result.dtype.kind == "c" else v == 0 for v in (a, b)]
        meet = [function(p.astype(int), q.astype(int), **options)
                for p, q in ((lost[0], zero[1]), (zero[0], lost[1]))]
        return np.where((meet[0] > 0) | (meet[1] > 0), np.inf, limit)

    return tolerance


def _dots(growth: Growth) -> Any:
    a = growth.place(lambda v: v.array.ndim in (0, 1, 2))
    one = growth.values[a]

    def matches(v: Any) -> bool:
        if one.array.ndim == 0 or v.array.ndim == 0:
            return True
        axis = max(v.array.ndim - 2, 0)
        return bool(v.array.ndim < 3 and v.array.shape[axis] == one.array.shape[-1])

    return [a, growth.place(matches)], {}


def _matmuls(growth: Growth) -> Any:
    a = growth.place(has_axes)
    one = growth.values[a]

    def matches(v: Any) -> bool:
        if v.array.ndim == 0 or v.array.shape[max(v.array.ndim - 2, 0)] != one.array.shape[-1]:
            return False
        stacks = [(n, m, s, t) for n, m, s, t in zip(
            one.array.shape[:-2][::-1], v.array.shape[:-2][::-1], one.static[:-2][::-1], v.static[:-2][::-1],
            strict=False)]
        return all(n == m or (n == 1 and s == 1) or (m == 1 and t == 1) for n, m, s, t in stacks)

    return [a, growth.place(matches)], {}


def _vectors(growth: Growth) -> Any:
    a = growth.place(lambda v: v.array.ndim == 1)
    return [a, growth.place(lambda v: v.array.ndim == 1)], {}


def _tensordots(growth: Growth) -> Any:
    a = growth.place(has_axes)
    i = growth.choose(growth.values[a].array.ndim)
    n = growth.values[a].array.shape[i]
    b = growth.place(lambda v: n in v.array.shape)
    j = growth.values[b].array.shape.index(n)
    return [a, b], {"axes": [[i], [j]]}


EINSUMS = ("ij,jk->ik", "ij,kj->ik", "ij,ij->j", "i,i->", "i,j->ji", "ij,j->i", "ij,ij->ij", "ij,jk", "i,ij->j",
           "...i,...i->...")


def _einsums(growth: Growth) -> Any:
    text = growth.one_of(EINSUMS)
    first, second = text.partition("->")[0].split(",")
    a = growth.place(lambda v: "." in first or v.array.ndim == len(first))
    one = growth.values[a]
    if "." in first:
        if one.array.ndim == 0:
            return [a, a], {"subscripts": "...,...->..."}
        return [a, growth.place(lambda v: v.array.shape == one.array.shape and v.static == one.static)], {
            "subscripts": text}
    sizes = dict(zip(first, one.array.shape, strict=True))
    b = growth.place(lambda v: v.array.ndim == len(second) and all(
        sizes.get(letter, n) == n for letter, n in zip(second, v.array.shape, strict=True)))
    return [a, b], {"subscripts": text}


def _einsum(module: Any) -> Any:
    return lambda a, b, subscripts: module.einsum(subscripts, a, b)


def _product(name: str, draw: Any, weight: int = 1, symbolic: Any = None, numeric: Any = None) -> Operation:
    numeric = numeric or getattr(np, name)
    return Operation(name, symbolic or getattr(T, name), numeric, draw, _product_tolerance(numeric), weight)


PRODUCTS = (
    _product("dot", _dots, 3), _product("matmul", _matmuls, 3), _product("outer", _vectors),
    _product("tensordot", _tensordots), _product("kron", _vectors, symbolic=T.slinalg.kron),
    _product("einsum", _einsums, 3, _einsum(T), _einsum(np)),
)

OPERATIONS: tuple[Operation, ...] = (*REDUCTIONS, *ALONG, *COUNTING, *PRODUCTS)
