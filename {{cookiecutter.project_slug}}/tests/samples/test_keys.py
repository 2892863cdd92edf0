"""Keys of every type in paths: rows are where `Location` says, and what is no key is told by its name."""

import httpx

from tests.samples.samples import Sample

ODD = (
    "a b",
    "100%",
    "%2F",
    "a/b",
    "/",
    "//x",
    "x/",
    "ü",
    "\U0001f600",
    "?q=1#x",
    "a\\b",
    "'",
    '"',
    "+",
    "a\nb",
    ";:@&=,",
)


class TestText:
    async def test_holds_any_character(self, oddities: Sample) -> None:
        for name in ODD:
            made = await oddities.client.post("/labels", json={"name": name})
            assert made.status_code == 201, (name, made.text)
            path = made.headers["location"]
            assert (await oddities.get(path))["name"] == name
            for number in range(3):
                await oddities.make("Parcel", label_name=name, note=str(number))
            first = await oddities.client.get(f"{path}/parcels", params={"limit": 2, "sort": "note"})
            second = await oddities.client.get(first.headers["link"].split(">")[0].removeprefix("<"))
            assert [row["note"] for row in first.json() + second.json()] == ["0", "1", "2"], name
            parcel = second.json()[0]["id"]
            assert (await oddities.get(f"/parcels/{parcel}/label"))["name"] == name
            changed = await oddities.client.patch(f"{path}/", json={"note": "x"})
            assert changed.json() == {"name": name, "note": "x"}, "a slash at the end of the path is none of the key"
            other = await oddities.client.put(f"{path}/neighbours/{path.rpartition('/')[2]}")
            assert other.status_code == 204, "a label may be next to itself"
            assert (await oddities.client.delete(f"{path}/neighbours/{path.rpartition('/')[2]}")).status_code == 204
        assert len(await oddities.get("/labels", limit=100)) == len(ODD)

    async def test_that_is_padded_is_the_same_without_its_blanks(self, northwind: Sample) -> None:
        made = await northwind.client.post("/customers", json={"customer_id": "AB", "company_name": "c"})
        assert made.headers["location"] == "/customers/AB"
        row = await northwind.get("/customers/AB")
        assert row["customer_id"] == "AB"
        assert await northwind.get("/customers/AB%20") == row
        order = await northwind.make("Order", customer_id="AB")
        assert order["customer_id"] == "AB"
        assert await northwind.get("/customers/AB/orders") == [order]
        assert await northwind.get(f"/orders/{order['order_id']}/customer") == row
        for key, status in (("AB ", 409), ("ABCDEF", 422)):
            refused = await northwind.client.post("/customers", json={"customer_id": key, "company_name": "c"})
            assert refused.status_code == status


class TestSeveral:
    async def test_name_a_row_together(self, oddities: Sample, northwind: Sample, pagila: Sample) -> None:
        body = {"day": "2026-02-03", "room": "a/b c", "half": "large", "price": "0.125"}
        made = await oddities.client.post("/slots", json=body)
        assert made.headers["location"] == "/slots/2026-02-03/a%2Fb%20c/large/0.125"
        assert await oddities.get(made.headers["location"]) == body | {"taken": False}
        tiny = await oddities.client.post("/slots", json=body | {"price": "0.001"})
        assert (await oddities.get(tiny.headers["location"]))["price"] == "0.001"
        line = await northwind.make("OrderDetail")
        path = f"/order-details/{line['order_id']}/{line['product_id']}"
        assert await northwind.get(path) == line
        assert await northwind.get(f"/orders/{line['order_id']}/order-details") == [line]
        role = await pagila.make("FilmActor")
        assert await pagila.get(f"/film-actor/{role['actor_id']}/{role['film_id']}") == role

    async def test_are_given_by_the_parent_in_the_path(self, northwind: Sample) -> None:
        order, product = await northwind.make("Order"), await northwind.make("Product")
        path = f"/orders/{order['order_id']}/order-details"
        body = {"product_id": product["product_id"], "unit_price": 0.1}
        refused = await northwind.client.post(path, json=body | {"order_id": 1})
        assert refused.status_code == 422, "the path says which order it is"
        made = await northwind.client.post(path, json=body)
        assert made.headers["location"] == f"/order-details/{order['order_id']}/{product['product_id']}"
        again = await northwind.client.post(path, json=body)
        assert again.status_code == 409
        assert again.json()["detail"] == "order_id and product_id are already taken"
        nowhere = f"/orders/{10**6}/order-details"
        assert (await northwind.client.get(nowhere)).status_code == 404
        assert (await northwind.client.post(nowhere, json=body)).json()["detail"] == "Order not found"


