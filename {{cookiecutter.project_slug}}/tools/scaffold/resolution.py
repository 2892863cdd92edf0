"""From what was written to entities that can be made: every name found, every refusal told."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import chain
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from app.models.resource import snake
from app.resources import types
from app.resources.compilation import SECRET
from app.resources.description import Type as Served
from tools.scaffold import names
from tools.scaffold.existing import Existing, Target
from tools.scaffold.grammar import Field, Refused, Spec, Type

_NEVER_UNIQUE: Final = {"bool", "enum", "float", "json", "list", "many", "text"}
# Four bytes for a character, and an index takes 2,704 for a row.
_LONGEST_UNIQUE: Final = 600
DEFAULT_LENGTH: Final = 200
_LONGEST_SENTENCE: Final = 100


@dataclass(frozen=True)
class Reference:
    """A field that leads to another entity, and what that is."""

    field: Field
    target: Target

    @property
    def column(self) -> str:
        """Where the key of the other row stands."""
        return f"{self.field.name}_id"


@dataclass(frozen=True)
class Entity:
    """What is to be written.

    `alters` are the references whose keys are made after all tables, `ambiguous` those whose target is reached by
    another key too. Tests send the references in `referred`, link those in `linked`, and
    first make a row of each of `required`, in this order.
    """

    name: str
    table: str
    sentence: str
    columns: tuple[Field, ...]
    refs: tuple[Reference, ...]
    many: tuple[Reference, ...]
    alters: tuple[str, ...] = ()
    ambiguous: tuple[str, ...] = ()
    required: tuple[Target, ...] = ()
    referred: tuple[Reference, ...] = ()
    linked: tuple[Reference, ...] = ()

    @property
    def one(self) -> str:
        """`order_line`, which is also the module."""
        return snake(self.name)

    @property
    def path(self) -> str:
        """Where it is served."""
        return f"/{self.table.replace('_', '-')}"

    @cached_property
    def owner(self) -> Reference | None:
        """The reference that is set to whoever makes the row."""
        return next((ref for ref in self.refs if ref.field.name == "owner" and ref.target.name == "User"), None)

    @property
    def sent_refs(self) -> list[Reference]:
        """The references that a client sends."""
        return [ref for ref in self.refs if ref is not self.owner]

    def association(self, ref: Reference) -> str:
        """The table behind a `many`."""
        return f"{self.one}_{ref.field.name}"


def check(specs: Iterable[Spec]) -> None:
    """What can be told without a look at the project. Raises `Refused`."""
    seen: set[str] = set()
    for spec in specs:
        _check(spec)
        if snake(spec.name) in seen:
            raise Refused(f"{spec.name} is there twice")
        seen.add(snake(spec.name))


def resolve(specs: Iterable[Spec], there: Existing) -> list[Entity]:
    """The entities, in the order in which their tables can be made. Raises `Refused`."""
    specs = list(specs)
    new = {spec.name: _new_target(spec) for spec in specs}
    targets = {snake(name): target for name, target in (there.targets | new).items()}
    entities = [_resolved(spec, targets) for spec in specs]
    return _ordered(entities, {target.name: target for target in targets.values()})


# ------------------------------------------------------------------------------------------- what a spec says by itself


def _check(spec: Spec) -> None:
    names.check_entity(spec.name)
    if not spec.fields:
        raise Refused(f"{spec.name} has no fields: write at least one, such as name:str")
    if spec.sentence and (
        len(spec.sentence) > _LONGEST_SENTENCE or not spec.sentence.isprintable() or set(spec.sentence) & {'"', "\\"}
    ):
        raise Refused(
            f"{spec.name}: `is` is not one line of {_LONGEST_SENTENCE} characters without quotes and backslashes"
        )
    if spec.plural:
        names.check_field(f"{spec.name}: the plural {spec.plural}", spec.plural)
    seen: set[str] = set()
    for field in spec.fields:
        where = f"{spec.name}.{field.name}"
        for name in _taken(field):
            names.check_field(f"{spec.name}.{name}", name)
        if seen & set(_taken(field)):
            raise Refused(f"{where} is there twice")
        seen |= set(_taken(field))
        _check_field(where, field)


def _taken(field: Field) -> list[str]:
    """The attributes that a field becomes."""
    return [field.name, f"{field.name}_id"] if field.type.kind == "ref" else [field.name]


def _check_field(where: str, field: Field) -> None:
    kind = field.type.kind
    if kind in {"ref", "many"} and field.name.endswith("_id"):
        raise Refused(f"{where} gets its _id by itself: call it {field.name.removesuffix('_id')}")
    if any(SECRET.search(name) for name in _taken(field)):
        raise Refused(f"{where} is named like a secret, which is never shown or taken: choose another name")
    if kind == "enum":
        names.check_words(where, field.type.choices)
    if kind == "many" and (field.nullable or field.unique):
        raise Refused(f"{where}: many takes no ? and no !")
    if field.unique and kind in _NEVER_UNIQUE:
        raise Refused(f"{where}: {kind} cannot be unique")
    if field.unique and kind == "str" and length(field.type) > _LONGEST_UNIQUE:
        raise Refused(f"{where} is too long to be unique: str:{_LONGEST_UNIQUE} at most")
    if field.default is not None:
        _check_default(where, field)


def _check_default(where: str, field: Field) -> None:
    of, text = field.type, field.default or ""
    if of.kind in {"ref", "many"} or field.unique:
        raise Refused(f"{where}: what is {'unique' if field.unique else of.kind} takes no default")
    if (of.kind, text) in {("datetime", "now"), ("list", "[]")}:
        return
    if of.kind == "list":
        raise Refused(f"{where}: the default of a list is [] or none")
    try:
        if of.kind == "json":
            TypeAdapter(dict[str, Any] | list[Any]).validate_json(text)
        elif of.kind in {"str", "text", "decimal", "enum"}:
            TypeAdapter(types.sent(served(of))).validate_python(text)
        else:
            types.value_of(served(of), text)
    except (ValidationError, ValueError) as error:
        raise Refused(f"{where}: {text!r} is no default for it: {types.told(error)}") from error
    if not text.isprintable() or set(text) & set("'\\%"):  # which Alembic takes for its own
        raise Refused(f"{where}: {text!r} is no default for it: give it in the model and the migration, by hand")


def length(of: Type) -> int:
    """Of a str."""
    return of.sizes[0] if of.sizes else DEFAULT_LENGTH


def served(of: Type) -> Served:
    """The type as the runtime calls it."""
    kind = {"str": "string", "text": "string", "int": "integer", "bool": "boolean"}.get(of.kind, of.kind)
    if of.kind == "decimal":
        precision, scale = (*of.sizes, 0, 0)[:2]
        return Served(kind, precision=precision or None, scale=scale if of.sizes else None)
    return Served(kind, length=length(of) if of.kind == "str" else None, choices=of.choices)


# ------------------------------------------------------------------------------------------ what they say of each other


def _new_target(spec: Spec) -> Target:
    table = spec.plural or names.plural(snake(spec.name))
    needed = [field.type.target for field in spec.fields if field.type.kind == "ref" and not field.nullable]
    return Target(spec.name, f"app.models.{snake(spec.name)}", table, scoped=True, needs=tuple(needed))


def _resolved(spec: Spec, targets: Mapping[str, Target]) -> Entity:
    def references(kind: str) -> Iterator[Reference]:
        for field in spec.fields:
            if field.type.kind == kind:
                where, wanted = f"{spec.name}.{field.name}", field.type.target
                target = targets.get(snake(wanted))
                if target is None:
                    raise Refused(f"{where}: there is no {wanted}; there are {', '.join(sorted(_called(targets)))}")
                yield Reference(field, target)

    made = Entity(
        name=spec.name,
        table=targets[snake(spec.name)].table,
        sentence=(spec.sentence or f"{names.a(names.words(snake(spec.name))).capitalize()}").rstrip(".") + ".",
        columns=tuple(field for field in spec.fields if field.type.kind not in {"ref", "many"}),
        refs=tuple(references("ref")),
        many=tuple(references("many")),
    )
    for ref in made.many:
        where = f"{spec.name}.{ref.field.name}"
        if ref.target.name == spec.name:
            raise Refused(f"{where}: many of its own kind has to be written by hand")
        if not ref.target.scoped:
            raise Refused(f"{where}: many takes an entity of a workspace, which {ref.target.name} is not")
    return made


def _called(targets: Mapping[str, Target]) -> list[str]:
    return [target.name for target in targets.values()]


def refuse_what_is_taken(entities: Iterable[Entity], there: Existing) -> None:
    """Names that are something else already, in the project or in one another. Raises `Refused`."""
    classes = {snake(name) for name in there.classes}
    seen = dict.fromkeys(there.tables | there.operations, "something else")
    for entity in entities:
        if entity.one in classes:
            raise Refused(f"{entity.name} is there already: change its model, then `make migration`")
        if entity.path.strip("/") in there.segments:
            raise Refused(f"{entity.name} would be served at {entity.path}, where something else is: say `plural: …`")
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


def enum_name(entity: str, field: Field) -> str:
    """The class of the field's words."""
    return f"{entity}{names.pascal(field.name)}"


