"""Columns in the contract."""

import pytest

from app import contract
from app.resources.description import Type
from app.resources.parameters import fragment
from app.resources.types import sent, shown


@pytest.mark.parametrize("family", [sent, shown])
def test_a_column_that_may_be_null_refers_to_no_schema_of_pydantics(family: object) -> None:
    assert callable(family)
    assert "$" not in str(fragment(family(Type("json")) | None))


def test_the_greatest_key_is_not_rounded() -> None:
    """FastAPI makes a float of it: one more than fits into a bigint."""
    assert contract.canonical({"type": "integer", "maximum": float(2**63 - 1)}) == {
        "type": "integer",
        "maximum": 2**63 - 1,
    }
