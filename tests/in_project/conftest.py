"""Run by a project's own interpreter, in the project's directory: tests/test_project.py starts them."""

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import AWKWARD, Project, ask, cleaned_up, new_project

# Where tests run in the background SIGINT is ignored, and what they start would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def made() -> Iterator[Project]:
    # Not under tmp_path: for root, every pytest that starts closes what all its tmp_paths are in, while `nobody` is in.
    with (
        tempfile.TemporaryDirectory(prefix="embedded-") as base,
        cleaned_up(new_project(Path(base).resolve() / AWKWARD)) as project,
    ):
        with project.serving():
            ask(project.url, "CREATE TABLE note AS SELECT 'kept' AS text")
        yield project


@pytest.fixture
def project(made: Project) -> Iterator[Project]:
    """A project whose cluster exists and does not run."""
    with cleaned_up(made):
        yield made
        assert not made.listens()


@pytest.fixture
def fresh() -> Iterator[Project]:
    """A project that has no cluster yet."""
    with (
        tempfile.TemporaryDirectory(prefix="embedded-") as base,
        cleaned_up(new_project(Path(base).resolve() / "fresh")) as project,
    ):
        yield project
