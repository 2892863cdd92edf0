"""Rows beneath one that is named by two keys."""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, ForeignKeyConstraint, String
from sqlalchemy.orm import mapped_column, relationship

from app.models.resource import Access, Resource
from tests.resources.conftest import Keyed, Serve, new_base


def halls_with_seats() -> Any:
    base: Any = new_base()
    keys = {name: mapped_column(String(10), primary_key=True) for name in ("city", "street")}
    seats = relationship("Seat", back_populates="hall", lazy="raise")
    said: dict[str, Any] = {"__tablename__": "halls", "__resource__": Resource(write=Access.user)}
    type("Hall", (base,), said | keys | {"seats": seats})
    said = {"__tablename__": "seats", "__resource__": Resource(write=Access.user, parent="hall")}
    refers = {name: mapped_column(String(10), nullable=False) for name in ("city", "street")}
    said["__table_args__"] = (ForeignKeyConstraint(list(refers), ["halls.city", "halls.street"]),)
    said |= {"hall": relationship("Hall", back_populates="seats", lazy="raise"), "number": mapped_column(BigInteger)}
    type("Seat", (Keyed, base), said | refers)
    return base


async def test_are_those_of_both_keys(serve: Serve) -> None:
    ada = (await (await serve(halls_with_seats())).people.join()).client
    halls = [{"city": "Bonn", "street": "A"}, {"city": "Bonn", "street": "B"}, {"city": "Kiel", "street": "A"}]
    assert (await ada.post("/halls", json=halls)).status_code == 201
    for number, hall in enumerate(halls):
        made = await ada.post(f"/halls/{hall['city']}/{hall['street']}/seats", json={"number": number})
        assert made.json() == {"id": number + 1, "number": number} | hall
    for number, hall in enumerate(halls):
        path = f"/halls/{hall['city']}/{hall['street']}"
        (seat,) = (await ada.get(f"{path}/seats")).json()
        assert seat["number"] == number
        assert (await ada.get(path, params={"include": "seats"})).json()["seats"] == [seat]
        assert (await ada.get(f"/seats/{seat['id']}/hall")).json() == hall
    for method, body in (("GET", None), ("POST", {"number": 9})):
        missing = await ada.request(method, "/halls/Kiel/B/seats", json=body)
        assert (missing.status_code, missing.json()["detail"]) == (404, "Hall not found")


async def test_another_relation_to_them_has_a_list_of_its_own(serve: Serve) -> None:
    base: Any = new_base()
    said: dict[str, Any] = {"__tablename__": "teams", "__resource__": Resource(write=Access.user)}
    home, away = (f"Match.{name}_id" for name in ("home", "away"))
    said["away_matches"] = relationship("Match", foreign_keys=away, lazy="raise", viewonly=True)
    said["matches"] = relationship("Match", foreign_keys=home, lazy="raise", viewonly=True)
    team = type("Team", (Keyed, base), said)
    said = {"__tablename__": "matches", "__resource__": Resource(write=Access.user, parent="home")}
    for name in ("home", "away"):
        said[f"{name}_id"] = mapped_column(ForeignKey("teams.id"), nullable=False)
        said[name] = relationship(team, foreign_keys=f"Match.{name}_id", lazy="raise")
    match = type("Match", (Keyed, base), said)
    ada = (await (await serve(match)).people.join()).client
    assert (await ada.post("/teams", json=[{}, {}])).status_code == 201
    assert (await ada.post("/teams/1/matches", json={"away_id": 2})).status_code == 201
    found = [(await ada.get(path)).json() for path in ("/teams/1/matches", "/teams/2/matches")]
    assert [len(rows) for rows in found] == [1, 0]
    found = [(await ada.get(path)).json() for path in ("/teams/1/away-matches", "/teams/2/away-matches")]
    assert [len(rows) for rows in found] == [0, 1]
