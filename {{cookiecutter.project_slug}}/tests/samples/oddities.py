"""What neither of the two samples has: keys and columns of every other type, and names that are in somebody's way."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy import ARRAY, BigInteger, Column, ForeignKey, Identity, MetaData, Numeric, String, Table, Text, func
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import NAMING_CONVENTION
from app.models.resource import Access, Resource

SCHEMA = "depot"


class Oddities(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Size(Enum):  # PostgreSQL knows the names, not the values
    small = 1
    large = 2


class Parcel(Oddities):
    """A key that the server makes, and a column of each type that PostgreSQL writes as JSON."""

    __tablename__ = "parcels"
    __resource__ = Resource(write=Access.user, searchable=("note",))

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    other: Mapped[UUID | None]
    note: Mapped[str | None] = mapped_column(Text)
    weight: Mapped[Decimal | None]
    volume: Mapped[float | None]
    pieces: Mapped[int | None] = mapped_column(BigInteger)
    fragile: Mapped[bool | None]
    size: Mapped[Size | None]
    day: Mapped[date | None]
    hour: Mapped[time | None]
    packed: Mapped[datetime | None]
    sent_at: Mapped[datetime | None] = mapped_column(sa.DateTime(timezone=True))
    numbers: Mapped[list[int] | None] = mapped_column(ARRAY(sa.Integer))
    words: Mapped[list[str]] = mapped_column(ARRAY(String(10)), server_default="{}")
    sizes: Mapped[list[Size] | None] = mapped_column(ARRAY(sa.Enum(Size, name="size")))
    prices: Mapped[list[Decimal] | None] = mapped_column(ARRAY(Numeric(6, 2)))
    moments: Mapped[list[datetime] | None] = mapped_column(ARRAY(sa.DateTime(timezone=True)))
    about: Mapped[Any | None] = mapped_column(JSONB)
    raw: Mapped[Any] = mapped_column(sa.JSON, server_default="{}")
    label_name: Mapped[str | None] = mapped_column("label", ForeignKey("labels.name"))
    journey_id: Mapped[int | None] = mapped_column(ForeignKey("journeys.id"))

    label: Mapped["Label | None"] = relationship(back_populates="parcels")
    journey: Mapped["Journey | None"] = relationship(back_populates="parcels")


class Journey(Oddities):
    """A row that Python writes: PostgreSQL's intervals are not those of JSON."""

    __tablename__ = "journeys"
    __resource__ = Resource(write=Access.user)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    takes: Mapped[timedelta]
    rest: Mapped[timedelta | None]
    fare: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    size: Mapped[Size | None]
    code: Mapped[str | None] = mapped_column(sa.CHAR(5))
    speed: Mapped[float | None] = mapped_column(sa.REAL)
    log: Mapped[str | None] = mapped_column(Text, deferred=True)
    starts: Mapped[time | None]
    begun: Mapped[datetime | None]

    parcels: Mapped[list[Parcel]] = relationship(back_populates="journey")


label_neighbours = Table(
    "label_neighbours",
    Oddities.metadata,
    Column("left", ForeignKey("labels.name", ondelete="CASCADE"), primary_key=True),
    Column("right", ForeignKey("labels.name", ondelete="CASCADE"), primary_key=True),
)


class Label(Oddities):
    """A key that is any text, and rows that are next to rows of their own kind."""

    __tablename__ = "labels"
    __resource__ = Resource(write=Access.user)

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    note: Mapped[str | None] = mapped_column(Text)

    parcels: Mapped[list[Parcel]] = relationship(back_populates="label")
    neighbours: Mapped[list["Label"]] = relationship(
        secondary=label_neighbours,
        primaryjoin=name == label_neighbours.c.left,
        secondaryjoin=name == label_neighbours.c.right,
    )


class Slot(Oddities):
    """A key of several types."""

    __tablename__ = "slots"
    __resource__ = Resource(write=Access.user)

    day: Mapped[date] = mapped_column(primary_key=True)
    room: Mapped[str] = mapped_column(String(20), primary_key=True)
    half: Mapped[Size] = mapped_column(primary_key=True)
    price: Mapped[Decimal] = mapped_column(Numeric(8, 3), primary_key=True)
    taken: Mapped[bool] = mapped_column(server_default=sa.false())


class Shelf(Oddities):
    """In a schema of its own, under a name that has to be quoted, with columns called like parts of a query."""

    __tablename__ = "Top Shelf"
    __table_args__ = {"schema": SCHEMA}  # noqa: RUF012  # SQLAlchemy declares it so
    __resource__ = Resource(write=Access.user, path="shelves")

    id: Mapped[int] = mapped_column(primary_key=True)
    count: Mapped[int | None]
    limit: Mapped[int | None]
    sort: Mapped[str | None] = mapped_column(Text)
    q: Mapped[str | None] = mapped_column(Text)
    sent: Mapped[bool | None]
    changes: Mapped[str | None] = mapped_column(Text)
    json: Mapped[Any | None] = mapped_column(JSONB)
    copy: Mapped[int | None]
    select_: Mapped[str | None] = mapped_column("select", Text)
