"""Columns as `row_to_json` writes them the way Pydantic would."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TIMESTAMP

Expression = sa.ColumnElement[Any]


def as_it_is(column: Expression) -> Expression:
    return column


def unpadded(column: Expression) -> Expression:
    """A CHAR(5) that holds two characters has three blanks at its end, which it does not count."""
    return column.cast(sa.Text) if isinstance(column.type, sa.CHAR) else column


def _literal(text: str) -> Expression:
    """Part of the statement, not of its parameters."""
    return sa.literal_column(f"'{text}'")


_NO_FRACTION: Final = (_literal(".000000"), _literal(""))


def utc(column: Expression) -> Expression:
    """By an interval, which is all the arithmetic that UTC needs: its name would be looked up for each row."""
    return _moment(column, sa.func.timezone(sa.literal_column("INTERVAL '0'"), column), "Z")


def moment(column: Expression) -> Expression:
    return _moment(column, column)


def _moment(column: Expression, local: Expression, zone: str = "") -> Expression:
    """As Pydantic writes it: six digits of a second, or none.

    `to_char` can do so always. JSON as PostgreSQL has it costs half of that, and is the same where no zeros are left
    out at the end.
    """
    padded = sa.func.replace(sa.func.to_char(local, _literal('YYYY-MM-DD"T"HH24:MI:SS.US')), *_NO_FRACTION)
    always = _bounded(column, padded, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999")
    common_era = sa.and_(column >= _literal("0001-01-01T00:00:00" + zone), column < _literal("infinity"))
    six_or_none = sa.or_(_rounded(column, zone, 5) != column, _rounded(column, zone, 0) == column)
    short = sa.func.to_jsonb(local).op("#>>", return_type=sa.Text())(_literal("{}"))
    text = sa.case((sa.and_(common_era, six_or_none), short), else_=always)
    return text.concat(_literal(zone)) if zone else text


def _rounded(column: Expression, zone: str, digits: int) -> Expression:
    return column.cast(TIMESTAMP(timezone=bool(zone), precision=digits))


def day(column: Expression) -> Expression:
    return _bounded(column, column, "0001-01-01", "9999-12-31")


def _bounded(column: Expression, finite: Expression, first: str, last: str) -> Expression:
    """The driver stores the first and the last that Python knows as infinity, and reads it as these."""
    return sa.case(
        (sa.func.isfinite(column), finite),
        (column == _literal("infinity"), _literal(last)),
        (column == _literal("-infinity"), _literal(first)),
    )


def clock(column: Expression) -> Expression:
    written = sa.func.to_char(column.cast(sa.Interval), _literal("HH24:MI:SS.US"))
    return sa.func.replace(written, *_NO_FRACTION)


def finite(column: Expression) -> Expression:
    """JSON has no words for infinity and what is no number: null, as Pydantic says."""
    number = column.cast(sa.Double)
    return sa.case(
        (number.cast(sa.Text).in_([_literal(word) for word in ("NaN", "Infinity", "-Infinity")]), sa.null()),
        else_=number,
    )
