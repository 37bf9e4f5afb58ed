"""What a refusal costs: the request that somebody who attacks can have as often as he likes."""

from tests.bench import cases, rounds, tokens

GATEWAYS = (cases.ROUTER, cases.OURS, cases.JWT_AUTHN, cases.JWT_AUTHN_CACHE)
COUNT = 500
KINDS = [("rs256", what) for what in tokens.WRONG] + [("es256", "bad signature")]


def label(kind, what):
    return f"{what}, {tokens.KINDS[kind]}" if what == "bad signature" else what


def measure(load, gateways, number, figures):
    """One round: each kind of refusal for the first time, and the same tokens once more."""
    chosen = [gateway for gateway in gateways if gateway.name in GATEWAYS]
    for kind, what in KINDS:
        how = tokens.WRONG[what]
        file = tokens.wrong(kind, how, f"refused-{number}", COUNT)
        for age in rounds.AGES:
            spent = rounds.passed(load, chosen, file, COUNT, 1, lambda gateway: status(gateway, how))
            for gateway in chosen:
                figures.add(gateway.name, label(kind, what), age, spent[gateway.name])


def status(gateway, how):
    if gateway.name == cases.ROUTER:
        return 200
    return 403 if how == "audience" and gateway.name not in cases.FILTER else 401
