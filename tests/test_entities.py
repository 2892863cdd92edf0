"""From a list of entities to an API: the answer of cookiecutter, the setup that makes them, and more of them later.

In the xdist group of the project that is set up, whose programs and caches these tests use.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import post_gen_project
import pytest
from api import served
from bakes import bake, run_cookiecutter
from pre_gen_project import entities_problem
from test_project import run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

# Every type, every sign, each to each other and to what is there, one's own kind, a circle, irregular plurals, names
# that mean something to SQL, Python or pytest.
SHOP = """\
Category:
  is: A shelf of the shop.
  name: str:60!
  parent: ref(Category)?
  best: ref(Product)?
Product:
  fields: name:str:120 code:str:3! summary:text? stock:int=0 views:bigint! price:decimal:10:2
  weight: float?
  status: enum(draft,live,sold-out)=draft
  for_sale: bool=true
  released: date?
  seen_at: datetime=now
  opens: time=08:30:00
  serial: uuid?!
  extra: json={"colour":"red"}
  labels: list(str:30)=[]
  moments: list(datetime)?
  category: ref(Category)
  owner: ref(User)?
  tags: many(Tag)
Person:
  plural: people
  fields: [name:str, "title:str?", "type:enum(name,title)", "note:str=in stock"]
Order:
  number: int!
  group: str?
  person: ref(person)
  seller: ref(User)
OrderLine: order:ref(Order) product:ref(Product) quantity:int price:decimal
Testimonial:
  about: ref(Product)
  instead_of: ref(Product)?
  approved: ref(Comment)!?
