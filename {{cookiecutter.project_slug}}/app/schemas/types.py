"""The types of columns as JSON has them: what PostgreSQL takes, and nothing that it would take for something else.

JSON has fewer types than PostgreSQL, so some travel as text. Each says in the contract what it looks like.
"""

import json
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
    JsonValue,
    NaiveDatetime,
    PlainSerializer,
    WithJsonSchema,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


def _only_text(value: Any) -> Any:
    """Pydantic would also take numbers, for seconds since 1970, be they written as text."""
    if isinstance(value, int | float):
        raise ValueError("must be text")  # noqa: TRY004  # a TypeError would be a defect of ours to Pydantic
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?[\d._]+\s*", value):
        raise ValueError("must not be a number")
    return value


def _storable(value: Any) -> Any:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("must not contain half a character") from error
    if re.search(rb"(?<!\\)(\\\\)*\\u0000", text):
        raise ValueError("must not contain NUL characters")
    return value


def _without_zone(value: time) -> time:
    """PostgreSQL's driver would drop the offset without a word."""
    if value.tzinfo is not None:
        raise ValueError("must have no offset")
    return value


def _in_days(value: timedelta) -> str:
    """ISO 8601 in days and seconds: a year, of which Pydantic makes 365 days, is something else to everybody else.

    Between hours and seconds the minutes are there even when they are none: RFC 3339, appendix A, wants them.
    """
    sign, length = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(length.seconds, 60)
    hours, minutes = divmod(minutes, 60)
    fraction = f".{length.microseconds:06}".rstrip("0") if length.microseconds else ""
    last = f"{seconds}{fraction}"
    needed = {"H": hours, "M": minutes or (hours and last != "0"), "S": last != "0"}
    numbers = ((hours, "H"), (minutes, "M"), (last, "S"))
    clock = "".join(f"{number}{unit}" for number, unit in numbers if needed[unit])
    days = f"{length.days}D" if length.days else ""
    return f"{sign}P{days}T{clock}" if clock else f"{sign}P{days or 'T0S'}"


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is too far away") from error


def with_zone(value: datetime) -> datetime:
    """PostgreSQL's driver reads the first and the last moment of all as infinity, and that without an offset."""
    return value if value.tzinfo is not None else value.replace(tzinfo=UTC)


def _whole(value: Any) -> Any:
    """In JSON 7.0 is an integer, too."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Text = BeforeValidator(_only_text)
_Whole = BeforeValidator(_whole)

# What JSON Schema has no word for, because it is without a time zone: every day that there is, and every moment of it.
_YEAR = r"(000[1-9]|00[1-9]\d|0[1-9]\d\d|[1-9]\d{3})"
_LEAP_YEAR = r"(\d\d(0[48]|[2468][048]|[13579][26])|(0[48]|[2468][048]|[13579][26])00)"
_MONTHS = r"((0[13578]|1[02])-(0[1-9]|[12]\d|3[01])|(0[469]|11)-(0[1-9]|[12]\d|30)|02-(0[1-9]|1\d|2[0-8]))"
_DAY = f"({_YEAR}-{_MONTHS}|{_LEAP_YEAR}-02-29)"
_CLOCK = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?)?"

Bool = Annotated[bool, Field(strict=True)]
SmallInt = Annotated[int, Field(strict=True, ge=-(2**15), le=2**15 - 1), _Whole]
Int = Annotated[int, Field(strict=True, ge=-(2**31), le=2**31 - 1), _Whole]
BigInt = Annotated[int, Field(strict=True, ge=-(2**63), le=2**63 - 1), _Whole]
Float = Annotated[float, Field(strict=True, allow_inf_nan=False)]
# RFC 3339. A moment without an offset would be anybody's guess.
Moment = Annotated[
    AwareDatetime, _Text, AfterValidator(_in_utc), WithJsonSchema({"type": "string", "format": "date-time"})
]
# The same, as a client receives it.
Instant = Annotated[datetime, AfterValidator(with_zone)]
# For columns that have no time zone.
LocalMoment = Annotated[
    NaiveDatetime,
    _Text,
    WithJsonSchema({"type": "string", "pattern": f"^{_DAY}T{_CLOCK}$"}),
]
Date = Annotated[date, _Text, WithJsonSchema({"type": "string", "format": "date"})]
Time = Annotated[
    time,
    _Text,
    AfterValidator(_without_zone),
    WithJsonSchema({"type": "string", "pattern": f"^{_CLOCK}$"}),
]
# The same, as a client receives them: without an offset, which the formats of OpenAPI want.
LocalInstant = Annotated[datetime, LocalMoment.__metadata__[-1]]
Clock = Annotated[time, Time.__metadata__[-1]]
Duration = Annotated[
    timedelta,
    _Text,
    PlainSerializer(_in_days, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "duration"}),
]
# Anything at all. Pydantic's own name for it would stand in the contract as a reference to nothing.
Json = Annotated[JsonValue, AfterValidator(_storable), WithJsonSchema({})]

# A decimal number as text, because the numbers of JSON lose digits in the hands of most who read them.
Number = Annotated[
    Decimal,
    Field(allow_inf_nan=True),
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
