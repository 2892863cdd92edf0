"""What can be done with an entity: each operation with its method, path, name and sentence."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

from app.models.resource import Access, snake
from app.resources.catalog import Catalog
from app.resources.description import Entity, Key, Kind, Relation

Does = Literal["list", "create", "read", "update", "delete", "list_related", "read_related", "link", "unlink"]


@dataclass(frozen=True)
class Operation:
    """One method of one path. `name` is also the function's where it is written by hand."""

    does: Does
    method: str
    path: str
    name: str
    sentence: str
    access: Access
    entity: Entity
    target: Entity | None = None
    relation: Relation | None = None

    @property
    def label(self) -> str:
        """`GET /tags/{tag_id}`."""
        return f"{self.method} {self.path}"


def operations(entity: Entity, catalog: Catalog) -> Iterator[Operation]:
    """Everything that is generated for the entity."""
    if entity.read is Access.nobody:
        return
    one, many = snake(entity.name), entity.plural
    thing, things = _words(one), _words(many)
    listed, whose = _listed(entity, catalog), _whose(entity)
    if entity.parent:
        parent = catalog.target(entity, entity.parent)
        whose = f"The {things} of {_a(_words(snake(parent.name)))}."
    yield Operation("list", "GET", listed, f"list_{many}", whose, entity.read, entity)
    yield Operation("read", "GET", entity.item_path, f"read_{one}", f"One {thing}.", entity.read, entity)
    if entity.write is not Access.nobody:
        several = f"Make {_a(thing)}, or several at once: all of them, or none."
        changes = f"Change what is sent, leave the rest.{_only_owner(entity)}"
        deletes = f"Delete {_a(thing)}.{_only_owner(entity)}"
        yield Operation("create", "POST", listed, f"create_{one}", several, entity.write, entity)
        if any(field.updated for field in entity.fields):
            yield Operation("update", "PATCH", entity.item_path, f"update_{one}", changes, entity.write, entity)
        yield Operation("delete", "DELETE", entity.item_path, f"delete_{one}", deletes, entity.write, entity)
    for relation in entity.relations:
        yield from _of_relation(entity, relation, catalog)


def _listed(entity: Entity, catalog: Catalog) -> str:
    """Where its rows are listed: under its parent, if it has one."""
    if not entity.parent:
        return entity.path
    return f"{catalog.target(entity, entity.parent).item_path}/{_hyphens(entity.path.strip('/'))}"


def _of_relation(entity: Entity, relation: Relation, catalog: Catalog) -> Iterator[Operation]:
    one, thing = snake(entity.name), _words(snake(entity.name))
    target = catalog.target(entity, relation.name)
    path = f"{entity.item_path}/{_hyphens(relation.name)}"
    words, other = _words(relation.name), _words(snake(target.name))
    of = (entity, target, relation)
    sentence = f"The {words} of {_a(thing)}."
    if not relation.kind.many:
        name = _related("read", one, relation, catalog)
        yield Operation("read_related", "GET", path, name, sentence, entity.read, *of)
        return
    if target.parent == relation.inverse and path == _listed(target, catalog):  # it is their own list
        return
    name = _related("list", one, relation, catalog)
    yield Operation("list_related", "GET", path, name, sentence, entity.read, *of)
    if relation.kind is Kind.many_to_many and relation.linked and entity.write is not Access.nobody:
        item = path + "".join(f"/{{{key.parameter}}}" for key in target_keys(entity, target))
        link = f"Link {_a(other)} to {_a(thing)}. Again, and nothing changes."
        unlink = f"Unlink {_a(other)} from {_a(thing)}."
        name = relation.name
        yield Operation("link", "PUT", item, f"link_{one}_{name}", link, entity.write, *of)
        yield Operation("unlink", "DELETE", item, f"unlink_{one}_{name}", unlink, entity.write, *of)


def _related(verb: str, one: str, relation: Relation, catalog: Catalog) -> str:
    """`list_order_items`; but `list_lines_of_order` where there are order lines, which have a list themselves."""
    name = f"{verb}_{one}_{relation.name}"
    return f"{verb}_{relation.name}_of_{one}" if name in _taken(catalog) else name


@cache
def _taken(catalog: Catalog) -> frozenset[str]:
    entities = catalog.entities.values()
    return frozenset(name for entity in entities for name in (f"list_{entity.plural}", f"read_{snake(entity.name)}"))


def target_keys(entity: Entity, target: Entity) -> tuple[Key, ...]:
    """The keys of a target in a path that has those of the entity too, each under a name of its own."""
    taken = {key.parameter for key in entity.keys}
    return tuple(
        replace(key, parameter=f"other_{key.parameter}") if key.parameter in taken else key for key in target.keys
    )


def _whose(entity: Entity) -> str:
    things = _words(entity.plural)
    if entity.scoped:
        return f"The {things} of your workspace."
    return f"Your {things}." if entity.owner else f"All {things}."


def _only_owner(entity: Entity) -> str:
    if entity.owner is None:
        return ""
    return " For its owner, and for admins of the workspace." if entity.scoped else " For its owner."


def _words(name: str) -> str:
    return name.replace("_", " ")


def _hyphens(name: str) -> str:
    return name.rpartition("/")[2].replace("_", "-")


def _a(thing: str) -> str:
    return f"an {thing}" if thing[0] in "aeio" else f"a {thing}"
