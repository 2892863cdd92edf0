"""The endpoints. Each module has a `router`; `app.main` finds it."""
