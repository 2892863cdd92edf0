"""The quality gate: what can be wrong with a backend before it is deployed, measured there and then.

Nothing is believed that a file says of itself: the linters, the tests and the migrations run, and the application is
installed from its lock, started and called. `lines.py` lists what is measured and what each line is worth.
"""
