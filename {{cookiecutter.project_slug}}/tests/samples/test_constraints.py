"""What a table refuses, told by the field: and what a schema says beforehand."""

from typing import Any

import pytest

from tests.samples.samples import Sample


async def refusal(sample: Sample, method: str, path: str, body: Any = None) -> tuple[int, str]:
    """The status, and the fields that are named."""
    response = await sample.client.request(method, path, json=body)
    problem = response.json()
    named = [str(error["loc"][-1]) for error in problem.get("errors", [])]
    return response.status_code, ",".join(named) or problem["detail"]


class TestWhatATableRefuses:
    async def test_is_told_by_its_field(self, pagila: Sample) -> None:
        await pagila.make("Language", name="x")
        language = await pagila.make("Language", name="y")
        film = await pagila.make("Film")
        path, other = f"/film/{film['film_id']}", f"/language/{language['language_id']}"
        assert await refusal(pagila, "POST", "/language", {"name": "x"}) == (409, "name is already taken")
        assert await refusal(pagila, "PATCH", other, {"name": "x"}) == (409, "name is already taken")
        assert await refusal(pagila, "POST", "/language", [{"name": "n"}, {"name": "n"}]) == (
            409,
            "name is already taken",
        )
        assert (await pagila.client.patch(other, json={"name": "y"})).status_code == 200, "its own name"
        for body in (
            {"release_year": 1900},
            {"language_id": 2**31 - 1},
            {"original_language_id": 2**31 - 1},
            {"title": None},
            {"rating": "X"},
            {"title": "x" * 256},
            {"rental_rate": "100.00"},
            {"rental_rate": "1.234"},
            {"rental_rate": 4.99},
            {"length": 2**15},
            {"special_features": ["a\0"]},
            {"special_features": [None]},
            {"special_features": "a"},
            {"last_update": "2026-01-01T00:00:00Z"},
            {"fulltext": "x"},
            {"film_id": 1},
        ):
            refused = await pagila.client.patch(path, json=body)
            assert refused.status_code == 422, body
            assert all(error["loc"][:2] == ["body", *body] for error in refused.json()["errors"]), body
        assert await pagila.get(path) == film

    async def test_is_told_by_the_name_that_clients_know(self, oddities: Sample) -> None:
        parcel = await oddities.make("Parcel")
        assert await refusal(oddities, "PATCH", f"/parcels/{parcel['id']}", {"label_name": "none"}) == (
            422,
            "label_name",
        )
        await oddities.make("Label", name="a")
        assert await refusal(oddities, "POST", "/labels", {"name": "a"}) == (409, "name is already taken")

    async def test_of_a_line_of_an_order(self, northwind: Sample) -> None:
        line = await northwind.make("OrderDetail")
        path = f"/order-details/{line['order_id']}/{line['product_id']}"
        for body, field in (
            ({"quantity": 0}, "quantity"),
            ({"discount": 1.5}, "discount"),
            ({"discount": -0.1}, "discount"),
            ({"unit_price": None}, "unit_price"),
            ({"unit_price": "1"}, "unit_price"),
            ({"unit_price": 1e300}, "A value cannot be stored as it is"),
        ):
            assert await refusal(northwind, "PATCH", path, body) == (422, field), body
        assert await northwind.get(path) == line

    async def test_a_row_that_others_refer_to_stays(self, pagila: Sample, northwind: Sample, oddities: Sample) -> None:
        """Whatever relationships a model has: nothing is emptied or deleted that the database does not let go."""
        role, category = await pagila.make("FilmActor"), await pagila.make("FilmCategory")
        line = await northwind.make("OrderDetail")
        product = await northwind.make("Product", **await northwind.neighbours(northwind.entity("Product")))
        employee = await northwind.make("Employee", reports_to=(await northwind.make("Employee"))["employee_id"])
        parcel = await oddities.make("Parcel", **await oddities.neighbours(oddities.entity("Parcel")))
        for sample, path in (
            (pagila, f"/film/{role['film_id']}"),
            (pagila, f"/actor/{role['actor_id']}"),
            (pagila, f"/category/{category['category_id']}"),
            (northwind, f"/orders/{line['order_id']}"),
            (northwind, f"/products/{line['product_id']}"),
            (northwind, f"/categories/{product['category_id']}"),
            (northwind, f"/employees/{employee['reports_to']}"),
            (oddities, f"/labels/{parcel['label_name']}"),
            (oddities, f"/journeys/{parcel['journey_id']}"),
        ):
            there = await sample.get(path)
            assert await refusal(sample, "DELETE", path) == (409, "Other data still refer to this"), path
            assert await sample.get(path) == there
        assert await northwind.get(f"/products/{product['product_id']}") == product
        assert await pagila.get(f"/film-actor/{role['actor_id']}/{role['film_id']}") == role

    async def test_what_the_database_deletes_goes_along(self, pagila: Sample, oddities: Sample) -> None:
        row = await pagila.make("FilmCategory")
        assert (await pagila.client.delete(f"/film/{row['film_id']}")).status_code == 204
        assert (await pagila.client.get(f"/film-category/{row['film_id']}/{row['category_id']}")).status_code == 404
        for name in "ab":
            await oddities.make("Label", name=name)
        await oddities.client.put("/labels/a/neighbours/b")
        assert (await oddities.client.delete("/labels/b")).status_code == 204
        assert await oddities.get("/labels/a/neighbours") == []


