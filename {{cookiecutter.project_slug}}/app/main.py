"""What a server serves: `app.main:app`."""

import gc

from app import discovery

# The imports too: what they make stays, and looking for garbage in it was a fifteenth of a start.
with discovery.assembling():
    from app.application import create_app
    from app.config import get_settings

    app = create_app(get_settings())

# Sixteen requests in hand are more objects than Python's 700: it looked for garbage at every tenth request for a list,
# never found any, and took 4 % of the CPU for it.
gc.set_threshold(10_000)

__all__ = ["app", "create_app"]
