"""Host calls that go wrong."""


class NthFault:
    """The nth host call after `after` is set, to n, goes wrong: it answers with a status, or traps."""

    def __init__(self, outcome):
        self.outcome = outcome
        self.after = None
        self.name = None

    def __call__(self, name):
        if self.after is None:
            return None
        self.after -= 1
        if self.after >= 0:
            return None
        self.after = None
        self.name = name
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


def failing(name, status):
    """One kind of host call goes wrong, always."""
    return lambda called: status if called == name else None
