#!/usr/bin/env python3
"""Checks the SHA-256 that a weights file of voxgrad holds of its own contents.

    checksum.py FILE.safetensors ...

It is the SHA-256 of a line of JSON (metadata without the checksum as [key, value], tensors as [name, type,
shape], both by name) and of the tensors' bytes in that order.  Prints OK and exits 0 if every file holds
the right one.  Needs nothing but Python.
"""
import hashlib
import json
import sys


def checksum(path):
    """(the SHA-256 that the file holds or None, the one of its contents)."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    stored = metadata.pop("sha256", None)
    tensors = sorted(header.items())
    about = [sorted(metadata.items()), [[n, t["dtype"], t["shape"]] for n, t in tensors]]
    line = json.dumps(about, ensure_ascii=False, separators=(",", ":")) + "\n"
    digest = hashlib.sha256(line.encode())
    for _, tensor in tensors:
        begin, end = tensor["data_offsets"]
        digest.update(data[start + begin : start + end])
    return stored, digest.hexdigest()


for path in sys.argv[1:]:
    stored, computed = checksum(path)
    if stored != computed:
        sys.exit(f"FAILED: {path} holds {stored}, its contents have {computed}")
print("OK")
