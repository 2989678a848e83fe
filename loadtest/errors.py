"""The one error that people who run this package get to see."""


class LoadTestError(Exception):
    """The run can't go on or must not begin; the message is one line that says why."""