def _operations(entity: Entity) -> set[str]:
    one = entity.one
    found = {f"list_{entity.table}", *(f"{verb}_{one}" for verb in ("create", "read", "update", "delete"))}
    found |= {f"read_{one}_{ref.field.name}" for ref in entity.refs}
    return found | {f"{verb}_{one}_{ref.field.name}" for ref in entity.many for verb in ("list", "link", "unlink")}


def _refuse_too_long(entity: Entity) -> None:
    tables = [entity.table, *(f"{entity.association(ref)}_{ref.target.table}" for ref in entity.many)]
    indexes = [f"ix_{entity.table}_{ref.column}" for ref in entity.refs]
    for name in (*tables, *indexes, *(field.name for field in entity.columns)):
        if len(name) > names.LONGEST - len("ix__id"):
            raise Refused(f"{entity.name} would make {name}, which is too long for PostgreSQL: choose shorter names")


# --------------------------------------------------------------------------------------------------------- their order


def _ordered(entities: list[Entity], targets: Mapping[str, Target]) -> list[Entity]:
    """Those first that others cannot be without. Of references that lead round in a circle one is made afterwards."""
    new = {entity.name: entity for entity in entities}
    ordered: dict[str, Entity] = {}

    def visit(name: str, way: tuple[str, ...]) -> None:
        if name in way:
            circle = " → ".join((*way[way.index(name) :], name))
            raise Refused(f"{circle} is a circle of required references: let one of them be null, with ?")
        if name in new and name not in ordered:
            for ref in new[name].refs:
                if not ref.field.nullable:
                    visit(ref.target.name, (*way, name))
            ordered[name] = new[name]

    for name in new:
        visit(name, ())
    alters = _in_circles(list(ordered.values()))
    return [
        replace(_with_rows(one, targets), alters=alters[one.name], ambiguous=_ambiguous(one, new))
        for one in ordered.values()
    ]


