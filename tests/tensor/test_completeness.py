"""Every public operation has a record, so that none goes untested."""

from __future__ import annotations

from typing import Any

import pytest

import symgraph.tensor as T
from symgraph import scalar
from symgraph.tensor import constructors
from symgraph.tensor.elemwise import Elemwise
from tests.records import ELEMENTWISE, RECORDS

#: Public names that are no operations, and what tests them instead.
NOT_OPERATIONS = {
    "grad": "tests of the chain rule", "consider_constant": "tests of the chain rule",
    "Lop": "tests of the chain rule", "Rop": "tests of the chain rule",
    "as_tensor_variable": "test_constants", "as_tensor": "test_constants", "constant": "test_constants",
    "get_scalar_constant_value": "test_constants", "tensor": "test_constructors",
    "extract_constant": "test_names", "iround": "test_elementwise_more", "allclose": "test_elementwise_more",
}
#: The namespaces users see; T itself is the empty name.
NAMESPACES = ("", "nnet", "nnet.abstract_conv", "nnet.bn", "nnet.conv", "nnet.classification", "nnet.upsampling",
              "nnet.conv3d2d", "signal.pool", "signal.downsample", "signal.conv", "extra_ops", "nlinalg", "slinalg",
              "linalg", "fft", "fourier")
#: Functions of Python numbers and of shapes, which make no graph.
NOT_OPERATIONS |= dict.fromkeys((
    "get_conv_output_shape", "get_conv_gradweights_shape", "get_conv_gradinputs_shape", "get_conv_shape_1axis",
    "check_conv_gradinputs_shape", "assert_conv_shape"), "test_convolution")
#: Rows of the scalar table without a public name of their own.
INTERNAL = {"second": "fill", "identity": "tensor_copy"}


def public(module: Any) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def named(path: str) -> Any:
    """What a dotted name below `symgraph.tensor` means; None when it means nothing there."""
    found: Any = T
    for part in path.split("."):
        found = getattr(found, part, None)
    return found


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_every_public_operation_has_a_record(namespace: str) -> None:
    recorded = [named(r.name) for r in ELEMENTWISE] + [named(r.name) for r in RECORDS]
    tested = {id(operation) for operation in recorded if operation is not None}
    module = named(namespace) if namespace else T
    missing = [
        name
        for name, value in public(module).items()
        if callable(value)
        and not isinstance(value, type)
        and name not in NOT_OPERATIONS
        and name not in constructors.__all__
        and id(value) not in tested
    ]
    assert not missing, f"no record for {missing}: add one to tests/records"


def test_every_row_of_the_scalar_table_is_public_and_recorded() -> None:
    recorded = {r.name for r in ELEMENTWISE}
    rows = {INTERNAL.get(name, name) for name in scalar.TABLE}
    assert rows <= recorded
    for name in scalar.TABLE:
        op = getattr(T, INTERNAL.get(name, name))
        assert not isinstance(op, Elemwise) or op.scalar is scalar.TABLE[name]


def test_no_reason_is_given_for_what_does_not_exist() -> None:
    everywhere = {name for namespace in NAMESPACES for name in public(named(namespace) if namespace else T)}
    assert set(NOT_OPERATIONS) <= everywhere
    assert len({r.name for r in RECORDS}) == len(RECORDS)
    assert len({r.name for r in ELEMENTWISE}) == len(ELEMENTWISE)
