"""Who may read and write the rows of a model."""

from app.models.resource import Access
from app.resources.declaration import Declaration


def rights_of(declared: Declaration) -> tuple[Access, Access]:
    """Who reads and who writes: as the model says, or as it is scoped and owned. Raises `ResourceError`."""
    scoped, owned, resource = declared.scoped, declared.owner is not None, declared.resource
    read = resource.read or (Access.viewer if scoped else Access.user)
    write = resource.write or (Access.member if scoped else Access.user if owned else Access.superuser)
    if declared.is_view:
        if resource.write not in {None, Access.nobody}:
            raise declared.refused(f"write is {write}, but it is a view: its rows have no version of their own")
        write = Access.nobody
    if resource.routes:
        _refuse_what_does_not_fit(declared, read, write)
    return read, write


def _refuse_what_does_not_fit(declared: Declaration, read: Access, write: Access) -> None:
    if not write.includes(read):
        raise declared.refused(f"{write} may write what only {read} may read")
    if declared.owner is not None and not declared.scoped and read is Access.anyone:
        raise declared.refused("read is anyone, but its rows are their owners': say user")
    for option, access in (("read", read), ("write", write)):
        if declared.scoped and access.role is None and access is not Access.nobody:
            raise declared.refused(f"{option} is {access}, but its rows are a workspace's: say a role")
        if not declared.scoped and access.role is not None:
            raise declared.refused(
                f"{option} is {access}, a role in a workspace, but its rows are everybody's: say anyone, user, "
                "superuser or nobody, or make the model WorkspaceScoped"
            )
