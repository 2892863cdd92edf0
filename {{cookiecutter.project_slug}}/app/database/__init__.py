"""How the application talks to PostgreSQL: a `UnitOfWork` to write, a `Reader` to read, both from a `Database`."""
