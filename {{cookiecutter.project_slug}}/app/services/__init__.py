"""The rules: who may, and what follows. No HTTP in here: a worker or a script uses a service like a request does."""
