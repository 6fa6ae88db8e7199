"""The works of bench/peers/works.ts in PyTorch, and the answers to the driver's requests."""
import copy
import itertools
import os
import time

import torch
from torch.nn import functional as F

from load_checkpoint import read_safetensors
from make_golden import write_safetensors
from unet3d import UNet3d, dice_per_patch

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
THREADS = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
PATCH = 32
LEARNING_RATE, EPSILON, MU = 1e-3, 1e-5, 0.999


class Setting:
    """One way to do a work: "compile, channels_last_3d, bf16"; "eager" and "f32" go unsaid."""

    def __init__(self, compiled, layout, precision):
        self.compiled, self.layout, self.precision = compiled, layout, precision
        words = ["compile" if compiled else "eager"]
        words += ["channels_last_3d"] if layout == torch.channels_last_3d else []
        self.name = ", ".join(words + ([precision] if precision != "f32" else []))

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
    product = itertools.product(compiled, layouts, precisions)
    return {setting.name: setting for setting in (Setting(*choice) for choice in product)}


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def model_of(inputs, setting):
    prefix = "weights/"
    model = UNet3d()
    state = {k[len(prefix) :]: v for k, v in inputs.items() if k.startswith(prefix)}
    model.load_state_dict(state, strict=True)
    return model.to(DEVICE, memory_format=setting.layout)


class Convolution:
    def __init__(self, work, inputs, setting):
        x, w = (setting.place(inputs[name]) for name in "xw")
        self.x, self.w, self.backward = x, w, work["backward"]
        if self.backward:
            self.dy = setting.place(inputs["dy"])
            x.requires_grad_()
            w.requires_grad_()
        self.function = setting.compile(lambda x, w: F.conv3d(x, w, padding=1))
        self.setting = setting

    def run(self):
        with self.setting.autocast(), torch.set_grad_enabled(self.backward):
            y = self.function(self.x, self.w)
        if not self.backward:
            return {"y": y}
        dx, dw = torch.autograd.grad(y, [self.x, self.w], self.dy.to(y.dtype))
        return {"y": y, "dx": dx, "dw": dw}

    def results(self):
        return self.run()


class Forward:
    def __init__(self, work, inputs, setting):
        self.setting, self.x = setting, setting.place(inputs["x"])
        self.function = setting.compile(model_of(inputs, setting))

    def run(self):
        with torch.no_grad(), self.setting.autocast():
            return {"logits": self.function(self.x)}

    def results(self):
        return self.run()


class Training:
    """Forward, Dice loss, backward, Adam."""

    def __init__(self, inputs, setting):
        self.setting = setting
        self.model = model_of(inputs, setting)
        self.function = setting.compile(self.model)
        fused = {"fused": True} if DEVICE == "cuda" and hasattr(torch, "compile") else {}
        self.optimiser = torch.optim.Adam(self.model.parameters(), LEARNING_RATE, eps=1e-8, **fused)

    def train(self, x, y):
        """Loss of each patch."""
        self.optimiser.zero_grad(set_to_none=True)
        with self.setting.autocast():
            logits = self.function(x)
        loss = dice_per_patch(logits.float(), y, EPSILON)
        loss.mean().backward()
        self.optimiser.step()
        return loss.detach()

    def memory(self, run):
        """Bytes of one `run`: what lives beside the saved tensors, and what the device saw."""
        saved = {}

        def keep(t):
            storage = t.storage()
            saved[storage.data_ptr()] = storage.nbytes()
            return t

        if DEVICE == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            run()
            synchronize()
            return {"max_memory_allocated": torch.cuda.max_memory_allocated()}
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
            run()
        own = {p.data_ptr() for p in self.model.parameters()}
        parameters = sum(p.numel() * p.element_size() for p in self.model.parameters())
        adam = [t for state in self.optimiser.state.values() for t in state.values()]
        return {
            "saved": sum(n for pointer, n in saved.items() if pointer not in own),
            "parameters": parameters,
            "gradients": parameters,
            "adam": sum(t.numel() * t.element_size() for t in adam if torch.is_tensor(t)),
        }


