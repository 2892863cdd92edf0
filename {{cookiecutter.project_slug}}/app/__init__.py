"""The application: what runs in production. Nothing in here imports tools/ or tests/."""
