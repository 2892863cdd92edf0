from typing import Annotated, Any

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from app.schemas.base import Input

MAX_OFFSET = 2**63 - 1  # PostgreSQL's bigint


class SortBy:
    """Annotates a `sort` parameter with the fields it takes: comma-separated, `-` in front for descending."""

    def __init__(self, *fields: str) -> None:
        self._fields = fields

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        one = f"-?({'|'.join(self._fields)})"
        choices = ", ".join(f"`{field}`" for field in self._fields)
        return handler(schema) | {
            "pattern": f"^{one}(,{one})*$",
            "description": f"Comma-separated, `-` in front for descending: {choices}",
        }

    def _check(self, value: str) -> str:
        for name in value.split(","):
            if name.removeprefix("-") not in self._fields:
                raise ValueError(f"cannot sort by {name!r}, only by {', '.join(self._fields)}")
        return value


class PageQuery(Input):
    """Which part of a list, in which order: what every list understands. Each says with `SortBy` what it sorts by."""

    limit: Annotated[int, Field(ge=1, le=100, description="How many at most")] = 25
    skip: Annotated[int, Field(ge=0, le=MAX_OFFSET, description="How many to pass over")] = 0
    sort: Annotated[str, SortBy("id")] = "id"
