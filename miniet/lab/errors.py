"""Why an experiment cannot be done."""

from miniet.errors import MinietError


class LabError(MinietError):
    """The experiment cannot be done as asked; one line says why."""
