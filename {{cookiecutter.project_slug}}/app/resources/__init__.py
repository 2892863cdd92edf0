"""The runtime: models with a `__resource__` become an API when the application starts.

A model is compiled to a description (`description`, `compilation`); from it come schemas, queries, routes and OpenAPI.
"""
