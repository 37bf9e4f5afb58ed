"""The ABI's map: a count, then pairs of sizes, then names and values, each ended by a zero byte;
all numbers little-endian. Fields are pairs of bytes."""

import struct


def encode(fields):
    head = [struct.pack("<I", len(fields))]
    body = []
    for name, value in fields:
        head.append(struct.pack("<II", len(name), len(value)))
        body.append(name + b"\0" + value + b"\0")
    return b"".join(head + body)


def decode(data):
    if not data:
        return []
    (count,) = struct.unpack_from("<I", data)
    sizes = struct.unpack_from(f"<{2 * count}I", data, 4)
    at = 4 + 8 * count
    fields = []
    for name_size, value_size in zip(sizes[::2], sizes[1::2], strict=True):
        name = data[at : at + name_size]
        at += name_size + 1
        fields.append((name, data[at : at + value_size]))
        at += value_size + 1
    return fields
