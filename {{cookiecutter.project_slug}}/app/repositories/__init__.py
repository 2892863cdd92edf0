"""How rows are found and kept: `base` for every model, and a module for each model with queries worth a name."""