class Step(Training):
    def __init__(self, work, inputs, setting):
        super().__init__(inputs, setting)
        self.x, self.y = setting.place(inputs["x"]), setting.place(inputs["y"])

    def run(self):
        return self.train(self.x, self.y)

    def results(self):
        out = {"loss1": self.run()}
        for name, p in self.model.named_parameters():
            out[f"gradient/{name}"] = p.grad.clone()
        out["loss2"] = self.run()
        return out

    def memory(self):
        return super().memory(self.run)


class Iteration(Training):
    """Algorithm 1: patches cut from a volume, ranked under the momentum network, top B trained."""

    def __init__(self, work, inputs, setting):
        super().__init__(inputs, setting)
        self.batch, self.t = work["batch"], 0
        self.momentum = copy.deepcopy(self.model).requires_grad_(False)
        self.rank = setting.compile(self.momentum)
        self.volumes = torch.stack([inputs[k] for k in ("visit1", "visit2", "label")]).to(DEVICE)
        self.coords = inputs["coords"].tolist()

    def cut(self, rows):
        size = PATCH
        patches = torch.stack(
            [self.volumes[:, z : z + size, y : y + size, x : x + size] for _, z, y, x in rows]
        )
        return self.setting.place(patches[:, :2]), patches[:, 2:]

    def run(self):
        x, y = self.cut(self.coords[self.t % len(self.coords)])
        with torch.no_grad(), self.setting.autocast():
            logits = self.rank(x)
        errors = dice_per_patch(logits.float(), y, EPSILON)
        hardest = errors.topk(self.batch).indices
        loss = self.train(self.setting.place(x[hardest]), y[hardest])
        mu = min(MU, (1 + self.t) / (10 + self.t))
        average, student = list(self.momentum.parameters()), list(self.model.parameters())
        with torch.no_grad():
            torch._foreach_mul_(average, mu)
            torch._foreach_add_(average, student, alpha=1 - mu)
        self.t += 1
        return loss.mean(), errors.mean()

    def results(self):
        pairs = [self.run(), self.run()]
        loss, errors = (torch.stack(list(values)) for values in zip(*pairs))
        return {"loss": loss, "pool_error": errors}

    def memory(self):
        use = super().memory(self.run)
        return use if DEVICE == "cuda" else {**use, "momentum": use["parameters"]}


WORKS = {"conv": Convolution, "iteration": Iteration}


def job_of(work, inputs, setting):
    network = Step if work.get("training") else Forward
    return WORKS.get(work["kind"], network)(work, inputs, setting)


class Session:
    def __init__(self):
        self.settings = settings()
        self.job = None
        torch.set_num_threads(THREADS)

    def handle(self, request):
        return getattr(self, request["do"])(request)

    def hello(self, _request):
        where = torch.cuda.get_device_name() if DEVICE == "cuda" else f"CPU, {THREADS} threads"
        variants = [{"name": s.name, "reduced": s.precision != "f32"} for s in self.settings.values()]
        return {"version": f"PyTorch {torch.__version__} on {where}", "variants": variants}

    def prepare(self, request):
        tensors, _ = read_safetensors(request["inputs"])
        inputs = {name: torch.from_numpy(array.copy()) for name, array in tensors.items()}
        setting = self.settings[request["variant"]]
        setting.activate()
        self.job = job_of(request["work"], inputs, setting)
        results = self.job.results()
        arrays = {k: v.detach().float().cpu().contiguous().numpy() for k, v in results.items()}
        write_safetensors(request["outputs"], arrays, {})
        return {}

    def run(self, request):
        start = time.perf_counter()
        for _ in range(request["count"]):
            self.job.run()
        synchronize()
        return {"ms": (time.perf_counter() - start) / request["count"] * 1e3}

    def memory(self, _request):
        return self.job.memory() if isinstance(self.job, Training) else {}

    def release(self, _request):
        self.job = None
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
        return {}
