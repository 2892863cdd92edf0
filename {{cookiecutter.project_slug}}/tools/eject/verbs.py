"""Tests of what is done with rows: listing, reading, making, changing, deleting them."""

from collections.abc import Iterator
from functools import cached_property

from sqlalchemy import inspect

from app.models.resource import Access
from app.resources.description import Taken
from tools.eject import source
from tools.eject.cases import case, group
from tools.eject.given import Given
from tools.eject.values import example


class Verbs(Given):
    """A class of tests for each verb."""

    def verbs(self) -> Iterator[str]:
        """The classes."""
        does = {operation.does for operation in self.subject.operations}
        verbs = {
            "list": self._list,
            "read": self._read,
            "create": self._create,
            "update": self._update,
            "delete": self._delete,
        }
        return (write() for verb, write in verbs.items() if verb in does)

    def _list(self) -> str:
        shows = [
            *self.start(),
            f"response = await ada.client.get({self.where})",
            "assert response.status_code == 200",
            "assert [path_of(one) for one in response.json()] == [path_of(row)]",
        ]
        tests = [case("shows_what_is_there", shows)]
        if self.entity.scoped:
            hidden = [*self.start(), "stranger = await people.join()"]
            if self.subject.parent:
                hidden.append(f"assert (await stranger.client.get({self.where})).status_code == 404")
            else:
                hidden.append("assert (await stranger.client.get(LIST)).json() == []")
            tests.append(case("is_of_the_workspace", hidden))
        elif self.subject.private and not self.subject.parent:
            others = "await people.join(is_superuser=True)" if "super" in self.join else "await people.join()"
            hidden = [*self.start(), f"stranger = {others}", "assert (await stranger.client.get(LIST)).json() == []"]
            tests.append(case("is_for_the_owner", hidden))
        tests += self.refused("GET", self.where, self.entity.read, row=bool(self.subject.parent))
        if self.repeatable:
            tests.append(self._pages())
        refuses = [
            *self.start(row=False),
            f"response = await ada.client.get({self.where}, params={{parameter: value}})",
            "assert response.status_code == 422",
            'assert [error["loc"] for error in response.json()["errors"]] == [["query", parameter]]',
        ]
        cases = '[("limit", "0"), ("sort", "nothing"), ("nothing", "1")]'
        mark = f'@pytest.mark.parametrize(("parameter", "value"), {cases})'
        tests.append(case("refuses_by_name", refuses, "parameter: str, value: str", mark))
        return group("List", tests)

    def _pages(self) -> str:
        before = self.subject.parent or self.before
        lines = [
            *self.start(row=not before),
            *(["before = await given(people, ada)"] if before and not self.subject.parent else []),
        ]
        lines = list(dict.fromkeys(lines))
        made = "make(people, ada, before)" if before else "make(people, ada)"
        rows = ["row"] if not before else []
        return case(
            "following_next_visits_every_row_once",
            [
                *lines,
                f"rows = [{', '.join([*rows, f'await {made}', f'await {made}'])}]",
                "seen: list[str] = []",
                f'url: str | None = f"{{{self.where}}}?limit=1"',
                "while url:",
                "    response = await ada.client.get(url)",
                "    seen += [path_of(one) for one in response.json()]",
                '    url = response.links["next"]["url"] if "next" in response.links else None',
                "assert sorted(seen) == sorted(path_of(row) for row in rows)",
            ],
        )

    def _read(self) -> str:
        names = ", ".join(source.quoted(field.name) for field in self.entity.fields)
        gives = [
            *self.start(),
            "response = await ada.client.get(path_of(row))",
            "assert response.status_code == 200",
            f"assert list(response.json()) == [{names}]",
            "assert path_of(response.json()) == path_of(row)",
        ]
        tests = [case("gives_the_whole_row", gives)]
        if self.missing:
            missing = [
                f"ada = {self.join}",
                f"response = await ada.client.get({self.missing})",
                f'assert (response.status_code, response.json()["detail"]) == (404, "{self.entity.title} not found")',
            ]
            tests.append(case("what_is_not_there_is_not_found", missing))
        if self.entity.scoped or self.subject.private:
            stranger = [
                *self.start(),
                f"stranger = {self.join}",
                "assert (await stranger.client.get(path_of(row))).status_code == 404",
            ]
            tests.append(case("a_strangers_row_is_not_there", stranger))
        bad = "/%00" * len(self.entity.keys)
        refuses = [
            f"ada = {self.join}",
            f'assert (await ada.client.get("{self.entity.path}{bad}")).status_code == 422',
        ]
        tests.append(case("refuses_what_is_no_key", refuses))
        return group("Read", tests)

    def _create(self) -> str:
        required = [field for field in self.entity.fields if field.created is Taken.required]
        body = "valid(before)" if any(field.name in self.before for field in required) else "valid()"
        start = self.start(row=False)
        post = f"response = await ada.client.post({self.where}, json={{}})"
        gives = [
            *start,
            post.format(body),
            "assert response.status_code == 201",
            'again = await ada.client.get(response.headers["location"])',
            "assert again.json() == response.json()",
        ]
        tests = [case("answers_with_the_row_and_where_it_is", gives)]
        if self.repeatable:
            several = [
                *start,
                post.format(f"[{body}, {body}]"),
                "assert response.status_code == 201",
                f"listed = await ada.client.get({self.where})",
                "assert sorted(map(path_of, listed.json())) == sorted(map(path_of, response.json()))",
            ]
            tests.append(case("makes_several_at_once", several))
        none = [
            *start,
            post.format(f'[{body}, {body} | {{"nothing": 1}}]'),
            "assert response.status_code == 422",
            'assert [error["loc"] for error in response.json()["errors"]] == [["body", 1, "nothing"]]',
            f"assert (await ada.client.get({self.where})).json() == []",
        ]
        tests.append(case("makes_all_of_them_or_none", none))
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
            tests.append(case("misses_what_is_required", missing, "field: str", mark))
        tests += self.refused("POST", self.where, self.entity.write, row=False, body=body)
        return group("Create", tests)

    def _follows(self) -> str:
        """What the database changes with any change of the row, taken away from its fields."""
        columns = inspect(self.subject.model).columns
        names = [
            source.quoted(field.name)
            for field in self.entity.fields
            if columns[field.name].computed is not None or columns[field.name].onupdate is not None
        ]
        return f" - {{{', '.join(names)}}}" if names else ""

    def _update(self) -> str:
        updated = [field for field in self.entity.fields if field.updated and field.name not in self.referring]
        start, patch = self.start(), "await ada.client.patch(path_of(row), json={})"
        tests = []
        if updated:
            field = next((one for one in updated if one.type.kind == "string"), updated[0])
            name = source.quoted(field.name)
            lines = [
                f"changes = {{{name}: {example(field.type, 'new')}}}",
                f"response = {patch.format('changes')}",
                "assert response.status_code == 200",
                f"assert response.json()[{name}] == changes[{name}]",
                "assert (await ada.client.get(path_of(row))).json() == response.json()",
            ]
            if self.subject.changes_more:
                tests.append(case("changes_what_is_sent", [*start, *lines]))
            else:
                before = "old = (await ada.client.get(path_of(row))).json()"
                after = [
                    f"unchanged = response.json().keys() - changes.keys(){self._follows()}",
                    "assert all(response.json()[one] == old[one] for one in unchanged)",
                ]
                tests.append(case("changes_what_is_sent_and_nothing_else", [*start, before, *lines, *after]))
        nothing = [*start, "whole = (await ada.client.get(path_of(row))).json()", f"assert ({patch}).json() == whole"]
        tests.append(case("nothing_sent_is_nothing_changed", nothing))
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
                tests.append(case("null_is_not_a_value", lines, "field: str", mark))
        if self.entity.versioned:
            lines = [
                *start,
                'headers = {"If-Match": \'"0"\'}',
                "assert (await ada.client.patch(path_of(row), json={}, headers=headers)).status_code == 412",
            ]
            tests.append(case("what_has_changed_meanwhile_is_not_overwritten", lines))
        return group("Update", [*tests, *self._guarded("patch", 200)])

    def _delete(self) -> str:
        once = [
            *self.start(),
            "response = await ada.client.delete(path_of(row))",
            'assert (response.status_code, response.content) == (204, b"")',
            "assert (await ada.client.delete(path_of(row))).status_code == 404",
        ]
        return group("Delete", [case("removes_the_row_once", once), *self._guarded("delete", 204)])

    def _guarded(self, method: str, done: int) -> Iterator[str]:
        """Who else may not."""
        body = ", json={}" if method == "patch" else ""
        asked = f"(await WHO.client.{method}(path_of(row){body})).status_code"
        if self.entity.scoped and self.entity.owner:
            cases = f"[(Role.member, 403), (Role.admin, {done})]"
            if self.entity.write in {Access.admin, Access.owner}:
                cases = "[(Role.member, 403)]"
            lines = [
                *self.start(),
                "colleague = await people.join(ada.workspace_id, role)",
                f"assert {asked.replace('WHO', 'colleague')} == expected",
            ]
            mark = f'@pytest.mark.parametrize(("role", "expected"), {cases})'
            yield case("is_for_the_owner_and_admins", lines, "role: Role, expected: int", mark)
        if self.entity.scoped or self.subject.private:
            lines = [*self.start(), f"stranger = {self.join}", f"assert {asked.replace('WHO', 'stranger')} == 404"]
            yield case("a_strangers_row_is_not_there", lines)

    def refused(self, method: str, path: str, access: Access, *, row: bool = True, body: str = "") -> Iterator[str]:
        """Nobody, and those who are not enough. Of every route `tests/test_access.py` says so."""
        start = self.start(row=row) if "(" in path or "before" in body else [f"ada = {self.join}"]
        if access is Access.anyone:
            return
        sent = f", json={body}" if body else ""
        ask = f"{method.lower()}({path}{sent})).status_code"
        if start == [f"ada = {self.join}"] and "before" not in sent:
            start = []
        lines = [*start, f"assert (await client.{ask} == 401"]
        yield case("needs_an_account", lines, "client: httpx.AsyncClient")
        if access is Access.superuser:
            lines = [*start, "somebody = await people.join()", f"assert (await somebody.client.{ask} == 403"]
            yield case("is_for_superusers", lines)
        elif access.role is not None and access is not Access.viewer:
            below = {"member": "viewer", "admin": "member", "owner": "admin"}[access.value]
            lines = [
                *(start or [f"ada = {self.join}"]),
                f"colleague = await people.join(ada.workspace_id, Role.{below})",
                f"assert (await colleague.client.{ask} == 403",
            ]
            yield case(f"takes_the_role_{access.value}", lines)

    @cached_property
    def referring(self) -> set[str]:
        """The columns that refer to something."""
        return {
            attribute.key for attribute in inspect(self.subject.model).column_attrs if attribute.columns[0].foreign_keys
        }
