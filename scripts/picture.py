#!/usr/bin/env python3
"""Pictures without a dependency: PPM (P6, 8 bits, no comments) and the PNGs that this script writes.

picture.py png in.ppm out.png            writes a PNG
picture.py compare got.ppm expected.png  fails unless each byte is within 1: instruction sets round differently
"""

import struct
import sys
import zlib

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FILTER_UP = 2  # each row is stored as its difference to the one above


def read_ppm(path):
    """The rows, three bytes a pixel."""
    with open(path, "rb") as file:
        magic, width, height, depth = (file.readline() + file.readline() + file.readline()).split()
        if magic != b"P6" or depth != b"255":
            sys.exit(f"{path}: no binary PPM of 8 bits")
        return [file.read(3 * int(width)) for _ in range(int(height))]


def write_png(path, rows):
    above, filtered = bytes(len(rows[0])), b""
    for row in rows:
        filtered += bytes([FILTER_UP]) + bytes((a - b) & 255 for a, b in zip(row, above))
        above = row
    header = struct.pack(">IIBBBBB", len(rows[0]) // 3, len(rows), 8, 2, 0, 0, 0)
    with open(path, "wb") as file:
        file.write(SIGNATURE)
        for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(filtered, 9)), (b"IEND", b"")):
            file.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


def read_png(path):
    """The rows of what write_png wrote."""
    with open(path, "rb") as file:
        data = file.read()
    header, body = len(SIGNATURE), len(SIGNATURE) + 25
    width, height = struct.unpack_from(">II", data, header + 8)
    (length,) = struct.unpack_from(">I", data, body)
    filtered = zlib.decompress(data[body + 8 : body + 8 + length])
    rows, above = [], bytes(3 * width)
    for y in range(height):
        line = filtered[y * (3 * width + 1) : (y + 1) * (3 * width + 1)]
        if line[0] != FILTER_UP:
            sys.exit(f"{path}: was not written by this script")
        above = bytes((a + b) & 255 for a, b in zip(line[1:], above))
        rows.append(above)
    return rows


def compare(got_path, expected_path):
    got, expected = b"".join(read_ppm(got_path)), b"".join(read_png(expected_path))
    if len(got) != len(expected):
        sys.exit(f"{got_path}: {len(got)} bytes of pixels, {expected_path} has {len(expected)}: WRONG")
    largest = max(abs(a - b) for a, b in zip(got, expected))
    verdict = f"{got_path}: differs from {expected_path} by {largest} at most: {'right' if largest <= 1 else 'WRONG'}"
    if largest > 1:
        sys.exit(verdict)
    print(verdict)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("png", "compare"):
        sys.exit(__doc__)
    if sys.argv[1] == "png":
        write_png(sys.argv[3], read_ppm(sys.argv[2]))
    else:
        compare(*sys.argv[2:])
