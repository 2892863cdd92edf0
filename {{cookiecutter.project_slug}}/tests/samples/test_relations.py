"""From a row to its neighbours: one, a page of them, linked and unlinked, and sent along."""

from typing import Any

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncConnection

from app.resources.description import Kind
from tests.samples.northwind import Employee, Product
from tests.samples.samples import Sample


class TestNeighbours:
    async def test_are_found_from_both_sides(self, sample: Sample) -> None:
        """Every relation of every entity: alone, in the lists of those that lead there, and sent along."""
        for entity in sample.written:
            row = await sample.make(entity.name, **await sample.neighbours(entity))
            path = sample.path(entity, row)
            for relation in entity.relations:
                target = sample.catalog.target(entity, relation.name)
                below = f"{path}/{relation.name.replace('_', '-')}"
                if relation.kind is not Kind.many_to_one:
                    assert isinstance(await sample.get(below), list), below
                    continue
                references = sample.references(entity, relation)
                if all(row[name] is None for name in references):
                    assert (await sample.client.get(below)).status_code == 404
                    continue
                other = await sample.get(below)
                assert {name: other[there] for name, there in references.items()} == {
                    name: row[name] for name in references
                }
                assert await sample.get(sample.path(target, other)) == other
                if relation.included:
                    assert (await sample.get(path, include=relation.name))[relation.name] == other
                for back in target.relations:
                    if back.target == entity.name and back.kind is Kind.one_to_many:
                        listed = f"{sample.path(target, other)}/{back.name}"
                        mine = [one for one in await sample.get(listed, limit=100) if one == row]
                        turned = sample.references(entity, relation) == _turned(sample, target.name, back.name)
                        assert len(mine) == turned, (entity.name, relation.name, back.name)

    async def test_of_the_same_kind_are_above_and_below(self, northwind: Sample) -> None:
        boss = await northwind.make("Employee")
        number = boss["employee_id"]
        staff = [await northwind.make("Employee", reports_to=number) for _ in range(3)]
        assert await northwind.get(f"/employees/{number}/reports", sort="employee_id") == staff
        assert await northwind.get(f"/employees/{staff[0]['employee_id']}/manager") == boss
        assert (await northwind.client.get(f"/employees/{number}/manager")).status_code == 404
        assert await northwind.get(f"/employees/{staff[0]['employee_id']}/reports") == []
        seen = await northwind.get(f"/employees/{staff[0]['employee_id']}", include="manager.reports,reports")
        assert [one["employee_id"] for one in seen["manager"]["reports"]] == [one["employee_id"] for one in staff]
        assert seen["reports"] == []
        deeper = await northwind.client.get(f"/employees/{number}", params={"include": "reports.manager.reports"})
        assert deeper.status_code == 422

    async def test_sent_along_are_a_hundred_at_most_and_cost_no_query_each(
        self, northwind: Sample, connection: AsyncConnection, queries: list[str]
    ) -> None:
        for number in (1, 2):
            await northwind.make("Category", category_id=number)
        products = [{"product_name": str(n), "category_id": 1} for n in range(120)]
        await connection.execute(insert(Product), products)
        asked = {"include": "products.supplier", "sort": "category_id"}
        queries.clear()
        full, empty = await northwind.get("/categories", **asked)
        many = len(queries)
        assert [len(full["products"]), empty["products"]] == [100, []]
        assert full["products"][0]["supplier"] is None
        queries.clear()
        await northwind.get("/categories", **asked, category_id__in="2")
        assert len(queries) == many
        assert len(await northwind.get("/categories/1/products", limit=100)) == 100

    async def test_of_many_rows_cost_one_query(
        self, northwind: Sample, connection: AsyncConnection, queries: list[str]
    ) -> None:
        await connection.execute(insert(Employee), [{"last_name": str(n), "first_name": "x"} for n in range(50)])
        counts = set()
        for limit in (1, 50):
            queries.clear()
            await northwind.get("/employees", include="manager,reports,territories.region", limit=limit)
            counts.add(len(queries))
        assert len(counts) == 1


def _turned(sample: Sample, name: str, relation: str) -> dict[str, str]:
    entity = sample.entity(name)
    found = sample.references(entity, entity.relation(relation))
    return {there: here for here, there in found.items()}


class TestLinks:
    async def test_are_made_once_and_cut_once(self, northwind: Sample) -> None:
        employee, territory = await northwind.make("Employee"), await northwind.make("Territory")
        below = f"/employees/{employee['employee_id']}/territories"
        link = f"{below}/{territory['territory_id']}"
        for _ in range(2):
            assert (await northwind.client.put(link)).status_code == 204
        assert await northwind.get(below) == [territory]
        assert await northwind.get(f"/territories/{territory['territory_id']}/employees") == [employee]
        assert (await northwind.get(f"/employees/{employee['employee_id']}", include="territories"))["territories"] == [
            territory
        ]
        assert (await northwind.client.delete(link)).status_code == 204
        assert (await northwind.client.delete(link)).status_code == 404
        assert await northwind.get(below) == []
        for wrong, what in ((f"{below}/nowhere", "Territory"), (f"/employees/30000/territories/{0}", "Employee")):
            answer = await northwind.client.put(wrong)
            assert (answer.status_code, answer.json()["detail"]) == (404, f"{what} not found")
        assert (await northwind.client.put(f"/employees/40000/territories/{0}")).status_code == 422

    async def test_are_rows_of_their_own_where_these_are_served(self, pagila: Sample) -> None:
        film, actor = await pagila.make("Film"), await pagila.make("Actor")
        assert (await pagila.client.put(f"/film/{film['film_id']}/actors/{actor['actor_id']}")).status_code == 204
        role = await pagila.get(f"/film-actor/{actor['actor_id']}/{film['film_id']}", include="film,actor")
        assert (role["film"], role["actor"]) == (film, actor)
        assert await pagila.get(f"/actor/{actor['actor_id']}/films", include="actors") == [film | {"actors": [actor]}]
        assert await pagila.get(f"/actor/{actor['actor_id']}/films", title__ne=film["title"]) == []

    async def test_that_are_only_looked_at_are_not_made(self, pagila: Sample) -> None:
        """`viewonly=True`: the model says that nothing is written this way."""
        row = await pagila.make("FilmCategory")
        path = f"/film/{row['film_id']}/categories"
        assert [one["category_id"] for one in await pagila.get(path)] == [row["category_id"]]
        answer = await pagila.client.delete(f"{path}/{row['category_id']}")
        assert answer.status_code == 404
        assert f"{path}/{{other}}" not in pagila.app.openapi()["paths"]
        assert len(await pagila.get(path)) == 1

    async def test_to_the_same_kind_go_one_way(self, oddities: Sample) -> None:
        for name in "abc":
            await oddities.make("Label", name=name)
        answers: dict[str, Any] = {}
        for link in ("a/neighbours/b", "a/neighbours/c"):
            assert (await oddities.client.put(f"/labels/{link}")).status_code == 204
        for name in "abc":
            answers[name] = [one["name"] for one in await oddities.get(f"/labels/{name}/neighbours", sort="name")]
        assert answers == {"a": ["b", "c"], "b": [], "c": []}
        seen = await oddities.get("/labels", include="neighbours", sort="name")
        assert [[one["name"] for one in row["neighbours"]] for row in seen] == [["b", "c"], [], []]
