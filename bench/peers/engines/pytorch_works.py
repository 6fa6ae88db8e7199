"""The works of bench/peers/works.ts in PyTorch, and the answers to the driver's requests."""
import copy
import time

import torch
from torch.nn import functional as F

from load_checkpoint import read_safetensors
from make_golden import write_safetensors
from pytorch_setting import DEVICE, THREADS, settings
from unet3d import UNet3d, dice_per_patch

PATCH = 32
LEARNING_RATE, EPSILON, MU = 1e-3, 1e-5, 0.999


def synchronize():
    if DEVICE == "cuda":
        torch.cuda.synchronize()


def model_of(inputs, setting):
    prefix = "weights/"
    model = UNet3d()
    state = {k[len(prefix) :]: v for k, v in inputs.items() if k.startswith(prefix)}
    model.load_state_dict(state, strict=True)
    return model.to(DEVICE, memory_format=setting.layout)


def size_of(tensors):
    return sum(t.numel() * t.element_size() for t in tensors)


def saved_bytes(forward, model):
    """Bytes of the storages that autograd keeps of `forward` for backward, without parameters."""
    saved = {}

    def keep(t):
        storage = t.storage()
        saved[storage.data_ptr()] = storage.nbytes()
        return t

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda t: t):
        forward()
    own = {p.storage().data_ptr() for p in model.parameters()}
    return sum(count for pointer, count in saved.items() if pointer not in own)


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
        losses = []
        for part in self.setting.chunks(len(x)):
            loss = self.losses(self.function, x[part], y[part])
            (loss.sum() / len(x)).backward()
            losses.append(loss.detach())
        self.optimiser.step()
        return torch.cat(losses)

    def losses(self, network, x, y):
        with self.setting.autocast():
            logits = network(x)
        return dice_per_patch(logits.float(), y, EPSILON)

    def memory(self):
        """Bytes of one run: on a GPU the allocator's peak, else what autograd and Adam keep."""
        if DEVICE == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
            self.run()
            synchronize()
            return {"peak": torch.cuda.max_memory_allocated()}
        x, y = self.example()
        part = self.setting.chunks(len(x))[0]
        saved = saved_bytes(lambda: self.losses(self.function, x[part], y[part]), self.model)
        parameters = size_of(self.model.parameters())
        moments = [t for state in self.optimiser.state.values() for t in state.values()]
        parts = {"saved": saved, "parameters": parameters, "gradients": parameters}
        parts["Adam"] = size_of(t for t in moments if torch.is_tensor(t))
        return {"parts": parts}


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

    def example(self):
        return self.x, self.y


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
        with torch.no_grad():
            parts = self.setting.chunks(len(x))
            errors = torch.cat([self.losses(self.rank, x[part], y[part]) for part in parts])
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

    def example(self):
        return self.cut(self.coords[0][: self.batch])

    def memory(self):
        use = super().memory()
        if "parts" in use:
            use["parts"]["momentum"] = size_of(self.momentum.parameters())
        return use


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
        variants = [setting.describe() for setting in self.settings.values()]
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
