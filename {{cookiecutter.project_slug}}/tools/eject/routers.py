"""The router: one endpoint for each operation that nobody has written."""

from collections.abc import Iterator

from app.resources.openapi import errors_of, headers_of, is_conditional
from app.resources.operations import Operation
from tools.eject import source
from tools.eject.endpoints import Endpoints
from tools.eject.services import class_of
from tools.eject.subject import Subject, class_name, collection_name, import_of


class RouterWriter(Endpoints):
    """The parts of a router. `known` are collections that its module has already, by their models' names."""

    def __init__(self, subject: Subject, prefix: str, known: dict[str, str] | None = None) -> None:
        super().__init__(subject, known or {})
        self._prefix = prefix

    def endpoints(self) -> str:
        """The endpoints, and the functions that they share."""
        parts = [self._endpoint(operation) for operation in self.subject.operations]
        if self.edits_here and self.subject.does("update", "delete", "link", "unlink"):
            parts.append(self.editable())
        return "\n\n\n".join([*parts, *self.finds.values()])

    def head(self) -> str:
        """What stands before the endpoints, beside the router itself: collections, and roles by name."""
        targets = [operation.target for operation in self.subject.operations if operation.target]
        wanted = {entity.name: entity for entity in [self.subject.entity, *targets]}
        lines = [
            f"{collection_name(entity)} = Collection({self.shown_as(entity)})"
            for entity in wanted.values()
            if class_name(self.subject.catalog.model_of(entity)) not in self.known
        ]
        return "\n".join([*self.aliases.values(), *lines])

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
            if name not in found or source.is_generated(found[name][0]):
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
        rows = self.rows(operation.target or operation.entity)
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
        status, headers = headers_of(operation)
        errors = f"documented({', '.join(error.__name__ for error in errors_of(operation))})"
        if is_conditional(operation):
            names = ", ".join(source.quoted(name) for name in headers if name != "ETag")
            yield f"responses=conditional({names}) | {errors}"
        else:
            names = ", ".join(map(source.quoted, headers))
            yield f"responses=announced({status}, {names}) | {errors}" if headers else f"responses={errors}"
        if operation.does in {"list", "list_related"}:
            yield f"openapi_extra={rows}.list_parameters"
        elif operation.does in {"read", "read_related"}:
            yield f"openapi_extra={rows}.item_parameters"
