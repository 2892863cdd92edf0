"""Northwind, the sample database of a trader: as somebody might have mapped it who never heard of this project.

Tables in the plural, small keys that the client chooses, some of them text, floats of four bytes, a company in which
people report to each other.
"""

from datetime import date
from decimal import Decimal

from sqlalchemy import (
    CHAR,
    REAL,
    CheckConstraint,
    Column,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Table,
    Text,
    false,
    text,
)
from sqlalchemy.ext.asyncio import AsyncAttrs
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import NAMING_CONVENTION
from app.models.resource import Access, Resource


class Northwind(AsyncAttrs, DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


employee_territories = Table(
    "employee_territories",
    Northwind.metadata,
    Column("employee_id", ForeignKey("employees.employee_id"), primary_key=True),
    Column("territory_id", ForeignKey("territories.territory_id"), primary_key=True),
)
customer_customer_demo = Table(
    "customer_customer_demo",
    Northwind.metadata,
    Column("customer_id", ForeignKey("customers.customer_id", ondelete="CASCADE"), primary_key=True),
    Column("customer_type_id", ForeignKey("customer_demographics.customer_type_id"), primary_key=True),
)


class Region(Northwind):
    __tablename__ = "region"
    __resource__ = Resource(write=Access.user)

    region_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    region_description: Mapped[str] = mapped_column(String(60))

    territories: Mapped[list["Territory"]] = relationship(back_populates="region")


class Territory(Northwind):
    __tablename__ = "territories"
    __resource__ = Resource(write=Access.user)

    territory_id: Mapped[str] = mapped_column(String(20), primary_key=True)
    territory_description: Mapped[str] = mapped_column(String(60))
    region_id: Mapped[int] = mapped_column(ForeignKey("region.region_id"))

    region: Mapped[Region] = relationship(back_populates="territories")
    employees: Mapped[list["Employee"]] = relationship(secondary=employee_territories, back_populates="territories")


class Employee(Northwind):
    __tablename__ = "employees"
    __resource__ = Resource(write=Access.user, searchable=("last_name", "notes"), sort="last_name,first_name")

    employee_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    last_name: Mapped[str] = mapped_column(String(20))
    first_name: Mapped[str] = mapped_column(String(10))
    title: Mapped[str | None] = mapped_column(String(30))
    birth_date: Mapped[date | None]
    hire_date: Mapped[date | None]
    photo: Mapped[bytes | None] = mapped_column(LargeBinary)
    notes: Mapped[str | None] = mapped_column(Text)
    reports_to: Mapped[int | None] = mapped_column(ForeignKey("employees.employee_id"))

    manager: Mapped["Employee | None"] = relationship(back_populates="reports", remote_side=employee_id)
    reports: Mapped[list["Employee"]] = relationship(back_populates="manager")
    territories: Mapped[list[Territory]] = relationship(secondary=employee_territories, back_populates="employees")


class CustomerDemographic(Northwind):
    __tablename__ = "customer_demographics"
    __resource__ = Resource(write=Access.user)

    customer_type_id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    customer_desc: Mapped[str | None] = mapped_column(Text)


class Customer(Northwind):
    __tablename__ = "customers"
    __resource__ = Resource(write=Access.user, searchable=("company_name",))

    customer_id: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    company_name: Mapped[str] = mapped_column(String(40))
    contact_name: Mapped[str | None] = mapped_column(String(30))
    city: Mapped[str | None] = mapped_column(String(15), index=True)
    country: Mapped[str | None] = mapped_column(String(15))
    phone: Mapped[str | None] = mapped_column(String(24))

    types: Mapped[list[CustomerDemographic]] = relationship(secondary=customer_customer_demo)
    orders: Mapped[list["Order"]] = relationship(back_populates="customer")


class Supplier(Northwind):
    __tablename__ = "suppliers"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    supplier_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    company_name: Mapped[str] = mapped_column(String(40))
    homepage: Mapped[str | None] = mapped_column(Text)


class Category(Northwind):
    __tablename__ = "categories"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    category_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    category_name: Mapped[str] = mapped_column(String(15), unique=True)
    description: Mapped[str | None] = mapped_column(Text)
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)

    products: Mapped[list["Product"]] = relationship(back_populates="category")


class Product(Northwind):
    __tablename__ = "products"
    __resource__ = Resource(read=Access.anyone, write=Access.user, searchable=("product_name",), sort="product_name")

    product_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True)
    product_name: Mapped[str] = mapped_column(String(40))
    supplier_id: Mapped[int | None] = mapped_column(ForeignKey("suppliers.supplier_id"))
    category_id: Mapped[int | None] = mapped_column(ForeignKey("categories.category_id"))
    quantity_per_unit: Mapped[str | None] = mapped_column(String(20))
    unit_price: Mapped[float | None] = mapped_column(REAL)
    units_in_stock: Mapped[int | None] = mapped_column(SmallInteger)
    discontinued: Mapped[bool] = mapped_column(server_default=false())

    supplier: Mapped[Supplier | None] = relationship()
    category: Mapped[Category | None] = relationship(back_populates="products")


class Shipper(Northwind):
    __tablename__ = "shippers"
    __resource__ = Resource(write=Access.user)

    shipper_id: Mapped[int] = mapped_column(SmallInteger, primary_key=True, autoincrement=False)
    company_name: Mapped[str] = mapped_column(String(40))
    phone: Mapped[str | None] = mapped_column(String(24))


class Order(Northwind):
    __tablename__ = "orders"
    __resource__ = Resource(write=Access.user, sort="-order_date")

    order_id: Mapped[int] = mapped_column(Integer, primary_key=True)
    customer_id: Mapped[str | None] = mapped_column(ForeignKey("customers.customer_id"))
    employee_id: Mapped[int | None] = mapped_column(ForeignKey("employees.employee_id"))
    order_date: Mapped[date | None]
    required_date: Mapped[date | None]
    shipped_date: Mapped[date | None]
    ship_via: Mapped[int | None] = mapped_column(ForeignKey("shippers.shipper_id"))
    freight: Mapped[Decimal | None] = mapped_column(Numeric(10, 2))
    ship_name: Mapped[str | None] = mapped_column(String(40))

    customer: Mapped[Customer | None] = relationship(back_populates="orders")
    employee: Mapped[Employee | None] = relationship()
    shipper: Mapped[Shipper | None] = relationship()
    lines: Mapped[list["OrderDetail"]] = relationship(back_populates="order")


class OrderDetail(Northwind):
    """A line of an order."""

    __tablename__ = "order_details"
    __resource__ = Resource(write=Access.user, parent="order")

    order_id: Mapped[int] = mapped_column(ForeignKey("orders.order_id"), primary_key=True)
    product_id: Mapped[int] = mapped_column(ForeignKey("products.product_id"), primary_key=True)
    unit_price: Mapped[float] = mapped_column(REAL)
    quantity: Mapped[int] = mapped_column(SmallInteger, server_default=text("1"))
    discount: Mapped[float] = mapped_column(REAL, server_default=text("0"))

    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship()

    __table_args__ = (
        CheckConstraint("quantity > 0", name="quantity"),
        CheckConstraint("discount BETWEEN 0 AND 1", name="discount"),
    )
