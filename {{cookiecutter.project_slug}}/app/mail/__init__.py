"""Mails: `messages` writes them, `transports` hands them over. Neither knows the database or the web."""
