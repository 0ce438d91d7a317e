"""PyTorch as a contender: answers the requests of `bench/protocol.ts`.

    torch_peer.py --threads 4 [--fused] [--compile]

--fused: the optimizers' fused implementations; --compile: torch.compile, for the work where that says something.
"""

import argparse
import os
from collections.abc import Callable
from functools import reduce

arguments = argparse.ArgumentParser(description=__doc__)
arguments.add_argument("--threads", type=int, default=1)
arguments.add_argument("--fused", action="store_true")
arguments.add_argument("--compile", action="store_true")
options = arguments.parse_args()
os.environ["OMP_NUM_THREADS"] = str(options.threads)

import numpy as np
import torch
import torch.nn.functional as F

import torch_gpt
import torch_images
import torch_transformer
from data import chain_factors, hashed_labels, hashed_uniform, sample
from serve import Job, serve
from torch_mlp import build_model, build_step


def uniform(seed: int, *shape: int, limit: float = 1.0) -> torch.Tensor:
    return torch.from_numpy(hashed_uniform(seed, shape, limit))


def once(function: Callable[[], torch.Tensor]) -> Job:
    """Work without state: the numbers of its result, and the function to repeat without gradients."""
    forward = torch.inference_mode()(torch.compile(function) if options.compile else function)
    return sample(forward().numpy()), forward


def mlp(work: dict) -> Job:
    step = build_step(work, options.fused)
    return [step().item() for _ in range(3)], step


def cnn(work: dict) -> Job:
    step = torch_images.cnn(work, options.fused or options.compile, options.compile)
    return [step().item() for _ in range(3)], step


def resnet(work: dict) -> Job:
    step = torch_images.resnet(work, options.fused or options.compile, options.compile)
    return [step().item() for _ in range(2)], step


def matmul(work: dict) -> Job:
    rows, inner, columns = work["rows"], work["inner"], work["columns"]
    batch = [work["batch"]] if work["batch"] > 1 else []
    if work["products"] > 1:
        start, factors = uniform(1, inner, inner), torch.from_numpy(chain_factors(work)).unbind()
        turned = [y.mT if work["transposeB"] else y for y in factors]
        return once(lambda: reduce(lambda x, y: (x.mT if work["transposeA"] else x) @ y, turned, start))
    a = uniform(1, *batch, inner, rows).mT if work["transposeA"] else uniform(1, *batch, rows, inner)
    b = uniform(2, *batch, columns, inner).mT if work["transposeB"] else uniform(2, *batch, inner, columns)
    return once(lambda: a @ b)


def matmul_bytes(work: dict) -> Job:
    shapes = (1, work["rows"], work["inner"]), (2, work["columns"], work["inner"])
    a, b = (torch.from_numpy((hashed_labels(s, m * n, 256) - 128).astype("int8")).reshape(m, n) for s, m, n in shapes)
    return once(lambda: torch._int_mm(a, b.mT))


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
    step = torch_gpt.build_step(work, options.fused or options.compile, options.compile)
    return [step().item() for _ in range(3)], step


def transformer(work: dict) -> Job:
    step = torch_transformer.build_step(work, options.fused or options.compile, options.compile)
    return [step().item() for _ in range(3)], step


def vit(work: dict) -> Job:
    return transformer(work)


def attention_inputs(work: dict) -> list[torch.Tensor]:
    shape = (work["batch"], work["heads"], work["length"], work["size"])
    return [uniform(seed, *shape) for seed in (1, 2, 3, 4)]


def attention(work: dict) -> Job:
    q, k, v, _ = attention_inputs(work)
    return once(lambda: F.scaled_dot_product_attention(q, k, v, is_causal=work["causal"]))


def attention_backward(work: dict) -> Job:
    q, k, v, g = attention_inputs(work)
    inputs = [x.requires_grad_() for x in (q, k, v)]

    def forward() -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, is_causal=work["causal"])

    result = torch.compile(forward) if options.compile else forward

    def step() -> torch.Tensor:
        return torch.autograd.grad(result(), inputs, g)[0]

    return sample(step().numpy()), step


def mlp_forward(work: dict) -> Job:
    model = build_model(work["sizes"])
    images = uniform(10, work["batchSize"], work["sizes"][0], limit=0.5)
    return once(lambda: model(images))


def gpt_forward(work: dict) -> Job:
    model = torch_gpt.Gpt(work)
    tokens = hashed_labels(101, work["batchSize"] * work["context"], work["vocabulary"])
    batch = torch.from_numpy(tokens.reshape(work["batchSize"], work["context"]))
    return once(lambda: model(batch))


def lstm_layer(work: dict) -> tuple[torch.nn.LSTM, torch.Tensor]:
    layer = torch.nn.LSTM(work["inputSize"], work["hiddenSize"], bias=False)
    with torch.no_grad():
        for seed, weight in enumerate(layer.parameters(), start=1):
            weight.copy_(uniform(seed, *weight.shape, limit=0.1))
    return layer, uniform(10, work["length"], work["batchSize"], work["inputSize"])


def lstm(work: dict) -> Job:
    layer, x = lstm_layer(work)
    y = uniform(11, work["length"], work["batchSize"], work["hiddenSize"])
    optimizer = torch.optim.SGD(layer.parameters(), lr=work["learningRate"])

    def forward() -> torch.Tensor:
        return F.mse_loss(layer(x)[0], y)

    loss_of = torch.compile(forward) if options.compile else forward

    def step() -> torch.Tensor:
        loss = loss_of()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return [step().item() for _ in range(3)], step


def lstm_forward(work: dict) -> Job:
    layer, x = lstm_layer(work)
    return once(lambda: layer(x)[0])


def call(work: dict) -> Job:
    x = uniform(1, work["elements"])
    return once(lambda: x + 1)


def triad(work: dict) -> Job:
    b, c = uniform(1, work["elements"]), uniform(2, work["elements"])
    a = torch.empty_like(b)
    return once(lambda: torch.add(b, c, alpha=3, out=a))


JOBS = {
    f.__name__.replace("_", "-"): f
    for f in (
        mlp,
        cnn,
        resnet,
        matmul,
        matmul_bytes,
        softmax,
        layernorm,
        layernorm_backward,
        gelu,
        elementwise,
        adamw,
        adamw_model,
        gpt,
        transformer,
        vit,
        attention,
        attention_backward,
        mlp_forward,
        gpt_forward,
        lstm,
        lstm_forward,
        call,
        triad,
    )
}
OPTIMIZERS = ("mlp", "cnn", "resnet", "adamw", "adamw-model", "gpt", "transformer", "vit")
COMPILED = ("cnn", "resnet", "softmax", "layernorm", "gelu", "adamw-model", "gpt", "transformer", "vit", "attention", "attention-backward", "mlp-forward", "gpt-forward", "lstm", "lstm-forward")


def prepare(work: dict) -> Job | str:
    if work["kind"] not in JOBS:
        return "PyTorch has no such work"
    if options.fused and work["kind"] not in OPTIMIZERS:
        return "the same as without fused optimizers"
    if options.compile and work["kind"] not in COMPILED:
        return "not measured with torch.compile"
    return JOBS[work["kind"]](work)


def main() -> None:
    np.seterr(all="ignore")
    read_loss = lambda result: result.item() if isinstance(result, torch.Tensor) and result.ndim == 0 else None
    serve("PyTorch", torch.__version__.split("+")[0], torch.get_num_threads(), prepare, read_loss)


if __name__ == "__main__":
    main()
