"""What a test begins with: somebody, and rows that are put into the database past HTTP."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from app.models.base import WorkspaceScoped
from app.models.resource import Access, owner_column, snake
from app.models.user import User
from app.models.workspace import Workspace
from app.resources.description import Field, Taken
from app.resources.operations import operations
from tools.eject import source
from tools.eject.subject import Subject, class_name, identifier, referred
from tools.eject.values import example, missing, needed, references, repeatable


class Given:
    """The functions at the head of a test module, and the first lines of its tests."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.entity = subject.entity
        self.used: list[type[Any]] = [subject.model]

    def helpers(self) -> Iterator[str]:
        yield "NUMBERS = count()"
        if self.subject.does("create"):
            yield self._valid()
        if self.before:
            yield self._given()
        yield self._make()
        yield self._path_of()
        yield self._listed()

    def _valid(self) -> str:
        required = [field for field in self.entity.fields if field.created is Taken.required]
        values = ", ".join(f"{source.quoted(field.name)}: {self._value(field)}" for field in required)
        argument = "given: dict[str, Any]" if any(field.name in self.before for field in required) else ""
        says = '    """A body that is taken. Its text is another each time, for columns that are unique."""'
        return f"def valid({argument}) -> dict[str, Any]:\n{says}\n    return {{{values}}}"

    def _value(self, field: Field) -> str:
        if field.name in self.before:
            found = f"given[{source.quoted(field.name)}]"
            return found if field.type.kind in {"smallint", "integer", "bigint", "string"} else f"str({found})"
        return example(field.type, field.name)

    @cached_property
    def before(self) -> dict[str, str]:
        """The columns that refer to other rows, each with what a test puts there."""
        return {
            name: f"{identifier(snake(other.__name__))}.{attribute}"
            for name, other, attribute in references(self.subject.model)
        }

    def _given(self) -> str:
        pairs = ", ".join(f"{source.quoted(name)}: {value}" for name, value in self.before.items())
        return "\n".join(
            [
                "async def given(people: People, person: Person) -> dict[str, Any]:",
                '    """What has to be there before, put into the database past HTTP."""',
                *self._in_workspace([*self._rows_before(self.subject.model), f"return {{{pairs}}}"]),
            ]
        )

    def _make(self) -> str:
        before = ", **before" if self.before else ""
        argument = ", before: dict[str, Any] | None = None" if self.before else ""
        row = f'make_row(uow.session, {class_name(self.subject.model)}, f"{{next(NUMBERS):03}}", known, person.user.id)'
        known = "{" + ", ".join([*self.scope(self.subject.model), *(["**before"] if before else [])]) + "}"
        return "\n".join(
            [
                f"async def make(people: People, person: Person{argument}) -> Any:",
                '    """A new row, put into the database past HTTP."""',
                *(["    before = before or await given(people, person)"] if self.before else []),
                f"    known: dict[str, Any] = {known}",
                *self._in_workspace([f"return await {row}"]),
            ]
        )

    def _path_of(self) -> str:
        keys = "".join(f"/{{row.{key.field}}}" for key in self.entity.keys)
        shown = "".join(f"/{{row[{source.quoted(key.field)}]}}" for key in self.entity.keys).replace('"', "'")
        return "\n".join(
            [
                "def path_of(row: Any) -> str:",
                f'    """`{self.entity.item_path}`, of a row or of its JSON."""',
                "    if isinstance(row, dict):",
                f'        return f"{self.entity.path}{shown}"',
                f'    return f"{self.entity.path}{keys}"',
            ]
        )

    def _listed(self) -> str:
        """Where the list is that a row stands in."""
        parent = self.subject.parent
        if parent is None:
            return f"LIST = {source.quoted(self.entity.path)}"
        of = {other: name for name, other in self.subject.given_by_parent().items()}
        keys = "".join(f"/{{given['{of[key.field]}']}}" for key in parent.keys)
        last = next(one for one in self._all_paths() if one).rpartition("/")[2]
        return f'def list_of(given: dict[str, Any]) -> str:\n    return f"{parent.path}{keys}/{last}"'

    def _all_paths(self) -> Iterator[str]:
        return (one.path for one in operations(self.entity, self.subject.catalog) if one.does == "list")

    def _rows_before(self, model: type[Any]) -> list[str]:
        """Lines that make what a row of the model refers to."""
        return [f"{identifier(snake(other.__name__))} = await {self.new(other, {})}" for other in needed(model)]

    def new(self, model: type[Any], known: dict[str, str]) -> str:
        """An expression that makes a row of a model."""
        self.used.append(model)
        values = {
            name: f"{identifier(snake(other.__name__))}.{attribute}" for name, other, attribute in references(model)
        } | known
        said = [*self.scope(model), *(f"{source.quoted(name)}: {value}" for name, value in values.items())]
        literal = "{" + ", ".join(said) + "}"
        return f'make_row(uow.session, {class_name(model)}, f"{{next(NUMBERS):03}}", {literal}, person.user.id)'

    def scope(self, model: type[Any]) -> list[str]:
        said = ['"workspace_id": person.workspace_id'] if issubclass(model, WorkspaceScoped) else []
        for name, other, _ in referred(model):
            if other is User and name != owner_column(model):
                said.append(f"{source.quoted(name)}: person.user.id")
            if other is Workspace and name != "workspace_id":
                said.append(f"{source.quoted(name)}: person.workspace_id")
        return said

    def _in_workspace(self, lines: list[str]) -> list[str]:
        return [
            "    async with people.database.unit_of_work() as uow:",
            "        uow.enter(person.workspace_id)",
            *(f"        {line}" for line in lines),
        ]

    # --------------------------------------------------------------------------------------------------- people

    @property
    def join(self) -> str:
        """Somebody who may do everything with his own."""
        super_ = Access.superuser in {self.entity.read, self.entity.write}
        return "await people.join(is_superuser=True)" if super_ else "await people.join()"

    def start(self, *, row: bool = True) -> list[str]:
        """Ada, and a row of hers."""
        lines = [f"ada = {self.join}"]
        if self.subject.parent or (not row and self.before):
            lines.append("before = await given(people, ada)")
        if row:
            lines.append("row = await make(people, ada" + (", before)" if self.subject.parent else ")"))
        return lines

    @property
    def where(self) -> str:
        return "list_of(before)" if self.subject.parent else "LIST"

    # ---------------------------------------------------------------------------------------------------- parts

    @cached_property
    def missing(self) -> str:
        """The path of a row that nobody has."""
        keys = missing(self.entity.keys)
        return ('f"' if "{" in keys else '"') + f'{self.entity.path}{keys}"' if keys else ""

    @cached_property
    def repeatable(self) -> bool:
        """Whether several rows can be made that refer to the same others."""
        return repeatable(self.subject.model)
