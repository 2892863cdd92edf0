"""A shop: every kind of key, column, relation and access that a model may declare."""

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    Computed,
    DateTime,
    ForeignKey,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import Base, Declarative, Owned, Timestamped, WorkspaceScoped, text_enum
from app.models.resource import Access, Resource


class Status(StrEnum):
    """Where an order is."""

    open = "open"
    paid = "paid"
    sent = "sent"


product_categories = Table(
    "product_categories",
    Declarative.metadata,
    Column("product_id", ForeignKey("products.id", ondelete="CASCADE"), primary_key=True),
    Column("category_id", ForeignKey("categories.id", ondelete="CASCADE"), primary_key=True),
)

# Nothing here keeps two from being linked twice.
order_labels = Table(
    "order_labels",
    Declarative.metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("workspace_id", BigInteger, nullable=False),
    Column("order_id", BigInteger, nullable=False),
    Column("label_id", BigInteger, nullable=False),
    ForeignKeyConstraint(["workspace_id", "order_id"], ["orders.workspace_id", "orders.id"], ondelete="CASCADE"),
    ForeignKeyConstraint(["workspace_id", "label_id"], ["labels.workspace_id", "labels.id"], ondelete="CASCADE"),
)


class Currency(Declarative):
    """What prices are in."""

    __tablename__ = "currencies"
    __resource__ = Resource(read=Access.anyone, searchable=("name",))

    code: Mapped[str] = mapped_column(String(3), primary_key=True)
    name: Mapped[str] = mapped_column(String(50))
    digits: Mapped[int] = mapped_column(SmallInteger, server_default=text("2"))

    rates: Mapped[list["Rate"]] = relationship(lazy="raise", back_populates="currency")


class Rate(Declarative):
    """What a currency was worth on a day."""

    __tablename__ = "rates"
    __resource__ = Resource(read=Access.anyone)

    currency_code: Mapped[str] = mapped_column(ForeignKey("currencies.code"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    value: Mapped[Decimal] = mapped_column(Numeric(12, 6))
    half: Mapped[Decimal] = mapped_column(Numeric(12, 6), Computed("value / 2"))

    currency: Mapped[Currency] = relationship(lazy="raise", back_populates="rates")


class Category(Declarative):
    """Where something is found. Each may be part of another."""

    __tablename__ = "categories"
    __resource__ = Resource(searchable=("name",), sort="name")

    id: Mapped[int] = mapped_column(Integer, Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))

    parent: Mapped["Category | None"] = relationship(lazy="raise", remote_side="Category.id", back_populates="children")
    children: Mapped[list["Category"]] = relationship(lazy="raise", back_populates="parent")


class Product(Timestamped, Declarative):
    """What is sold."""

    __tablename__ = "products"
    __resource__ = Resource(searchable=("name", "description"))

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    name: Mapped[str] = mapped_column(String(120))
    description: Mapped[str | None] = mapped_column(Text)
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    currency_code: Mapped[str] = mapped_column(ForeignKey("currencies.code"))
    sizes: Mapped[list[str]] = mapped_column(ARRAY(String(10)))
    properties: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    weight: Mapped[float | None]

    currency: Mapped[Currency] = relationship(lazy="raise")
    categories: Mapped[list[Category]] = relationship(secondary=product_categories, lazy="raise")


class Equipment(Declarative):
    """What everybody may report who passes by. Its plural is its singular."""

    __tablename__ = "equipment"
    __resource__ = Resource(read=Access.anyone, write=Access.anyone)

    type: Mapped[Status] = mapped_column(text_enum(Status, "equipment_type"), primary_key=True)
    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger)


class Customer(WorkspaceScoped, Timestamped, Base):
    """Who buys."""

    __tablename__ = "customers"
    __resource__ = Resource(searchable=("name",), write=Access.viewer)

    name: Mapped[str] = mapped_column(String(100))
    born_on: Mapped[date | None]
    vip: Mapped[bool] = mapped_column(server_default=text("false"))

    orders: Mapped[list["Order"]] = relationship(lazy="raise", back_populates="customer", passive_deletes=True)

    __table_args__ = (UniqueConstraint("workspace_id", "id"),)


class Label(WorkspaceScoped, Base):
    """A word on an order."""

    __tablename__ = "labels"
    __resource__ = Resource(write=Access.admin)

    word: Mapped[str] = mapped_column(String(30))

    __table_args__ = (UniqueConstraint("workspace_id", "id"), UniqueConstraint("workspace_id", "word"))


class Order(Owned, WorkspaceScoped, Timestamped, Base):
    """What a customer wants."""

    __tablename__ = "orders"
    __resource__ = Resource()

    customer_id: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[Status] = mapped_column(text_enum(Status, "order_status"), server_default="open")
    placed_on: Mapped[date]
    due_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=False))

    customer: Mapped[Customer] = relationship(lazy="raise", back_populates="orders")
    lines: Mapped[list["OrderLine"]] = relationship(lazy="raise", back_populates="order", passive_deletes=True)
    labels: Mapped[list[Label]] = relationship(secondary=order_labels, lazy="raise", passive_deletes=True)

    __table_args__ = (
        UniqueConstraint("workspace_id", "id"),
        ForeignKeyConstraint(
            ["workspace_id", "customer_id"], ["customers.workspace_id", "customers.id"], ondelete="CASCADE"
        ),
    )


class OrderLine(WorkspaceScoped, Declarative):
    """So many of something."""

    __tablename__ = "order_lines"
    __resource__ = Resource()

    order_id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    position: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    product_id: Mapped[UUID] = mapped_column(ForeignKey("products.id"))
    amount: Mapped[int]

    order: Mapped[Order] = relationship(lazy="raise", back_populates="lines")
    product: Mapped[Product] = relationship(lazy="raise")

    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "order_id"], ["orders.workspace_id", "orders.id"], ondelete="CASCADE"),
    )


class Parcel(Owned, WorkspaceScoped, Base):
    """What is sent of an order."""

    __tablename__ = "parcels"
    __resource__ = Resource(parent="order", read=Access.member, write=Access.admin)

    order_id: Mapped[int] = mapped_column(BigInteger)
    code: Mapped[str] = mapped_column(String(20))

    order: Mapped[Order] = relationship(lazy="raise")

    __table_args__ = (
        ForeignKeyConstraint(["workspace_id", "order_id"], ["orders.workspace_id", "orders.id"], ondelete="CASCADE"),
    )


class Wish(Owned, Timestamped, Declarative):
    """What somebody would like to have, and nobody else has to know."""

    __tablename__ = "wishes"
    __resource__ = Resource()

    id: Mapped[UUID] = mapped_column(primary_key=True, server_default=func.gen_random_uuid())
    text: Mapped[str]
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))

    category: Mapped[Category | None] = relationship(lazy="raise")


class Shift(WorkspaceScoped, Base):
    """When somebody is there. Clocks write it, and people look at it."""

    __tablename__ = "shifts"
    __resource__ = Resource(write=Access.nobody)

    day: Mapped[date]
    starts_at: Mapped[time]
    length: Mapped[timedelta]


class Coupon(Owned, Timestamped, Base):
    """A price that is less. It has a service by hand."""

    __tablename__ = "coupons"
    __resource__ = Resource()

    code: Mapped[str] = mapped_column(String(20), unique=True)
    printed: Mapped[str | None] = mapped_column(String(20))
    percent: Mapped[int]
