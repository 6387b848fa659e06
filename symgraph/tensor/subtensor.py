"""Indexing: reading parts of tensors, and tensors with parts set or increased.

An index is held as a *spec*, one entry for each part of ``x[...]``: Python integers and slices where they are known,
marks where a symbolic scalar or an index array stands among the operation's inputs. Boolean masks become the index
arrays of their true elements. The rules on where index arrays put their axes are NumPy's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symgraph import scalar
from symgraph.graph.basic import Apply, Constant, Variable
from symgraph.graph.type import DisconnectedType, Type
from symgraph.tensor.basic import as_tensor_variable, number_constant, static_length, zeros_like
from symgraph.tensor.elemwise import TensorOp, cast, elemwise, unbroadcast
from symgraph.tensor.type import TensorType, broadcast_static_shapes, tensor_type

__all__ = ["IncSubtensor", "NonZero", "SliceSpec", "Subtensor", "inc_subtensor", "nonzero", "set_subtensor", "subtensor", "take"]

SCALAR = "scalar"    # an entry, or a slice's bound: the next input, a 0-d integer
ARRAY = "array"      # an entry: the next input, an array of indices
NEWAXIS = "newaxis"  # an entry: a new axis of length 1


@dataclass(frozen=True)
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
    return sum(entry != NEWAXIS for entry in spec)


def result_lengths(spec: Spec, lengths: Sequence[Any], arrays: Sequence[Any], slice_length: Any, one: Any) -> list[Any]:
    """The lengths of ``x[spec]``, by NumPy's placement rules, whatever lengths are made of.

    Parameters
    ----------
    spec : tuple
    lengths : sequence
        Of x, one for each axis.
    arrays : sequence
        The lengths of the index arrays broadcast together.
    slice_length : callable
        ``(SliceSpec, axis)`` to the length of the slice.
    one : object
        The length of a new axis.
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
            result.append(one)
            continue
        if isinstance(entry, SliceSpec):
            result.append(slice_length(entry, axis))
        axis += 1
    result.extend(lengths[axis:])
    if advanced_at is not None:
        place = 0 if split else advanced_at
        result[place:place] = arrays
    return result


class _Indexing(TensorOp):
    """What reading and writing through an index share."""

    spec: Spec

    @property
    def is_advanced(self) -> bool:
        """Whether an index array is among the entries."""
        return ARRAY in self.spec

    def index(self, values: Sequence[Any]) -> tuple[Any, ...]:
        """The run-time index, from the values of the index inputs."""
        supply = iter(values)

        def bound(part: Any) -> Any:
            return int(next(supply)) if part == SCALAR else part

        return tuple(
            None if entry == NEWAXIS else slice(*map(bound, entry.parts)) if isinstance(entry, SliceSpec)
            else np.asarray(next(supply)) if entry == ARRAY else bound(entry)
            for entry in self.spec
        )

    def indexed_shape(self, x: TensorType, indices: Sequence[TensorType]) -> tuple[int | None, ...]:
        """What is known of the shape of ``x[...]``."""
        if _axes_used(self.spec) > x.ndim:
            raise IndexError(f"too many indices: {_axes_used(self.spec)} for a tensor of {x.ndim} dimensions ({x})")
        marks = [entry for entry in self.spec for entry in ([entry] if not isinstance(entry, SliceSpec) else entry.parts)
                 if entry in (SCALAR, ARRAY)]
        arrays = []
        for mark, kind in zip(marks, indices, strict=True):
            if not isinstance(kind, TensorType) or kind.numpy_dtype.kind not in "iu":
                raise TypeError(f"indices are integers, not {kind}")
            if mark == SCALAR and kind.ndim != 0:
                raise TypeError(f"a slice's bound must be a scalar, not {kind}")
            if mark == ARRAY:
                arrays.append(kind.shape)
        axis = 0
        for entry in self.spec:
            if isinstance(entry, int) and x.shape[axis] is not None and not -x.shape[axis] <= entry < x.shape[axis]:  # type: ignore[operator]
                raise IndexError(f"index {entry} is out of bounds for axis {axis} with size {x.shape[axis]}")
            axis += entry != NEWAXIS
        together = broadcast_static_shapes(arrays, "index arrays") if arrays else ()
        return tuple(result_lengths(self.spec, x.shape, together, lambda s, a: _static_slice(s, x.shape[a]), 1))

    def show(self, values: Sequence[Any]) -> str:
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
            else:
                parts.append(str(next(supply)) if entry in (ARRAY, SCALAR) else str(entry))
        return ", ".join(parts)


