"""`make demo`, as somebody types it who has just cloned the template on a new machine."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from api import served
from template import git

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = "{{cookiecutter.project_slug}}"


def test_the_demo_serves_a_blog_from_a_clean_clone_and_keeps_it(template: Path, place: Path) -> None:
    clone, home = place / "clone", place / "home"
    git("clone", "--quiet", template, clone, cwd=place)
    home.mkdir()
    # What a developer's work leaves in the template's own tree is not for the demo.
    (clone / PROJECT / ".env").write_text("SECRET_KEY=left over\n", encoding="utf-8")
    (clone / PROJECT / "app" / "__pycache__").mkdir()
    (clone / PROJECT / "app" / "__pycache__" / "left-over.pyc").touch()
    # The cache of packages is the one thing of this machine that is shared, to spare the network.
    cache = subprocess.run(["uv", "cache", "dir"], check=True, capture_output=True, text=True).stdout.strip()
    env = {"HOME": str(home), "XDG_CACHE_HOME": str(home), "UV_CACHE_DIR": cache}
    person = {"email": "ada@example.com", "username": "ada", "password": "correct horse battery"}

    with served(clone, "demo", **env) as api:
        assert api("GET", "/docs")[0] == 200
        assert api("POST", "/auth/register", person)[0] == 201
    assert f"http://127.0.0.1:{api.port}/docs" in api.output
    demo = clone / "build" / "fastapi-blog"
    assert "left over" not in (demo / ".env").read_text(encoding="utf-8")
    assert not (demo / "app" / "__pycache__" / "left-over.pyc").exists()
    assert [path.name for path in (clone / "build").iterdir()] == ["fastapi-blog"]

    with served(clone, "demo", **env) as api:
        login = {"username": "ada", "password": person["password"]}
        assert api("POST", "/auth/login", login, form=True)[0] == 200
    assert git("status", "--porcelain", cwd=clone) == ""
