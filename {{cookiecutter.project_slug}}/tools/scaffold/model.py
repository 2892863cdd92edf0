"""The source of a model."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from app.models.resource import snake
from tools.scaffold import names
from tools.scaffold.entity import Entity, Reference, enum_name
from tools.scaffold.grammar import Field, Type
from tools.scaffold.rules import length

TEMPLATES: Final = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=False,  # noqa: S701  # it is Python, not HTML
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)

# What a model says, and what its column says where that is not enough.
_TYPES: Final = {
    "text": ("str", "Text"),
    "int": ("int", ""),
    "bigint": ("int", "BigInteger"),
    "float": ("float", "Double"),
    "bool": ("bool", ""),
    "date": ("dt.date", ""),
    "datetime": ("dt.datetime", ""),
    "time": ("dt.time", ""),
    "uuid": ("UUID", ""),
}
# The types of elements are never taken from an annotation.
_ELEMENTS: Final = {
    "int": "Integer",
    "bool": "Boolean",
    "date": "Date",
    "datetime": "DateTime(timezone=True)",
    "time": "Time",
    "uuid": "Uuid",
}


def model_source(entity: Entity) -> str:
    """As ruff has to sort and shorten it yet."""
    resource = {
        "owner": repr(entity.owner.column) if entity.owner else "",
        "searchable": repr(tuple(field.name for field in entity.columns if field.type.kind in {"str", "text"})),
    }
    return TEMPLATES.get_template("model.py.jinja").render(
        entity=entity,
        imports=names.IMPORTS,
        neighbours=sorted(
            {ref.target for ref in (*entity.refs, *entity.many) if ref.target.name != entity.name},
            key=lambda target: target.module,
        ),
        enums=[
            {"name": enum_name(entity.name, field), "members": [(names.member(w), w) for w in field.type.choices]}
            for field in entity.columns
            if field.type.kind == "enum"
        ],
        associations=[
            {
                "name": entity.association(ref),
                "here": entity.one,
                "there": snake(ref.target.name),
                "other": ref.target.table,
            }
            for ref in entity.many
        ],
        resource=", ".join(f"{name}={value}" for name, value in resource.items() if value not in {"", "()"}),
        columns=[*(_column(entity, field) for field in entity.columns), *map(_key, entity.refs)],
        relations=[*(_relation(entity, ref) for ref in entity.refs), *(_many(entity, ref) for ref in entity.many)],
        table_args=list(_table_args(entity)),
    )


# ------------------------------------------------------------------------------------------------------------- columns


def _column(entity: Entity, field: Field) -> str:
    annotation, column = _type(entity, field)
    optional = " | None" if field.nullable and annotation != "Any" else ""
    arguments = [
        column,
        *(["nullable=True"] if field.nullable and annotation == "Any" else []),
        _default(entity, field),
    ]
    said = ", ".join(argument for argument in arguments if argument)
    return f"{field.name}: Mapped[{annotation}{optional}]" + (f" = mapped_column({said})" if said else "")


def _type(entity: Entity, field: Field) -> tuple[str, str]:
    of = field.type
    match of.kind:
        case "str":
            return "str", f"String({length(of)})"
        case "decimal":
            return "Decimal", f"Numeric({', '.join(map(str, of.sizes))})" if of.sizes else ""
        case "enum":
            name = enum_name(entity.name, field)
            return name, f'text_enum({name}, "{field.name}")'
        case "json":
            return "Any", "JSONB(none_as_null=True)" if field.nullable else "JSONB"
        case "list" if of.item:
            return f"list[{_type(entity, Field('', of.item))[0]}]", f"ARRAY({_element(entity, of.item)})"
    return _TYPES[of.kind]


def _element(entity: Entity, of: Type) -> str:
    return _ELEMENTS.get(of.kind) or _type(entity, Field("", of))[1] or "Numeric"


def _default(entity: Entity, field: Field) -> str:
    text = field.default
    if text is None:
        return ""
    value = repr(text)
    match field.type.kind:
        case "bool":
            value = "true()" if text.lower() in {"true", "t", "1", "yes", "y", "on"} else "false()"
        case "enum":
            value = f"{enum_name(entity.name, field)}.{names.member(text)}.value"
        case "datetime" if text == "now":
            value = "func.now()"
        case "list":
            value = '"{}"'
    return f"server_default={value}"


def _key(ref: Reference) -> str:
    optional, on_delete = (" | None", "SET NULL") if ref.field.nullable else ("", "CASCADE")
    if ref.target.scoped:
        return f"{ref.column}: Mapped[int{optional}] = mapped_column(BigInteger)"
    key = f'ForeignKey("{ref.target.table}.id", ondelete="{on_delete}")'
    return f"{ref.column}: Mapped[int{optional}] = mapped_column({key}, index=True)"


# ----------------------------------------------------------------------------------------------------------- relations


def _relation(entity: Entity, ref: Reference) -> str:
    """Two ways to one entity have to say which keys they go by, and two that write the workspace that both know it."""
    optional = " | None" if ref.field.nullable else ""
    keys = [f"{entity.name}.{name}" for name in (*(["workspace_id"] if ref.target.scoped else []), ref.column)]
    said = []
    if ref.field.name in entity.ambiguous:
        said.append(f'foreign_keys="[{", ".join(keys)}]"')
    if ref.target.name == entity.name:
        said.append(f'remote_side="[{entity.name}.workspace_id, {entity.name}.id]"')
    others = [other.field.name for other in entity.refs if other.target.scoped and other is not ref]
    if ref.target.scoped and others:
        said.append(f'overlaps="{",".join(others)}"')
    said.append('lazy="raise"')
    return f'{ref.field.name}: Mapped["{ref.target.name}{optional}"] = relationship({", ".join(said)})'


def _many(entity: Entity, ref: Reference) -> str:
    return (
        f'{ref.field.name}: Mapped[list["{ref.target.name}"]] = relationship('
        f'secondary={entity.association(ref)}, lazy="raise", passive_deletes=True)'
    )


def _table_args(entity: Entity) -> Iterator[str]:
    yield 'UniqueConstraint("workspace_id", "id")'
    yield f'Index("ix_{entity.table}_newest", "workspace_id", "created_at", "id")'
    unique = [field.name for field in entity.columns if field.unique]
    for name in (*unique, *(ref.column for ref in entity.refs if ref.field.unique)):
        yield f'UniqueConstraint("workspace_id", "{name}")'
    for ref in entity.refs:
        if ref.target.scoped:
            yield _foreign_key(entity, ref)
            if not ref.field.unique:
                yield f'Index("ix_{entity.table}_{ref.column}", "workspace_id", "{ref.column}")'


def _foreign_key(entity: Entity, ref: Reference) -> str:
    """Where it forgets what it referred to, its workspace stays."""
    options: dict[str, Any] = {"ondelete": f"SET NULL ({ref.column})" if ref.field.nullable else "CASCADE"}
    if ref.field.name in entity.alters:
        options["use_alter"] = True
    said = ", ".join(f"{name}={value!r}" for name, value in options.items())
    table = ref.target.table
    return f'ForeignKeyConstraint(["workspace_id", "{ref.column}"], ["{table}.workspace_id", "{table}.id"], {said})'