def _static_slice(entry: SliceSpec, length: int | None) -> int | None:
    if entry.is_full:
        return length
    if length is None or SCALAR in entry.parts:
        return 0 if entry.stop == 0 and entry.step in (None, 1) else None
    return len(range(*slice(*entry.parts).indices(length)))


@dataclass(frozen=True, repr=False)
class Subtensor(_Indexing):
    """``x[spec]``: a view when no index array is among the entries, else a new array.

    Parameters
    ----------
    spec : tuple
    """

    spec: Spec

    @property
    def view_map(self) -> dict[int, list[int]]:  # type: ignore[override]
        return {} if self.is_advanced else {0: [0]}

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x = types[0]
        assert isinstance(x, TensorType)
        return (tensor_type(x.dtype, self.indexed_shape(x, types[1:])),)  # type: ignore[arg-type]

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        output_storage[0][0] = np.asarray(np.asarray(inputs[0])[self.index(inputs[1:])])

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i == 0] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        out = node.outputs[0].type
        if self.is_advanced:
            arrays = [v for v in node.inputs[1:] if v.type.ndim]  # type: ignore[attr-defined]
            shapes = [input_shapes[i] for i, v in enumerate(node.inputs) if i and v.type.ndim]  # type: ignore[attr-defined]
            together = _broadcast_lengths(arrays, shapes)
        else:
            together = []
        supply = iter([v for v in node.inputs[1:] if not v.type.ndim])  # type: ignore[attr-defined]
        scalars = {id(entry): [next(supply) if p == SCALAR else p for p in entry.parts] if isinstance(entry, SliceSpec)
                   else [next(supply)] for entry in self.spec if entry == SCALAR or isinstance(entry, SliceSpec)} if (
            not self.is_advanced or not any(e == ARRAY for e in self.spec)) else {}
        from symgraph.tensor.shape import ShapeI

        lengths = result_lengths(self.spec, input_shapes[0], together,
                                 lambda s, a: _symbolic_slice(s, scalars.get(id(s)), input_shapes[0][a]), 1)
        return [tuple(
            known if known is not None else ShapeI(axis)(node.outputs[0]) if length is None else length
            for axis, (length, known) in enumerate(zip(lengths, out.shape, strict=True)))]  # type: ignore[attr-defined]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> Sequence[Variable]:
        x, *indices = inputs
        if x.type.is_discrete:
            return [x.type.zeros_like(x), *(DisconnectedType()() for _ in indices)]
        back = IncSubtensor(self.spec, False)(zeros_like(x, output_gradients[0].type.dtype), output_gradients[0], *indices)
        return [back, *(DisconnectedType()() for _ in indices)]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        return [None if eval_points[0] is None else self(eval_points[0], *inputs[1:])]

    def __repr__(self) -> str:
        holes = ["?"] * 64
        return f"[{self.show(holes)}]"


def _broadcast_lengths(arrays: Sequence[Any], shapes: Sequence[Any]) -> list[Any]:
    ndim = max(len(s) for s in shapes)
    lengths: list[Any] = []
    for axis in range(-ndim, 0):
        candidates = [s[axis] for a, s in zip(arrays, shapes, strict=True) if len(s) >= -axis and a.type.shape[axis] != 1]
        lengths.append(candidates[0] if candidates else 1)
    return lengths


