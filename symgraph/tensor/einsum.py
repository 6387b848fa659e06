"""Einstein's notation: products of tensors summed over axes that are named alike, by matrix products."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from symgraph.tensor.basic import arange, as_tensor_variable
from symgraph.tensor.dimshuffle import dimshuffle
from symgraph.tensor.elemwise import cast
from symgraph.tensor.products import matmul, tensordot
from symgraph.tensor.reduce import any as tensor_any
from symgraph.tensor.reduce import sum as tensor_sum
from symgraph.tensor.shape import reshape, shape_i
from symgraph.tensor.specify import require_lengths

__all__ = ["einsum"]

#: A letter, or for an axis an ellipsis stands for, its place counted from the right, from 1.
Label = Hashable
Term = tuple[Any, list[Label]]  # a tensor and the labels of its axes


def einsum(subscripts: Any, *operands: Any, optimize: Any = None) -> Any:
    """Sums of products, in Einstein's notation, as `numpy.einsum`.

    Parameters
    ----------
    subscripts : str
        Letters for the axes of each operand, separated by commas, and after ``->`` those of the result; without that,
        the letters that occur once, in alphabetical order. ``...`` stands for all axes that have no letter.
        Or, as in NumPy, operands and lists of numbers in turn, and maybe a list for the result:
        ``einsum(a, [0, 1], b, [1, 2], [0, 2])``.
    *operands : tensor-like
    optimize : optional
        Accepted for programs that pass it: the operands are multiplied two by two, in an order that is found from
        their lengths where all are known, and from left to right otherwise.

    Returns
    -------
    TensorVariable
        Of the operands' common dtype.

    Raises
    ------
    ValueError
        When the notation does not fit the operands, or known lengths of one letter differ.

    Examples
    --------
    >>> import numpy as np
    >>> einsum("ij,kj->ik", np.eye(2), [[1.0, 2.0], [3.0, 4.0]]).eval()
    array([[1., 3.],
           [2., 4.]])
    """
    if not isinstance(subscripts, str):
        subscripts, operands = _spelled(subscripts, *operands)
    tensors = [as_tensor_variable(x) for x in operands]
    inputs, output = _parse(subscripts, [t.type.ndim for t in tensors])
    dtype = np.result_type(*(t.type.numpy_dtype for t in tensors))
    terms: list[Term] = [(cast(t, dtype), labels) for t, labels in zip(tensors, inputs, strict=True)]
    _check_lengths(terms)
    path = _order(terms, output)
    terms = [_without_repeats(*term) for term in _without_stretching(terms)]
    for first, second in path:
        a, b = terms[first], terms[second]
        terms = [term for place, term in enumerate(terms) if place not in (first, second)]
        needed = {*output, *(label for _, labels in terms for label in labels)}
        terms.append(_product(a, b, needed))
    tensor, labels = _summed(*terms[0], set(output))
    return dimshuffle(tensor, [labels.index(label) for label in output])


# ---- the notation ----------------------------------------------------------------------------------------------


def _spelled(*arguments: Any) -> tuple[str, tuple[Any, ...]]:
    """The string for operands and lists of numbers in turn, and the operands."""
    operands, lists = arguments[:len(arguments) // 2 * 2:2], list(arguments[1::2])
    if not lists or not all(isinstance(labels, (list, tuple)) for labels in lists):
        raise TypeError("einsum: the subscripts are a string, such as 'ij,jk->ik', before the operands, or a list of "
                        f"numbers behind each; not {type(arguments[0]).__name__} first, then "
                        f"{', '.join(type(a).__name__ for a in arguments[1:]) or 'nothing'}")

    def word(labels: Sequence[Any]) -> str:
        return "".join("..." if label is Ellipsis else _letter(label) for label in labels)

    text = ",".join(map(word, lists))
    return (f"{text}->{word(arguments[-1])}" if len(arguments) % 2 else text), operands


def _letter(label: Any) -> str:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"  # in the order of their codes, as the numbers
    if not isinstance(label, (int, np.integer)):
        raise TypeError(f"einsum: a label in a list is an integer or ..., not {label!r}")
    if not 0 <= label < len(letters):
        raise ValueError(f"einsum: a label in a list lies between 0 and {len(letters) - 1}, not {label}")
    return letters[label]


def _parse(subscripts: str, ranks: Sequence[int]) -> tuple[list[list[Label]], list[Label]]:
    """The labels of each operand's axes, and of the result's."""
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(ranks):
        raise ValueError(f"einsum: {subscripts!r} names {len(parts)} operands, but {len(ranks)} are given")
    inputs = [_labels(part, rank, subscripts) for part, rank in zip(parts, ranks, strict=True)]
    wide = max((label for labels in inputs for label in labels if isinstance(label, int)), default=0)
    rest: list[Label] = list(range(wide, 0, -1))
    if arrow:
        letters = right.replace("...", "", 1)
        _check_letters(letters, subscripts)
        before, dots, after = right.partition("...")
        output = [*before, *(rest if dots else []), *after]
    else:
        count = left.replace(".", "").replace(",", "")
        output = rest + sorted(letter for letter in set(count) if count.count(letter) == 1)
    if len(set(output)) != len(output):
        raise ValueError(f"einsum: {subscripts!r} names an axis of the result twice")
    known = {label for labels in inputs for label in labels}
    if not set(output) <= known:
        missing = ", ".join(sorted(str(label) for label in set(output) - known))
        raise ValueError(f"einsum: the result of {subscripts!r} has axes that no operand has: {missing}")
    return inputs, output


def _labels(part: str, rank: int, subscripts: str) -> list[Label]:
    letters = part.replace("...", "", 1)
    _check_letters(letters, subscripts)
    spare = rank - len(letters)
    if spare < 0 or (spare > 0 and "..." not in part):
        raise ValueError(f"einsum: {part!r} in {subscripts!r} names {len(letters)} axes of an operand of {rank}")
    before, _, after = part.partition("...")
    return [*before, *range(spare, 0, -1), *after]


def _check_letters(letters: str, subscripts: str) -> None:
    if letters and not (letters.isascii() and letters.isalpha()):
        raise ValueError(f"einsum: axes are named by letters, and by one '...' in an operand, not {subscripts!r}")


def _check_lengths(terms: Iterable[Term]) -> None:
    lengths: dict[Label, int] = {}
    for tensor, labels in terms:
        for label, n in zip(labels, tensor.type.shape, strict=True):
            if n not in (None, 1) and lengths.setdefault(label, n) != n:
                raise ValueError(f"einsum: axis {label!r} has length {lengths[label]} in one place and {n} in another")


# ---- single operands -------------------------------------------------------------------------------------------


def _without_stretching(terms: Sequence[Term]) -> list[Term]:
    """Operands without the axes of length 1 that another operand stretches: they change nothing."""
    long = {label for tensor, labels in terms for label, n in zip(labels, tensor.type.shape, strict=True) if n != 1}
    result = []
    for tensor, labels in terms:
        kept = [axis for axis, label in enumerate(labels) if tensor.type.shape[axis] != 1 or label not in long]
        result.append((dimshuffle(tensor, kept), [labels[axis] for axis in kept]))
    return result


def _without_repeats(tensor: Any, labels: list[Label]) -> Term:
    """The diagonals where an operand names several axes alike."""
    for label in dict.fromkeys(labels):
        while labels.count(label) > 1:
            first = labels.index(label)
            second = labels.index(label, first + 1)
            wanted: list[Any] = [None] * len(labels)
            wanted[second] = shape_i(tensor, first)
            if tensor.type.shape[first] is None or tensor.type.shape[second] is None:
                tensor = require_lengths(tensor, wanted)
            others = [axis for axis in range(len(labels)) if axis not in (first, second)]
            steps = arange(shape_i(tensor, first))
            tensor = dimshuffle(tensor, [*others, first, second])[(..., steps, steps)]
            labels = [*(labels[axis] for axis in others), label]
    return tensor, labels


def _summed(tensor: Any, labels: list[Label], needed: set[Label]) -> Term:
    """Summed over the axes nobody needs."""
    axes = [axis for axis, label in enumerate(labels) if label not in needed]
    if not axes:
        return tensor, labels
    dtype = tensor.type.dtype
    total = tensor_any(tensor, axis=axes) if dtype == "bool" else tensor_sum(tensor, axis=axes, dtype=dtype)
    return total, [label for label in labels if label in needed]


# ---- pairs of operands -----------------------------------------------------------------------------------------


def _order(terms: Sequence[Term], output: Sequence[Label]) -> list[tuple[int, int]]:
    """Which two operands to multiply next, by place; the product goes to the end."""
    if len(terms) > 2 and all(None not in tensor.type.shape for tensor, _ in terms):
        names = {label: place for place, label in enumerate({label: None for _, labels in terms for label in labels})}
        if len(names) <= 52:
            arguments: list[Any] = []
            for tensor, labels in terms:
                arguments += [np.broadcast_to(np.empty((), "float64"), tensor.type.shape), [names[x] for x in labels]]
            steps = np.einsum_path(*arguments, [names[x] for x in output], optimize="greedy")[0][1:]
            if all(len(step) == 2 for step in steps):
                return [(min(step), max(step)) for step in steps]
    return [(0, 1)] + [(0, n - 1) for n in range(len(terms) - 1, 1, -1)] if len(terms) > 1 else []


def _product(a: Term, b: Term, needed: set[Label]) -> Term:
    """The product of two operands, summed over the axes nobody else needs."""
    (x, mine), (y, theirs) = _summed(*a, needed | set(b[1])), _summed(*b, needed | set(a[1]))
    shared = [label for label in mine if label in theirs]
    over = [label for label in shared if label not in needed]
    batch = [label for label in shared if label in needed]
    free_x, free_y = ([label for label in labels if label not in shared] for labels in (mine, theirs))
    labels = batch + free_x + free_y
    if not over:
        left = dimshuffle(x, [mine.index(n) if n in mine else "x" for n in labels])
        return left * dimshuffle(y, [theirs.index(n) if n in theirs else "x" for n in labels]), labels
    if not batch:
        return tensordot(x, y, [[mine.index(n) for n in over], [theirs.index(n) for n in over]]), labels
    left = _matrices(x, mine, batch, free_x, over)
    right = _matrices(y, theirs, batch, over, free_y)
    lengths = [shape_i(x, mine.index(n)) for n in batch + free_x] + [shape_i(y, theirs.index(n)) for n in free_y]
    return reshape(matmul(left, right), lengths), labels


def _matrices(x: Any, labels: list[Label], *groups: list[Label]) -> Any:
    """Batches of matrices: the axes of three groups, those of a group joined into one but for the batch's own."""
    batch, rows, columns = groups
    ordered = dimshuffle(x, [labels.index(n) for group in groups for n in group])
    lengths = [shape_i(x, labels.index(n)) for n in batch]
    for group in (rows, columns):
        length: Any = 1
        for n in group:
            length = shape_i(x, labels.index(n)) * length
        lengths.append(length)
    return reshape(ordered, lengths)
