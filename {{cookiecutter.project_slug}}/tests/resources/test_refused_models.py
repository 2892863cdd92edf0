"""Models that cannot be served as they are: the application says which, and why, before it serves anything."""

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import ARRAY, Column, ForeignKey, MetaData, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import NAMING_CONVENTION
from app.models.resource import Access, Resource
from app.resources.catalog import catalog_of
from app.resources.declaration import ResourceError
from app.resources.runtime import Runtime

Model = type[DeclarativeBase]


def thing(**attributes: Any) -> Callable[[], Model]:
    """A model called Thing with these, in a base of its own."""

    def make() -> Model:
        class Base(DeclarativeBase):
            metadata = MetaData(naming_convention=NAMING_CONVENTION)

        given = {
            "__tablename__": "things",
            "__resource__": Resource(),
            "id": mapped_column(sa.Integer, primary_key=True),
        }
        type("Thing", (Base,), given | {"__module__": __name__} | attributes)
        return Base

    return make


def options(**declared: Any) -> Callable[[], Model]:
    return thing(__resource__=Resource(**declared), name=mapped_column(String(10)), data=mapped_column(sa.JSON))


def column(of: Any) -> Callable[[], Model]:
    return thing(odd=mapped_column(of))


def single() -> Model:
    return thing(kind=mapped_column(String), __mapper_args__={"polymorphic_on": "kind"})()


def joined() -> Model:
    base = thing(__resource__=None)()
    (mapper,) = base.registry.mappers
    attributes = {
        "__tablename__": "cars",
        "__resource__": Resource(),
        "id": mapped_column(ForeignKey("things.id"), primary_key=True),
        "__module__": __name__,
    }
    type("Car", (mapper.class_,), attributes)
    return base


class _Pair:
    """Two models with a relation between them."""

    def __init__(self, **options: Any) -> None:
        self.options = options

    def __call__(self) -> Model:
        class Base(DeclarativeBase):
            metadata = MetaData(naming_convention=NAMING_CONVENTION)

        extra = self.options

        class Parent(Base):
            __tablename__ = "parents"
            __resource__ = Resource()
            id: Mapped[int] = mapped_column(primary_key=True)
            least: Mapped[int]

        class Child(Base):
            __tablename__ = "children"
            __resource__ = Resource()
            id: Mapped[int] = mapped_column(primary_key=True)
            size: Mapped[int]
            parent_id: Mapped[int] = mapped_column(ForeignKey("parents.id"))

        if "secondary" in extra:
            links = Table(
                "links",
                Base.metadata,
                Column("parent_id", ForeignKey("parents.id"), primary_key=True),
                Column("child_id", ForeignKey("children.id"), primary_key=True),
                Column("active", sa.Boolean, server_default=sa.true()),
            )
            join = (Child.id == links.c.child_id) & links.c.active
            Child.parents = relationship(Parent, secondary=links, primaryjoin=join, viewonly=True)
        elif "name" in extra:
            Child.__resource__ = Resource(name="Parent", path="children")
        elif "path" in extra:
            Child.__resource__ = Resource(path="parents")
        else:
            join = (Parent.id == Child.parent_id) & extra["also"](Parent, Child)
            Child.parent = relationship(Parent, primaryjoin=join, viewonly=True)
        return Base


REFUSED: dict[str, tuple[Callable[[], Model], str]] = {
    "single inheritance": (single, "Thing cannot be served: it is part of a table inheritance"),
    "joined inheritance": (joined, "Car cannot be served: it is part of a table inheritance"),
    "inet": (column(postgresql.INET), "Thing.*odd is a INET"),
    "range": (column(postgresql.INT4RANGE), "Thing.*odd is a INT4RANGE"),
    "matrix": (column(ARRAY(sa.Integer, dimensions=2)), "Thing.*odd is a ARRAY"),
    "time with a zone": (column(sa.Time(timezone=True)), "Thing.*odd is a Time"),
    "hidden": (
        thing(name=mapped_column(String, nullable=False), __resource__=Resource(hidden=("name",))),
        "Thing.*name is hidden, NOT NULL and without a default",
    ),
    "secret": (thing(token=mapped_column(String, nullable=False)), "Thing.*token is hidden, NOT NULL"),
    "key that is hidden": (options(hidden=("id",)), "Thing.*its key id is hidden"),
    "key that is not among the fields": (options(fields=("name", "data")), "Thing.*its key id is hidden"),
    "unknown hidden": (options(hidden=("nmae",)), "Thing.*hidden names 'nmae'"),
    "unknown field": (options(fields=("id", "nmae")), "Thing.*fields names 'nmae'"),
    "unknown read_only": (options(read_only=("nmae",)), "Thing.*read_only names 'nmae'"),
    "unknown searchable": (options(searchable=("nmae",)), "Thing.*searchable names 'nmae'"),
    "unknown sortable": (options(sortable=("nmae",)), "Thing.*sortable names 'nmae'"),
    "unknown sort": (options(sort="-nmae"), "Thing.*sort names 'nmae'"),
    "unknown parent": (options(parent="nmae"), "Thing.*parent names 'nmae'"),
    "unknown owner": (options(owner="nmae"), "Thing.*owner names 'nmae'"),
    "sort without an order": (options(sort="data"), "Thing.*sort names data, which has no order"),
    "search in a number": (options(searchable=("id",)), "Thing.*searchable names id, which is no text"),
    "a name that Python keeps to itself": (thing(_odd=mapped_column(String)), "Thing.*_odd"),
    "written view": (
        thing(__resource__=Resource(write=Access.user), __table_args__={"info": {"view": True}}),
        "Thing.*it is a view",
    ),
    "a role for everybody's rows": (options(read=Access.admin), "Thing.*read is admin"),
    "written by more than may read": (options(read=Access.superuser, write=Access.user), "Thing.*user may write"),
    "join by a constant": (_Pair(also=lambda _, child: child.size == 1), "Child.*parent joins by more than keys"),
    "join by a comparison": (_Pair(also=lambda p, c: c.size > p.least), "Child.*parent joins by more than keys"),
    "link with a condition": (_Pair(secondary=True), "Child.*parents joins by more than keys"),
    "the same name": (_Pair(name=True), "Two models are called Parent"),
    "the same path": (_Pair(path=True), "GET /parents would be"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_is_refused(case: str) -> None:
    make, sentence = REFUSED[case]
    with pytest.raises(ResourceError) as refused:
        Runtime(catalog_of(make()))
    assert re.search(sentence, str(refused.value)), str(refused.value)


def test_what_is_hidden_needs_no_form(pytestconfig: pytest.Config) -> None:
    made = thing(odd=mapped_column(postgresql.INET), __resource__=Resource(hidden=("odd",)))
    (entity,) = catalog_of(made()).entities.values()
    assert [field.name for field in entity.fields] == ["id"]


def test_every_operation_has_a_name_of_its_own() -> None:
    """`list_order_details` would be the lines of all orders, and of one."""
    base = thing()()

    class Order(base):  # type: ignore[valid-type, misc]
        __tablename__ = "orders"
        __resource__ = Resource()
        id: Mapped[int] = mapped_column(primary_key=True)
        details: Mapped[list["OrderDetail"]] = relationship()

    class OrderDetail(base):  # type: ignore[valid-type, misc]
        __tablename__ = "order_details"
        __resource__ = Resource()
        id: Mapped[int] = mapped_column(primary_key=True)
        order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))

    names = [operation.name for operation in Runtime(catalog_of(Order)).operations]
    assert len(set(names)) == len(names)
    assert {"list_order_details", "list_details_of_order"} <= set(names)
