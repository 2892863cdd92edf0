"""The service of an entity that has a rule: whose its rows are, and who else may change them."""

from app.models.resource import Access, snake
from tools.eject import queries, source
from tools.eject.subject import Subject, class_name, identifier


def class_of(subject: Subject) -> str:
    """What the service is called."""
    return f"{subject.entity.name}Service"


def person_of(access: Access) -> str:
    """What the member of a workspace is called who writes."""
    return "writer" if access is Access.member else access.value


def service(subject: Subject) -> str:
    """The class."""
    parts = [_head(subject)]
    writing = [operation.does for operation in subject.operations if operation.method != "GET"]
    if "create" in writing:
        parts.append(_create(subject))
    if "update" in writing:
        parts.append(_update(subject))
    if "delete" in writing:
        parts.append(_delete(subject))
    if {"update", "delete", "link"} & set(writing):
        parts.append(_editable(subject))
    return "\n\n".join(parts)


def _head(subject: Subject) -> str:
    things = subject.entity.plural.replace("_", " ")
    where = f"Writing {things}, in the workspace that the unit of work is bound to."
    return "\n".join(
        [
            f"class {class_of(subject)}:",
            f'    """{where if subject.entity.scoped else f"Writing {things}, each for its owner alone."}"""',
            "",
            "    def __init__(self, uow: UnitOfWork) -> None:",
            f"        self._rows = Repository({class_name(subject.model)}, uow.session)",
        ]
    )


def _create(subject: Subject) -> str:
    entity, model = subject.entity, class_name(subject.model)
    parent = identifier(snake(subject.parent.name)) if subject.parent else ""
    before = f"{parent}: {class_name(subject.catalog.model_of(subject.parent))}, " if subject.parent else ""
    given = [f"{name}={parent}.{other}" for name, other in subject.given_by_parent().items()]
    values = ", ".join(["**one.sent()", *given, f"{entity.owner}={_id(subject, 'owner')}"])
    return "\n".join(
        [
            (
                f"    async def create(self, {before}data: Sequence[{entity.name}Create], owner: {_person(subject)})"
                f" -> Sequence[{model}]:"
            ),
            f"        return await self._rows.add_all([{model}({values}) for one in data])",
        ]
    )


def _update(subject: Subject) -> str:
    row = subject.row
    return "\n".join(
        [
            (
                f"    async def update(self, {_keys(subject)}, data: {subject.entity.name}Update, "
                f"editor: {_person(subject)}, expected: Versions) -> {class_name(subject.model)}:"
            ),
            _raises(subject, stale=True),
            f"        {row} = await self.{_editable_name(subject)}({_names(subject)}, editor, expected)",
            f"        return await self._rows.update({row}, data.changes())",
        ]
    )


def _delete(subject: Subject) -> str:
    return "\n".join(
        [
            f"    async def delete(self, {_keys(subject)}, editor: {_person(subject)}, expected: Versions) -> None:",
            _raises(subject, stale=True),
            f"        {subject.row} = await self.{_editable_name(subject)}({_names(subject)}, editor, expected)",
            f"        await self._rows.delete({subject.row})",
        ]
    )


def _editable(subject: Subject) -> str:
    entity, row = subject.entity, subject.row
    wanted = queries.locked(subject, "editor.id")
    default = " = None" if subject.does("link", "unlink") else ""
    lines = [
        (
            f"    async def {_editable_name(subject)}(self, {_keys(subject)}, editor: {_person(subject)}, "
            f"expected: Versions{default}) -> {class_name(subject.model)}:"
        ),
        '        """Locked, so that of two changes at once the second sees the first."""',
        f"        {row} = await self._rows.one_or_none({wanted})",
        f"        if {row} is None:",
        f"            raise NotFound({source.quoted(entity.title)})",
    ]
    if entity.scoped:
        lines += [
            f"        if {row}.{entity.owner} != editor.user.id and not editor.role.includes(Role.admin):",
            "            raise Forbidden",
        ]
    return "\n".join([*lines, f"        await self._rows.expect({row}, expected)", f"        return {row}"])


def _editable_name(subject: Subject) -> str:
    return "editable" if subject.does("link", "unlink") else "_editable"


def _raises(subject: Subject, *, stale: bool) -> str:
    last = "; `Stale`" if stale else ""
    if subject.private:
        return '        """Raises `NotFound`, also for anybody but the owner; `Stale`."""'
    return f'        """Raises `NotFound`; `Forbidden` for anybody but the owner and the workspace\'s admins{last}."""'


def _person(subject: Subject) -> str:
    return "Member" if subject.entity.scoped else "User"


def _id(subject: Subject, name: str) -> str:
    return f"{name}.user.id" if subject.entity.scoped else f"{name}.id"


def _keys(subject: Subject) -> str:
    return ", ".join(f"{one.name}: {source.plain(one.key)}" for one in subject.parameters)


def _names(subject: Subject) -> str:
    return ", ".join(one.name for one in subject.parameters)
