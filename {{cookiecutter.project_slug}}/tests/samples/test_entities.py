"""What every entity does: what is sent is kept, found, changed and deleted as it was meant."""

from typing import Any

from hypothesis import strategies as st

from app.resources.description import Entity
from tests.samples.bodies import bodies, finding, for_each, missing
from tests.samples.samples import Json, Sample

NEVER = '"0"'
# What a constraint wants, or what would take another row of the same kind.
TAKEN = {"discount": 0.25, "reports_to": None, "manager_staff_id": None}


class TestWhatIsSent:
    async def test_comes_back_and_is_found(self, sample: Sample) -> None:
        for entity in sample.written:
            neighbours = await sample.neighbours(entity)

            async def check(drawn: tuple[Json, int], entity: Entity = entity, given: Json = neighbours) -> None:
                await self.hold(sample, entity, given, *drawn)

            await for_each(
                st.tuples(bodies(entity, neighbours), st.integers(0, 9)),
                check,
                examples=2 if len(sample.written) > 5 else 6,
            )

    async def hold(self, sample: Sample, entity: Entity, given: Json, body: Json, seed: int) -> None:
        response = await sample.client.post(sample.listed(entity, given | body), json=body)
        if response.status_code == 409:  # the key was drawn before
            return
        assert response.status_code == 201, (entity.name, body, response.text)
        row = response.json()
        assert sample.same(entity, row, body) == []
        path = sample.path(entity, row)
        if all(isinstance(row[key.field], str | int) for key in entity.keys):
            assert response.headers["location"] == path
        assert await sample.get(response.headers["location"]) == row
        itself = [(key.field, str(row[key.field])) for key in entity.keys]
        listed = sample.listed(entity, row)
        right = [one for field in entity.fields for one in finding(field, row[field.name])]
        if await self.found(sample, listed, itself + right) != [row]:
            wrong = [one for one in right if await self.found(sample, listed, [*itself, one]) != [row]]
            raise AssertionError(f"{entity.name} {row} is not found by {wrong}")
        wrong = [one for field in entity.fields for one in missing(field, row[field.name])]
        for one in wrong[seed::10]:
            assert await self.found(sample, listed, [*itself, one]) == [], (entity.name, one, row)

    async def found(self, sample: Sample, path: str, conditions: list[tuple[str, str]]) -> Any:
        # A key may be named by two conditions that are the same.
        response = await sample.client.get(path, params=list(dict.fromkeys(conditions)))
        assert response.status_code == 200, (path, conditions, response.text)
        return response.json()


class TestWhatIsDoneToARow:
    async def test_each_field_is_changed_by_itself(self, sample: Sample) -> None:
        for entity in sample.written:
            row = await sample.make(entity.name)
            path = sample.path(entity, row)
            neighbours = await sample.neighbours(entity)
            for field in entity.fields:
                if not field.updated:
                    response = await sample.client.patch(path, json={field.name: row[field.name]})
                    assert response.status_code in {405, 422}, field.name
                    continue
                wanted = {field.name: neighbours.get(field.name, sample.plain(field.type))}
                wanted |= {name: value for name, value in TAKEN.items() if name == field.name}
                response = await sample.client.patch(path, json=wanted)
                assert response.status_code == 200, (entity.name, wanted, response.text)
                now = response.json()
                assert sample.same(entity, now, wanted) == []
                untouched = row.keys() - {field.name, "last_update"}
                assert {name: now[name] for name in untouched} == {name: row[name] for name in untouched}
                emptied = await sample.client.patch(path, json={field.name: None})
                assert emptied.status_code == (200 if field.nullable or field.type.kind == "json" else 422), field.name
                row = await sample.get(path)

    async def test_only_who_knows_it_as_it_is_changes_it(self, sample: Sample) -> None:
        for entity in sample.written:
            row = await sample.make(entity.name)
            path = sample.path(entity, row)
            version = (await sample.client.get(path)).headers["etag"]
            unchanged = await sample.client.get(path, headers={"if-none-match": version})
            assert unchanged.status_code == 304
            if fields := [
                one for one in entity.fields if one.updated and one.name in row and row[one.name] is not None
            ]:
                body = {fields[0].name: row[fields[0].name]}
                stale = await sample.client.patch(path, json=body, headers={"if-match": NEVER})
                assert stale.status_code == 412, entity.name
                changed = await sample.client.patch(path, json=body, headers={"if-match": version})
                assert changed.status_code == 200, (entity.name, changed.text)
                version = changed.headers["etag"]
            stale = await sample.client.delete(path, headers={"if-match": NEVER})
            assert stale.status_code == 412, entity.name
            gone = await sample.client.delete(path, headers={"if-match": version})
            assert gone.status_code == 204, (entity.name, gone.text)
            for answer in (await sample.client.get(path), await sample.client.delete(path)):
                assert answer.status_code == 404, path
                assert answer.json()["detail"] == f"{entity.title} not found"

    async def test_many_are_made_at_once_or_none(self, sample: Sample) -> None:
        for entity in sample.written:
            if entity.parent:
                continue
            new = [await sample.required(entity, {}) for _ in range(3)]
            response = await sample.client.post(entity.path, json=new)
            assert response.status_code == 201, (entity.name, new, response.text)
            rows = response.json()
            assert [sample.same(entity, row, body) for row, body in zip(rows, new, strict=True)] == [[], [], []]
            before = (await sample.client.get(entity.path, params={"count": "exact"})).headers["x-total-count"]
            wrong = await sample.client.post(entity.path, json=[await sample.required(entity, {}), {"nothing": 1}])
            assert wrong.status_code == 422
            assert ["body", 1, "nothing"] in [error["loc"] for error in wrong.json()["errors"]]
            after = (await sample.client.get(entity.path, params={"count": "exact"})).headers["x-total-count"]
            assert after == before
