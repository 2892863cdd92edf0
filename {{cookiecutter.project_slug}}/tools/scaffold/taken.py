"""Names that would be two things."""

from collections.abc import Iterable

from app.models.resource import snake
from tools.scaffold import names
from tools.scaffold.entity import Entity, enum_name
from tools.scaffold.existing import Existing
from tools.scaffold.grammar import Refused


def refuse_what_is_taken(entities: Iterable[Entity], there: Existing) -> None:
    """Names that are something else already, in the project or in one another. Raises `Refused`."""
    classes = {snake(name) for name in there.classes}
    seen = dict.fromkeys(there.tables | there.operations, "something else")
    for entity in entities:
        if entity.one in classes:
            raise Refused(f"{entity.name} is there already: change its model, then `make migration`")
        if entity.path.strip("/") in there.segments:
            where = f"{entity.name} would be served at {entity.path}, where something else is"
            raise Refused(f"{where}: give it another name, or say `plural: …` in a file for `make entities`")
        if there.schemas & {entity.name, *(f"{entity.name}{end}" for end in ("Create", "Update", "Read", "Part"))}:
            raise Refused(f"{entity.name} is the name of something else in the contract: choose another one")
        made = _made_names(entity)
        for name in made:
            if name in seen:
                raise Refused(f"{entity.name} would make {name}, which is a name of {seen[name]}: choose another one")
        seen |= dict.fromkeys(made, entity.name)
        _refuse_too_long(entity)


def _made_names(entity: Entity) -> list[str]:
    """Classes, tables and operations."""
    enums = [enum_name(entity.name, field) for field in entity.columns if field.type.kind == "enum"]
    tables = [entity.table, *(entity.association(ref) for ref in entity.many)]
    return [entity.name, *enums, *tables, *_operations(entity)]


def _operations(entity: Entity) -> set[str]:
    one = entity.one
    found = {f"list_{entity.table}", *(f"{verb}_{one}" for verb in ("create", "read", "update", "delete"))}
    found |= {f"read_{one}_{ref.field.name}" for ref in entity.refs}
    return found | {f"{verb}_{one}_{ref.field.name}" for ref in entity.many for verb in ("list", "link", "unlink")}


def _refuse_too_long(entity: Entity) -> None:
    tables = [entity.table, *(f"{entity.association(ref)}_{ref.target.table}" for ref in entity.many)]
    indexes = [f"ix_{entity.table}_newest", *(f"ix_{entity.table}_{ref.column}" for ref in entity.refs)]
    for name in (*tables, *indexes, *(field.name for field in entity.columns)):
        if len(name) > names.LONGEST - len("ix__id"):
            raise Refused(f"{entity.name} would make {name}, which is too long for PostgreSQL: choose shorter names")
