"""For development only: nothing here is imported by `app/` in production."""
