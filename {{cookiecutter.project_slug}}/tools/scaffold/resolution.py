"""From what was written to entities: every name found, in an order in which tables can be made."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import chain

from app.models.resource import snake
from tools.scaffold import names
from tools.scaffold.entity import Entity, Reference
from tools.scaffold.existing import Existing, Target
from tools.scaffold.grammar import Refused, Spec


def resolve(specs: Iterable[Spec], there: Existing) -> list[Entity]:
    """The entities, in the order in which their tables can be made. Raises `Refused`."""
    specs = list(specs)
    new = {spec.name: _new_target(spec) for spec in specs}
    targets = {snake(name): target for name, target in (there.targets | new).items()}
    entities = [_resolved(spec, targets) for spec in specs]
    return _ordered(entities, {target.name: target for target in targets.values()})


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