# Of each type of key: what is none, and one that no row has.
WRONG = [
    ("oddities", "/parcels/{}", "parcel_id", ["1", "x", "5072e3f6"], "5072e3f6-ba1b-4940-8388-c3ba548d588a"),
    ("oddities", "/journeys/{}", "journey_id", ["0", "-1", "x", "1.5", str(2**63), "9" * 5000], str(2**63 - 1)),
    ("oddities", "/labels/{}", "label_name", ["%00"], "%C3%BC"),
    ("oddities", "/slots/{}/r/small/1", "day", ["x", "2026-02-30"], "2026-02-03"),
    ("oddities", "/slots/2026-02-03/r/{}/1", "half", ["x", "1"], "small"),
    ("oddities", "/slots/2026-02-03/r/small/{}", "price", ["x", "1e3", "NaN", "123456", "0.0001"], "1.5"),
    ("pagila", "/film/{}", "film_id", ["x", str(2**31), str(-(2**31) - 1), str(2**63), "9" * 5000], str(2**31 - 1)),
    ("pagila", "/film-actor/{}/1", "actor_id", ["x", str(2**31)], "1"),
    ("pagila", "/film-actor/1/{}", "film_id", ["x", str(2**31)], "1"),
    ("pagila", "/customer-list/{}", "customer_list_id", ["x", str(2**31)], "1"),
    ("northwind", "/region/{}", "region_id", ["x", str(2**15), str(-(2**15) - 1)], str(2**15 - 1)),
    ("northwind", "/order-details/1/{}", "product_id", ["x", str(2**31)], "1"),
]


class TestWhatIsNoKey:
    async def test_is_told_by_its_name(self, pagila: Sample, northwind: Sample, oddities: Sample) -> None:
        samples = {"pagila": pagila, "northwind": northwind, "oddities": oddities}
        for name, path, parameter, wrong, missing in WRONG:
            client, described = samples[name].client, samples[name].app.openapi()["paths"]
            for key in wrong:
                for method in ("GET",) if "customer-list" in path else ("GET", "DELETE"):
                    response = await client.request(method, path.format(key))
                    assert response.status_code == 422, (path, key)
                    assert [error["loc"] for error in response.json()["errors"]] == [["path", parameter]], (path, key)
            response = await client.get(path.format(missing))
            assert response.status_code == 404, (path, response.text)
            assert any(f"{{{parameter}}}" in one for one in described)

    async def test_an_empty_text_is_none(self, oddities: Sample) -> None:
        """It would be the path of the list."""
        response = await oddities.client.post("/labels", json={"name": ""})
        assert response.status_code == 422
        assert ["body", "name"] in [error["loc"] for error in response.json()["errors"]]


async def test_rows_are_found_behind_a_prefix(oddities: Sample) -> None:
    """A proxy that serves the application below a path of its own says so as `root_path`."""
    transport = httpx.ASGITransport(oddities.app, root_path="/api")
    async with httpx.AsyncClient(
        transport=transport, base_url="http://test", headers=oddities.client.headers
    ) as client:
        await client.post("/api/labels", json={"name": "a/b"})
        assert (await client.get("/api/labels/a%2Fb/")).json() == {"name": "a/b", "note": None}
