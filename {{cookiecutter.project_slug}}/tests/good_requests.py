"""For each operation that takes a body, one that is good."""

from typing import Any

from tests.people import PASSWORD, fake


def good_request(operation: str, word: str, ids: dict[str, int]) -> dict[str, Any]:
    """What to send along, as arguments for httpx. What is text in it holds the word."""
    bodies: dict[str, dict[str, Any]] = {
        "POST /auth/register": {
            "json": {"email": fake.unique.email(), "username": fake.unique.user_name(), "password": PASSWORD}
        },
        "POST /auth/login": {"data": {"username": fake.user_name(), "password": PASSWORD}},
        "POST /auth/refresh": {"data": {"refresh_token": word}},
        "POST /articles": {"json": {"title": f"{word} title", "content": f"{word}, and long enough"}},
        "PATCH /articles/{article_id}": {"json": {"title": f"{word} changed"}},
    }
    return bodies.get(operation, {})
