"""Columns as `row_to_json` writes them the way Pydantic would."""

from typing import Any

import sqlalchemy as sa

Expression = sa.ColumnElement[Any]


def as_it_is(column: Expression) -> Expression:
    return column


def unpadded(column: Expression) -> Expression:
    """A CHAR(5) that holds two characters has three blanks at its end, which it does not count."""
    return column.cast(sa.Text) if isinstance(column.type, sa.CHAR) else column


def _literal(text: str) -> Expression:
    """Part of the statement, not of its parameters."""
    return sa.literal_column(f"'{text}'")


def utc(column: Expression) -> Expression:
    return moment(sa.func.timezone(_literal("UTC"), column), "Z")


def moment(column: Expression, zone: str = "") -> Expression:
    """As Pydantic writes it: six digits of a second, or none."""
    written = sa.func.to_char(column, _literal('YYYY-MM-DD"T"HH24:MI:SS.US'))
    short = sa.func.replace(written, _literal(".000000"), _literal(""))
    return _bounded(column, short, "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999").concat(_literal(zone))


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
    return sa.func.replace(written, _literal(".000000"), _literal(""))


def finite(column: Expression) -> Expression:
    """JSON has no words for infinity and what is no number: null, as Pydantic says."""
    number = column.cast(sa.Double)
    return sa.case(
        (number.cast(sa.Text).in_([_literal(word) for word in ("NaN", "Infinity", "-Infinity")]), sa.null()),
        else_=number,
    )
