"""The tables, one file each. `app.discovery` finds them; nothing has to be listed."""
