"""What is done on the server, by `python -m app …`: `app.cli` says how it is asked for."""
