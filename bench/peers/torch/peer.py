"""PyTorch (eager) as a contender: answers the requests of `bench/protocol.ts`.

    peer.py --threads 4 [--fused]      --fused: the optimizers' fused implementations
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--threads", type=int, default=1)
arguments.add_argument("--fused", action="store_true")
options = arguments.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np
import torch
import torch.nn.functional as F

from data import hashed_uniform, sample
from mlp import build_step

Job = tuple[list[float], Callable[[], object]]


def uniform(seed: int, *shape: int, limit: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(hashed_uniform(seed, shape, limit))


def once(function: Callable[[], torch.Tensor]) -> Job:
    """Work without state: the numbers of its result, and the function to repeat without gradients."""
    forward = torch.inference_mode()(function)
    return sample(forward().numpy()), forward


def mlp(work: dict) -> Job:
    step = build_step(work, options.fused)
    return [step().item() for _ in range(3)], step


def matmul(work: dict) -> Job:
    rows, inner, columns = work["rows"], work["inner"], work["columns"]
    a = uniform(1, inner, rows).T if work["transposeA"] else uniform(1, rows, inner)
    b = uniform(2, columns, inner).T if work["transposeB"] else uniform(2, inner, columns)
    return once(lambda: a @ b)


def softmax(work: dict) -> Job:
    x = uniform(1, work["rows"], work["columns"], limit=4)
    return once(lambda: x.softmax(-1))


def layernorm(work: dict) -> Job:
    x = uniform(1, work["rows"], work["columns"], limit=4)
    weight, bias = uniform(2, work["columns"]), uniform(3, work["columns"])
    return once(lambda: F.layer_norm(x, (work["columns"],), weight, bias, work["epsilon"]))


def gelu(work: dict) -> Job:
    x = uniform(1, work["elements"], limit=4)
    return once(lambda: F.gelu(x))


def adamw(work: dict) -> Job:
    parameter = uniform(1, work["elements"]).requires_grad_()
    parameter.grad = uniform(2, work["elements"])
    extra = {"fused": True} if options.fused else {}
    rates = {"lr": work["learningRate"], "weight_decay": work["weightDecay"]}
    optimizer = torch.optim.AdamW([parameter], **rates, **extra)
    optimizer.step()
    return sample(parameter.detach().numpy()), optimizer.step


def triad(work: dict) -> Job:
    b, c = uniform(1, work["elements"]), uniform(2, work["elements"])
    a = torch.empty_like(b)
    return once(lambda: torch.add(b, c, alpha=3, out=a))


JOBS = {f.__name__: f for f in (mlp, matmul, softmax, layernorm, gelu, adamw, triad)}
OPTIMIZERS = ("mlp", "adamw")


def prepare(work: dict) -> Job | str:
    if work["kind"] not in JOBS:
        return "PyTorch has no such work"
    if options.fused and work["kind"] not in OPTIMIZERS:
        return "the same as without fused optimizers"
    return JOBS[work["kind"]](work)


def answer(request: dict, job: Job | None) -> tuple[dict, Job | None]:
    """The reply, and what is prepared from now on."""
    match request["command"]:
        case "hello":
            version = torch.__version__.split("+")[0]
            return {"framework": "PyTorch", "version": version, "threads": torch.get_num_threads()}, job
        case "prepare":
            made = prepare(request["work"])
            if isinstance(made, str):
                return {"unsupported": made, "check": []}, None
            return {"check": made[0]}, made
        case "run":
            function = job[1]
            start = time.perf_counter()
            for _ in range(request["iterations"]):
                result = function()
            if isinstance(result, torch.Tensor) and result.ndim == 0:
                result.item()  # the loss is read once a run
            return {"seconds": time.perf_counter() - start}, job
        case "release":
            return {}, None
    raise ValueError(f"unknown command {request['command']}")


def main() -> None:
    replies, sys.stdout = sys.stdout, sys.stderr
    job: Job | None = None
    for line in sys.stdin:
        try:
            reply, job = answer(json.loads(line), job)
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    np.seterr(all="ignore")
    main()
