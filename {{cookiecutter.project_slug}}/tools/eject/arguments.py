"""The arguments of an endpoint: who may come, and the keys in the path."""

from functools import cached_property
from typing import Final

from app.models.resource import Access
from tools.eject import queries, source
from tools.eject.services import person_of
from tools.eject.subject import Parameter, Subject

_ROLES: Final = {
    Access.viewer: "Viewer",
    Access.member: "Writer",
    Access.admin: "WorkspaceAdmin",
    Access.owner: "WorkspaceOwner",
}


class Arguments:
    """Arguments, and the names that their types get at the head of the module."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.aliases: dict[str, str] = {}

    def reading(self, access: Access) -> tuple[list[str], str]:
        """The arguments of who may read, and whose rows are shown where they are for their owner alone."""
        own = self.subject.private
        match access:
            case Access.anyone:
                return ["reader: Reads", f"{'' if own else '_'}caller: OptionalCaller"], self.owner_id(access)
            case Access.user:
                return ["reader: Reads", f"{'' if own else '_'}user: CurrentUser"], self.owner_id(access)
            case Access.superuser:
                return ["reader: Reads", f"{'' if own else '_'}superuser: Superuser"], self.owner_id(access)
            case Access.viewer:
                return ["reader: WorkspaceReads"], ""
        return [f"_{access}: {self._role(access)}", "reader: WorkspaceReads"], ""

    def owner_id(self, access: Access) -> str:
        """Whose rows they are."""
        if access is Access.anyone:
            return "(caller.user.id if caller else None)"
        return "superuser.id" if access is Access.superuser else "user.id"

    def writing(self, access: Access) -> tuple[list[str], str]:
        """The arguments of who may write, and who that is to a service."""
        unused = "_" if self.edits_here else ""
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
            self.aliases[name] = f"{name} = Annotated[Member, Depends(require_role(Role.{access}))]"
        return name

    def argument(self, parameter: Parameter) -> str:
        """The key as an argument. A type that takes more than a word gets a name."""
        annotation = source.asked(parameter.key)
        if parameter.name != parameter.key.parameter:
            annotation = _aliased(annotation, parameter.key.parameter)
        name = "".join(part.capitalize() for part in parameter.key.parameter.split("_"))
        written = f"{name} = {annotation}"
        if "[" in annotation and not source.is_known(name) and self.aliases.setdefault(name, written) == written:
            return f"{parameter.name}: {name}"
        return f"{parameter.name}: {annotation}"

    @property
    def edits_here(self) -> bool:
        """Whether there is no rule, and so no service."""
        return not self.subject.own_service and self.subject.hooks is None

    @cached_property
    def parents(self) -> list[Parameter]:
        return queries.parent_parameters(self.subject)

    @property
    def keys(self) -> list[str]:
        return [self.argument(one) for one in self.subject.parameters]

    @property
    def key_names(self) -> str:
        return ", ".join(one.name for one in self.subject.parameters)


def _aliased(annotation: str, name: str) -> str:
    """The annotation for an argument that the path calls something else."""
    if annotation == "Id":
        return f"Annotated[int, Path(ge=1, le=2**63 - 1, alias={source.quoted(name)})]"
    if "Path(" in annotation:
        return annotation.replace("Path(", f"Path(alias={source.quoted(name)}, ")
    return f"Annotated[{annotation}, Path(alias={source.quoted(name)})]"
