from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, Identity, MetaData, event, func
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import (
    AttributeEventToken,
    ColumnProperty,
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    mapped_column,
)

from app.errors import Invalid

# Every constraint has a name that can be foretold: migrations can drop it, and `app.database.driver_errors`
# can tell a client which field it was.
NAMING_CONVENTION = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Declarative(AsyncAttrs, DeclarativeBase):
    """What all models have in common. By itself it is the base of those whose key is not a number of the server's:
    a code, a UUID, several columns.
    """

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012  # SQLAlchemy declares it so
        datetime: DateTime(timezone=True)
    }
    # INSERT … RETURNING and UPDATE … RETURNING: no second query for defaults and timestamps.
    __mapper_args__ = {"eager_defaults": True}  # noqa: RUF012


@event.listens_for(Declarative, "attribute_instrument", propagate=True)
def _keep_time_zones(_model: type[Any], _name: str, attribute: InstrumentedAttribute[Any]) -> None:
    column = attribute.property.columns[0] if isinstance(attribute.property, ColumnProperty) else None
    if column is not None and isinstance(column.type, DateTime) and column.type.timezone:
        event.listen(attribute, "set", _refuse_naive)


def _refuse_naive(_row: Declarative, value: Any, _before: Any, token: AttributeEventToken) -> None:
    """Without a time zone the driver would take a moment for one by the clock of the machine that it runs on."""
    if isinstance(value, datetime) and value.utcoffset() is None:
        raise Invalid(f"{token.key} must say its time zone", token.key)


class Base(Declarative):
    """Base of nearly every model: a bigint key made by the server."""

    __abstract__ = True

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True, sort_order=-1)


class Timestamped:
    """When a row was made and last changed, by the clock of the database server, which all workers share."""

    created_at: Mapped[datetime] = mapped_column(server_default=func.now(), sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=91)


class WorkspaceScoped:
    """A row of one workspace, invisible to every session that is not bound to it: see `app.database.tenancy`.

    The table has a unique constraint on `(workspace_id, id)`. Its children refer to both columns, so that none can
    point at another workspace's row, not even by SQL:
    `ForeignKeyConstraint(["workspace_id", "article_id"], ["articles.workspace_id", "articles.id"])`.
    """

    workspace_id: Mapped[int] = mapped_column(ForeignKey("workspaces.id", ondelete="CASCADE"), sort_order=80)


class Owned:
    """A row of one user, set when it is made; it goes when the account does. Only he and the admins of the workspace
    change or delete it.
    """

    owner_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True, sort_order=81)


def text_enum(values: type[StrEnum], name: str) -> Enum:
    """A column that holds one of these words, checked by a constraint: unlike PostgreSQL's own enum type, a
    migration changes it in a transaction and drops it with its table.
    """
    return Enum(
        values,
        name=name,
        native_enum=False,
        create_constraint=True,
        length=20,
        values_callable=lambda enum: [member.value for member in enum],
    )
