"""Tests of what a row leads to."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import inspect

from app.models.resource import resource_of, snake
from app.resources.description import Kind
from app.resources.operations import Operation
from tools.eject import source
from tools.eject.cases import case, group, pascal
from tools.eject.queries import target_of
from tools.eject.subject import identifier
from tools.eject.values import needed, references
from tools.eject.verbs import Verbs


class Relations(Verbs):
    """A class of tests for each relation."""

    def relations(self) -> Iterator[str]:
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
            *self.start(),
            f"response = await ada.client.get({self._at(operation)})",
            f"assert response.status_code == {200 if there else 404}",
        ]
        return group(pascal(relation.name), [case("is_what_the_row_leads_to" if there else "leads_nowhere", lines)])

    def _list_related(self, operation: Operation) -> str:
        relation, at = operation.relation, self._at(operation)
        assert relation is not None  # noqa: S101  # for mypy
        tests = []
        empty = [*self.start(), f"assert (await ada.client.get({at})).json() == []"]
        tests.append(case("are_none_at_first", empty))
        if self.missing:
            missing = self.missing[:-1] + "/" + operation.path.rpartition("/")[2] + '"'
            lines = [f"ada = {self.join}", f"assert (await ada.client.get({missing})).status_code == 404"]
            tests.append(case("of_what_is_not_there_are_not_found", lines))
        linked = [one for one in self.subject.operations if one.does == "link" and one.relation is relation]
        if linked and not self._unmade(operation):
            tests.append(self._linked(operation))
        elif (
            relation.kind is Kind.one_to_many and not self._unmade(operation) and (known := self._belonging(operation))
        ):
            tests.append(self._listed_there(operation, known))
        return group(pascal(relation.name), tests)

    def _unmade(self, operation: Operation) -> bool:
        """Whether a row that is related cannot be made by its columns alone."""
        target = self.subject.catalog.model_of(target_of(operation))
        return any(resource_of(model) is None for model in needed(target)) or not self._shown_keys(operation)

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
        return case(
            "are_those_of_the_row",
            [
                *self.start(),
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
        return case(
            "are_linked_and_unlinked",
            [
                *self.start(),
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
        """Lines that make a row of another model in Ada's workspace. What it needs is made anew, but for her row."""
        others = needed(model, frozenset({self.subject.model}) if known else frozenset())
        lines = [f"{identifier(snake(other.__name__))} = await {self.new(other, {})}" for other in others]
        if any(self.subject.model is other for one in others for _, other, _ in references(one)) and known:
            lines.insert(0, f"{identifier(snake(self.subject.model.__name__))} = row")
        made = self.new(model, {name: value for name, value in known.items() if name != "workspace_id"})
        return [
            "async with people.database.unit_of_work() as uow:",
            "    uow.enter(ada.workspace_id)",
            *(f"    {line.replace('person.', 'ada.')}" for line in [*lines, f"other = await {made}"]),
        ]
