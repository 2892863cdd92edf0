"""What a server serves: `app.main:app`."""

from app import discovery

# The imports too: what they make stays, and looking for garbage in it was a fifteenth of a start.
with discovery.assembling():
    from app.application import create_app
    from app.config import get_settings

    app = create_app(get_settings())

__all__ = ["app", "create_app"]