def _ambiguous(entity: Entity, new: Mapping[str, Entity]) -> tuple[str, ...]:
    """The references to what another one leads to as well, there or from there."""

    def keys(of: str, to: str) -> int:
        return sum(ref.target.name == to for ref in new[of].refs) if of in new else 0

    here = entity.name
    return tuple(
        ref.field.name
        for ref in entity.refs
        if keys(here, ref.target.name) > 1 or (ref.target.name != here and keys(ref.target.name, here))
    )


def _in_circles(entities: list[Entity]) -> dict[str, tuple[str, ...]]:
    """For each entity the references that would close a circle of tables, none of which could be made first."""
    leads = {one.name: {ref.target.name for ref in one.refs if not ref.field.nullable} for one in entities}

    def reaches(start: str, end: str) -> bool:
        return start == end or any(reaches(step, end) for step in leads.get(start, ()))

    alters: dict[str, tuple[str, ...]] = {}
    for one in entities:
        found = []
        for ref in one.refs:
            if ref.field.nullable and ref.target.name != one.name:
                if reaches(ref.target.name, one.name):
                    found.append(ref.field.name)
                else:
                    leads[one.name].add(ref.target.name)
        alters[one.name] = tuple(found)
    return alters


def _with_rows(entity: Entity, targets: Mapping[str, Target]) -> Entity:
    """With what a row refers to, after what that refers to in turn. What takes a row of its own kind is left out."""
    needs = {ref: list(_with_needs(ref.target.name, targets)) for ref in (*entity.sent_refs, *entity.many)}
    referred = [ref for ref in entity.sent_refs if entity.name not in needs[ref]]
    linked = [ref for ref in entity.many if entity.name not in needs[ref]]
    every = dict.fromkeys(chain.from_iterable(needs[ref] for ref in (*referred, *linked)))
    required = (targets[name] for name in every if name != "User")
    return replace(entity, required=tuple(required), referred=tuple(referred), linked=tuple(linked))


def _with_needs(name: str, targets: Mapping[str, Target]) -> Iterator[str]:
    by_snake = {snake(target): target for target in targets}
    for needed in targets[name].needs:
        yield from _with_needs(by_snake[snake(needed)], targets)
    yield name
