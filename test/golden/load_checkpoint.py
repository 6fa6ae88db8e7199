#!/usr/bin/env python3
"""Loads a weights file of voxgrad into the plain torch.nn.Module of unet3d.py with strict=True.

    load_checkpoint.py WEIGHTS.safetensors [--compare FILE.safetensors]

FILE holds `x` (N, C, D, H, W) and voxgrad's `logits` for it; they are compared with PyTorch's.
Prints OK and exits 0 if all fits.  Needs PyTorch and numpy, and nothing of voxgrad.
"""
import argparse
import json
import sys

import numpy as np
import torch

from unet3d import UNet3d

# All that UNet3d is built from; `recompute` changes nothing that a network computes.
FIELDS = {"inChannels", "filters", "groups", "epsilon", "alignCorners", "recompute"}
DTYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U32": "<u4", "U8": "u1"}


def read_safetensors(path):
    """({name: array}, metadata) of a safetensors file."""
    with open(path, "rb") as file:
        data = file.read()
    start = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        array = np.frombuffer(data[start + begin : start + end], DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"])
    return tensors, metadata


def load(path):
    """The module with the weights of `path`, built as the file's metadata say."""
    tensors, metadata = read_safetensors(path)
    if "model" not in metadata:
        sys.exit(f"FAILED: {path} names no model in its metadata; is it a weights file of voxgrad?")
    unet = json.loads(metadata["model"])["unet"]
    unknown = sorted(set(unet) - FIELDS)
    if unknown:
        sys.exit(
            f"FAILED: {path}: its network has {', '.join(unknown)}, which unet3d.py does not know;"
            " use the load_checkpoint.py and unet3d.py of the version that wrote it"
        )
    print(f"{path}: {unet}")
    model = UNet3d(
        unet["inChannels"], unet["filters"], unet["groups"], unet["alignCorners"], unet["epsilon"]
    )
    state = {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
    model.load_state_dict(state, strict=True)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights")
    parser.add_argument("--compare", metavar="FILE", help="holds x and voxgrad's logits for it")
    parser.add_argument("--tolerance", type=float, default=1e-4, help="of the logits, absolute")
    args = parser.parse_args()

    model = load(args.weights)
    print(f"{args.weights}: {sum(p.numel() for p in model.parameters())} parameters, strict=True")
    if args.compare:
        tensors, _ = read_safetensors(args.compare)
        with torch.no_grad():
            logits = model(torch.from_numpy(tensors["x"].copy()).float()).numpy()
        if logits.shape != tensors["logits"].shape:
            sys.exit(f"FAILED: logits are {tensors['logits'].shape}, PyTorch's {logits.shape}")
        deviation = float(np.abs(logits - tensors["logits"]).max())
        print(f"{args.compare}: logits deviate by at most {deviation:.3g}")
        if not deviation <= args.tolerance:
            sys.exit(f"FAILED: logits may deviate by {args.tolerance:g}")
    print("OK")


if __name__ == "__main__":
    main()
