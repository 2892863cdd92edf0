from datetime import datetime
from typing import Annotated

from pydantic import EmailStr, Field

from app.schemas.base import Input, Output

# No "@": a user name can never be mistaken for somebody's e-mail at the login, which takes either.
Username = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

# Length is what counts (NIST SP 800-63B): no rules of composition, and the upper bound only
# keeps the work of hashing in check. `app.auth.passwords` refuses the common ones.
Password = Annotated[str, Field(min_length=8, max_length=128)]


class UserCreate(Input):
    """What it takes to register."""

    email: Annotated[EmailStr, Field(max_length=255)]
    username: Username
    password: Password


class UserRead(Output):
    """What an account shows to its owner."""

    id: int
    email: str
    username: str
    created_at: datetime
    updated_at: datetime
