"""The contract as text."""

import math
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from app.block_yaml import block_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
WORDS = st.from_regex(r"[A-Za-z0-9 ~:.,'#+_=<>!?*&%@`|{}\[\]-]{0,12}", fullmatch=True)
ANYTHING = st.recursive(
    SCALARS | WORDS, lambda inside: st.lists(inside) | st.dictionaries(st.text() | WORDS, inside), max_leaves=30
)


@given(ANYTHING)
@example({"no": ["on", "2026-11-21", "12:30", "1_000", "0o7", "~", "=", "<<", "y", "", "- a", "a: b", "a #b"]})
@example(["a\x85b\u2028\ufeffc", "a\n b\n", " a ", "\ud800", 1e300, 2**70, [[[]], {}], "é", "👩‍🚀"])
def test_what_is_written_is_what_is_read(part: Any) -> None:
    assert yaml.safe_load(block_yaml(part)) == part


def test_it_reads_like_yaml_by_hand() -> None:
    paths = {"/tags/{tag_id}": {"get": {"tags": ["tags"], "responses": {"200": {"description": "It's here."}}}}}
    assert block_yaml({"openapi": "3.1.0", "paths": paths, "parameters": [{"in": "query", "schema": {}}]}) == (
        'openapi: "3.1.0"\n'
        "paths:\n"
        "  /tags/{tag_id}:\n"
        "    get:\n"
        "      tags:\n"
        "        - tags\n"
        "      responses:\n"
        '        "200":\n'
        "          description: It's here.\n"
        "parameters:\n"
        "  - in: query\n"
        "    schema: {}\n"
    )


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_number_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        block_yaml({"maximum": value})
