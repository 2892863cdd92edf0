"""What goes in and what comes out, as Pydantic models: a family of `…Create`, `…Update`, `…Read` for each resource."""
