"""From runtime to explicit code: what a model declares, written down as somebody would have written it by hand."""
