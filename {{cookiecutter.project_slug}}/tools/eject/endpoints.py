"""The endpoints: signature and body for each operation."""

from app.resources.operations import Operation
from tools.eject import queries, source
from tools.eject.shared import Shared


class Endpoints(Shared):
    """A method for each kind of operation: the arguments, and the lines of the body."""

    def _list(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self.reading(operation.access)
        signature = [*map(self.argument, self.parents), "request: Request", *reading]
        if self.subject.parent:
            model = self.subject.catalog.model_of(self.subject.parent)
            of = queries.named_other(model, self.parents)
            return signature, _page(self.subject.rows, queries.beneath(self.subject, user), of)
        own = queries.own_rows(self.subject, user)
        rows = f", select({self.model}).where({own[0]})" if own else ""
        return signature, [f"return await {self.subject.rows}.page(request, reader{rows})"]

    def _read(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self.reading(operation.access)
        wanted = queries.named(self.subject, user)
        return [*self.keys, "request: Request", *reading], [
            f"return await {self.subject.rows}.item(request, reader, {wanted})"
        ]

    def _create(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self.writing(operation.access)
        subject, body = self.subject, []
        given = subject.given_by_parent()
        parent = ""
        if subject.parent:
            parent = self.local(subject.parent)
            body.append(f"{parent} = await {self.find(subject.parent, self.parents)}")
        values = [f"{name}={parent}.{other}" for name, other in given.items()]
        if self.edits_here:
            made = f"{self.model}({', '.join(['**one.sent()', *values])})"
            body += [f"made = [{made} for one in as_list(data)]"]
            body += [f"await Repository({self.model}, uow.session).add_all(made)"]
        elif subject.own_service:
            arguments = [*([parent] if parent else []), "as_list(data)", person]
            body.append(f"made = await {self.service()}.create({', '.join(arguments)})")
        else:
            also = "".join(f", {source.quoted(name)}: {parent}.{other}" for name, other in given.items())
            sent = f"{{**one.sent(){also}}}" if also else "one.sent()"
            body.append(f"made = await {self.service(person)}.create([{sent} for one in as_list(data)])")
        body.append(f"return await {subject.rows}.created(uow, made, data)")
        data = f"data: OneOrMany[{subject.entity.name}Create]"
        return [*map(self.argument, self.parents), data, *writing, "_once: Once"], body

    def _update(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self.writing(operation.access)
        row = self.subject.row
        if self.edits_here:
            body = [
                f"{row} = await _editable(uow, {self.key_names}, expected)",
                f"await Repository({self.model}, uow.session).update({row}, data.changes())",
            ]
        elif self.subject.own_service:
            body = [f"{row} = await {self.service()}.update({self.key_names}, data, {person}, expected)"]
        else:
            wanted = queries.named(self.subject, self.owner_id(operation.access))
            body = [f"{row} = await {self.service(person)}.update({wanted}, data.changes(), expected)"]
        signature = [*self.keys, f"data: {self.subject.entity.name}Update", *writing, "expected: Expected"]
        return signature, [*body, f"return await {self.subject.rows}.updated(uow, {row})"]

    def _delete(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self.writing(operation.access)
        if self.edits_here:
            gone = f"await _editable(uow, {self.key_names}, expected)"
            body = f"await Repository({self.model}, uow.session).delete({gone})"
        elif self.subject.own_service:
            body = f"await {self.service()}.delete({self.key_names}, {person}, expected)"
        else:
            wanted = queries.named(self.subject, self.owner_id(operation.access))
            body = f"await {self.service(person)}.delete({wanted}, expected)"
        return [*self.keys, *writing, "expected: Expected"], [body]

    def _list_related(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self.reading(operation.access)
        rows = queries.related(self.subject, operation, user)
        page = _page(self.rows(queries.target_of(operation)), rows, queries.named(self.subject, user))
        return [*self.keys, "request: Request", *reading], page

    def _read_related(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self.reading(operation.access)
        before, _, rows = queries.related(self.subject, operation, user).rpartition("\n")
        item = f"return await {self.rows(queries.target_of(operation))}.item(request, reader, rows)"
        return [*self.keys, "request: Request", *reading], [*before.splitlines(), f"rows = {rows}", item]

    def _link(self, operation: Operation) -> tuple[list[str], list[str]]:
        signature, body, relation, other = self._pair(operation)
        link = f"Repository({self.model}, uow.session).link({self.subject.row}, {relation}, {other})"
        return signature, [*body, f"await {link}"]

    def _unlink(self, operation: Operation) -> tuple[list[str], list[str]]:
        signature, body, relation, other = self._pair(operation)
        unlink = f"Repository({self.model}, uow.session).unlink({self.subject.row}, {relation}, {other})"
        missing = f"raise NotFound({source.quoted(queries.target_of(operation).title)})"
        return signature, [*body, f"if not await {unlink}:", f"    {missing}"]

    def _pair(self, operation: Operation) -> tuple[list[str], list[str], str, str]:
        """The row and the other that it is linked with: signature, body, the relation's and the other's name."""
        writing, person = self.writing(operation.access)
        parameters = queries.target_parameters(self.subject, operation)
        target = queries.target_of(operation)
        other = self.local(target)
        row = self.subject.row
        if self.edits_here:
            body = [f"{row} = await _editable(uow, {self.key_names})"]
        elif self.subject.own_service:
            body = [f"{row} = await {self.service()}.editable({self.key_names}, {person})"]
        else:
            wanted = queries.named(self.subject, self.owner_id(operation.access))
            body = [f"{row} = await {self.service(person)}.editable({wanted}, key_share=True)"]
        body.append(f"{other} = await {self.find(target, parameters)}")
        relation = source.quoted(operation.relation.name if operation.relation else "")
        return [*self.keys, *map(self.argument, parameters), *writing], body, relation, other


def _page(collection: str, rows: str, of: str) -> list[str]:
    before, _, statement = rows.rpartition("\n")
    return [
        *before.splitlines(),
        f"rows = {statement}",
        f"return await {collection}.page(request, reader, rows, of={of})",
    ]
