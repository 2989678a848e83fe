"""The one error that people who start the local stack get to see."""


class StackError(Exception):
    """The local stack can't do what was asked; the message is one line that says why."""
