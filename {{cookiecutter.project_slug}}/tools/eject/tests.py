"""The tests: what a client may rely on, asked over HTTP."""

import re
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, Table, UniqueConstraint, inspect

from app.models.base import WorkspaceScoped
from app.models.resource import Access, owner_column, resource_of, snake
from app.models.user import User
from app.models.workspace import Workspace
from app.resources.description import Field, Kind, Taken, Type
from app.resources.operations import Operation
from tools.eject import source
from tools.eject.queries import target_of
from tools.eject.subject import Subject, class_name, identifier, import_of, referred

_EXAMPLES: Final = {
    "boolean": "True",
    "smallint": "7",
    "integer": "7",
    "bigint": "7",
    "float": "7.5",
    "date": '"2026-02-03"',
    "time": '"04:05:06"',
    "datetime": '"2026-02-03T04:05:06Z"',
    "local-datetime": '"2026-02-03T04:05:06"',
    "interval": '"P1D"',
    "json": '{"a": [1, None]}',
    "uuid": "str(uuid4())",
}
_NUMBER: Final = 3  # characters that the texts in a test begin with
_MISSING: Final = {
    "id": "10**12",
    "bigint": "10**12",
    "integer": "2**31 - 1",
    "smallint": "2**15 - 1",
    "string": '"nobody"',
    "uuid": "UUID(int=0)",
    "date": '"1999-01-01"',
    "decimal": '"0"',
}


def cannot_be_made(subject: Subject) -> str:
    """Why rows cannot be made by what the columns say alone; nothing if they can."""
    for key in subject.entity.keys:
        if key.type.kind in {"datetime", "local-datetime", "time", "float"}:
            return f"a key that is a {key.type.kind} has many forms"
    for model in _needed(subject.model):
        if resource_of(model) is None:
            return f"{subject.entity.name} needs a row of {model.__name__}, which says no __resource__"
    given = subject.given_by_parent()
    parent = subject.parent
    if parent and not {key.field for key in parent.keys} <= set(given.values()):
        return f"the keys of {parent.name} do not stand in a row"
    return ""


def module(subject: Subject) -> str:
    """The text of the module, not formatted yet."""
    return _Writer(subject).module()


def _needed(model: type[Any], seen: frozenset[type[Any]] = frozenset()) -> list[type[Any]]:
    """The models whose rows have to be there before, in the order in which they can be made."""
    found: list[type[Any]] = []
    for _, other, _ in _references(model):
        if other in seen or other in found:
            continue
        found += [one for one in _needed(other, seen | {model}) if one not in found]
        found.append(other)
    return found


def _references(model: type[Any]) -> Iterator[tuple[str, type[Any], str]]:
    """What a row refers to, beside the people and workspaces that every test has."""
    return (one for one in referred(model) if one[1] not in {User, Workspace})


