"""The endpoints. Each module has a `router`; `app.application` finds it."""
