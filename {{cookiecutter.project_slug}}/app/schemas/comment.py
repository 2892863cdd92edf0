from app.schemas.base import Input


class CommentCreate(Input):
    content: str