class _Writer:
    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.entity = subject.entity
        self._used: list[type[Any]] = [subject.model]

    def module(self) -> str:
        tests = [self._list(), self._read(), self._create(), self._update(), self._delete(), *self._relations()]
        body = "\n\n\n".join([*self._helpers(), *(text for text in tests if text)])
        names = {class_name(model): import_of(model) for model in self._used}
        return source.with_imports(body, names | {"uuid4": ("uuid", "uuid4"), "count": ("itertools", "count")})

    # ------------------------------------------------------------------------------------------------- helpers

    def _helpers(self) -> Iterator[str]:
        yield "NUMBERS = count()"
        if self.subject.does("create"):
            yield self._valid()
        if self._before:
            yield self._given()
        yield self._make()
        yield self._path_of()
        yield self._listed()

    def _valid(self) -> str:
        required = [field for field in self.entity.fields if field.created is Taken.required]
        values = ", ".join(f"{source.quoted(field.name)}: {self._value(field)}" for field in required)
        argument = "given: dict[str, Any]" if any(field.name in self._before for field in required) else ""
        says = '    """A body that is taken. Its text is another each time, for columns that are unique."""'
        return f"def valid({argument}) -> dict[str, Any]:\n{says}\n    return {{{values}}}"

    def _value(self, field: Field) -> str:
        if field.name in self._before:
            found = f"given[{source.quoted(field.name)}]"
            return found if field.type.kind in {"smallint", "integer", "bigint", "string"} else f"str({found})"
        return _example(field.type, field.name)

    @cached_property
    def _before(self) -> dict[str, str]:
        """The columns that refer to other rows, each with what a test puts there."""
        return {
            name: f"{identifier(snake(other.__name__))}.{attribute}"
            for name, other, attribute in _references(self.subject.model)
        }

    def _given(self) -> str:
        pairs = ", ".join(f"{source.quoted(name)}: {value}" for name, value in self._before.items())
        return "\n".join(
            [
                "async def given(people: People, person: Person) -> dict[str, Any]:",
                '    """What has to be there before, put into the database past HTTP."""',
                *self._in_workspace([*self._rows_before(self.subject.model), f"return {{{pairs}}}"]),
            ]
        )

    def _make(self) -> str:
        before = ", **before" if self._before else ""
        argument = ", before: dict[str, Any] | None = None" if self._before else ""
        row = f'make_row(uow.session, {class_name(self.subject.model)}, f"{{next(NUMBERS):03}}", known, person.user.id)'
        known = "{" + ", ".join([*self._scope(self.subject.model), *(["**before"] if before else [])]) + "}"
        return "\n".join(
            [
                f"async def make(people: People, person: Person{argument}) -> Any:",
                '    """A new row, put into the database past HTTP."""',
                *(["    before = before or await given(people, person)"] if self._before else []),
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
        from app.resources.operations import operations  # noqa: PLC0415  # only here

        return (one.path for one in operations(self.entity, self.subject.catalog) if one.does == "list")

    def _rows_before(self, model: type[Any]) -> list[str]:
        """Lines that make what a row of the model refers to."""
        return [f"{identifier(snake(other.__name__))} = await {self._new(other, {})}" for other in _needed(model)]

    def _new(self, model: type[Any], known: dict[str, str]) -> str:
        """An expression that makes a row of a model."""
        self._used.append(model)
        values = {
            name: f"{identifier(snake(other.__name__))}.{attribute}" for name, other, attribute in _references(model)
        } | known
        said = [*self._scope(model), *(f"{source.quoted(name)}: {value}" for name, value in values.items())]
        literal = "{" + ", ".join(said) + "}"
        return f'make_row(uow.session, {class_name(model)}, f"{{next(NUMBERS):03}}", {literal}, person.user.id)'

    def _scope(self, model: type[Any]) -> list[str]:
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
    def _join(self) -> str:
        """Somebody who may do everything with his own."""
        super_ = Access.superuser in {self.entity.read, self.entity.write}
        return "await people.join(is_superuser=True)" if super_ else "await people.join()"

    def _start(self, *, row: bool = True) -> list[str]:
        """Ada, and a row of hers."""
        lines = [f"ada = {self._join}"]
        if self.subject.parent or (not row and self._before):
            lines.append("before = await given(people, ada)")
        if row:
            lines.append("row = await make(people, ada" + (", before)" if self.subject.parent else ")"))
        return lines

    @property
    def _where(self) -> str:
        return "list_of(before)" if self.subject.parent else "LIST"

    # ---------------------------------------------------------------------------------------------------- tests

    def _list(self) -> str:
        if not self.subject.does("list"):
            return ""
        shows = [
            *self._start(),
            f"response = await ada.client.get({self._where})",
            "assert response.status_code == 200",
            "assert [path_of(one) for one in response.json()] == [path_of(row)]",
        ]
        tests = [_test("shows_what_is_there", shows)]
        if self.entity.scoped:
            hidden = [*self._start(), "stranger = await people.join()"]
            if self.subject.parent:
                hidden.append(f"assert (await stranger.client.get({self._where})).status_code == 404")
            else:
                hidden.append("assert (await stranger.client.get(LIST)).json() == []")
            tests.append(_test("is_of_the_workspace", hidden))
        elif self.subject.private and not self.subject.parent:
            others = "await people.join(is_superuser=True)" if "super" in self._join else "await people.join()"
            hidden = [*self._start(), f"stranger = {others}", "assert (await stranger.client.get(LIST)).json() == []"]
            tests.append(_test("is_for_the_owner", hidden))
        tests += self._refused("GET", self._where, self.entity.read, row=bool(self.subject.parent))
        if self._repeatable:
            tests.append(self._pages())
        refuses = [
            *self._start(row=False),
            f"response = await ada.client.get({self._where}, params={{parameter: value}})",
            "assert response.status_code == 422",
            'assert [error["loc"] for error in response.json()["errors"]] == [["query", parameter]]',
        ]
        cases = '[("limit", "0"), ("sort", "nothing"), ("nothing", "1")]'
        mark = f'@pytest.mark.parametrize(("parameter", "value"), {cases})'
        tests.append(_test("refuses_by_name", refuses, "parameter: str, value: str", mark))
        return _class("List", tests)

    def _pages(self) -> str:
        before = self.subject.parent or self._before
        lines = [
            *self._start(row=not before),
            *(["before = await given(people, ada)"] if before and not self.subject.parent else []),
        ]
        lines = list(dict.fromkeys(lines))
        made = "make(people, ada, before)" if before else "make(people, ada)"
        rows = ["row"] if not before else []
        return _test(
            "following_next_visits_every_row_once",
            [
                *lines,
                f"rows = [{', '.join([*rows, f'await {made}', f'await {made}'])}]",
                "seen: list[str] = []",
                f'url: str | None = f"{{{self._where}}}?limit=1"',
                "while url:",
                "    response = await ada.client.get(url)",
                "    seen += [path_of(one) for one in response.json()]",
                '    url = response.links["next"]["url"] if "next" in response.links else None',
                "assert sorted(seen) == sorted(path_of(row) for row in rows)",
            ],
        )

    def _read(self) -> str:
        if not self.subject.does("read"):
            return ""
        names = ", ".join(source.quoted(field.name) for field in self.entity.fields)
        gives = [
            *self._start(),
            "response = await ada.client.get(path_of(row))",
            "assert response.status_code == 200",
            f"assert list(response.json()) == [{names}]",
            "assert path_of(response.json()) == path_of(row)",
        ]
        tests = [_test("gives_the_whole_row", gives)]
        if self._missing:
            missing = [
                f"ada = {self._join}",
                f"response = await ada.client.get({self._missing})",
                f'assert (response.status_code, response.json()["detail"]) == (404, "{self.entity.title} not found")',
            ]
            tests.append(_test("what_is_not_there_is_not_found", missing))
        if self.entity.scoped or self.subject.private:
            stranger = [
                *self._start(),
                f"stranger = {self._join}",
                "assert (await stranger.client.get(path_of(row))).status_code == 404",
            ]
            tests.append(_test("a_strangers_row_is_not_there", stranger))
        tests += self._refused("GET", "path_of(row)", self.entity.read)
        bad = "/%00" * len(self.entity.keys)
        refuses = [
            f"ada = {self._join}",
            f'assert (await ada.client.get("{self.entity.path}{bad}")).status_code == 422',
        ]
        tests.append(_test("refuses_what_is_no_key", refuses))
        return _class("Read", tests)

    def _create(self) -> str:
        if not self.subject.does("create"):
            return ""
        required = [field for field in self.entity.fields if field.created is Taken.required]
        body = "valid(before)" if any(field.name in self._before for field in required) else "valid()"
        start = self._start(row=False)
        post = f"response = await ada.client.post({self._where}, json={{}})"
        gives = [
            *start,
            post.format(body),
            "assert response.status_code == 201",
            'again = await ada.client.get(response.headers["location"])',
            "assert again.json() == response.json()",
        ]
        tests = [_test("answers_with_the_row_and_where_it_is", gives)]
        if self._repeatable_by_body:
            several = [
                *start,
                post.format(f"[{body}, {body}]"),
                "assert response.status_code == 201",
                f"listed = await ada.client.get({self._where})",
                "assert sorted(map(path_of, listed.json())) == sorted(map(path_of, response.json()))",
            ]
            tests.append(_test("makes_several_at_once", several))
        none = [
            *start,
            post.format(f'[{body}, {body} | {{"nothing": 1}}]'),
            "assert response.status_code == 422",
            'assert [error["loc"] for error in response.json()["errors"]] == [["body", 1, "nothing"]]',
            f"assert (await ada.client.get({self._where})).json() == []",
        ]
        tests.append(_test("makes_all_of_them_or_none", none))
        if required:
            names = ", ".join(source.quoted(field.name) for field in required)
            missing = [
                *start,
                f"body = {body}",
                "del body[field]",
                post.format("body"),
                "assert response.status_code == 422",
                'assert [error["loc"] for error in response.json()["errors"]] == [["body", field]]',
            ]
            mark = f'@pytest.mark.parametrize("field", [{names}])'
            tests.append(_test("misses_what_is_required", missing, "field: str", mark))
        tests += self._refused("POST", self._where, self.entity.write, row=False, body=body)
        return _class("Create", tests)

    def _update(self) -> str:
        if not self.subject.does("update"):
            return ""
        updated = [field for field in self.entity.fields if field.updated and field.name not in self._referring]
        start, patch = self._start(), "await ada.client.patch(path_of(row), json={})"
        tests = []
        if updated:
            field = next((one for one in updated if one.type.kind == "string"), updated[0])
            name = source.quoted(field.name)
            lines = [
                *start,
                "old = (await ada.client.get(path_of(row))).json()",
                f"changes = {{{name}: {_example(field.type, 'new')}}}",
                f"response = {patch.format('changes')}",
                "assert response.status_code == 200",
                f"assert response.json()[{name}] == changes[{name}]",
                "assert (await ada.client.get(path_of(row))).json() == response.json()",
                'unchanged = response.json().keys() - changes.keys() - {"updated_at"}',
                "assert all(response.json()[one] == old[one] for one in unchanged)",
            ]
            tests.append(_test("changes_what_is_sent_and_nothing_else", lines))
        nothing = [*start, "whole = (await ada.client.get(path_of(row))).json()", f"assert ({patch}).json() == whole"]
        tests.append(_test("nothing_sent_is_nothing_changed", nothing))
        if strict := [field.name for field in self.entity.fields if field.updated and not field.nullable]:
            lines = [
                *start,
                f"response = {patch.format('{field: None}')}",
                "assert response.status_code == 422",
                'assert response.json()["errors"][0]["loc"] == ["body", field]',
            ]
            mark = f'@pytest.mark.parametrize("field", [{", ".join(map(source.quoted, strict))}])'
            if any(self.entity.by_name[name].type.kind == "json" for name in strict):
                mark = ""  # null is a value there
            if mark:
                tests.append(_test("null_is_not_a_value", lines, "field: str", mark))
        if self.entity.versioned:
            lines = [
                *start,
                'headers = {"If-Match": \'"0"\'}',
                "assert (await ada.client.patch(path_of(row), json={}, headers=headers)).status_code == 412",
            ]
            tests.append(_test("what_has_changed_meanwhile_is_not_overwritten", lines))
        return _class("Update", [*tests, *self._guarded("patch", 200)])

    def _delete(self) -> str:
        if not self.subject.does("delete"):
            return ""
        once = [
            *self._start(),
            "response = await ada.client.delete(path_of(row))",
            'assert (response.status_code, response.content) == (204, b"")',
            "assert (await ada.client.delete(path_of(row))).status_code == 404",
        ]
        return _class("Delete", [_test("removes_the_row_once", once), *self._guarded("delete", 204)])

    def _guarded(self, method: str, done: int) -> Iterator[str]:
        """Who else may not."""
        body = ", json={}" if method == "patch" else ""
        yield from self._refused(method.upper(), "path_of(row)", self.entity.write, body="{}" if body else "")
        asked = f"(await WHO.client.{method}(path_of(row){body})).status_code"
        if self.entity.scoped and self.entity.owner:
            cases = f"[(Role.member, 403), (Role.admin, {done})]"
            if self.entity.write in {Access.admin, Access.owner}:
                cases = "[(Role.member, 403)]"
            lines = [
                *self._start(),
                "colleague = await people.join(ada.workspace_id, role)",
                f"assert {asked.replace('WHO', 'colleague')} == expected",
            ]
            mark = f'@pytest.mark.parametrize(("role", "expected"), {cases})'
            yield _test("is_for_the_owner_and_admins", lines, "role: Role, expected: int", mark)
        if self.entity.scoped or self.subject.private:
            lines = [*self._start(), f"stranger = {self._join}", f"assert {asked.replace('WHO', 'stranger')} == 404"]
            yield _test("a_strangers_row_is_not_there", lines)

    def _refused(self, method: str, path: str, access: Access, *, row: bool = True, body: str = "") -> Iterator[str]:
        """Nobody, and those who are not enough."""
        start = self._start(row=row) if "(" in path or "before" in body else [f"ada = {self._join}"]
        if access is Access.anyone:
            return
        sent = f", json={body}" if body else ""
        ask = f"{method.lower()}({path}{sent})).status_code"
        if start == [f"ada = {self._join}"] and "before" not in sent:
            start = []
        lines = [*start, f"assert (await client.{ask} == 401"]
        yield _test("needs_an_account", lines, "client: httpx.AsyncClient")
        if access is Access.superuser:
            lines = [*start, "somebody = await people.join()", f"assert (await somebody.client.{ask} == 403"]
            yield _test("is_for_superusers", lines)
        elif access.role is not None and access is not Access.viewer:
            below = {"member": "viewer", "admin": "member", "owner": "admin"}[access.value]
            lines = [
                *(start or [f"ada = {self._join}"]),
                f"colleague = await people.join(ada.workspace_id, Role.{below})",
                f"assert (await colleague.client.{ask} == 403",
            ]
            yield _test(f"takes_the_role_{access.value}", lines)

    # ------------------------------------------------------------------------------------------------ relations

    def _relations(self) -> Iterator[str]:
        for operation in self.subject.operations:
            if operation.does == "read_related":
                yield self._read_related(operation)
            elif operation.does == "list_related":
                yield self._list_related(operation)

    def _at(self, operation: Operation) -> str:
        """Where the relation is."""
        return 'f"{path_of(row)}/' + operation.path.rpartition("/")[2] + '"'

    def _read_related(self, operation: Operation) -> str:
        relation = operation.relation
        assert relation is not None  # noqa: S101  # for mypy
        there = relation.kind is Kind.many_to_one and not relation.nullable
        lines = [
            *self._start(),
            f"response = await ada.client.get({self._at(operation)})",
            f"assert response.status_code == {200 if there else 404}",
        ]
        return _class(_pascal(relation.name), [_test("is_what_the_row_leads_to" if there else "leads_nowhere", lines)])

    def _list_related(self, operation: Operation) -> str:
        relation, at = operation.relation, self._at(operation)
        assert relation is not None  # noqa: S101  # for mypy
        tests = []
        empty = [*self._start(), f"assert (await ada.client.get({at})).json() == []"]
        tests.append(_test("are_none_at_first", empty))
        if self._missing:
            missing = self._missing[:-1] + "/" + operation.path.rpartition("/")[2] + '"'
            lines = [f"ada = {self._join}", f"assert (await ada.client.get({missing})).status_code == 404"]
            tests.append(_test("of_what_is_not_there_are_not_found", lines))
        linked = [one for one in self.subject.operations if one.does == "link" and one.relation is relation]
        if linked and not self._unmade(operation):
            tests.append(self._linked(operation))
        elif (
            relation.kind is Kind.one_to_many and not self._unmade(operation) and (known := self._belonging(operation))
        ):
            tests.append(self._listed_there(operation, known))
        return _class(_pascal(relation.name), tests)

    def _unmade(self, operation: Operation) -> bool:
        """Whether a row that is related cannot be made by its columns alone."""
        target = self.subject.catalog.model_of(target_of(operation))
        return any(resource_of(model) is None for model in _needed(target)) or not self._shown_keys(operation)

    def _shown_keys(self, operation: Operation) -> bool:
        target = target_of(operation)
        return all(key.field in target.by_name for key in target.keys) and target.table not in {"users", "workspaces"}

    def _belonging(self, operation: Operation) -> dict[str, str]:
        """The columns of a related row that refer to the row, if they have to."""
        target = self.subject.catalog.model_of(target_of(operation))
        relation = inspect(self.subject.model).relationships[operation.relation.name if operation.relation else ""]
        mapper, of_target = inspect(self.subject.model), inspect(target)
        known: dict[str, str] = {}
        for local, remote in relation.local_remote_pairs or ():
            if remote.nullable:
                return {}
            known[of_target.get_property_by_column(remote).key] = f"row.{mapper.get_property_by_column(local).key}"
        return known

    def _listed_there(self, operation: Operation, known: dict[str, str]) -> str:
        target = self.subject.catalog.model_of(target_of(operation))
        return _test(
            "are_those_of_the_row",
            [
                *self._start(),
                *self._make_other(target, known),
                f"listed = (await ada.client.get({self._at(operation)})).json()",
                f"assert {self._same(operation)}",
            ],
        )

    def _linked(self, operation: Operation) -> str:
        target = target_of(operation)
        keys = "".join(f"/{{other.{key.field}}}" for key in target.keys)
        at = self._at(operation)
        one = at[:-1] + keys + '"'
        return _test(
            "are_linked_and_unlinked",
            [
                *self._start(),
                *self._make_other(self.subject.catalog.model_of(target), {}),
                "for _ in range(2):",
                f"    assert (await ada.client.put({one})).status_code == 204",
                f"listed = (await ada.client.get({at})).json()",
                f"assert {self._same(operation)}",
                f"assert (await ada.client.delete({one})).status_code == 204",
                f"assert (await ada.client.delete({one})).status_code == 404",
                f"assert (await ada.client.get({at})).json() == []",
            ],
        )

    def _same(self, operation: Operation) -> str:
        """That the list holds the other row, and nothing else."""
        keys = [key.field for key in target_of(operation).keys]
        shown = ", ".join(f"str(one[{source.quoted(key)}])" for key in keys)
        known = ", ".join(f"str(other.{key})" for key in keys)
        return f"[({shown},) for one in listed] == [({known},)]"

    def _make_other(self, model: type[Any], known: dict[str, str]) -> list[str]:
        """Lines that make a row of another model in Ada's workspace. What it needs is made anew."""
        referred_here = {name for name, other, _ in _references(model) if name in known}
        needed = {
            other
            for name, other, _ in _references(model)
            if name not in referred_here or other is not self.subject.model
        }
        lines = []
        for other in _needed(model):
            if other is self.subject.model and other not in needed:
                continue
            if needed and (other in needed or any(other in _needed(one) for one in needed)):
                lines.append(f"{identifier(snake(other.__name__))} = await {self._new(other, {})}")
        names = {name: value for name, value in known.items() if name != "workspace_id"}
        made = self._new(model, names)
        text = [*lines, f"other = await {made}"]
        return [
            "async with people.database.unit_of_work() as uow:",
            "    uow.enter(ada.workspace_id)",
            *(f"    {line.replace('person.', 'ada.')}" for line in text),
        ]

    # ---------------------------------------------------------------------------------------------------- parts

    @cached_property
    def _referring(self) -> set[str]:
        """The columns that refer to something."""
        return {
            attribute.key for attribute in inspect(self.subject.model).column_attrs if attribute.columns[0].foreign_keys
        }

    @cached_property
    def _missing(self) -> str:
        """The path of a row that nobody has."""
        parts = []
        for key in self.entity.keys:
            value = _MISSING.get(key.type.kind)
            if value is None:
                return ""
            parts.append(f"/{{{value}}}" if value[0] != '"' else f"/{value[1:-1]}")
        text = "".join(parts)
        return ('f"' if "{" in text else '"') + f'{self.entity.path}{text}"'

    @cached_property
    def _repeatable(self) -> bool:
        """Whether several rows can be made that refer to the same others."""
        return all(any(_differs(column) for column in columns) for columns in _unique(self.subject.model))

    @cached_property
    def _repeatable_by_body(self) -> bool:
        """The same for rows that are made of what is required."""
        return self._repeatable and all(_differs_or_absent(self.entity, one) for one in _unique(self.subject.model))


def _unique(model: type[Any]) -> Iterator[list[Column[Any]]]:
    table = inspect(model).local_table
    assert isinstance(table, Table)  # noqa: S101  # what is no table has no rows to make
    yield list(table.primary_key.columns)
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield list(constraint.columns)
    for index in table.indexes:
        if index.unique:
            yield [column for column in index.columns if isinstance(column, Column)]


def _differs(column: Column[Any]) -> bool:
    """Whether it is another in each row that a test makes."""
    if column.nullable or column.server_default is not None or column.default is not None or column.identity:
        return not isinstance(column.type.python_type, bool) and column.type.python_type is not bool
    if column.table.autoincrement_column is column:
        return True
    length = getattr(column.type, "length", None)
    text = column.type.python_type is str and (length or _NUMBER) >= _NUMBER
    free = not column.foreign_keys and not hasattr(column.type, "enums")
    return free and (text or column.type.python_type is UUID)


def _differs_or_absent(_entity: object, columns: list[Column[Any]]) -> bool:
    return any(_differs(column) for column in columns)


def _example(of: Type, name: str) -> str:
    """An expression that makes a value as JSON has it."""
    match of.kind:
        case "string":
            text = f'f"{{next(NUMBERS):03}} {name.replace("_", " ")}"'
            return f"{text}[:{of.length}]" if of.length and of.length < len(name) + 8 else text
        case "enum":
            return source.quoted(of.choices[0])
        case "decimal":
            whole = "1" if not of.precision or of.precision > (of.scale or 0) else "0"
            return source.quoted(f"{whole}.{'0' * of.scale}" if of.scale else whole)
        case "array" if of.item:
            return f"[{_example(of.item, name)}]"
    return _EXAMPLES[of.kind]


def _test(name: str, lines: list[str], more: str = "", mark: str = "") -> str:
    """A method. It asks for people if it needs them."""
    text = "\n".join(lines)
    for said in ("row", "before"):
        if len(re.findall(rf"\b{said}\b", text)) == 1:  # it only has to be there
            lines = [line.removeprefix(f"{said} = ") for line in lines]
    arguments = [*(["people: People"] if "people." in text or "people," in text else []), *([more] if more else [])]
    if "client: " in more and "people" in text:
        arguments = [more, "people: People"]
    head = [f"    {mark}"] if mark else []
    head.append(f"    async def test_{name}(self, {', '.join(arguments)}) -> None:")
    return "\n".join([*head, *(f"        {line}" for line in lines)])


def _class(name: str, tests: list[str]) -> str:
    return f"class Test{name}:\n" + "\n\n".join(tests)


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
