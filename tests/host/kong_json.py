"""A filter's configuration as Kong hands it over: read, and written again by its own JSON library."""

import json


def rewritten(text):
    """The bytes that reach the filter. What is no JSON object reaches it as it was written."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    if not isinstance(value, dict):
        return text
    return _written(value).encode()


def _written(value):
    if value == [] or value == {}:
        return "{}"
    if isinstance(value, dict):
        # In no order that anybody wrote.
        members = sorted(value.items(), key=lambda member: hash_of(member[0]))
        return "{" + ",".join(f"{_written(name)}:{_written(member)}" for name, member in members) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("/", "\\/")
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    # Numbers are doubles of sixteen digits.
    return f"{value:.16g}"


def hash_of(name):
    """Some order, the same in every run."""
    return sum(byte * 31**index for index, byte in enumerate(name.encode())) % 1009