def _symbolic_slice(entry: SliceSpec, bounds: list[Any] | None, length: Any) -> Any:
    """The length of a slice as an expression; None where it is simplest to ask the sliced array."""
    if entry.is_full or (entry.start is None and entry.stop is None and entry.step == -1):
        return length
    if bounds is None or entry.step not in (None, 1):
        return None
    maximum, minimum = elemwise(scalar.maximum), elemwise(scalar.minimum)
    start, stop = (_clamped(b, length) for b in bounds[:2])
    if stop is None:
        stop = length
    if start is None:
        return stop
    return maximum(cast(as_tensor_variable(stop), "int64") - minimum(start, length), 0)


def _clamped(bound: Any, length: Any) -> Any:
    """A slice's bound brought into [0, length], as Python's slices do."""
    if bound is None:
        return None
    known = bound if isinstance(bound, int) else static_length(bound)
    minimum, maximum, switch = elemwise(scalar.minimum), elemwise(scalar.maximum), elemwise(scalar.switch)
    if known is not None:
        return minimum(known, length) if known >= 0 else maximum(length + known, 0)
    value = cast(bound, "int64")
    return switch(value < 0, maximum(value + length, 0), minimum(value, length))


@dataclass(frozen=True, repr=False)
class IncSubtensor(_Indexing):
    """A copy of x in which ``x[spec]`` is increased by y, or set to y; repeated indices accumulate.

    Inputs are x, y and the index's symbolic parts.

    Parameters
    ----------
    spec : tuple
    set_instead : bool
    unique : bool
        The index arrays are known to name no element twice.
    """

    spec: Spec
    set_instead: bool
    unique: bool = False

    accepts_out = True
    overwrites = True

    def infer_type(self, *types: Type) -> Sequence[Type]:
        x, y = types[:2]
        if not isinstance(x, TensorType) or not isinstance(y, TensorType):
            raise TypeError(f"{self.verb} takes tensors, not {x} and {y}")
        region = self.indexed_shape(x, types[2:])  # type: ignore[arg-type]
        if y.ndim > len(region):
            raise ValueError(f"{self.verb}: a value of {y.ndim} dimensions does not fit into a part of {len(region)} of {x}")
        for mine, theirs in zip(region[len(region) - y.ndim:], y.shape, strict=True):
            if mine is not None and theirs not in (None, 1, mine):
                raise ValueError(f"{self.verb}: a value of shape {y.shape} does not fit into a part of shape {region}")
        if not np.can_cast(y.numpy_dtype, x.numpy_dtype, "same_kind"):
            raise TypeError(f"{self.verb}: {y.dtype} values do not fit into a {x.dtype} tensor; cast one of them")
        return (x,)

    @property
    def verb(self) -> str:
        """The public name."""
        return "set_subtensor" if self.set_instead else "inc_subtensor"

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        x, y, *indices = inputs
        output_storage[0][0] = self.write(np.array(x), y, indices)

    def write(self, out: Any, y: Any, indices: Sequence[Any]) -> Any:
        """Do it in place, on an array that holds x already."""
        index = self.index(indices)
        if self.set_instead:
            out[index] = y
        elif self.is_advanced and not self.unique:
            np.add.at(out, index, y)
        else:
            out[index] += y
        return out

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[i < 2] for i in range(len(node.inputs))]

    def infer_shape(self, node: Apply, input_shapes: list[Any]) -> list[Any]:
        return [input_shapes[0]]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> Sequence[Variable]:
        (x, y, *indices), (g,) = inputs, output_gradients
        rest = [DisconnectedType()() for _ in indices]
        if x.type.is_discrete:
            return [x.type.zeros_like(x), y.type.zeros_like(y), *rest]
        gx = g
        if self.set_instead:
            gx = IncSubtensor(self.spec, True)(g, number_constant(np.zeros((), g.type.dtype)), *indices)
        return [gx, unbroadcast(Subtensor(self.spec)(g, *indices), y), *rest]

    def R_op(self, inputs: Sequence[Any], eval_points: Sequence[Any]) -> Sequence[Any]:
        tx, ty = eval_points[:2]
        if tx is None and ty is None:
            return [None]
        x, y, *indices = inputs
        tx = zeros_like(x) if tx is None else tx
        ty = zeros_like(y) if ty is None else ty
        return [self(tx, ty, *indices)]

    def __repr__(self) -> str:
        return f"{self.verb}[{self.show(['?'] * 64)}]"


