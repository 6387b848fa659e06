"""What an index says: its parts, the shape of what it names, and how Python's ``x[...]`` becomes one.

An index is held as a *spec*, one entry for each part of ``x[...]``: Python integers and slices where they are known,
marks where a symbolic scalar or an index array stands among the operation's inputs. Boolean masks become the index
arrays of their true elements. The rules on where index arrays put their axes are NumPy's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.frozen import frozen
from symgraph.tensor.basic import as_tensor_variable, static_length
from symgraph.tensor.elemwise import TensorOp, cast, elemwise, meeting_axes
from symgraph.tensor.type import TensorType, broadcast_static_shapes

__all__ = ["ARRAY", "NEWAXIS", "NOTHING", "SCALAR", "Indexing", "SliceSpec", "parse_index"]

SCALAR = "scalar"    # an entry, or a slice's bound: the next input, a 0-d integer
ARRAY = "array"      # an entry: the next input, an array of indices
NEWAXIS = "newaxis"  # an entry: a new axis of length 1
NOTHING = "nothing"  # an entry: an Ellipsis that stands for no axes, but keeps index arrays apart


@frozen
class SliceSpec:
    """A slice whose bounds are integers, None, or `SCALAR` for an input."""

    start: int | str | None = None
    stop: int | str | None = None
    step: int | str | None = None

    @property
    def parts(self) -> tuple[int | str | None, ...]:
        """The three bounds."""
        return self.start, self.stop, self.step

    @property
    def is_full(self) -> bool:
        """Whether it takes everything, in order."""
        return self.start in (None, 0) and self.stop is None and self.step in (None, 1)


Entry = int | str | SliceSpec
Spec = tuple[Entry, ...]


def _axes_used(spec: Spec) -> int:
    return sum(_takes_axis(entry) for entry in spec)


def _takes_axis(entry: Entry) -> bool:
    return entry not in (NEWAXIS, NOTHING)


def result_lengths(
    spec: Spec, lengths: Sequence[Any], arrays: Sequence[Any], slice_length: Callable[[int], Any]
) -> list[Any]:
    """The lengths of ``x[spec]``, by NumPy's placement rules, whatever lengths are made of.

    Parameters
    ----------
    spec : tuple
    lengths : sequence
        Of x, one for each axis.
    arrays : sequence
        The lengths of the index arrays broadcast together.
    slice_length : callable
        From the axis of x to the length of the slice taken of it.
    """
    result: list[Any] = []
    advanced_at: int | None = None
    split = previous_advanced = False
    has_arrays = ARRAY in spec
    axis = 0
    for entry in spec:
        advanced = has_arrays and (entry in (ARRAY, SCALAR) or isinstance(entry, int))
        if advanced:
            if advanced_at is None:
                advanced_at = len(result)
            elif not previous_advanced:
                split = True
        previous_advanced = advanced
        if entry == NEWAXIS:
            result.append(1)
        if not _takes_axis(entry):
            continue
        if isinstance(entry, SliceSpec):
            result.append(slice_length(axis))
        axis += 1
    result.extend(lengths[axis:])
    if advanced_at is not None:
        place = 0 if split else advanced_at
        result[place:place] = arrays
    return result


class Indexing(TensorOp):
    """What reading and writing through an index share."""

    spec: Spec

    unfit = IndexError

    @property
    def is_advanced(self) -> bool:
        """Whether an index array is among the entries."""
        return ARRAY in self.spec

    def parts(self, values: Sequence[Any]) -> list[Any]:
        """The entries with `values` in the place of the marks; a slice becomes a tuple of its three bounds."""
        supply = iter(values)

        def filled(part: Any) -> Any:
            return next(supply) if part in (SCALAR, ARRAY) else part

        return [
            tuple(map(filled, entry.parts)) if isinstance(entry, SliceSpec) else filled(entry) for entry in self.spec
        ]

    def index(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The run-time index, from the values of the index inputs."""

        def integer(part: Any) -> int | None:
            return None if part is None else int(part)

        return tuple(
            None if entry == NEWAXIS else ... if entry == NOTHING
            else slice(*map(integer, part)) if isinstance(entry, SliceSpec)
            else np.asarray(part) if entry == ARRAY else int(part)
            for entry, part in zip(self.spec, self.parts(values), strict=True)
        )

    def slices(self, values: Sequence[Any]) -> dict[int, tuple[Any, Any, Any]]:
        """From the axes of x that are sliced to the bounds."""
        axes = [axis for axis, entry in enumerate(self.spec) if _takes_axis(entry)]
        parts = [part for entry, part in zip(self.spec, self.parts(values), strict=True) if _takes_axis(entry)]
        return {axis: part for axis, part in enumerate(parts) if isinstance(self.spec[axes[axis]], SliceSpec)}

    def indexed_shape(self, x: TensorType, indices: Sequence[TensorType]) -> tuple[int | None, ...]:
        """What is known of the shape of ``x[...]``.

        Raises
        ------
        IndexError
            When there are too many entries, or a known one is out of a known range.
        """
        if _axes_used(self.spec) > x.ndim:
            raise IndexError(f"too many indices: {_axes_used(self.spec)} for a tensor of {x.ndim} dimensions ({x})")
        for kind in indices:
            if not isinstance(kind, TensorType) or kind.numpy_dtype.kind not in "iu":
                raise TypeError(f"indices are integers, not {kind}")
        axis = 0
        arrays = []
        for entry, part in zip(self.spec, self.parts(indices), strict=True):
            length = x.shape[axis] if _takes_axis(entry) else None
            if isinstance(entry, int) and length is not None and not -length <= entry < length:
                raise IndexError(f"index {entry} is out of bounds for axis {axis} with size {length}")
            if entry == ARRAY:
                arrays.append(part.shape)
            elif entry == SCALAR and part.ndim != 0:
                raise TypeError(f"an index that is not an array must be a scalar, not {part}")
            axis += _takes_axis(entry)
        try:
            together = broadcast_static_shapes(arrays, "index arrays") if arrays else ()
        except ValueError as error:
            raise IndexError(str(error)) from None
        bounds = self.slices([SCALAR] * len(indices))
        return tuple(
            result_lengths(self.spec, x.shape, together, lambda axis: _static_slice(bounds[axis], x.shape[axis]))
        )

    def index_axes(self, node: Apply, first: int) -> list[tuple[tuple[int, int], tuple[int, int]]]:
        """Pairs of (input, axis) of the index arrays whose lengths must be equal; index inputs start at `first`."""
        arrays = [i for i, v in enumerate(node.inputs) if i >= first and v.type.ndim]
        return meeting_axes([node.inputs[i] for i in arrays], arrays)

    def show(self, values: Iterable[Any]) -> str:
        """The index as it would be written, for printing."""
        supply = iter(values)

        def bound(part: Any) -> str:
            return "" if part is None else str(next(supply)) if part == SCALAR else str(part)

        parts = []
        for entry in self.spec:
            if isinstance(entry, SliceSpec):
                start, stop, step = map(bound, entry.parts)
                parts.append(f"{start}:{stop}" + (f":{step}" if step else ""))
            elif entry == NEWAXIS:
                parts.append("None")
            elif entry == NOTHING:
                parts.append("...")
            else:
                parts.append(str(next(supply)) if entry in (ARRAY, SCALAR) else str(entry))
        return ", ".join(parts)


