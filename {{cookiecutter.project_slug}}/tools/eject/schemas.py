"""The schemas: what a client sends and receives."""

from app.resources.description import Field, Taken
from tools.eject import source
from tools.eject.subject import Subject


def schemas(subject: Subject, existing: set[str]) -> str:
    """The classes, but for those that exist; before them names for types that are used more than once."""
    entity = subject.entity
    classes: dict[str, list[str]] = {}
    if subject.does("create"):
        classes[f"{entity.name}Create(Input)"] = [
            _line(field, source.sent(field.type), optional=field.created is Taken.optional)
            for field in entity.fields
            if field.created is not Taken.never
        ]
    if subject.does("update"):
        classes[f"{entity.name}Update(Patch)"] = [
            _line(field, source.sent(field.type), optional=True) for field in entity.fields if field.updated
        ]
    classes[f"{entity.name}Read(Output)"] = [
        _line(field, source.shown(field.type), optional=False) for field in entity.fields
    ]
    wanted = {head: lines for head, lines in classes.items() if head.partition("(")[0] not in existing}
    text = "\n\n\n".join(
        "\n".join([f"class {head}:", *(f"    {line}" for line in lines or ["pass"])]) for head, lines in wanted.items()
    )
    taken = {head.partition("(")[0] for head in classes} | existing
    aliases = []
    for field in entity.fields:
        written, name = source.sent(field.type), _pascal(field.name)
        line = f"    {field.name}: {written}"
        if "[" in written and text.count(line) > 1 and name not in taken and not source.is_known(name):
            text = text.replace(line, f"    {field.name}: {name}")
            aliases.append(f"{name} = {written}")
    return "\n".join(aliases) + "\n\n\n" + text


def _line(field: Field, annotation: str, *, optional: bool) -> str:
    return f"{field.name}: {source.nullable(annotation, field)}" + (" = NOT_SENT" if optional else "")


def _pascal(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))
