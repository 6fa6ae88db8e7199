#!/usr/bin/env python3
"""Makes golden.safetensors, the PyTorch truth that test/unet_golden.test.ts compares with.

    make_golden.py            writes golden.safetensors beside this script
    make_golden.py --search   prints, per seed, the distance from the nearest kink (see README.md)

Everything is computed in float64 from float32 weights and inputs and stored as float32.  The same
run in float32 gives the deviations in the metadata.  Needs PyTorch and numpy (made with 1.13).
"""
import argparse
import copy
import json
import os

import numpy as np
import torch
from torch.nn import functional as F

from unet3d import UNet3d, dice_per_patch

HERE = os.path.dirname(os.path.abspath(__file__))
LEARNING_RATE, MU = 1e-3, 0.99
SAMPLE_ABOVE, SAMPLE_EVERY = 7000, 31
SETS = {
    "main": dict(
        seed=11, filters=(16, 32, 64), align_corners=True, shape=(3, 16, 16, 16), steps=10
    ),
    "half_pixel": dict(
        seed=2, filters=(8, 16, 32), align_corners=False, shape=(2, 8, 12, 16), steps=0
    ),
}


def make_model(config):
    """A float32 module; the affine parameters of the norms are drawn too, so that they count."""
    torch.manual_seed(config["seed"])
    model = UNet3d(2, config["filters"], 8, config["align_corners"])
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "norm" in name:
                p.copy_((1.0 if name.endswith("weight") else 0.0) + 0.2 * torch.randn(p.shape))
    return model


def make_batch(config):
    """x (N, 2, D, H, W) float32, y (N, 1, D, H, W) 0/1: one blob, two, ..., the last empty."""
    n, *size = config["shape"]
    rng = np.random.default_rng(config["seed"])
    axes = np.meshgrid(*[np.arange(length) for length in size], indexing="ij")
    x = rng.standard_normal((n, 2, *size))
    y = np.zeros((n, 1, *size))
    for patch in range(n - 1):
        for _ in range(patch + 1):
            centre = [rng.uniform(0.25, 0.75) * length for length in size]
            radii = rng.uniform(1.5, 3.5, 3)
            distance = sum(((a - c) / r) ** 2 for a, c, r in zip(axes, centre, radii))
            y[patch, 0][distance < 1] = 1
    x[:, 1] += 1.5 * y[:, 0]
    return torch.from_numpy(x).float(), torch.from_numpy(y).float()


def kink_distance(model, x):
    """How far the inputs of ReLU are from 0, and pooled maxima from the runner-up, at the least."""
    nearest = []

    def after_norm(_module, _inputs, z):
        nearest.append(z.abs().min().item())

    def after_pool(_module, inputs, _y):
        windows = inputs[0]
        for dim in (2, 3, 4):
            windows = windows.unfold(dim, 2, 2)
        best, second = windows.flatten(5).topk(2, dim=5)[0].unbind(5)
        nearest.append((best - second)[best > 0].min().item())

    for name, module in model.named_modules():
        if "norm" in name:
            module.register_forward_hook(after_norm)
    model.pool.register_forward_hook(after_pool)
    with torch.no_grad():
        model(x)
    return min(nearest)


def train(model, x, y, steps):
    """Forward, backward and `steps` steps of Adam with EMA: {name: float64 array}."""
    out = {}
    optimiser = torch.optim.Adam(model.parameters(), LEARNING_RATE, betas=(0.9, 0.999), eps=1e-8)
    average = {name: p.detach().clone() for name, p in model.named_parameters()}
    losses = []
    for t in range(steps + 1):
        optimiser.zero_grad()
        logits = model(x)
        per_patch = dice_per_patch(logits, y)
        loss = per_patch.mean()
        loss.backward()
        losses.append(loss.item())
        if t == 0:
            out["logits"], out["loss_per_patch"] = logits, per_patch
            for name, p in model.named_parameters():
                out[f"gradients/{name}"] = p.grad.clone()
        if t == steps:
            break
        optimiser.step()
        mu = min(MU, (1 + t) / (10 + t))
        for name, p in model.named_parameters():
            average[name].mul_(mu).add_(p.detach(), alpha=1 - mu)
    out["losses"] = torch.tensor(losses, dtype=torch.float64)
    if steps > 0:
        for name, p in model.named_parameters():
            out[f"student/{name}"], out[f"momentum/{name}"] = p, average[name]
    return {name: value.detach().double().numpy() for name, value in out.items()}