@dataclass(frozen=True, repr=False)
class NonZero(TensorOp):
    """The indices of the elements that are not zero: one int64 vector for each axis.

    Parameters
    ----------
    ndim : int
    """

    ndim: int

    def infer_type(self, *types: Type) -> Sequence[Type]:
        return [tensor_type("int64", (None,))] * self.ndim

    def perform(self, node: Apply, inputs: list[Any], output_storage: list[list[Any]]) -> None:
        for storage, found in zip(output_storage, np.nonzero(inputs[0]), strict=True):
            storage[0] = found

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        return [[False] * self.ndim]

    def L_op(self, inputs: Sequence[Any], outputs: Sequence[Any], output_gradients: Sequence[Any]) -> Sequence[Variable]:
        return [DisconnectedType()()]

    def __repr__(self) -> str:
        return "nonzero"


def nonzero(a: Any, return_matrix: bool = False) -> Any:
    """The indices of the elements of `a` that are not zero.

    Returns
    -------
    tuple of TensorVariable
        One int64 vector for each axis; stacked in a matrix when `return_matrix`.

    Raises
    ------
    ValueError
        For a scalar.
    """
    variable = as_tensor_variable(a)
    if variable.type.ndim == 0:
        raise ValueError("nonzero of a scalar is not defined")
    found = tuple(NonZero(variable.type.ndim)(variable, return_list=True))
    if return_matrix:
        from symgraph.tensor.join import stack

        return stack(found, axis=0)
    return found


# ---- from Python's x[...] to an operation ----------------------------------------------------------------------


def _is_mask(entry: Any) -> bool:
    if isinstance(entry, Variable):
        return getattr(entry.type, "dtype", None) == "bool"
    return isinstance(entry, (bool, np.bool_)) or (isinstance(entry, (np.ndarray, list)) and np.asarray(
        [] if isinstance(entry, list) and any(isinstance(v, Variable) for v in entry) else entry).dtype == bool)


def _parse(x: Any, key: Any) -> tuple[Spec, list[Variable]]:
    """A Python index as a spec and its symbolic parts."""
    entries = list(key) if isinstance(key, tuple) else [key]
    if sum(entry is Ellipsis for entry in entries) > 1:
        raise IndexError("an index can only have a single ellipsis ('...')")
    unpacked: list[Any] = []
    for entry in entries:
        if not isinstance(entry, slice) and entry is not None and entry is not Ellipsis and _is_mask(entry):
            unpacked.extend(_mask_indices(entry))
        else:
            unpacked.append(entry)
    used = sum(entry is not None and entry is not Ellipsis for entry in unpacked)
    if used > x.type.ndim:
        raise IndexError(f"too many indices: {used} for a tensor of {x.type.ndim} dimensions ({x.type})")
    if Ellipsis in [e for e in unpacked if e is Ellipsis]:
        place = next(i for i, e in enumerate(unpacked) if e is Ellipsis)
        unpacked[place:place + 1] = [slice(None)] * (x.type.ndim - used)
    spec: list[Entry] = []
    inputs: list[Variable] = []
    for entry in unpacked:
        spec.append(_parse_entry(entry, inputs))
    while spec and isinstance(spec[-1], SliceSpec) and spec[-1].is_full and len(spec) > 1:
        spec.pop()
    return tuple(spec), inputs


def _mask_indices(mask: Any) -> Sequence[Any]:
    if isinstance(mask, (bool, np.bool_)):
        raise TypeError("a single boolean is not an index here; use T.switch, or an array of booleans")
    return nonzero(mask)  # type: ignore[no-any-return]


def _parse_entry(entry: Any, inputs: list[Variable]) -> Entry:
    if entry is None:
        return NEWAXIS
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
        raise IndexError(f"only integers, slices, ellipsis, None and integer or boolean arrays index a tensor, not {entry!r}"
                         ) from None
    if variable.type.numpy_dtype.kind not in "iu":
        raise IndexError(f"arrays used as indices must be of integer (or boolean) type, not {variable.type}")
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


