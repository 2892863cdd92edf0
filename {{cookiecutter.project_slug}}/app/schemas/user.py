from datetime import datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, EmailStr, Field, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from app.schemas.base import NOT_SENT, Input, Output, Patch


def _is_an_address_alone(value: object) -> object:
    if isinstance(value, str) and "<" in value:  # `Ada <ada@example.com>`, of which EmailStr would take the address
        raise ValueError("must be an address without a name")
    return value


Email = Annotated[EmailStr, BeforeValidator(_is_an_address_alone), Field(max_length=255)]

# No "@": a user name can never be mistaken for somebody's e-mail at the login, which takes either.
Username = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

# Length is what counts (NIST SP 800-63B): no rules of composition, and the upper bound only
# keeps the work of hashing in check. `app.services.passwords` refuses the common ones.
Password = Annotated[str, Field(min_length=8, max_length=128)]


class UserCreate(Input):
    """What it takes to register."""

    email: Email
    username: Username
    password: Password


class UserUpdate(Patch):
    """What somebody may change of his account. A new e-mail takes the current password."""

    username: Username = NOT_SENT
    email: Email = NOT_SENT
    current_password: str = NOT_SENT

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        described = handler(schema)
        handler.resolve_ref_schema(described)["dependentRequired"] = {"email": ["current_password"]}
        return described


class UserRead(Output):
    """What an account shows to its owner."""

    id: int
    email: str
    email_verified: bool
    username: str
    is_superuser: bool
    active_workspace_id: int | None
    created_at: datetime
    updated_at: datetime

    @model_validator(mode="before")
    @classmethod
    def _read_model(cls, user: Any) -> Any:
        """Whether the address is verified is shown, not since when."""
        if not hasattr(user, "email_verified_at"):
            return user
        shown = {name: getattr(user, name) for name in cls.model_fields if name != "email_verified"}
        return shown | {"email_verified": user.email_verified_at is not None}
