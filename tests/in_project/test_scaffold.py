"""tools/scaffold, without a file or a database: what is understood, and what is refused in which words."""

from pathlib import Path

import pytest
from tools.scaffold import grammar, names
from tools.scaffold.entity import Entity
from tools.scaffold.existing import Existing, existing
from tools.scaffold.grammar import Field, Refused, Spec, Type
from tools.scaffold.migration import title
from tools.scaffold.resolution import resolve
from tools.scaffold.rules import check
from tools.scaffold.taken import refuse_what_is_taken


@pytest.fixture(scope="module")
def there() -> Existing:
    return existing()


def resolved(there: Existing, *specs: Spec) -> list[Entity]:
    check(specs)
    entities = resolve(specs, there)
    refuse_what_is_taken(entities, there)
    return entities


def of_file(tmp_path: Path, text: str) -> list[Spec]:
    (tmp_path / "shop.yaml").write_text(text, encoding="utf-8")
    return grammar.entities(tmp_path / "shop.yaml")


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("name:str", Field("name", Type("str"))),
        ("name:str:120!", Field("name", Type("str", (120,)), unique=True)),
        ("price:decimal:10:2?=1.50", Field("price", Type("decimal", (10, 2)), nullable=True, default="1.50")),
        ("x:enum(a, b)=a", Field("x", Type("enum", choices=("a", "b")), default="a")),
        ("x:list(str:50)?", Field("x", Type("list", item=Type("str", (50,))), nullable=True)),
        ("x:ref(User)!?", Field("x", Type("ref", target="User"), nullable=True, unique=True)),
        ("x:str=", Field("x", Type("str"), default="")),
        ("x:str==?!", Field("x", Type("str"), default="=?!")),
    ],
)
def test_a_field_is_read(text: str, field: Field) -> None:
    assert grammar.entity("Product", f"a:int {text}\n b:int").fields[1] == field


def test_the_ways_of_writing_a_file_mean_the_same(tmp_path: Path) -> None:
    ways = (
        "Product: name:str price:decimal:10:2",
        "Product: [name:str, price:decimal:10:2]",
        "Product:\n  fields: >-\n    name:str\n    price:decimal:10:2",
        "Product:\n  fields: name:str\n  price: decimal:10:2",
        "Product:\n  name: str\n  price: decimal:10:2",
    )
    assert {tuple(of_file(tmp_path, way)) for way in ways} == {
        (grammar.entity("Product", "name:str price:decimal:10:2"),)
    }