def _static_slice(bounds: tuple[Any, Any, Any], length: int | None) -> int | None:
    start, stop, step = bounds
    if start in (None, 0) and stop is None and step in (None, 1):
        return length
    if length is None or SCALAR in bounds:
        return 0 if stop == 0 and step in (None, 1) else None
    return len(range(*slice(*bounds).indices(length)))


def slice_length(bounds: tuple[Any, Any, Any], length: Any) -> Any:
    """The length of a slice of an axis as an expression; None when the step is not known.

    As Python's slices do, bounds are counted from the end when negative and then brought into the range.
    """
    start, stop, step = bounds
    step = 1 if step is None else step
    if not isinstance(step, int):
        return None
    forward = step > 0
    low, high = (0, length) if forward else (-1, length - 1)
    first = _clamped(start, length, low, high, low if forward else high)
    last = _clamped(stop, length, low, high, high if forward else low)
    if (first, last) == (low, high) and forward:
        count = length
    elif forward:
        count = last if first == 0 else elemwise(scalar.maximum)(last - first, 0)
    else:
        count = length if start is None and stop is None else elemwise(scalar.maximum)(first - last, 0)
    return count if step in (1, -1) else (count + (abs(step) - 1)) // abs(step)


def _clamped(bound: Any, length: Any, low: Any, high: Any, default: Any) -> Any:
    if bound is None:
        return default
    minimum, maximum, switch = elemwise(scalar.minimum), elemwise(scalar.maximum), elemwise(scalar.switch)
    known = bound if isinstance(bound, int) else static_length(bound)
    if known is not None:
        return (0 if low == 0 and known == 0 else minimum(known, high)) if known >= 0 else maximum(length + known, low)
    value = cast(bound, "int64")
    return switch(value < 0, maximum(value + length, low), minimum(value, high))


# ---- from Python's x[...] to a spec --------------------------------------------------------------------------------


def _is_mask(entry: Any) -> bool:
    """Whether an entry is an array of booleans, or a list of them."""
    if isinstance(entry, Variable):
        return getattr(entry.type, "dtype", None) == "bool"
    return isinstance(entry, (bool, np.bool_)) or (isinstance(entry, (np.ndarray, list)) and np.asarray(
        [] if isinstance(entry, list) and any(isinstance(v, Variable) for v in entry) else entry).dtype == bool)


