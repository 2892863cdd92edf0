from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic

from sqlalchemy import Select, null

from app.auth.membership import Actor
from app.database.unit_of_work import UnitOfWork
from app.errors import Forbidden, NotFound
from app.models.base import Declarative
from app.models.resource import owner_column, title_of
from app.repositories.base import Model, Repository, Versions


class ResourceService(Generic[Model]):
    """Writing the rows of a model that is served by `app.resources`.

    For a rule of its own the model gets a service, found in `app/services` by its class: it says the `model` and
    overrides what it needs of the methods named `before_…` and `after_…`. They run in the transaction of the request;
    what they raise from `app.errors` is answered, and undoes it all.
    """

    model: ClassVar[type[Declarative]]

    def __init__(self, uow: UnitOfWork, actor: Actor, model: type[Model] | None = None) -> None:
        self.uow = uow
        self.actor = actor
        self._model: type[Model] = model or self.model  # type: ignore[assignment]  # a subclass names its own
        self._rows = Repository(self._model, uow.session)

    # ------------------------------------------------------------------------------------------------ to override

    async def before_create(self, row: Model) -> None:
        """The row is about to be inserted."""

    async def after_create(self, row: Model) -> None:
        """The row is inserted, and has its key."""

    async def before_update(self, row: Model, changes: dict[str, Any]) -> None:
        """The row, which is locked, is about to get these values. They may be changed here."""

    async def after_update(self, row: Model) -> None:
        """The row has its new values."""

    async def before_delete(self, row: Model) -> None:
        """The row, which is locked, is about to go."""

    async def after_delete(self, row: Model) -> None:
        """The row is gone."""

    # ------------------------------------------------------------------------------------------------------ verbs

    async def create(self, values: Sequence[Mapping[str, Any]]) -> Sequence[Model]:
        """Insert the rows: all of them, or none."""
        given: dict[str, Any] = {}
        if (owner := owner_column(self._model)) and self.actor.user is not None:
            given = {owner: self.actor.user.id}
        rows = [self._model(**each, **given) for each in values]
        for row, each in zip(rows, values, strict=True):
            await self.before_create(row)
            _keep_nulls(row, each)
        await self._rows.add_all(rows)
        for row in rows:
            await self.after_create(row)
        return rows

    async def update(self, wanted: Select[Model], changes: Mapping[str, Any], versions: Versions = None) -> Model:
        """Raises `NotFound`, `Forbidden` for anybody but the owner and admins, and `Stale`."""
        row = await self.editable(wanted, versions)
        changed = dict(changes)
        await self.before_update(row, changed)
        await self._rows.update(row, changed)
        await self.after_update(row)
        return row

    async def delete(self, wanted: Select[Model], versions: Versions = None) -> None:
        """Raises `NotFound`, `Forbidden` for anybody but the owner and admins, and `Stale`."""
        row = await self.editable(wanted, versions)
        await self.before_delete(row)
        await self._rows.delete(row)
        await self.after_delete(row)

    async def editable(self, wanted: Select[Model], versions: Versions = None, *, key_share: bool = False) -> Model:
        """The row, locked, so that of two changes at once the second sees the first.

        With `key_share` others may refer to it meanwhile: two that are linked with each other would wait for ever.
        """
        row = await self._rows.one_or_none(wanted.with_for_update(key_share=key_share))
        if row is None:
            raise NotFound(title_of(self._model))
        owner = owner_column(self._model)
        if owner is not None and not self.actor.may_change(getattr(row, owner)):
            raise Forbidden
        await self._rows.expect(row, versions)
        return row


def _keep_nulls(row: Declarative, sent: Mapping[str, Any]) -> None:
    """What was sent as null is null, where SQLAlchemy would take the column's default for it."""
    columns = row.__mapper__.columns
    for name, value in sent.items():
        default = columns[name].default is not None or columns[name].server_default is not None
        if value is None and getattr(row, name) is None and default and columns[name].nullable:
            setattr(row, name, null())
