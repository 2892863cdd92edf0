"""Tokens that mean nothing by themselves: random for whoever holds them, and a hash in the database."""

import hashlib
import secrets


def new_token() -> str:
    """256 random bits, in characters that fit into an address."""
    return secrets.token_urlsafe(32)


def digest(token: str) -> bytes:
    """What is stored: whoever reads the database cannot use it. Random text needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