def deviations(truth, single):
    """Of the float32 run from the float64 one, per tensor: max |d|, max |truth|."""
    table = {}
    for name, value in truth.items():
        numbers = np.abs(single[name] - value).max(), np.abs(value).max()
        table[name] = [float(f"{number:.3g}") for number in numbers]
    return table


def shortened(name, value):
    """What is stored of one result: after the ten steps large tensors are thinned and summed."""
    if name in ("losses", "loss_per_patch"):
        return {name: value}
    if not name.startswith(("student/", "momentum/")):
        return {name: value.astype("<f4")}
    out = {f"{name}/sums": np.array([value.sum(), np.square(value).sum()])}
    if value.size > SAMPLE_ABOVE:
        return {**out, f"{name}/sample": value.ravel()[::SAMPLE_EVERY].astype("<f4")}
    return {**out, name: value.astype("<f4")}


def make_set(config):
    """({name: array} as stored, description for the metadata) of one configuration."""
    model = make_model(config)
    x, y = make_batch(config)
    count = sum(p.numel() for p in model.parameters())
    if tuple(config["filters"]) == (16, 32, 64):
        assert count == 354_353, count
    tensors = {f"weights/{name}": p.detach().numpy() for name, p in model.named_parameters()}
    tensors["x"], tensors["y"] = x.numpy(), y.numpy().astype("u1")
    kink = kink_distance(copy.deepcopy(model).double(), x.double())
    single = train(copy.deepcopy(model), x, y, config["steps"])
    truth = train(copy.deepcopy(model).double(), x.double(), y.double(), config["steps"])
    for name, value in truth.items():
        tensors.update(shortened(name, value))
    about = dict(config, in_channels=2, groups=8, parameters=count, epsilon=1e-5)
    about.update(learning_rate=LEARNING_RATE, betas=[0.9, 0.999], adam_epsilon=1e-8, mu=MU)
    about.update(sample_every=SAMPLE_EVERY, kink_distance=kink)
    return tensors, about, deviations(truth, single)


def write_safetensors(path, tensors, metadata):
    """Wide elements first, so that each tensor is aligned to its own element size."""
    header, offset, chunks = {"__metadata__": metadata}, 0, []
    types = {"<f8": "F64", "<f4": "F32", "|u1": "U8"}
    for name, array in sorted(tensors.items(), key=lambda item: -item[1].itemsize):
        data = array.tobytes()
        header[name] = dict(dtype=types[array.dtype.str], shape=array.shape)
        header[name]["data_offsets"] = [offset, offset + len(data)]
        offset += len(data)
        chunks.append(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text + b"".join(chunks))


def search():
    for name, config in SETS.items():
        for seed in range(60):
            tried = dict(config, seed=seed)
            kink = kink_distance(make_model(tried).double(), make_batch(tried)[0].double())
            print(f"{name} seed {seed}: {kink:.2e}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--search", action="store_true", help="look for a seed far from kinks")
    if parser.parse_args().search:
        return search()
    torch.set_num_threads(1)  # the same bytes on every run
    tensors, metadata = {}, {"format": "voxgrad-golden-1", "torch": torch.__version__}
    for name, config in SETS.items():
        results, about, deviation = make_set(config)
        tensors.update({f"{name}/{key}": value for key, value in results.items()})
        metadata[name] = json.dumps(about)
        metadata[f"{name}/float32_deviation"] = json.dumps(deviation)
    path = os.path.join(HERE, "golden.safetensors")
    write_safetensors(path, tensors, metadata)
    print(f"{path}: {os.path.getsize(path)} bytes, {len(tensors)} tensors")


if __name__ == "__main__":
    main()
