"""Ways to do a work in PyTorch, each of which is measured: compiled, layout, precision, parts."""
import itertools
import os

import torch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


class Setting:
    """One way to do a work, named like "compile, channels_last_3d, bf16"; float32 goes unsaid."""

    def __init__(self, compiled, layout, precision, chunk):
        self.compiled, self.layout, self.precision = compiled, layout, precision
        self.chunk = chunk
        words = ["compile" if compiled else "eager"]
        words += ["channels_last_3d"] if layout == torch.channels_last_3d else []
        words += [precision] if precision != "f32" else []
        self.name = ", ".join(words + ([f"chunks of {chunk}"] if chunk else []))

    def describe(self):
        """As the driver wants it: the works that this is a way of its own to do."""
        kinds = ["iteration"] if self.chunk else ["network", "iteration"]
        plain = not self.chunk and not self.compiled
        kinds += ["conv"] if plain else []
        return {"name": self.name, "reduced": self.precision != "f32", "kinds": kinds}

    def chunks(self, count):
        """Ranges of at most `chunk` patches."""
        size = self.chunk or count
        return [slice(i, min(i + size, count)) for i in range(0, count, size)]

    def activate(self):
        tf32 = self.precision == "tf32"
        torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = tf32
        torch.backends.cudnn.benchmark = True

    def autocast(self):
        return torch.autocast(DEVICE, dtype=torch.bfloat16, enabled=self.precision == "bf16")

    def place(self, t):
        """On the device, and in the layout if it is a batch or a convolution's weight."""
        return t.to(DEVICE, memory_format=self.layout) if t.dim() == 5 else t.to(DEVICE)

    def compile(self, function):
        return torch.compile(function) if self.compiled else function


def settings():
    compiled = [False, True] if hasattr(torch, "compile") else [False]
    layouts = [torch.contiguous_format, torch.channels_last_3d]
    precisions = ["f32", "tf32", "bf16"] if DEVICE == "cuda" else ["f32", "bf16"]
    # A large batch leaves the caches of a processor; in small parts the gradients are added up.
    chunks = [None] if DEVICE == "cuda" else [None, 4]
    product = itertools.product(compiled, layouts, precisions, chunks)
    return {setting.name: setting for setting in (Setting(*choice) for choice in product)}
