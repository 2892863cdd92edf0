"""Pagila, PostgreSQL's sample database of a shop that lends films: as somebody might have mapped it who never heard of
this project. Tables in the singular, keys named after them, an enum, arrays, bytes, a search vector and a view.
"""

from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Computed,
    DateTime,
    Enum,
    ForeignKey,
    LargeBinary,
    MetaData,
    Numeric,
    SmallInteger,
    String,
    Text,
    UniqueConstraint,
    func,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from app.models.base import NAMING_CONVENTION
from app.models.resource import Access, Resource


class Pagila(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {datetime: DateTime(timezone=True)}  # noqa: RUF012  # SQLAlchemy declares it so


class Dated:
    last_update: Mapped[datetime] = mapped_column(server_default=func.now(), onupdate=func.now(), sort_order=90)


class Rating(StrEnum):
    g = "G"
    pg = "PG"
    pg_13 = "PG-13"
    r = "R"
    nc_17 = "NC-17"


class Country(Dated, Pagila):
    """A country."""

    __tablename__ = "country"
    __resource__ = Resource(read=Access.anyone, write=Access.user, searchable=("country",), sort="country")

    country_id: Mapped[int] = mapped_column(primary_key=True)
    country: Mapped[str] = mapped_column(String(50))

    cities: Mapped[list["City"]] = relationship(back_populates="country")


class City(Dated, Pagila):
    __tablename__ = "city"
    __resource__ = Resource(read=Access.anyone, write=Access.user)

    city_id: Mapped[int] = mapped_column(primary_key=True)
    city: Mapped[str] = mapped_column(String(50))
    country_id: Mapped[int] = mapped_column(ForeignKey("country.country_id"))

    country: Mapped[Country] = relationship(back_populates="cities")


class Address(Dated, Pagila):
    __tablename__ = "address"
    __resource__ = Resource(write=Access.user)

    address_id: Mapped[int] = mapped_column(primary_key=True)
    address: Mapped[str] = mapped_column(String(50))
    address2: Mapped[str | None] = mapped_column(String(50))
    district: Mapped[str] = mapped_column(String(20))
    city_id: Mapped[int] = mapped_column(ForeignKey("city.city_id"))
    postal_code: Mapped[str | None] = mapped_column(String(10))
    phone: Mapped[str] = mapped_column(String(20))

    city: Mapped[City] = relationship()


class Language(Dated, Pagila):
    __tablename__ = "language"
    __resource__ = Resource(write=Access.user)

    language_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(20), unique=True)


class FilmActor(Dated, Pagila):
    """That somebody plays in a film: the association of the two, and a row of its own."""

    __tablename__ = "film_actor"
    __resource__ = Resource(write=Access.user)

    actor_id: Mapped[int] = mapped_column(ForeignKey("actor.actor_id"), primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id"), primary_key=True)

    actor: Mapped["Actor"] = relationship(back_populates="roles", overlaps="films,actors")
    film: Mapped["Film"] = relationship(back_populates="roles", overlaps="films,actors")


class FilmCategory(Dated, Pagila):
    __tablename__ = "film_category"
    __resource__ = Resource(write=Access.user)

    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id", ondelete="CASCADE"), primary_key=True)
    category_id: Mapped[int] = mapped_column(ForeignKey("category.category_id"), primary_key=True)

    film: Mapped["Film"] = relationship()
    category: Mapped["Category"] = relationship()


class Category(Dated, Pagila):
    __tablename__ = "category"
    __resource__ = Resource(write=Access.user, sort="name")

    category_id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(25))

    films: Mapped[list["Film"]] = relationship(secondary="film_category", viewonly=True)


class Actor(Dated, Pagila):
    __tablename__ = "actor"
    __resource__ = Resource(write=Access.user, searchable=("first_name", "last_name"))

    actor_id: Mapped[int] = mapped_column(primary_key=True)
    first_name: Mapped[str] = mapped_column(String(45))
    last_name: Mapped[str] = mapped_column(String(45), index=True)

    films: Mapped[list["Film"]] = relationship(secondary="film_actor", back_populates="actors", overlaps="roles,film")
    roles: Mapped[list[FilmActor]] = relationship(back_populates="actor", overlaps="films")


class Film(Dated, Pagila):
    """A film, of which the shop may have several copies."""

    __tablename__ = "film"
    __resource__ = Resource(write=Access.user, searchable=("title", "description"), hidden=("fulltext",), sort="title")

    film_id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(String(255), index=True)
    description: Mapped[str | None] = mapped_column(Text)
    release_year: Mapped[int | None] = mapped_column(
        CheckConstraint("release_year BETWEEN 1901 AND 2155", name="release_year")
    )
    language_id: Mapped[int] = mapped_column(ForeignKey("language.language_id"))
    original_language_id: Mapped[int | None] = mapped_column(ForeignKey("language.language_id"))
    rental_duration: Mapped[int] = mapped_column(SmallInteger, server_default=text("3"))
    rental_rate: Mapped[Decimal] = mapped_column(Numeric(4, 2), server_default=text("4.99"))
    length: Mapped[int | None] = mapped_column(SmallInteger)
    replacement_cost: Mapped[Decimal] = mapped_column(Numeric(5, 2), server_default=text("19.99"))
    rating: Mapped[Rating | None] = mapped_column(
        Enum(Rating, name="mpaa_rating", values_callable=lambda enum: [one.value for one in enum]), server_default="G"
    )
    special_features: Mapped[list[str] | None] = mapped_column(ARRAY(Text))
    fulltext: Mapped[Any] = mapped_column(TSVECTOR, Computed("to_tsvector('english', title)", persisted=True))

    language: Mapped[Language] = relationship(foreign_keys=language_id)
    original_language: Mapped[Language | None] = relationship(foreign_keys=original_language_id)
    actors: Mapped[list[Actor]] = relationship(
        secondary="film_actor", back_populates="films", overlaps="roles,actor,film"
    )
    roles: Mapped[list[FilmActor]] = relationship(back_populates="film", overlaps="films,actors")
    categories: Mapped[list[Category]] = relationship(secondary="film_category", viewonly=True)
    inventories: Mapped[list["Inventory"]] = relationship(back_populates="film")


