"""The error that a user caused and can mend: what was wrong, where, and what to do. The doors print it without a traceback."""


class UserError(Exception):
    """Its text is shown to the user as it is."""