def parse_index(x: Any, key: Any) -> tuple[Spec, list[Variable]]:
    """A Python index of a tensor as a spec and its symbolic parts.

    Raises
    ------
    IndexError, TypeError
        As NumPy does for an index of the wrong kind, or too many.
    """
    entries = list(key) if isinstance(key, tuple) else [key]
    if sum(entry is Ellipsis for entry in entries) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    used = sum(_axes_of(entry) for entry in entries)
    if used > x.type.ndim:
        raise IndexError(f"too many indices: {used} for a tensor of {x.type.ndim} dimensions ({x.type})")
    for place, entry in enumerate(entries):
        if entry is Ellipsis:
            entries[place:place + 1] = [slice(None)] * (x.type.ndim - used) or [Ellipsis]
            break
    spec: list[Entry] = []
    inputs: list[Variable] = []
    axis = 0
    for entry in entries:
        parts = _mask_indices(entry, x, axis) if _is_mask(entry) else [entry]
        spec.extend([_parse_entry(part, inputs) for part in parts])
        axis += len(parts) if entry is not None and entry is not Ellipsis else 0
    if NOTHING in spec and ARRAY not in spec:
        spec.remove(NOTHING)
    while NOTHING not in spec and spec and isinstance(spec[-1], SliceSpec) and spec[-1].is_full and len(spec) > 1:
        spec.pop()
    _check_constants(x, spec, inputs)
    return tuple(spec), inputs


def _check_constants(x: Any, spec: Sequence[Entry], inputs: Sequence[Variable]) -> None:
    """Refuse constant index arrays that are out of a known range."""
    supply = iter(inputs)
    axis = 0
    for entry in spec:
        if isinstance(entry, SliceSpec):
            for part in entry.parts:
                if part == SCALAR:
                    next(supply)
        elif entry in (ARRAY, SCALAR):
            index, length = next(supply), x.type.shape[axis]
            if isinstance(index, Constant) and length is not None:
                wrong = index.data[(index.data >= length) | (index.data < -length)]
                if wrong.size:
                    raise IndexError(f"index {int(wrong.flat[0])} is out of bounds for axis {axis} with size {length}")
        axis += _takes_axis(entry)


def _axes_of(entry: Any) -> int:
    """How many axes an entry takes."""
    if entry is None or entry is Ellipsis:
        return 0
    if not _is_mask(entry):
        return 1
    return entry.type.ndim if isinstance(entry, Variable) else np.ndim(entry)


def _mask_indices(mask: Any, x: Any, axis: int) -> Sequence[Any]:
    """The positions of a mask's true elements, which must have the lengths of the axes it stands for."""
    from symgraph.tensor.shape import shape_i
    from symgraph.tensor.subtensor import NonZero

    variable = as_tensor_variable(mask)
    if variable.type.ndim == 0:
        raise TypeError("a single boolean is not an index here; use T.switch, or an array of booleans")
    lengths = x.type.shape[axis:axis + variable.type.ndim]
    for place, (mine, theirs) in enumerate(zip(variable.type.shape, lengths, strict=True)):
        if mine is not None and theirs is not None and mine not in (0, theirs):  # one of no elements is right for all
            raise IndexError(
                f"boolean index did not match indexed array along axis {axis + place}; size of axis is {theirs} but "
                f"size of corresponding boolean axis is {mine}"
            )
    known = None not in variable.type.shape and None not in lengths
    if known and isinstance(variable, Constant):
        return [np.asarray(found) for found in np.nonzero(variable.data)]
    checked = () if known else tuple(shape_i(x, axis + place) for place in range(variable.type.ndim))
    return NonZero(variable.type.ndim)(variable, *checked, return_list=True)


def _parse_entry(entry: Any, inputs: list[Variable]) -> Entry:
    if entry is None:
        return NEWAXIS
    if entry is Ellipsis:
        return NOTHING
    if isinstance(entry, slice):
        return SliceSpec(*(None if b is None else _parse_scalar(b, inputs, "a slice's bound")
                           for b in (entry.start, entry.stop, entry.step)))
    if isinstance(entry, (int, np.integer)):
        return int(entry)
    if isinstance(entry, (list, tuple, np.ndarray)) and not np.size(np.asarray(entry, object)):
        entry = np.asarray(entry, "int64")
    try:
        variable = as_tensor_variable(entry)
    except TypeError:
        raise IndexError(
            f"only integers, slices, ellipsis, None and integer or boolean arrays index a tensor, not {entry!r}"
        ) from None
    if variable.type.numpy_dtype.kind not in "iu":
        raise IndexError("arrays used as indices must be of integer (or boolean) type, not "
                         f"{variable.type}: {variable}. If its numbers are whole, use T.cast({variable}, 'int64')")
    if variable.type.ndim == 0:
        return _parse_scalar(variable, inputs, "an index")
    inputs.append(variable)
    return ARRAY


def _parse_scalar(value: Any, inputs: list[Variable], what: str) -> int | str:
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return int(value)
    variable = as_tensor_variable(value)
    if variable.type.ndim != 0 or variable.type.numpy_dtype.kind not in "iu":
        raise TypeError(f"{what} must be an integer scalar, not {variable} of type {variable.type}")
    if isinstance(variable, Constant):
        return int(variable.data)
    inputs.append(variable)
    return SCALAR
