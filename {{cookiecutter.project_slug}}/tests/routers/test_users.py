from sqlalchemy import func, select

from app.database import Database
from app.models.article import Article
from app.models.user import User
from tests.people import People


async def test_me_is_the_caller(people: People) -> None:
    ada, bob = await people.join(), await people.join()
    for person in (ada, bob):
        body = (await person.client.get("/users/me")).json()
        assert (body["id"], body["email"]) == (person.user.id, person.user.email)
        assert "hashed_password" not in body


async def test_a_deleted_user_takes_the_articles_along_and_is_nobody(people: People, database: Database) -> None:
    ada, bob = await people.join(), await people.join()
    await people.write(ada)
    kept = await people.write(bob)
    async with database.unit_of_work() as uow:
        await uow.session.delete(await uow.session.get_one(User, ada.user.id))
    assert await database.reader().unscoped().all(select(Article.id)) == [kept.id]
    assert await database.reader().one_or_none(select(func.count()).select_from(User)) == 1
    for path in ("/users/me", "/articles"):
        assert (await ada.client.get(path)).status_code == 401
