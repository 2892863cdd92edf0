"""What cannot be served right is refused when the application starts, by a sentence."""

from typing import Any

import pytest
from sqlalchemy import JSON, BigInteger, ForeignKey, Integer, String
from sqlalchemy.dialects.postgresql import INET
from sqlalchemy.orm import mapped_column, relationship

from app.models.base import Owned, WorkspaceScoped
from app.models.resource import Access, Resource
from app.resources.catalog import Catalog
from app.resources.compilation import describe
from app.resources.declaration import ResourceError
from tests.resources.conftest import assemble, new_base, thing_of

ANYONE = Resource(read=Access.anyone)


def option(name: str, value: Any) -> dict[str, Any]:
    return {name: value}


def declared(resource: Resource, *mixins: type[Any], **columns: Any) -> Any:
    return thing_of(new_base(), resource, *mixins, **columns)


@pytest.mark.parametrize(
    ("model", "sentence"),
    [
        *(
            (declared(Resource(**option(name, ("nope",)))), f"{name} names 'nope', which it does not have")
            for name in ("fields", "hidden", "read_only", "searchable", "sortable")
        ),
        *(
            (declared(Resource(**option(name, "nope"))), f"{name} names 'nope', which it does not have")
            for name in ("sort", "owner", "parent")
        ),
        (
            declared(Resource(hidden=("title",), write=Access.user), title=mapped_column(String, nullable=False)),
            "title is hidden, NOT NULL and without a default, so no row could be made",
        ),
        (declared(Resource(), at=mapped_column(INET, nullable=True)), "at is a INET(), which has no form in JSON here"),
        (
            declared(Resource(searchable=("count",)), count=mapped_column(Integer)),
            "searchable names count, which is no",
        ),
        (declared(Resource(searchable=("title",), hidden=("title",))), "searchable names title, which is hidden"),
        (declared(Resource(sort="title", hidden=("title",))), "sort names title, which is hidden"),
        (
            declared(Resource(sort="data"), data=mapped_column(JSON, nullable=True)),
            "sort names data, which has no order",
        ),
        (declared(Resource(hidden=("id",))), "its key id is hidden"),
        (declared(Resource(fields=("title",))), "its key id is hidden"),
        (declared(Resource(read=Access.superuser, write=Access.user)), "user may write what only superuser may read"),
        (declared(Resource(read=Access.viewer)), "read is viewer, a role in a workspace, but its rows are everybody's"),
        (declared(Resource(read=Access.user), WorkspaceScoped), "read is user, but its rows are a workspace's: say a"),
        (declared(Resource(read=Access.anyone), Owned), "read is anyone, but its rows are their owners'"),
        (declared(Resource(), model_config=mapped_column(Integer, nullable=True)), "model_config"),
        (declared(Resource(), _x=mapped_column(Integer, nullable=True)), "_x"),
    ],
)
def test_what_cannot_be_served_is_refused_by_a_sentence(model: Any, sentence: str) -> None:
    with pytest.raises(ResourceError) as refused:
        describe(model)
    assert str(refused.value).startswith("Thing cannot be served: ")
    assert sentence in str(refused.value)


def test_inheritance_is_refused() -> None:
    base: Any = new_base()
    parent = thing_of(base, None, name="Parent", kind=mapped_column(String(10)))
    child = type("Child", (parent,), {"__resource__": Resource(), "__mapper_args__": {"polymorphic_identity": "c"}})
    with pytest.raises(ResourceError, match="part of a table inheritance"):
        describe(child)


def test_a_join_by_more_than_keys_is_refused_unless_it_is_hidden() -> None:
    for hidden in ((), ("other",)):
        base: Any = new_base()
        others = thing_of(base, ANYONE, name="Other")
        join = "and_(foreign(Thing.other_id) == Other.id, Other.title == 'x')"
        more: dict[str, Any] = {
            "other_id": mapped_column(BigInteger, nullable=True),
            "other": relationship(others, primaryjoin=join, lazy="raise", viewonly=True),
        }
        thing = thing_of(base, Resource(hidden=hidden), **more)
        if hidden:
            assert describe(thing).relations == ()
        else:
            with pytest.raises(ResourceError, match="other joins by more than keys: hide it"):
                describe(thing)


def test_a_parent_that_its_readers_may_not_see_is_refused() -> None:
    base: Any = new_base()
    diary = thing_of(base, Resource(), Owned, name="Diary")
    column = mapped_column(BigInteger, ForeignKey("diarys.id"))
    page = thing_of(base, Resource(parent="diary"), name="Page", diary_id=column, diary=relationship(diary))
    with pytest.raises(ResourceError, match="Page cannot be served: its parent diary"):
        describe(page)


def test_two_of_one_name_are_refused() -> None:
    base: Any = new_base()
    models = [thing_of(base, Resource(), name="Thing"), thing_of(base, Resource(name="Thing"), name="Other")]
    with pytest.raises(ResourceError, match="Two models are called Thing"):
        Catalog(models)


def test_two_of_one_path_are_refused(settings: Any) -> None:
    base: Any = new_base()
    models = [thing_of(base, Resource(), name="Thing"), thing_of(base, Resource(path="/things/"), name="Other")]
    with pytest.raises(ResourceError, match="GET /things would be list_things of") as refused:
        assemble(base, settings)
    assert all(model.__name__ in str(refused.value) for model in models)
