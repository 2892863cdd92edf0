"""The router: one endpoint for each operation that nobody has written."""

from collections.abc import Iterator
from functools import cached_property
from typing import Final

from app.models.resource import Access, snake
from app.resources.description import Entity
from app.resources.openapi import errors_of
from app.resources.operations import Operation
from tools.eject import queries, source
from tools.eject.services import class_of, person_of
from tools.eject.subject import Parameter, Subject, class_name, collection_name, identifier, import_of

_STATUS: Final = {"create": "HTTP_201_CREATED", "delete": "HTTP_204_NO_CONTENT"}
_ROLES: Final = {
    Access.viewer: "Viewer",
    Access.member: "Writer",
    Access.admin: "WorkspaceAdmin",
    Access.owner: "WorkspaceOwner",
}


class RouterWriter:
    """The parts of a router. `known` are collections that its module has already, by their models' names."""

    def __init__(self, subject: Subject, prefix: str, known: dict[str, str] | None = None) -> None:
        self.subject = subject
        self._prefix = prefix
        self._known = known or {}
        self._model = class_name(subject.model)
        self._aliases: dict[str, str] = {}
        self._finds: dict[str, str] = {}

    def endpoints(self) -> str:
        """The endpoints, and the functions that they share."""
        parts = [self._endpoint(operation) for operation in self.subject.operations]
        if self._edits_here and self.subject.does("update", "delete", "link", "unlink"):
            parts.append(self._editable())
        return "\n\n\n".join([*parts, *self._finds.values()])

    def head(self) -> str:
        """What stands before the endpoints, beside the router itself: collections, and roles by name."""
        targets = [operation.target for operation in self.subject.operations if operation.target]
        wanted = {entity.name: entity for entity in [self.subject.entity, *targets]}
        lines = [
            f"{collection_name(entity)} = Collection({self._shown_as(entity)})"
            for entity in wanted.values()
            if class_name(self.subject.catalog.model_of(entity)) not in self._known
        ]
        return "\n".join([*self._aliases.values(), *lines])

    def names(self) -> dict[str, tuple[str, str]]:
        """Where the names come from that this project alone has."""
        subject = self.subject
        entities = [subject.entity, *([subject.parent] if subject.parent else [])]
        entities += [operation.target for operation in subject.operations if operation.target]
        found: dict[str, tuple[str, str]] = {}
        for entity in entities:
            model = subject.catalog.model_of(entity)
            found[class_name(model)] = import_of(model)
            schema = subject.catalog.read_schema(entity)
            found[schema.__name__] = (schema.__module__, schema.__name__)
        for family in ("Create", "Update", "Read"):
            name = f"{subject.entity.name}{family}"
            found[name] = (subject.schema_module, name)
        if subject.own_service:
            found[class_of(subject)] = (subject.service_module, class_of(subject))
        elif subject.hooks:
            found[subject.hooks.__name__] = (subject.hooks.__module__, subject.hooks.__name__)
        return found

    # ------------------------------------------------------------------------------------------------ endpoints

    def _endpoint(self, operation: Operation) -> str:
        signature, body = getattr(self, f"_{operation.does}")(operation)
        returns = "None" if operation.does in {"delete", "link", "unlink"} else "Response"
        long = "  # noqa: E501  # one line, because the contract has it" if len(operation.sentence) > 108 else ""  # noqa: PLR2004
        return "\n".join(
            [
                f"@router.{operation.method.lower()}(",
                *(f"    {line}," for line in self._described(operation)),
                ")",
                f"async def {operation.name}({', '.join(signature)}) -> {returns}:",
                f'    """{operation.sentence}"""{long}',
                *(f"    {line}" for line in "\n".join(body).split("\n")),
            ]
        )

    def _described(self, operation: Operation) -> Iterator[str]:
        yield source.quoted(operation.path.removeprefix(self._prefix))
        rows = self._rows(operation.target or operation.entity)
        match operation.does:
            case "list" | "list_related":
                yield f"response_model={rows}.many"
            case "read" | "read_related":
                yield f"response_model={rows}.one"
            case "create":
                yield f"response_model={rows}.made"
                yield "status_code=status.HTTP_201_CREATED"
            case "update":
                yield f"response_model={self.subject.entity.name}Read"
            case _:
                yield "status_code=status.HTTP_204_NO_CONTENT"
                yield "response_class=Response"
        yield f"responses=documented({', '.join(error.__name__ for error in errors_of(operation))})"
        if operation.does in {"list", "list_related"}:
            yield f"openapi_extra={rows}.list_parameters"
        elif operation.does in {"read", "read_related"}:
            yield f"openapi_extra={rows}.item_parameters"

    def _list(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self._reading(operation.access)
        signature = [*map(self._argument, self._parents), "request: Request", *reading]
        if self.subject.parent:
            model = self.subject.catalog.model_of(self.subject.parent)
            of = queries.named_other(model, self._parents)
            return signature, _page(self.subject.rows, queries.beneath(self.subject, user), of)
        own = queries.own_rows(self.subject, user)
        rows = f", select({self._model}).where({own[0]})" if own else ""
        return signature, [f"return await {self.subject.rows}.page(request, reader{rows})"]

    def _read(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self._reading(operation.access)
        wanted = queries.named(self.subject, user)
        return [*self._keys, "request: Request", *reading], [
            f"return await {self.subject.rows}.item(request, reader, {wanted})"
        ]

    def _create(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self._writing(operation.access)
        subject, body = self.subject, []
        given = subject.given_by_parent()
        parent = ""
        if subject.parent:
            parent = self._local(subject.parent)
            body.append(f"{parent} = await {self._find(subject.parent, self._parents)}")
        values = [f"{name}={parent}.{other}" for name, other in given.items()]
        if self._edits_here:
            made = f"{self._model}({', '.join(['**one.sent()', *values])})"
            body += [f"made = [{made} for one in as_list(data)]"]
            body += [f"await Repository({self._model}, uow.session).add_all(made)"]
        elif subject.own_service:
            arguments = [*([parent] if parent else []), "as_list(data)", person]
            body.append(f"made = await {self._service()}.create({', '.join(arguments)})")
        else:
            also = "".join(f", {source.quoted(name)}: {parent}.{other}" for name, other in given.items())
            sent = f"{{**one.sent(){also}}}" if also else "one.sent()"
            body.append(f"made = await {self._service(person)}.create([{sent} for one in as_list(data)])")
        body.append(f"return await {subject.rows}.created(uow, made, data)")
        data = f"data: OneOrMany[{subject.entity.name}Create]"
        return [*map(self._argument, self._parents), data, *writing, "_once: Once"], body

    def _update(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self._writing(operation.access)
        row = self.subject.row
        if self._edits_here:
            body = [
                f"{row} = await _editable(uow, {self._names}, expected)",
                f"await Repository({self._model}, uow.session).update({row}, data.changes())",
            ]
        elif self.subject.own_service:
            body = [f"{row} = await {self._service()}.update({self._names}, data, {person}, expected)"]
        else:
            wanted = queries.named(self.subject, self._id(operation.access))
            body = [f"{row} = await {self._service(person)}.update({wanted}, data.changes(), expected)"]
        signature = [*self._keys, f"data: {self.subject.entity.name}Update", *writing, "expected: Expected"]
        return signature, [*body, f"return await {self.subject.rows}.updated(uow, {row})"]

    def _delete(self, operation: Operation) -> tuple[list[str], list[str]]:
        writing, person = self._writing(operation.access)
        if self._edits_here:
            gone = f"await _editable(uow, {self._names}, expected)"
            body = f"await Repository({self._model}, uow.session).delete({gone})"
        elif self.subject.own_service:
            body = f"await {self._service()}.delete({self._names}, {person}, expected)"
        else:
            wanted = queries.named(self.subject, self._id(operation.access))
            body = f"await {self._service(person)}.delete({wanted}, expected)"
        return [*self._keys, *writing, "expected: Expected"], [body]

    def _list_related(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self._reading(operation.access)
        rows = queries.related(self.subject, operation, user)
        page = _page(self._rows(queries.target_of(operation)), rows, queries.named(self.subject, user))
        return [*self._keys, "request: Request", *reading], page

    def _read_related(self, operation: Operation) -> tuple[list[str], list[str]]:
        reading, user = self._reading(operation.access)
        before, _, rows = queries.related(self.subject, operation, user).rpartition("\n")
        item = f"return await {self._rows(queries.target_of(operation))}.item(request, reader, rows)"
        return [*self._keys, "request: Request", *reading], [*before.splitlines(), f"rows = {rows}", item]

    def _link(self, operation: Operation) -> tuple[list[str], list[str]]:
        signature, body, relation, other = self._pair(operation)
        link = f"Repository({self._model}, uow.session).link({self.subject.row}, {relation}, {other})"
        return signature, [*body, f"await {link}"]

    def _unlink(self, operation: Operation) -> tuple[list[str], list[str]]:
        signature, body, relation, other = self._pair(operation)
        unlink = f"Repository({self._model}, uow.session).unlink({self.subject.row}, {relation}, {other})"
        missing = f"raise NotFound({source.quoted(queries.target_of(operation).title)})"
        return signature, [*body, f"if not await {unlink}:", f"    {missing}"]

    def _pair(self, operation: Operation) -> tuple[list[str], list[str], str, str]:
        """The row and the other that it is linked with: signature, body, the relation's and the other's name."""
        writing, person = self._writing(operation.access)
        parameters = queries.target_parameters(self.subject, operation)
        target = queries.target_of(operation)
        other = self._local(target)
        row = self.subject.row
        if self._edits_here:
            body = [f"{row} = await _editable(uow, {self._names})"]
        elif self.subject.own_service:
            body = [f"{row} = await {self._service()}.editable({self._names}, {person})"]
        else:
            wanted = queries.named(self.subject, self._id(operation.access))
            body = [f"{row} = await {self._service(person)}.editable({wanted})"]
        body.append(f"{other} = await {self._find(target, parameters)}")
        relation = source.quoted(operation.relation.name if operation.relation else "")
        return [*self._keys, *map(self._argument, parameters), *writing], body, relation, other

    # ---------------------------------------------------------------------------------------------- who may come

    def _reading(self, access: Access) -> tuple[list[str], str]:
        """The arguments of who may read, and whose rows are shown where they are for their owner alone."""
        own = self.subject.private
        match access:
            case Access.anyone:
                return ["reader: Reads", f"{'' if own else '_'}caller: OptionalCaller"], self._id(access)
            case Access.user:
                return ["reader: Reads", f"{'' if own else '_'}user: CurrentUser"], self._id(access)
            case Access.superuser:
                return ["reader: Reads", f"{'' if own else '_'}superuser: Superuser"], self._id(access)
            case Access.viewer:
                return ["reader: WorkspaceReads"], ""
        return [f"_{access}: {self._role(access)}", "reader: WorkspaceReads"], ""

    def _id(self, access: Access) -> str:
        """Whose rows they are."""
        if access is Access.anyone:
            return "(caller.user.id if caller else None)"
        return "superuser.id" if access is Access.superuser else "user.id"

    def _writing(self, access: Access) -> tuple[list[str], str]:
        """The arguments of who may write, and who that is to a service."""
        unused = "_" if self._edits_here else ""
        match access:
            case Access.anyone:
                return [f"{unused}caller: OptionalCaller", "uow: Uow"], "Actor(caller.user if caller else None)"
            case Access.user:
                person = "user" if self.subject.own_service else "Actor(user)"
                return [f"{unused}user: CurrentUser", "uow: Uow"], person
            case Access.superuser:
                person = "superuser" if self.subject.own_service else "Actor(superuser)"
                return [f"{unused}superuser: Superuser", "uow: Uow"], person
        name = person_of(access)
        person = name if self.subject.own_service else f"Actor({name}.user, {name}.role)"
        return [f"{unused}{name}: {self._role(access)}", "uow: WorkspaceUow"], person

    def _role(self, access: Access) -> str:
        name = _ROLES[access]
        if access in {Access.admin, Access.owner}:
            self._aliases[name] = f"{name} = Annotated[Member, Depends(require_role(Role.{access}))]"
        return name

    # ------------------------------------------------------------------------------------------------------ parts

    @property
    def _edits_here(self) -> bool:
        """Whether there is no rule, and so no service."""
        return not self.subject.own_service and self.subject.hooks is None

    @cached_property
    def _parents(self) -> list[Parameter]:
        return queries.parent_parameters(self.subject)

    @property
    def _keys(self) -> list[str]:
        return [self._argument(one) for one in self.subject.parameters]

    @property
    def _names(self) -> str:
        return ", ".join(one.name for one in self.subject.parameters)

    def _rows(self, entity: Entity) -> str:
        model = class_name(self.subject.catalog.model_of(entity))
        return self._known.get(model, collection_name(entity))

    def _local(self, entity: Entity) -> str:
        """What a row of another entity is called, or another row of this one."""
        name = identifier(snake(entity.name), {collection_name(entity)})
        return f"other_{name}" if name == self.subject.row else name

    def _shown_as(self, entity: Entity) -> str:
        model = class_name(self.subject.catalog.model_of(entity))
        if entity is self.subject.entity:
            return f"{model}, {entity.name}Read"
        schema = self.subject.catalog.read_schema(entity)
        return model if schema.__module__.startswith("app.resources") else f"{model}, {schema.__name__}"

    def _service(self, person: str = "") -> str:
        if self.subject.own_service:
            return f"{class_of(self.subject)}(uow)"
        assert self.subject.hooks is not None  # noqa: S101  # for mypy: rows with a rule have a service
        name = self.subject.hooks.__name__
        model = f", {self._model}" if name == "ResourceService" else ""
        return f"{name}(uow, {person}{model})"

    def _argument(self, parameter: Parameter) -> str:
        """The key as an argument. A type that takes more than a word gets a name."""
        annotation = source.asked(parameter.key)
        if parameter.name != parameter.key.parameter:
            annotation = _aliased(annotation, parameter.key.parameter)
        name = "".join(part.capitalize() for part in parameter.key.parameter.split("_"))
        written = f"{name} = {annotation}"
        if "[" in annotation and not source.is_known(name) and self._aliases.setdefault(name, written) == written:
            return f"{parameter.name}: {name}"
        return f"{parameter.name}: {annotation}"

    def _editable(self) -> str:
        arguments = ", ".join(f"{one.name}: {source.plain(one.key)}" for one in self.subject.parameters)
        expected = ", expected: Versions = None" if self.subject.does("update", "delete") else ""
        raises = "Raises `NotFound` and `Stale`." if expected else "Raises `NotFound`."
        row, rows = self.subject.row, self._repository()
        lines = [
            f"async def _editable(uow: UnitOfWork, {arguments}{expected}) -> {self._model}:",
            f'    """Locked, so that of two changes at once the second sees the first. {raises}"""',
            f"    {rows} = Repository({self._model}, uow.session)",
            f"    {row} = await {rows}.one_or_none({queries.named(self.subject)}, for_update=True)",
            f"    if {row} is None:",
            f"        raise NotFound({source.quoted(self.subject.entity.title)})",
            *([f"    await {rows}.expect({row}, expected)"] if expected else []),
            f"    return {row}",
        ]
        return "\n".join(lines)

    def _repository(self) -> str:
        return "repository"

    def _find(self, entity: Entity, parameters: list[Parameter]) -> str:
        """A call of what finds a row of this entity, which is written too."""
        model = self.subject.catalog.model_of(entity)
        name, row = f"_find_{snake(entity.name)}", self._local(entity)
        arguments = ", ".join(f"{one.name}: {source.plain(one.key)}" for one in parameters)
        wanted = queries.named_other(model, parameters)
        self._finds[name] = "\n".join(
            [
                f"async def {name}(uow: UnitOfWork, {arguments}) -> {class_name(model)}:",
                '    """Raises `NotFound`."""',
                f"    {row} = await Repository({class_name(model)}, uow.session).one_or_none({wanted})",
                f"    if {row} is None:",
                f"        raise NotFound({source.quoted(entity.title)})",
                f"    return {row}",
            ]
        )
        return f"{name}(uow, {', '.join(one.name for one in parameters)})"


def _page(collection: str, rows: str, of: str) -> list[str]:
    before, _, statement = rows.rpartition("\n")
    return [
        *before.splitlines(),
        f"rows = {statement}",
        f"return await {collection}.page(request, reader, rows, of={of})",
    ]


def _aliased(annotation: str, name: str) -> str:
    """The annotation for an argument that the path calls something else."""
    if annotation == "Id":
        return f"Annotated[int, Path(ge=1, le=2**63 - 1, alias={source.quoted(name)})]"
    if "Path(" in annotation:
        return annotation.replace("Path(", f"Path(alias={source.quoted(name)}, ")
    return f"Annotated[{annotation}, Path(alias={source.quoted(name)})]"
