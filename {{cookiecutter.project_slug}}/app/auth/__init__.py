"""Who is calling: passwords, tokens, and the dependencies that ask for them."""
