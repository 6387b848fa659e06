"""Large products of matrices, by the vendor's library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.cupy.lowering import Unsupported, lower
from symgraph.graph.basic import Apply, Constant
from symgraph.tensor.blas import Gemm
from symgraph.tensor.products import Dot

if TYPE_CHECKING:
    from backends.cupy.render import Renderer

__all__: list[str] = []

_FLOATS = ("float16", "float32", "float64")


@lower(Dot)
def _dot(r: Renderer, node: Apply) -> str:
    a, b = node.inputs
    if a.type.dtype != b.type.dtype or a.type.dtype not in _FLOATS:
        return f"{r.xp('dot')}({r.dev(a)}, {r.dev(b)})"
    r.writer.namespace["product"] = product
    r.entries[-1].kernel, r.entries[-1].precision = "cublasLt", a.type.dtype
    return f"product({r.d}, {r.dev(a)}, {r.dev(b)})"


@lower(Gemm)
def _gemm(r: Renderer, node: Apply) -> str:
    c, alpha, a, b, beta = node.inputs
    if a.type.ndim != 2 or b.type.ndim != 2:
        raise Unsupported("it is a product of a matrix and a vector that is no loop")
    r.writer.namespace["added_product"] = added_product
    r.entries[-1].kernel, r.entries[-1].precision = "cublasLt", a.type.dtype
    scales = [repr(float(v.data)) if isinstance(v, Constant) else f"float({r.host(v)})" for v in (alpha, beta)]
    target = r.over_of(r.writer.current) if r.writer.current is not None else None
    over = f", over={r.writer.bind(target, 'target')}" if target is not None else ""
    return f"added_product({r.d}, {r.dev(c)}, {scales[0]}, {r.dev(a)}, {r.dev(b)}, {scales[1]}{over})"


def product(d: Any, a: Any, b: Any) -> Any:
    """The product of two matrices, or of a matrix and a vector."""
    if a.shape[-1] != b.shape[0]:
        raise ValueError(f"dot: inner lengths differ, of shapes {a.shape} and {b.shape}")
    if a.ndim == b.ndim == 2:  # a view of an argument would keep the program from being recorded
        left, right = _plain(d, a), _plain(d, b)
    else:
        left, right = (_plain(d, x.reshape(shape)) for x, shape in ((a, (-1, a.shape[-1])), (b, (b.shape[0], -1))))
    out = d.empty((left.shape[0], right.shape[1]), a.dtype)
    d.product(out, left, right)
    return out if a.ndim == b.ndim == 2 else out.reshape((*a.shape[:-1], *b.shape[1:]))


def added_product(d: Any, c: Any, alpha: float, a: Any, b: Any, beta: float, over: Any = None) -> Any:
    """``beta * c + alpha * a @ b``, of matrices; `over` is the shared variable of which this is the next value."""
    if (a.shape[1], c.shape) != (b.shape[0], (a.shape[0], b.shape[1])):
        raise ValueError(f"gemm: matrices of shapes {a.shape} and {b.shape} do not multiply to one of shape {c.shape}")
    left, right = _plain(d, a), _plain(d, b)
    out = d.empty(c.shape, c.dtype)
    if over is not None:
        d.may_lie_over(out, over, guarded=False)
    d.copy(out, c)
    d.product(out, left, right, alpha, beta)
    return out


def _plain(d: Any, x: Any) -> Any:
    """A matrix with neighbours along its rows or columns side by side; a copy where it has none."""
    if min(x.shape) and x.itemsize in x.strides and min(x.strides) >= 0:
        return x
    out = d.empty(x.shape, x.dtype)
    d.copy(out, x)
    return out
