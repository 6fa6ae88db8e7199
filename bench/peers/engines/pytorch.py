#!/usr/bin/env python3
"""PyTorch as a peer of voxgrad: answers bench/peers/run.ts over stdin and stdout (protocol.ts).

On the processor, or on a GPU where PyTorch has CUDA.  Needs PyTorch (1.13 or newer) and numpy.
"""
import json
import os
import sys
import traceback

MARK = "@peer "
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "..", "test", "golden"))


def answer(value):
    sys.stdout.write(MARK + json.dumps(value) + "\n")
    sys.stdout.flush()


def main():
    try:
        import pytorch_works
    except ImportError as error:
        requests = (json.loads(line) for line in sys.stdin)
        for _ in requests:
            answer({"unavailable": f"{sys.executable}: {error}; apt-get install python3-torch"})
        return
    session = pytorch_works.Session()
    for line in sys.stdin:
        try:
            answer(session.handle(json.loads(line)))
        except Exception:
            answer({"error": traceback.format_exc()})


if __name__ == "__main__":
    main()