def subtensor(x: Any, key: Any) -> Any:
    """``x[key]``, with NumPy's meaning.

    Parameters
    ----------
    x : tensor-like
    key : index
        Integers, slices, ``...``, None, integer arrays and boolean masks, any of them symbolic.

    Raises
    ------
    IndexError
        When an index is of the wrong kind, there are too many, or a known one is out of a known range.
    """
    variable = as_tensor_variable(x)
    spec, inputs = _parse(variable, key)
    return Subtensor(spec)(variable, *inputs)


def take(a: Any, indices: Any, axis: int | None = None, mode: str = "raise") -> Any:
    """The elements of `a` (or its slices along `axis`) at `indices`.

    Parameters
    ----------
    a : tensor-like
    indices : integer tensor-like
    axis : int, optional
        None takes from all elements in order.
    mode : {'raise', 'wrap', 'clip'}
        What an index out of range does: raise, wrap around, or take the nearest.
    """
    variable, where = as_tensor_variable(a), as_tensor_variable(indices)
    if axis is None:
        variable, axis = variable.flatten(), 0
    axis = axis % variable.type.ndim if -variable.type.ndim <= axis < variable.type.ndim else _bad_axis(axis, variable)
    length = variable.shape[axis]
    if mode == "wrap":
        where = elemwise(scalar.mod)(where, length)
    elif mode == "clip":
        where = elemwise(scalar.clip)(where, 0, length - 1)
    elif mode != "raise":
        raise ValueError(f"take: mode must be 'raise', 'wrap' or 'clip', not {mode!r}")
    return variable[(slice(None),) * axis + (where,)]


def _bad_axis(axis: int, variable: Any) -> int:
    raise np.exceptions.AxisError(axis, variable.type.ndim, "take")


def _write(x: Any, y: Any, set_instead: bool, who: str) -> Any:
    if not isinstance(x, Variable) or x.owner is None or not isinstance(x.owner.op, Subtensor):
        raise TypeError(f"{who}: the first argument must be a part of a tensor, such as x[2:5], not {x}")
    source, *indices = x.owner.inputs
    value = as_tensor_variable(y if isinstance(y, Variable) else _like(y, source))
    if value.type.dtype != source.type.dtype and np.can_cast(  # type: ignore[attr-defined]
        value.type.numpy_dtype, source.type.numpy_dtype, "safe"  # type: ignore[attr-defined]
    ):
        value = cast(value, source.type.dtype)  # type: ignore[attr-defined]
    return IncSubtensor(x.owner.op.spec, set_instead)(source, value, *indices)


def _like(y: Any, source: Any) -> Any:
    return np.asarray(y, source.type.numpy_dtype) if isinstance(y, (bool, int, float, complex)) else y


def set_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False) -> Any:
    """A copy of a tensor in which one part is `y`.

    Parameters
    ----------
    x : TensorVariable
        The part, as ``tensor[index]``.
    y : tensor-like
        Broadcast into the part.
    inplace, tolerate_inplace_aliasing : bool
        Accepted and ignored: the compiler decides what to do in place.

    Returns
    -------
    TensorVariable
        The whole tensor, with the part set.

    Raises
    ------
    TypeError
        When `x` is not a part of a tensor, or the dtypes do not fit.
    ValueError
        When the shapes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> x = as_tensor_variable(np.zeros(3))
    >>> set_subtensor(x[1:], 5).eval()
    array([0., 5., 5.])
    """
    return _write(x, y, True, "set_subtensor")


def inc_subtensor(x: Any, y: Any, inplace: bool = False, tolerate_inplace_aliasing: bool = False,
                  set_instead_of_inc: bool = False) -> Any:
    """A copy of a tensor in which one part is increased by `y`; an element indexed twice is increased twice.

    Parameters, return value and errors as for `set_subtensor`.
    """
    return _write(x, y, set_instead_of_inc, "set_subtensor" if set_instead_of_inc else "inc_subtensor")
