"""A deployment is not a moment: for a while the version before works on the schema of this one."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from bakes import bake
from copies import Copy
from template import ROOT, commit, export_commit, git

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.xdist_group("project")

# What the version before is asked to do: the rounds of a user, by its own code in its own tree.
ROUNDS = """
import asyncio, httpx
from app.main import app

async def main():
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="https://test") as client:
            async def call(status, method, path, **sent):
                answer = await client.request(method, path, **sent)
                assert answer.status_code == status, (method, path, answer.status_code, answer.text)
                return answer
            account = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery staple"}
            await call(200, "GET", "/health/ready")
            await call(201, "POST", "/auth/register", json=account)
            login = {"username": "ada", "password": account["password"], "scope": "offline_access"}
            token = (await call(200, "POST", "/auth/login", data=login)).json()["access_token"]
            client.headers["Authorization"] = f"Bearer {token}"
            article = {"title": "Before", "content": "Written by the version before."}
            where = (await call(201, "POST", "/articles", json=article)).headers["location"]
            await call(200, "PATCH", where, json={"published": True})
            assert len((await call(200, "GET", "/articles")).json()) == 1
            await call(200, "GET", "/users/me")
            await call(204, "DELETE", where)

asyncio.run(main())
"""


def before_the_newest_migration() -> str:
    """The commit whose schema was the one before this."""
    versions = "{{cookiecutter.project_slug}}/alembic/versions"
    newest = max(path.name for path in (ROOT / versions).glob("0*.py"))
    added = git("log", "--diff-filter=A", "--format=%H", "--", f"{versions}/{newest}").splitlines()
    assert added, f"git does not know when {newest} came: this takes the whole history (fetch-depth: 0)"
    return git("rev-parse", f"{added[-1]}^")


def test_robustness_45_the_version_before_runs_on_this_schema(template: Path, project: Path, place: Path) -> None:
    earlier = place / "earlier"
    export_commit(earlier / "template", before_the_newest_migration())
    commit(earlier / "template", "The version before")
    before = bake(earlier / "template", earlier)
    now = Copy(bake(template, place / "now"), project)
    with now.database():
        now.run("python", "-m", "app", "migrate")
        # In production it leaves the embedded server alone, which belongs to the other tree.
        env = os.environ | now.settings | {"ENVIRONMENT": "production"}
        python = str(project / ".venv/bin/python")
        done = subprocess.run([python, "-c", ROUNDS], cwd=before, env=env, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
