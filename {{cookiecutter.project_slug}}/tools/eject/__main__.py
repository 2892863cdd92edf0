"""`make eject entity=tag`: explicit code for a generated resource, with the same contract."""

import sys
from typing import Annotated

import typer

from app.main import app as application
from app.models.resource import snake
from app.resources.description import Entity
from app.resources.runtime import Runtime
from tools.eject.files import EjectError
from tools.eject.plan import Planner
from tools.eject.writing import Writing


def eject(
    entity: Annotated[str, typer.Argument(help="Which one, such as `tag`; or `all`")],
    yes: Annotated[bool, typer.Option("--yes", help="Change files that exist without asking")] = False,
) -> None:
    """Write router, schemas, tests, and a service where there is a rule. The contract stays as it is."""
    try:
        chosen = _chosen(application.state.runtime, entity)
        plan = Planner(application).plan(chosen)
        writing = Writing(application, plan)
        writing.refuse_edited()
        if writing.changed and not yes:
            _ask(writing)
        writing.carry_out()
    except EjectError as error:
        sys.exit(str(error))
    for path in plan.texts:
        typer.echo(f"  {'~' if path in writing.before else '+'} {path}")
    for line in plan.said:
        typer.echo(line)
    typer.echo(f"{', '.join(one.name for one in chosen)}: explicit now, and {writing.verdict}.")


def _chosen(runtime: Runtime, name: str) -> list[Entity]:
    """Raises `EjectError`."""
    entities = list(runtime.catalog.entities.values())
    generated = [entity for entity in entities if entity.routes]
    if name == "all" and generated:
        return generated
    wanted = name.lower().replace("-", "_")
    found = [one for one in entities if wanted in {one.name.lower(), snake(one.name), one.plural.lower()}]
    if found and found[0].routes:
        return found[:1]
    if found:
        raise EjectError(f"{found[0].name} is explicit already: its model says routes=False")
    choices = ", ".join([*(snake(one.name) for one in generated), "all"]) if generated else "nothing any more"
    raise EjectError(f"Nothing generated is called {name}. There is: {choices}")


def _ask(writing: Writing) -> None:
    listed = ", ".join(map(str, writing.changed))
    if not sys.stdin.isatty():
        raise EjectError(f"This adds to files that exist: {listed}. If it may: make eject entity=... yes=1")
    if not typer.confirm(f"This adds to files that exist: {listed}. Go on?"):
        raise EjectError("Nothing is changed")


cli = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
cli.command()(eject)
cli()
