"""Whether everything of a workspace that a statement reads is filtered, by its SQL.

SQLAlchemy adds criteria where it finds a model. It finds none in `select_from(join(…))`, `tablesample(…)`, or where a
model stands only in the `filter(…)` or `over(…)` of a function: such a statement would read the rows of everybody.
"""

import re
from collections import Counter
from functools import lru_cache
from typing import Final

from app.models.base import Declarative, WorkspaceScoped

_MOST_KNOWN: Final = 1_000
_NAME: Final = r'"[^"]+"|\w+'
# `FROM articles AS a`, `JOIN articles ON`, `FROM users, articles`: what follows a column's table is a dot.
_SOURCE: Final = re.compile(rf"(?:\bFROM|\bJOIN|,)[\s(]+({_NAME})(?:\s+AS\s+({_NAME}))?(?=[\s,)]|$)")
_FILTER: Final = re.compile(rf"({_NAME})\.workspace_id = \$\d")


@lru_cache(maxsize=_MOST_KNOWN)
def unfiltered(sql: str) -> frozenset[str]:
    """The tables of workspaces, by the names that they have in the SQL, which stand there more often than filtered."""
    tables = {
        mapper.local_table.description
        for mapper in Declarative.registry.mappers
        if issubclass(mapper.class_, WorkspaceScoped)
    }
    sources = Counter(alias or name for name, alias in _SOURCE.findall(sql) if name.strip('"') in tables)
    filters = Counter(_FILTER.findall(sql))
    # A name may stand for one table here and for another in a subquery: each of them is filtered by that name.
    return frozenset(name for name, count in sources.items() if count > filters[name])
