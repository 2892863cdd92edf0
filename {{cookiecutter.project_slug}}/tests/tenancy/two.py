from dataclasses import dataclass

from app.models.article import Article
from tests.people import Person


@dataclass(frozen=True)
class Two:
    """Two people, each with a workspace and an article in it."""

    ada: Person
    bob: Person
    mine: Article
    foreign: Article

    @property
    def both(self) -> set[int]:
        return {self.ada.user.id, self.bob.user.id}
