"""The tests: what a client may rely on, asked over HTTP."""

from app.models.resource import resource_of
from tools.eject import source
from tools.eject.relations import Relations
from tools.eject.subject import Subject, class_name, import_of
from tools.eject.values import needed


def cannot_be_made(subject: Subject) -> str:
    """Why rows cannot be made by what the columns say alone; nothing if they can."""
    for key in subject.entity.keys:
        if key.type.kind in {"datetime", "local-datetime", "time", "float"}:
            return f"a key that is a {key.type.kind} has many forms"
    for model in needed(subject.model):
        if resource_of(model) is None:
            return f"{subject.entity.name} needs a row of {model.__name__}, which says no __resource__"
    given = subject.given_by_parent()
    parent = subject.parent
    if parent and not {key.field for key in parent.keys} <= set(given.values()):
        return f"the keys of {parent.name} do not stand in a row"
    return ""


def module(subject: Subject) -> str:
    """The text of the module, not formatted yet."""
    writer = Relations(subject)
    tests = [*writer.verbs(), *writer.relations()]
    body = "\n\n\n".join([*writer.helpers(), *tests])
    names = {class_name(model): import_of(model) for model in writer.used}
    return source.with_imports(body, names | {"uuid4": ("uuid", "uuid4"), "count": ("itertools", "count")})