class Store(Dated, Pagila):
    __tablename__ = "store"
    __resource__ = Resource(write=Access.user)

    store_id: Mapped[int] = mapped_column(primary_key=True)
    manager_staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.staff_id", use_alter=True), unique=True)
    address_id: Mapped[int] = mapped_column(ForeignKey("address.address_id"))

    manager: Mapped["Staff | None"] = relationship(foreign_keys=manager_staff_id, post_update=True)
    address: Mapped[Address] = relationship()
    staff: Mapped[list["Staff"]] = relationship(back_populates="store", foreign_keys="Staff.store_id")


class Staff(Dated, Pagila):
    __tablename__ = "staff"
    __resource__ = Resource(write=Access.user)

    staff_id: Mapped[int] = mapped_column(primary_key=True)
    first_name: Mapped[str] = mapped_column(String(45))
    last_name: Mapped[str] = mapped_column(String(45))
    address_id: Mapped[int] = mapped_column(ForeignKey("address.address_id"))
    email: Mapped[str | None] = mapped_column(String(50))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.store_id"))
    active: Mapped[bool] = mapped_column(server_default=true())
    username: Mapped[str] = mapped_column(String(16))
    password: Mapped[str | None] = mapped_column(String(40))
    picture: Mapped[bytes | None] = mapped_column(LargeBinary)

    address: Mapped[Address] = relationship()
    store: Mapped[Store] = relationship(back_populates="staff", foreign_keys=store_id)


class Customer(Dated, Pagila):
    __tablename__ = "customer"
    __resource__ = Resource(write=Access.user, searchable=("last_name",))

    customer_id: Mapped[int] = mapped_column(primary_key=True)
    store_id: Mapped[int] = mapped_column(ForeignKey("store.store_id"))
    first_name: Mapped[str] = mapped_column(String(45))
    last_name: Mapped[str] = mapped_column(String(45))
    email: Mapped[str | None] = mapped_column(String(50))
    address_id: Mapped[int] = mapped_column(ForeignKey("address.address_id"))
    activebool: Mapped[bool] = mapped_column(server_default=true())
    create_date: Mapped[date] = mapped_column(server_default=func.current_date())

    store: Mapped[Store] = relationship()
    address: Mapped[Address] = relationship()
    rentals: Mapped[list["Rental"]] = relationship(back_populates="customer")


class Inventory(Dated, Pagila):
    __tablename__ = "inventory"
    __resource__ = Resource(write=Access.user)

    inventory_id: Mapped[int] = mapped_column(primary_key=True)
    film_id: Mapped[int] = mapped_column(ForeignKey("film.film_id"))
    store_id: Mapped[int] = mapped_column(ForeignKey("store.store_id"))

    film: Mapped[Film] = relationship(back_populates="inventories")
    store: Mapped[Store] = relationship()


class Rental(Dated, Pagila):
    __tablename__ = "rental"
    __resource__ = Resource(write=Access.user, sort="-rental_date")

    rental_id: Mapped[int] = mapped_column(primary_key=True)
    rental_date: Mapped[datetime]
    inventory_id: Mapped[int] = mapped_column(ForeignKey("inventory.inventory_id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    return_date: Mapped[datetime | None]
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.staff_id"))

    inventory: Mapped[Inventory] = relationship()
    customer: Mapped[Customer] = relationship(back_populates="rentals")
    staff: Mapped[Staff] = relationship()

    __table_args__ = (UniqueConstraint("rental_date", "inventory_id", "customer_id"),)


class Payment(Pagila):
    __tablename__ = "payment"
    __resource__ = Resource(write=Access.user)

    payment_id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.customer_id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.staff_id"))
    rental_id: Mapped[int] = mapped_column(ForeignKey("rental.rental_id"))
    amount: Mapped[Decimal] = mapped_column(Numeric(5, 2))
    payment_date: Mapped[datetime]

    customer: Mapped[Customer] = relationship()
    staff: Mapped[Staff] = relationship()
    rental: Mapped[Rental] = relationship()


class CustomerList(Pagila):
    """Every customer with the address, for a letter."""

    __tablename__ = "customer_list"
    __table_args__ = {"info": {"view": True}}  # noqa: RUF012  # SQLAlchemy declares it so
    __resource__ = Resource(searchable=("name",), sort="name")

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(Text)
    address: Mapped[str | None] = mapped_column(String(50))
    zip_code: Mapped[str | None] = mapped_column("zip code", String(10))
    city: Mapped[str | None] = mapped_column(String(50))
    country: Mapped[str | None] = mapped_column(String(50))
    notes: Mapped[str | None] = mapped_column(Text)
    sid: Mapped[int | None]


VIEWS = (
    """
    CREATE VIEW customer_list AS
    SELECT customer_id AS id, first_name || ' ' || last_name AS name, address, postal_code AS "zip code", city, country,
           CASE WHEN activebool THEN 'active' ELSE '' END AS notes, store_id AS sid
    FROM customer JOIN address USING (address_id) JOIN city USING (city_id) JOIN country USING (country_id)
    """,
)
