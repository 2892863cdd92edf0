"""The textbook pattern: FastAPI, Pydantic and SQLAlchemy as their tutorials put them together.

ORM entities, `response_model`, a session for each request by a dependency that yields, the user behind the token by
another one. On the project's own tables, and run by its Python: `uvicorn textbook:app`.
"""

import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Response, status
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jose import JWTError, jwt
from passlib.context import CryptContext
from pydantic import BaseModel, ConfigDict
from sqlalchemy import BigInteger, DateTime, ForeignKey, Select, String, Text, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

SECRET_KEY = os.environ["SECRET_KEY"]
ALGORITHM = "HS256"
ACCESS_TOKEN_EXPIRE_MINUTES = 30
DATABASE_URL = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+asyncpg://", 1)

# As many connections as the others have; the default (5, and 10 more that are closed after each use) would cost more.
engine = create_async_engine(DATABASE_URL, pool_size=15, max_overflow=0)
SessionLocal = async_sessionmaker(engine, expire_on_commit=False)
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="auth/login")
pwd_context = CryptContext(
    ["argon2"], argon2__type="ID", argon2__memory_cost=19 * 1024, argon2__time_cost=2, argon2__parallelism=1
)


# ------------------------------------------------------------------------------------------------------------- models


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    email: Mapped[str] = mapped_column(String(255))
    username: Mapped[str] = mapped_column(String(50))
    hashed_password: Mapped[str] = mapped_column(String(255))
    active_workspace_id: Mapped[int | None] = mapped_column(BigInteger)

    articles: Mapped[list["Article"]] = relationship(back_populates="author")


class Article(Base):
    __tablename__ = "articles"

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    workspace_id: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now()
    )

    author: Mapped[User] = relationship(back_populates="articles")


# ------------------------------------------------------------------------------------------------------------ schemas


class ArticleCreate(BaseModel):
    title: str
    content: str
    published: bool = False


class ArticleUpdate(BaseModel):
    title: str | None = None
    content: str | None = None
    published: bool | None = None


class AuthorRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    username: str


class ArticleRead(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: int
    title: str
    content: str
    published: bool
    author_id: int
    created_at: datetime
    updated_at: datetime


class ArticleWithAuthor(ArticleRead):
    author: AuthorRead


class Token(BaseModel):
    access_token: str
    token_type: str


# ------------------------------------------------------------------------------------------------------- dependencies


async def get_db() -> AsyncIterator[AsyncSession]:
    async with SessionLocal() as session:
        yield session


SessionDep = Annotated[AsyncSession, Depends(get_db)]


async def get_current_user(token: Annotated[str, Depends(oauth2_scheme)], db: SessionDep) -> User:
    credentials_exception = HTTPException(
        status_code=status.HTTP_401_UNAUTHORIZED,
        detail="Could not validate credentials",
        headers={"WWW-Authenticate": "Bearer"},
    )
    try:
        user_id = int(jwt.decode(token, SECRET_KEY, algorithms=[ALGORITHM])["sub"])
    except (JWTError, KeyError, ValueError) as error:
        raise credentials_exception from error
    user = (await db.execute(select(User).where(User.id == user_id))).scalar_one_or_none()
    if user is None:
        raise credentials_exception
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


# ------------------------------------------------------------------------------------------------------------- routes

app = FastAPI()


def visible_to(user: User) -> Select[Article]:
    return select(Article).where(or_(Article.published, Article.workspace_id == user.active_workspace_id))


@app.post("/auth/login")
async def login(form: Annotated[OAuth2PasswordRequestForm, Depends()], db: SessionDep) -> Token:
    statement = select(User).where(func.lower(User.username) == form.username.lower())
    user = (await db.execute(statement)).scalar_one_or_none()
    if user is None or not pwd_context.verify(form.password, user.hashed_password):
        raise HTTPException(status_code=status.HTTP_401_UNAUTHORIZED, detail="Incorrect username or password")
    expires = datetime.now(UTC) + timedelta(minutes=ACCESS_TOKEN_EXPIRE_MINUTES)
    token = jwt.encode({"sub": str(user.id), "exp": expires}, SECRET_KEY, algorithm=ALGORITHM)
    return Token(access_token=token, token_type="bearer")  # noqa: S106  # the kind of token


@app.get("/articles", response_model=list[ArticleRead])
async def list_articles(db: SessionDep, user: CurrentUser, offset: int = 0, limit: int = 25) -> list[Article]:
    statement = visible_to(user).order_by(Article.created_at.desc(), Article.id.desc()).offset(offset).limit(limit)
    return list((await db.execute(statement)).scalars().all())


@app.get("/articles/public", response_model=list[ArticleRead])
async def list_published(db: SessionDep, offset: int = 0, limit: int = 25) -> list[Article]:
    statement = select(Article).where(Article.published).order_by(Article.created_at.desc(), Article.id.desc())
    return list((await db.execute(statement.offset(offset).limit(limit))).scalars().all())


@app.get("/articles/with-author", response_model=list[ArticleWithAuthor])
async def list_with_author(db: SessionDep, user: CurrentUser, offset: int = 0, limit: int = 25) -> list[Article]:
    statement = visible_to(user).options(selectinload(Article.author))
    statement = statement.order_by(Article.created_at.desc(), Article.id.desc()).offset(offset).limit(limit)
    return list((await db.execute(statement)).scalars().all())


@app.get("/articles/found", response_model=list[ArticleRead])
async def find_articles(  # noqa: PLR0913  # so many parameters has the query
    db: SessionDep, user: CurrentUser, title: str, offset: int = 0, limit: int = 25, *, published: bool = True
) -> list[Article]:
    statement = visible_to(user).where(Article.published == published, Article.title.ilike(f"%{title}%"))
    statement = statement.order_by(Article.title.desc(), Article.id.desc()).offset(offset).limit(limit)
    return list((await db.execute(statement)).scalars().all())


@app.get("/articles/{article_id}", response_model=ArticleRead)
async def read_article(article_id: int, db: SessionDep, user: CurrentUser) -> Article:
    article = (await db.execute(visible_to(user).where(Article.id == article_id))).scalar_one_or_none()
    if article is None:
        raise HTTPException(status_code=404, detail="Article not found")
    return article


@app.post("/articles", response_model=ArticleRead, status_code=status.HTTP_201_CREATED)
async def create_article(data: ArticleCreate, db: SessionDep, user: CurrentUser) -> Article:
    article = Article(**data.model_dump(), author_id=user.id, workspace_id=user.active_workspace_id)
    db.add(article)
    await db.commit()
    await db.refresh(article)
    return article


@app.patch("/articles/{article_id}", response_model=ArticleRead)
async def update_article(article_id: int, data: ArticleUpdate, db: SessionDep, user: CurrentUser) -> Article:
    article = await db.get(Article, article_id)
    if article is None or article.workspace_id != user.active_workspace_id:
        raise HTTPException(status_code=404, detail="Article not found")
    for name, value in data.model_dump(exclude_unset=True).items():
        setattr(article, name, value)
    await db.commit()
    await db.refresh(article)
    return article


@app.get("/empty")
async def empty() -> Response:
    """What a route of FastAPI costs that does nothing: beside it stands the 304 of the project."""
    return Response(status_code=status.HTTP_304_NOT_MODIFIED)
