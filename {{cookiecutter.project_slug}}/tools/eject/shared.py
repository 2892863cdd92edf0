"""Functions that the endpoints of a router share: what finds a row, or a service."""

from app.models.resource import snake
from app.resources.description import Entity
from tools.eject import queries, source
from tools.eject.arguments import Arguments
from tools.eject.services import class_of
from tools.eject.subject import Parameter, Subject, class_name, collection_name, identifier


class Shared(Arguments):
    """Calls of them. `finds` are those that have to be written."""

    def __init__(self, subject: Subject, known: dict[str, str]) -> None:
        super().__init__(subject)
        self.known = known
        self.model = class_name(subject.model)
        self.finds: dict[str, str] = {}

    def rows(self, entity: Entity) -> str:
        model = class_name(self.subject.catalog.model_of(entity))
        return self.known.get(model, collection_name(entity))

    def local(self, entity: Entity) -> str:
        """What a row of another entity is called, or another row of this one."""
        name = identifier(snake(entity.name), {collection_name(entity)})
        return f"other_{name}" if name == self.subject.row else name

    def shown_as(self, entity: Entity) -> str:
        model = class_name(self.subject.catalog.model_of(entity))
        if entity is self.subject.entity:
            return f"{model}, {entity.name}Read"
        schema = self.subject.catalog.read_schema(entity)
        return model if source.is_generated(schema.__module__) else f"{model}, {schema.__name__}"

    def service(self, person: str = "") -> str:
        if self.subject.own_service:
            return f"{class_of(self.subject)}(uow)"
        assert self.subject.hooks is not None  # noqa: S101  # for mypy: rows with a rule have a service
        name = self.subject.hooks.__name__
        model = f", {self.model}" if name == "ResourceService" else ""
        return f"{name}(uow, {person}{model})"

    def editable(self) -> str:
        arguments = ", ".join(f"{one.name}: {source.plain(one.key)}" for one in self.subject.parameters)
        expected = ", expected: Versions = None" if self.subject.does("update", "delete") else ""
        raises = "Raises `NotFound` and `Stale`." if expected else "Raises `NotFound`."
        row, rows = self.subject.row, "repository"
        lines = [
            f"async def _editable(uow: UnitOfWork, {arguments}{expected}) -> {self.model}:",
            f'    """Locked, so that of two changes at once the second sees the first. {raises}"""',
            f"    {rows} = Repository({self.model}, uow.session)",
            f"    {row} = await {rows}.one_or_none({queries.locked(self.subject)})",
            f"    if {row} is None:",
            f"        raise NotFound({source.quoted(self.subject.entity.title)})",
            *([f"    await {rows}.expect({row}, expected)"] if expected else []),
            f"    return {row}",
        ]
        return "\n".join(lines)

    def find(self, entity: Entity, parameters: list[Parameter]) -> str:
        """A call of what finds a row of this entity, which is written too."""
        model = self.subject.catalog.model_of(entity)
        name, row = f"_find_{snake(entity.name)}", self.local(entity)
        arguments = ", ".join(f"{one.name}: {source.plain(one.key)}" for one in parameters)
        wanted = queries.named_other(model, parameters)
        if entity.versioned:  # a view has no rows of its own to lock
            wanted += ".with_for_update(read=True, key_share=True)"
        self.finds[name] = "\n".join(
            [
                f"async def {name}(uow: UnitOfWork, {arguments}) -> {class_name(model)}:",
                '    """Not deleted before what refers to it is there. Raises `NotFound`."""',
                f"    {row} = await Repository({class_name(model)}, uow.session).one_or_none({wanted})",
                f"    if {row} is None:",
                f"        raise NotFound({source.quoted(entity.title)})",
                f"    return {row}",
            ]
        )
        return f"{name}(uow, {', '.join(one.name for one in parameters)})"
