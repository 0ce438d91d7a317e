"""PyTorch as a contender: answers the requests of `bench/protocol.ts`.

    peer.py --threads 4 [--fused] [--compile]

--fused: the optimizers' fused implementations; --compile: torch.compile, for the work where that says something.
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
arguments.add_argument("--compile", action="store_true")
options = arguments.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np
import torch
import torch.nn.functional as F

import gpt as gpt_model
from data import hashed_uniform, sample
from mlp import build_step

Job = tuple[list[float], Callable[[], object]]


def uniform(seed: int, *shape: int, limit: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(hashed_uniform(seed, shape, limit))


def once(function: Callable[[], torch.Tensor]) -> Job:
    """Work without state: the numbers of its result, and the function to repeat without gradients."""
    forward = torch.inference_mode()(torch.compile(function) if options.compile else function)
    return sample(forward().numpy()), forward


def mlp(work: dict) -> Job:
    step = build_step(work, options.fused)
    return [step().item() for _ in range(3)], step


def matmul(work: dict) -> Job:
    rows, inner, columns = work["rows"], work["inner"], work["columns"]
    batch = [work["batch"]] if work["batch"] > 1 else []
    a = uniform(1, *batch, inner, rows).mT if work["transposeA"] else uniform(1, *batch, rows, inner)
    b = uniform(2, *batch, columns, inner).mT if work["transposeB"] else uniform(2, *batch, inner, columns)
    return once(lambda: a @ b)


def softmax(work: dict) -> Job:
    x = uniform(1, work["rows"], work["columns"], limit=4)
    return once(lambda: x.softmax(-1))


def layernorm(work: dict) -> Job:
    x = uniform(1, work["rows"], work["columns"], limit=4)
    weight, bias = uniform(2, work["columns"]), uniform(3, work["columns"])
    return once(lambda: F.layer_norm(x, (work["columns"],), weight, bias, work["epsilon"]))


def layernorm_backward(work: dict) -> Job:
    """The statistics of the rows are kept from the forward pass, which is not timed."""
    shape = (work["columns"],)
    inputs = [uniform(1, work["rows"], work["columns"], limit=4), uniform(2, *shape), uniform(3, *shape)]
    for x in inputs:
        x.requires_grad_()
    y = F.layer_norm(inputs[0], shape, inputs[1], inputs[2], work["epsilon"])
    g = uniform(4, work["rows"], work["columns"])
    backward = lambda: torch.autograd.grad(y, inputs, g, retain_graph=True)[0]
    return sample(backward().numpy()), backward


ELEMENTARY = {
    "exp": torch.exp,
    "log": lambda x: x.abs().log(),
    "tanh": torch.tanh,
    "erf": torch.erf,
    "sin": torch.sin,
    "cos": torch.cos,
    "pow": lambda x: x.abs().pow(1.7),
}


def elementwise(work: dict) -> Job:
    x, function = uniform(1, work["elements"], limit=work["limit"]), ELEMENTARY[work["function"]]
    return once(lambda: function(x))


def gelu(work: dict) -> Job:
    x = uniform(1, work["elements"], limit=4)
    return once(lambda: F.gelu(x))


def adamw(work: dict) -> Job:
    return adamw_steps([[work["elements"]]], work)


def adamw_model(work: dict) -> Job:
    return adamw_steps(work["shapes"], work)


def adamw_steps(shapes: list[list[int]], work: dict) -> Job:
    parameters = [uniform(2 * i + 1, *shape).requires_grad_() for i, shape in enumerate(shapes)]
    for i, parameter in enumerate(parameters):
        parameter.grad = uniform(2 * i + 2, *shapes[i])
    extra = {"fused": True} if options.fused else {}
    rates = {"lr": work["learningRate"], "weight_decay": work["weightDecay"]}
    optimizer = torch.optim.AdamW(parameters, **rates, **extra)
    step = torch.compile(optimizer.step) if options.compile else optimizer.step
    step()
    return sample(parameters[0].detach().numpy()), step


def gpt(work: dict) -> Job:
    """Compiled, the optimizer is the fused one: it is faster than a compiled step of the plain one."""
    step = gpt_model.build_step(work, options.fused or options.compile, options.compile)
    return [step().item() for _ in range(3)], step


def triad(work: dict) -> Job:
    b, c = uniform(1, work["elements"]), uniform(2, work["elements"])
    a = torch.empty_like(b)
    return once(lambda: torch.add(b, c, alpha=3, out=a))


JOBS = {
    f.__name__.replace("_", "-"): f
    for f in (
        mlp,
        matmul,
        softmax,
        layernorm,
        layernorm_backward,
        gelu,
        elementwise,
        adamw,
        adamw_model,
        gpt,
        triad,
    )
}
OPTIMIZERS = ("mlp", "adamw", "adamw-model", "gpt")
COMPILED = ("softmax", "layernorm", "gelu", "adamw-model", "gpt")


def prepare(work: dict) -> Job | str:
    if work["kind"] not in JOBS:
        return "PyTorch has no such work"
    if options.fused and work["kind"] not in OPTIMIZERS:
        return "the same as without fused optimizers"
    if options.compile and work["kind"] not in COMPILED:
        return "not measured with torch.compile"
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
