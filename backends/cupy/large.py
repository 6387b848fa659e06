"""Large products of matrices, by the vendor's library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends.cupy.lowering import Unsupported, lower
from backends.cupy.report import Entry
from symgraph.config import config
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
    return f"{_bound(r, LargeProduct(r.entries[-1]), a.type.dtype)}({r.d}, {r.dev(a)}, {r.dev(b)})"


@lower(Gemm)
def _gemm(r: Renderer, node: Apply) -> str:
    c, alpha, a, b, beta = node.inputs
    if a.type.ndim != 2 or b.type.ndim != 2:
        raise Unsupported("it is a product of a matrix and a vector that is no loop")
    scales = [repr(float(v.data)) if isinstance(v, Constant) else f"float({r.host(v)})" for v in (alpha, beta)]
    made = LargeProduct(r.entries[-1], r.overwriting.by_step(r.writer.current))
    return (f"{_bound(r, made, a.type.dtype)}.added({r.d}, {r.dev(c)}, {scales[0]}, {r.dev(a)}, {r.dev(b)}, "
            f"{scales[1]})")


def _bound(r: Renderer, made: LargeProduct, dtype: str) -> str:
    made.tf32 = dtype == "float32" and config.matmul_precision == "tf32"
    r.entries[-1].kernel, r.entries[-1].precision = "cublasLt", "tf32" if made.tf32 else dtype
    return r.writer.bind(made, "product")


class LargeProduct:
    """A product of a program, by the vendor's library.

    Parameters
    ----------
    entry : Entry
        Of the report: it is told what the product costs.
    over : SharedVariable, optional
        Of which the result is the next value, where it may be written over the present one.

    Attributes
    ----------
    tf32 : bool
        Whether float32 factors may be rounded, because `config.matmul_precision` says so.
    """

    tf32 = False

    def __init__(self, entry: Entry, over: Any = None) -> None:
        self.entry, self.over = entry, over

    def __call__(self, d: Any, a: Any, b: Any) -> Any:
        """The product of two matrices, or of a matrix and a vector."""
        if a.shape[-1] != b.shape[0]:
            raise ValueError(f"dot: inner lengths differ, of shapes {a.shape} and {b.shape}")
        if a.ndim == b.ndim == 2:  # a view of an argument would keep the program from being recorded
            left, right = _plain(d, a), _plain(d, b)
        else:
            left, right = (_plain(d, x.reshape(shape)) for x, shape in ((a, (-1, a.shape[-1])), (b, (b.shape[0], -1))))
        out = d.empty((left.shape[0], right.shape[1]), a.dtype)
        d.product(out, left, right, tf32=self.tf32)
        self._note_costs(out, left, right)
        return out if a.ndim == b.ndim == 2 else out.reshape((*a.shape[:-1], *b.shape[1:]))

    def added(self, d: Any, c: Any, alpha: float, a: Any, b: Any, beta: float) -> Any:
        """``beta * c + alpha * a @ b``, of matrices."""
        if (a.shape[1], c.shape) != (b.shape[0], (a.shape[0], b.shape[1])):
            raise ValueError(f"gemm: matrices of shapes {a.shape} and {b.shape} do not multiply to one of shape "
                             f"{c.shape}")
        left, right = _plain(d, a), _plain(d, b)
        out = d.empty(c.shape, c.dtype)
        if self.over is not None:
            d.may_lie_over(out, self.over, guarded=False)
        d.copy(out, c)
        d.product(out, left, right, alpha, beta, self.tf32)
        self._note_costs(out, left, right)
        return out

    def _note_costs(self, out: Any, a: Any, b: Any) -> None:
        self.entry.bytes = out.nbytes + a.nbytes + b.nbytes
        self.entry.flops = 2 * out.shape[0] * out.shape[1] * a.shape[1]


def _plain(d: Any, x: Any) -> Any:
    """A matrix with neighbours along its rows or columns side by side; a copy where it has none."""
    if min(x.shape) and x.itemsize in x.strides and min(x.strides) >= 0:
        return x
    out = d.empty(x.shape, x.dtype)
    d.copy(out, x)
    return out
