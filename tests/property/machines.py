"""How much the property tests do."""

from hypothesis import settings

_USUAL = 100  # hypothesis' own number, which the default profile leaves alone


def effort(examples: int, steps: int = 50) -> settings:
    """Return settings of a test or a machine.

    Args:
        examples: in the default profile; the others do that many times more.
        steps: rules per example, for a machine.
    """
    share = settings.default.max_examples / _USUAL
    return settings(max_examples=round(examples * share), stateful_step_count=steps)
