"""Every public operation has a record, so that none goes untested."""

from __future__ import annotations

from typing import Any

import symgraph.tensor as T
from symgraph import scalar
from symgraph.tensor import constructors, nnet
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
#: Rows of the scalar table without a public name of their own.
INTERNAL = {"second": "fill", "identity": "tensor_copy"}


def public(module: Any) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def test_every_public_operation_has_a_record() -> None:
    recorded = {r.name for r in ELEMENTWISE} | {r.name for r in RECORDS}
    tested = {id(getattr(T, name)) for name in recorded if hasattr(T, name)}
    tested |= {id(getattr(nnet, name.partition(".")[2])) for name in recorded if name.startswith("nnet.")}
    missing = [
        name
        for name, value in {**public(T), **public(nnet)}.items()
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
    assert set(NOT_OPERATIONS) <= set(T.__all__)
    assert len({r.name for r in RECORDS}) == len(RECORDS)
    assert len({r.name for r in ELEMENTWISE}) == len(ELEMENTWISE)
