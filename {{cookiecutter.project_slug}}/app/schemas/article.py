from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from app.schemas.base import NOT_SENT, Input, Output, Patch

# White space around it is dropped, so a title needs something else: said in the contract too.
Title = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    Field(json_schema_extra={"pattern": r"^[^\x00]*[^\x00\s\x85][^\x00]*$"}),
]
Content = Annotated[str, Field(min_length=10)]


class ArticleCreate(Input):
    title: Title
    content: Content
    published: bool = False


class ArticleUpdate(Patch):
    title: Title = NOT_SENT
    content: Content = NOT_SENT
    published: bool = NOT_SENT


class ArticleRead(Output):
    id: int
    title: str
    content: str
    published: bool
    author_id: int
    created_at: datetime
    updated_at: datetime
