"""The names of operations, which a generated client has as those of its methods."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.resource import Resource
from app.resources.catalog import catalog_of
from app.resources.operations import operations


class _Base(DeclarativeBase):
    pass


class Order(_Base):
    __tablename__ = "orders"
    __resource__ = Resource()

    id: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[list["OrderLine"]] = relationship()


class OrderLine(_Base):
    __tablename__ = "order_lines"
    __resource__ = Resource()

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))


def test_the_lines_of_an_order_are_not_called_like_all_order_lines() -> None:
    catalog = catalog_of(Order)
    names = [one.name for entity in catalog.entities.values() for one in operations(entity, catalog)]
    assert len(set(names)) == len(names)
    assert {"list_order_lines", "list_lines_of_order"} <= set(names)