@pytest.mark.parametrize(
    ("name", "fields", "sentence"),
    [
        ("product", "a:int", "'product' is no name for an entity: write it like Product or OrderLine, in ASCII"),
        ("Ünit", "a:int", "'Ünit' is no name for an entity"),
        ("None", "a:int", "None is a keyword of Python"),
        ("Class", "a:int", "Class is a keyword of Python"),
        ("Index", "a:int", "Index is a name that its own module needs for something else"),
        ("Article", "a:int", "Article is there already: change its model, then `make migration`"),
        ("Author", "a:int", "Author is there already"),
        ("Problem", "a:int", "Problem is the name of something else in the contract"),
        ("Doc", "a:int", "Doc would be served at /docs, where something else is"),
        ("ArticleTag", "a:int", "ArticleTag would make article_tags, which is a name of something else"),
        ("Unit" * 20, "a:int", "which is too long for PostgreSQL"),
        ("Unit", "", "Unit has no fields"),
        ("Unit", "a", "Unit: 'a' is no field: write name:type"),
        ("Unit", "a:strr", "Unit.a: 'strr' is no type; there are str, text, int"),
        ("Unit", "a:int:3", "Unit.a: int:3 has no such size"),
        ("Unit", "a:decimal:2:5", "Unit.a: decimal:2:5 has no such size"),
        ("Unit", "a:str:0", "Unit.a: str:0 has no such size"),
        ("Unit", "a:int(3)", "Unit.a: int takes no parentheses"),
        ("Unit", "a:enum", "Unit.a: enum says of what in parentheses"),
        ("Unit", "a:enum(b,b)", "Unit.a: b, b are not all different"),
        ("Unit", "a:enum(b!)", "Unit.a: 'b!' is no word for an enum"),
        ("Unit", "a:list(json)", "Unit.a: there is no list of 'json'"),
        ("Unit", "a:int??", "Unit.a: '??' says the same twice"),
        ("Unit", "a:int a:str", "Unit.a is there twice"),
        ("Unit", "a:ref(User) a_id:int", "Unit.a_id is there twice"),
        ("Unit", "A:int", "Unit.A is no name for a field"),
        ("Unit", "a__b:int", "Unit.a__b is no name for a field"),
        ("Unit", "class:int", "Unit.class is a keyword of Python"),
        *(("Unit", f"{name}:int", f"Unit.{name} is there in every entity") for name in ("id", "created_at")),
        ("Unit", "workspace:ref(Tag)", "Unit.workspace_id is there in every entity"),
        *(("Unit", f"{name}:int", "a parameter that every list takes") for name in ("limit", "q", "include", "filter")),
        *(("Unit", f"{name}:int", "models or schemas need") for name in ("metadata", "registry", "str", "func")),
        ("Unit", "api_key:str", "Unit.api_key is named like a secret"),
        ("Unit", "a:bool!", "Unit.a: bool cannot be unique"),
        ("Unit", "a:str:601!", "Unit.a is too long to be unique: str:600 at most"),
        ("Unit", "a:int=b", "Unit.a: 'b' is no default for it: Input should be a valid integer"),
        ("Unit", "a:str:3=abcd", "Unit.a: 'abcd' is no default for it"),
        ("Unit", "a:enum(b,c)=d", "Unit.a: 'd' is no default for it"),
        ("Unit", "a:decimal:4:2=1.234", "Unit.a: '1.234' is no default for it"),
        ("Unit", "a:str=it's", 'Unit.a: "it\'s" is no default for it: give it in the model and the migration'),
        ("Unit", "a:int!=1", "Unit.a: what is unique takes no default"),
        ("Unit", "a:ref(User)=1", "Unit.a: what is ref takes no default"),
        ("Unit", "a:ref(Nobody)", "Unit.a: there is no Nobody; there are Article, "),
        ("Unit", "a_id:ref(User)", "Unit.a_id gets its _id by itself: call it a"),
        ("Unit", "a:ref(Unit)", "Unit → Unit is a circle of required references: let one of them be null, with ?"),
        ("Unit", "a:many(Unit)", "Unit.a: many of its own kind has to be written by hand"),
        ("Unit", "a:many(User)", "Unit.a: many takes an entity of a workspace, which User is not"),
        ("Unit", "a:many(Tag)?", "Unit.a: many takes no ? and no !"),
    ],
)
def test_what_cannot_be_is_refused(there: Existing, name: str, fields: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        resolved(there, grammar.entity(name, fields))
    assert sentence in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "names no entity"),
        ("- Product", "names no entity"),
        ("Product: [", "is no YAML"),
        ("Product:", "Product has no fields"),
        ("Product: {on: date}", "Product: True is YAML's word for something else: put the name in quotes"),
        ("Product: {a: 3}", "Product.a: 3 is no type"),
        ("Product: {plural: [], a: int}", "Product: plural is [], which is no text"),
        ("Product: {plural: X, a: int}", "Product: the plural X is no name"),
        ("Product: {is: 'a \"b\"', a: int}", "Product: `is` is not one line"),
        ("Product: a:int\nTag: b:int\nProduct: c:int", "Product stands there twice, in line 1 and below"),
        ("Product: {a: int, a: str}", "a stands there twice"),
        ("Unit: a:ref(Part)\nPart: b:ref(Whole)\nWhole: c:ref(Unit)", "Unit → Part → Whole → Unit is a circle"),
        ("Unit: a:ref(Part)\nPart: b:int\nUnitA: b:int", "UnitA would make read_unit_a, which is a name of Unit"),
        ("Unit: a:int\nOther: {plural: units, a: int}", "Other would make units, which is a name of Unit"),
    ],
)
def test_a_file_that_cannot_be_is_refused(there: Existing, tmp_path: Path, text: str, sentence: str) -> None:
    with pytest.raises(Refused) as caught:
        resolved(there, *of_file(tmp_path, text))
    assert sentence in str(caught.value)


def test_a_circle_that_may_be_open_is_none(there: Existing, tmp_path: Path) -> None:
    one, other = resolved(there, *of_file(tmp_path, "Unit: a:ref(Part)\nPart: b:ref(Unit)?"))
    assert (one.name, other.name, one.alters, other.alters) == ("Part", "Unit", ("b",), ())


@pytest.mark.parametrize(
    ("word", "many"), [("product", "products"), ("category", "categories"), ("day", "days"), ("box", "boxes")]
)
def test_plurals(word: str, many: str) -> None:
    assert names.plural(word) == many


def test_a_migration_of_many_has_a_short_name(there: Existing) -> None:
    specs = [grammar.entity(f"Unit{letter}", "a:int") for letter in "ABCDE"]
    assert title(resolved(there, *specs[:1])) == "add unit as"
    assert title(resolved(there, *specs[:3])) == "add unit as, unit bs and unit cs"
    assert title(resolved(there, *specs)) == "add unit as, unit bs, unit cs and 2 more"