"""


@pytest.fixture(scope="module")
def started(place: Path) -> Path:
    """Where somebody types `cookiecutter … entities=shop.yaml`."""
    directory = place / "started"
    directory.mkdir()
    (directory / "shop.yaml").write_text(SHOP, encoding="utf-8")
    return directory


@pytest.fixture(scope="module")
def shop(template: Path, started: Path) -> Path:
    """The project that the one command makes."""
    arguments = ("--no-input", "project_name=Shop", "entities=shop.yaml")
    done = run_cookiecutter(template, started / "made", *arguments, env={"PWD": str(started)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert (
        "✓ entities     Served: /categories, /products, /people, /orders, /order-lines, /testimonials." in done.stdout
    )
    return started / "made" / "shop"


# --------------------------------------------------------------------------------------------------------- and later


def files(shop: Path) -> dict[str, bytes]:
    found = [path for folder in ("app", "alembic", "tests") for path in (shop / folder).rglob("*.py")]
    return {str(path): path.read_bytes() for path in (*found, shop / "openapi.yaml", shop / "ir.json")}


@pytest.fixture
def unchanged(shop: Path) -> Iterator[None]:
    before = files(shop)
    yield
    assert files(shop) == before


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["entity", "name=Supplier", "fields=name:str price:decimall"], "Supplier.price: 'decimall' is no type; there"),
        (["entity", "name=Product", "fields=name:str"], "Product is there already: change its model"),
        (["entities", "from=nowhere.yaml"], "nowhere.yaml cannot be read: No such file or directory"),
        (["entity", "fields=name:str"], "say which: make entity name=Product"),
    ],
)
def test_what_cannot_be_made_is_refused_in_one_line(
    arguments: list[str], sentence: str, shop: Path, unchanged: None
) -> None:
    done = run(shop, "make", *arguments)
    assert done.returncode == 2
    assert sentence in done.stdout.splitlines()[0]
    assert len([line for line in done.stdout.splitlines() if not line.startswith("make:")]) <= 1


def test_a_setup_that_cannot_make_them_keeps_the_list_and_says_so(shop: Path, unchanged: None) -> None:
    (shop / "entities.yaml").write_text("Supplier: name:strr", encoding="utf-8")
    done = run(shop, "make", "setup")
    (shop / "entities.yaml").unlink()
    (line,) = (line for line in done.stdout.splitlines() if "✗" in line)
    assert line.startswith("  ✗ entities     entities.yaml: Supplier.name: 'strr' is no type; there are str, ")
    assert line.endswith("Nothing was written. To finish: `make setup`. (Details: .setup.log)")


def test_one_more_that_is_interrupted_is_finished_by_the_same_command(shop: Path) -> None:
    command = ("make", "entity", "name=Supplier", "fields=name:str:80! product:ref(Product)! category:ref(category)?")
    mako = shop / "alembic" / "script.py.mako"
    text = mako.read_text(encoding="utf-8")
    mako.write_text("${there_is_no_such_thing}", encoding="utf-8")
    failed = run(shop, *command)
    mako.write_text(text, encoding="utf-8")
    assert failed.returncode == 2
    assert "Written: app/models/supplier.py, tests/routers/test_suppliers.py. The same command again" in failed.stdout
    edited = shop / "app" / "models" / "product.py"
    edited.write_text(edited.read_text(encoding="utf-8").replace('"""A product."""', '"""Sold."""'), "utf-8")

    done = run(shop, *command)
    assert done.returncode == 0, done.stdout
    assert len(list(shop.glob("alembic/versions/*_add_suppliers.py"))) == 1
    assert '"""Sold."""' in edited.read_text(encoding="utf-8")
    again = run(shop, *command)
    assert again.returncode == 0, "made already, and just so"
    assert len(list(shop.glob("alembic/versions/*_add_suppliers*.py"))) == 1


# ---------------------------------------------------------------------------------------------------- what it is worth


def test_every_check_of_the_project_passes(shop: Path, project: Path) -> None:
    cache = ("--cache-dir", str(project / ".mypy_cache"))
    migrations = [str(path.relative_to(shop)) for path in shop.glob("alembic/versions/*_add_*.py")]
    for command in (
        ("ruff", "check", "--no-cache", "."),
        ("ruff", "format", "--no-cache", "--check", "."),
        ("lint-imports", "--no-cache"),
        ("mypy", "--strict", "app/", "tests/routers", *cache),
        ("mypy", "--no-namespace-packages", "--no-explicit-package-bases", *cache, *migrations),
        ("alembic", "check"),
        ("python", "-m", "app", "generate", "--check"),
    ):
        done = run(project if command[0] == "mypy" else shop, *command, cwd=shop)
        assert done.returncode == 0, (command, done.stdout)
    assert not (shop / "entities.yaml").exists(), "what is made is not made again"


def test_its_tests_pass(shop: Path) -> None:
    """Those that were written for it, and of those that hold for all routes the ones that could go otherwise here."""
    entities = ("categories", "products", "people", "orders", "order_lines", "testimonials", "suppliers")
    files = [f"tests/routers/test_{table}.py" for table in entities]
    written = [file for file in files if (shop / file).exists()]  # pytest-xdist may have suppliers made later
    assert len(written) >= len(files) - 1
    general = [
        f"tests/{name}.py"
        for name in ("test_access", "test_contract", "tenancy/test_tables", "commands/test_migrations")
    ]
    some = "routers or OnDisk or TestTables or down_and_up or models_are or every_route"
    some += " or (those_and and (order-lines or testimonials or suppliers or products) and (POST or PUT))"
    done = run(shop, "python", "-m", "pytest", "-q", "-n", "auto", *written, *general, "-k", some)
    assert done.returncode == 0, done.stdout


def test_a_product_is_sold_over_a_socket(shop: Path) -> None:
    with served(shop) as api:
        person = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery"}
        assert api("POST", "/auth/register", person)[0] == 201
        _, login, _ = api("POST", "/auth/login", {"username": "ada", "password": person["password"]}, form=True)
        api.token = login["access_token"]
        _, shelf, _ = api("POST", "/categories", {"name": "Tools"})
        hammer = {"name": "Hammer", "code": "H1", "views": 0, "price": "12.50", "category_id": shelf["id"]}
        status, made, _ = api("POST", "/products", hammer)
        assert (status, made["price"], made["status"], made["extra"]) == (201, "12.50", "draft", {"colour": "red"})
        assert made["opens"] == "08:30:00"
        (row,) = api("GET", "/products?include=category,tags&price__lt=13")[1]
        assert row["category"]["name"] == "Tools"


# --------------------------------------------------------------------------------------------------- the answer itself


@pytest.mark.parametrize("answer", ["nowhere.yaml", ".", "/nowhere/shop.yaml", "~/nowhere.yaml"])
def test_a_path_to_no_file_is_refused(answer: str, started: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PWD", str(started))
    expected = f"is {answer!a}: there is no such file in {started}"
    assert entities_problem(answer, str(started.parent)) == expected
    assert entities_problem(answer, None) is None, "cruft renders elsewhere"


@pytest.mark.parametrize("start", ["PWD", "_output_dir", "neither"])
def test_a_path_begins_where_cookiecutter_was_started(
    start: str, started: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = str(started / "shop.yaml") if start == "neither" else "shop.yaml"
    output_dir = str(started if start == "_output_dir" else tmp_path)
    monkeypatch.setenv("PWD", str(started if start == "PWD" else tmp_path))
    monkeypatch.chdir(tmp_path)
    assert entities_problem(answer, output_dir) is None
    post_gen_project.bring_entities(answer, output_dir)
    assert (tmp_path / "entities.yaml").read_text(encoding="utf-8") == SHOP
    (tmp_path / "entities.yaml").write_text("mine", encoding="utf-8")
    post_gen_project.bring_entities(answer, output_dir)
    assert (tmp_path / "entities.yaml").read_text(encoding="utf-8") == "mine"


def test_a_refusal_leaves_nothing_on_disk(template: Path, tmp_path: Path) -> None:
    done = run_cookiecutter(template, tmp_path, "--no-input", "entities=nowhere.yaml", env={"PWD": str(tmp_path)})
    assert done.returncode == 1
    assert done.stderr == f"Refused: entities is 'nowhere.yaml': there is no such file in {tmp_path}\n"
    assert list(tmp_path.iterdir()) == []


def test_the_answer_is_in_no_file(template: Path, started: Path, tmp_path: Path) -> None:
    with_them = bake(
        template, tmp_path / "with", {"entities": os.path.relpath(started / "shop.yaml", tmp_path / "with")}
    )
    without = bake(template, tmp_path / "without")
    assert (with_them / "entities.yaml").read_text(encoding="utf-8") == SHOP
    (with_them / "entities.yaml").unlink()
    trees = [
        {path.relative_to(tree): path.read_bytes() for path in tree.rglob("*") if path.is_file()}
        for tree in (with_them, without)
    ]
    assert trees[0] == trees[1]
