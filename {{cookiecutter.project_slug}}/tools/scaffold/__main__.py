"""`python -m tools.scaffold entity Product 'name:str:120'`, `python -m tools.scaffold entities shop.yaml`."""

import argparse
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from alembic.util import CommandError

from app.config import ROOT, get_settings
from tools.embedded_postgres import EmbeddedPostgresError, serving
from tools.scaffold import grammar
from tools.scaffold.entity import Entity
from tools.scaffold.existing import existing
from tools.scaffold.formatting import formatted, refuse_faults
from tools.scaffold.grammar import Refused, Spec
from tools.scaffold.migration import refuse_unfinished, write_migration
from tools.scaffold.model import model_source
from tools.scaffold.rehearsal import rehearse
from tools.scaffold.resolution import resolve
from tools.scaffold.rules import check
from tools.scaffold.taken import refuse_what_is_taken
from tools.scaffold.tests import test_source


class Unfinished(Exception):
    """A step has failed after others had written something. The message says what, and how to go on."""


def main(arguments: Sequence[str]) -> None:
    """Exits with a sentence when it cannot."""
    try:
        specs = _asked(arguments)
        check(specs)
        with serving(_development()):
            _make(specs)
    except Refused as error:
        sys.exit(f"{error}. Nothing was written.")
    except (EmbeddedPostgresError, CommandError, OSError) as error:
        sys.exit(f"{_one_line(error)}. Nothing was written.")
    except Unfinished as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted; nothing was written.")


def _asked(arguments: Sequence[str]) -> list[Spec]:
    parser = argparse.ArgumentParser(prog="python -m tools.scaffold", description=grammar.__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    kinds = parser.add_subparsers(required=True)
    one = kinds.add_parser("entity", help="one entity")
    one.add_argument("name")
    one.add_argument("fields")
    many = kinds.add_parser("entities", help="those of a file")
    many.add_argument("file", type=Path)
    asked = parser.parse_args(arguments)
    return grammar.entities(asked.file) if "file" in asked else [grammar.entity(asked.name, asked.fields)]


def _development() -> str:
    settings = get_settings()
    if settings.environment != "development":
        raise Refused("ENVIRONMENT is not development: entities are made there, and arrive here by a deployment")
    return settings.dsn


def _make(specs: list[Spec]) -> None:
    there = existing()
    entities = resolve(specs, there)
    files = dict(_files(entities))
    for path, source in files.items():
        refuse_faults(path, source)
    written = {path for path, source in files.items() if _is(path, source)}
    new = [one for one in entities if _model(one) not in written]
    refuse_what_is_taken(new, there)
    for path in files.keys() - written:
        if path.exists():
            raise Refused(f"{path.relative_to(ROOT)} is there already, and would be something else")
    if not written:  # what an interrupted run has left to do is no reason to refuse
        rehearse({path.name: source for path, source in files.items() if path.parent.name == "models"})
        _refuse_old_contract()
        refuse_unfinished()
    _write({path: source for path, source in files.items() if path not in written})
    _finish(entities, [str(path.relative_to(ROOT)) for path in files])


def _files(entities: Sequence[Entity]) -> Iterator[tuple[Path, str]]:
    for one in entities:
        yield _model(one), formatted(_model(one), model_source(one))
        test = ROOT / "tests" / "routers" / f"test_{one.table}.py"
        yield test, formatted(test, test_source(one))


def _model(entity: Entity) -> Path:
    return ROOT / "app" / "models" / f"{entity.one}.py"


def _is(path: Path, source: str) -> bool:
    return path.exists() and path.read_text(encoding="utf-8") == source


def _refuse_old_contract() -> None:
    from app import contract  # noqa: PLC0415  # it loads the application, which a refusal need not wait for
    from app.main import app  # noqa: PLC0415

    if old := contract.not_current(app, ROOT):
        raise Refused(
            f"{', '.join(old)} would be written anew, but is not what the application serves: `make generate`"
        )


def _write(files: dict[Path, str]) -> None:
    done: list[Path] = []
    try:
        for path, source in files.items():
            with path.open("x", encoding="utf-8", newline="\n") as file:
                done.append(path)
                file.write(source)
    except BaseException as error:
        for path in done:  # half of it would be in the way of the next run
            path.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise Refused(f"The files cannot be written: {error}") from error
        raise


def _finish(entities: Sequence[Entity], files: list[str]) -> None:
    """The migration, the database, the contract: each only if it is not done yet."""
    try:
        if migration := write_migration(entities):
            files.append(str(migration))
        for command in ("migrate", "generate"):
            subprocess.run(
                [sys.executable, "-m", "app", command], cwd=ROOT, check=True, capture_output=True, encoding="utf-8"
            )
    except (Exception, KeyboardInterrupt) as error:  # whatever it is, what was written stays
        reason = "interrupted" if isinstance(error, KeyboardInterrupt) else _one_line(error)
        raise Unfinished(f"{reason}. Written: {', '.join(files)}. The same command again finishes it") from error
    print("\n".join([*files, "openapi.yaml", "ir.json"]))
    print(f"Served: {', '.join(one.path for one in entities)}. The database has the tables.")


def _one_line(error: BaseException) -> str:
    said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
    lines = [line.strip() for line in said.splitlines() if line.strip()] or [type(error).__name__]
    return (lines[-1] if isinstance(error, subprocess.CalledProcessError) else lines[0]).rstrip(".")


if __name__ == "__main__":
    main(sys.argv[1:])
