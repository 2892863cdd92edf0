"""What every answer is held against, whoever made it: nginx or the application."""

import httpx

from app.problems import MEDIA_TYPE, Problem

# Every answer has each of these once.
ONCE = ("x-request-id", "x-content-type-options", "x-frame-options", "referrer-policy")


def problem(response: httpx.Response, status: int) -> Problem:
    """The problem that the answer is: all of it as the application would say it."""
    assert response.status_code == status
    assert response.headers["content-type"] == MEDIA_TYPE
    said = Problem.model_validate_json(response.text, strict=True)
    assert said.status == status
    assert said.request_id == response.headers["x-request-id"]
    for name in ONCE:
        assert len(response.headers.get_list(name)) == 1, name
    return said