class TestValues:
    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("other", "x"),
            ("weight", "1e5"),
            ("weight", 1),
            ("volume", "1"),
            ("pieces", 2**63),
            ("pieces", 1.5),
            ("fragile", 1),
            ("size", "1"),
            ("day", "2026-02-30"),
            ("day", 1),
            ("hour", "25:00"),
            ("packed", "2026-01-01T00:00:00Z"),
            ("sent_at", "2026-01-01T00:00:00"),
            ("numbers", [2**31]),
            ("words", ["x" * 11]),
            ("words", None),
            ("sizes", ["huge"]),
            ("prices", ["1.234"]),
            ("note", "\0"),
        ],
    )
    async def test_that_are_none_are_told_by_their_field(self, oddities: Sample, field: str, value: Any) -> None:
        response = await oddities.client.post("/parcels", json={field: value})
        assert response.status_code == 422
        assert all(error["loc"][:2] == ["body", field] for error in response.json()["errors"])

    async def test_nobody_can_store_are_refused(self, oddities: Sample) -> None:
        for body in (
            r'{"about": {"a": ["\u0000"]}}',
            r'{"about": "\ud800"}',
            r'{"words": ["\u0000"]}',
            '{"about": 1e999}',
        ):
            sent = {"content": body, "headers": {"content-type": "application/json"}}
            response = await oddities.client.post("/parcels", **sent)  # type: ignore[arg-type]
            assert response.status_code == 422, body

    async def test_null_is_null_beside_a_default(self, pagila: Sample) -> None:
        language = await pagila.make("Language")
        body = {"title": "x", "language_id": language["language_id"]}
        rows = [await pagila.make("Film", **body), await pagila.make("Film", **body, rating=None)]
        assert [row["rating"] for row in rows] == ["G", None]


class TestViews:
    async def test_are_read_and_never_written(self, pagila: Sample) -> None:
        customer = await pagila.make("Customer", first_name="Ada", last_name="L%")
        path = f"/customer-list/{customer['customer_id']}"
        row = await pagila.get(path)
        assert (row["name"], row["notes"]) == ("Ada L%", "active")
        assert await pagila.get("/customer-list", q="l%", zip_code__isnull="true", sort="-city,name") == [row]
        assert "etag" not in (await pagila.client.get(path)).headers
        described = pagila.app.openapi()["paths"]
        assert list(described["/customer-list"]) == list(described["/customer-list/{customer_list_id}"]) == ["get"]
        for method, where in (("POST", "/customer-list"), ("PATCH", path), ("DELETE", path)):
            assert (await pagila.client.request(method, where)).status_code == 405
