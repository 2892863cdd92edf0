"""The types of columns as JSON has them: what PostgreSQL takes, and nothing that it would take for something else.

JSON has fewer types than PostgreSQL, so some travel as text. Each says in the contract what it looks like.
"""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    NaiveDatetime,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def _only_text(value: Any) -> Any:
    """Pydantic would also take numbers, for seconds since 1970."""
    if isinstance(value, int | float):
        raise ValueError("must be text")  # noqa: TRY004  # a TypeError would be a defect of ours to Pydantic
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is too far away") from error


_Text = BeforeValidator(_only_text)

Bool = Annotated[bool, Field(strict=True)]
SmallInt = Annotated[int, Field(strict=True, ge=-(2**15), le=2**15 - 1)]
Int = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1)]
BigInt = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1)]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# RFC 3339. A moment without an offset would be anybody's guess.
Moment = Annotated[
    AwareDatetime, _Text, AfterValidator(_in_utc), WithJsonSchema({"type": "string", "format": "date-time"})
]
# For columns that have no time zone.
LocalMoment = Annotated[
    NaiveDatetime,
    _Text,
    WithJsonSchema({"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,6})?)?$"}),
]
Date = Annotated[date, _Text, WithJsonSchema({"type": "string", "format": "date"})]
Time = Annotated[
    time, _Text, WithJsonSchema({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?$"})
]
Duration = Annotated[timedelta, _Text, WithJsonSchema({"type": "string", "format": "duration"})]

# A decimal number as text, because the numbers of JSON lose digits in the hands of most who read them.
Number = Annotated[
    Decimal,
    PlainSerializer(lambda value: format(value, "f"), return_type=str),
    WithJsonSchema({"type": "string", "format": "decimal"}),
]


@dataclass(frozen=True)
class Digits:
    """Annotates a `Decimal` that a client sends for a NUMERIC(10, 2): `Annotated[Decimal, Digits(10, 2)]`."""

    precision: int = 200  # where the column sets no limit
    scale: int = 100

    @property
    def pattern(self) -> str:
        """What the text looks like."""
        whole = f"(0|[1-9]\\d{{0,{self.precision - self.scale - 1}}})" if self.precision > self.scale else "0"
        return f"^-?{whole}" + (f"(\\.\\d{{1,{self.scale}}})?$" if self.scale > 0 else "$")

    def _parse(self, value: Any) -> Decimal:
        if isinstance(value, Decimal):
            return value
        if not isinstance(value, str) or not re.fullmatch(self.pattern.replace(r"\d", "[0-9]"), value):
            example = "12.50"[: 3 + self.scale] if self.scale else "12"
            raise ValueError(
                f"must be a number as text, such as {example!r}, that fits NUMERIC({self.precision}, {self.scale})"
            )
        return Decimal(value)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._parse)

    def __get_pydantic_json_schema__(self, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"type": "string", "pattern": self.pattern}
