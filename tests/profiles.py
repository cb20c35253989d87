"""Display P3 as an ICC profile: what telephones write, made here from its published numbers."""

import struct

# Its primaries and white as they stand in profiles: XYZ under D50. The curve is close to sRGB's.
PRIMARIES = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
    b"wtpt": (0.96420, 1.0, 0.82491),
}
GAMMA = 2.2


def display_p3() -> bytes:
    """A matrix profile, ICC version 2."""
    tags = {
        name: b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in xyz))
        for name, xyz in PRIMARIES.items()
    }
    curve = b"curv" + bytes(4) + struct.pack(">IH", 1, round(GAMMA * 256)) + bytes(2)
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    text = b"P3 for tests\0"
    tags[b"desc"] = b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(79)
    tags[b"cprt"] = b"text" + bytes(4) + b"public domain\0"
    start = 128 + 4 + 12 * len(tags)
    table, data = b"", b""
    for name, content in tags.items():
        table += name + struct.pack(">II", start + len(data), len(content))
        data += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", start + len(data), bytes(4), 0x02100000, b"mntr", b"RGB ", b"XYZ "
    )
    header += struct.pack(">6H4s4s", 2024, 1, 1, 0, 0, 0, b"acsp", bytes(4))
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(tags)) + table + data
