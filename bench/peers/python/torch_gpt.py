"""The training step of a small GPT in PyTorch, as a user writes it (after nanoGPT)."""

from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F

from data import hashed_labels, hashed_uniform

WEIGHT_LIMIT = 0.05


class Seeds:
    """Each weight's seed is its place in the order in which the model is built."""

    def __init__(self) -> None:
        self.last = 0

    def fill(self, weight: torch.Tensor) -> None:
        self.last += 1
        with torch.no_grad():
            weight.copy_(torch.from_numpy(hashed_uniform(self.last, tuple(weight.shape), WEIGHT_LIMIT)))

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        layer = nn.Linear(inputs, outputs)
        self.fill(layer.weight)
        nn.init.zeros_(layer.bias)
        return layer

    def table(self, rows: int, width: int) -> nn.Embedding:
        layer = nn.Embedding(rows, width)
        self.fill(layer.weight)
        return layer


class Block(nn.Module):
    def __init__(self, width: int, heads: int, seeds: Seeds) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width)
        self.qkv = seeds.linear(width, 3 * width)
        self.attention_out = seeds.linear(width, width)
        self.hidden_norm = nn.LayerNorm(width)
        self.hidden = seeds.linear(width, 4 * width)
        self.hidden_out = seeds.linear(4 * width, width)

    def attention(self, x: torch.Tensor) -> torch.Tensor:
        b, t, c = x.shape
        q, k, v = (
            part.view(b, t, self.heads, c // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(c, dim=-1)
        )
        attended = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.attention_out(attended.transpose(1, 2).reshape(b, t, c))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(self.attention_norm(x))
        return x + self.hidden_out(F.gelu(self.hidden(self.hidden_norm(x))))


class Gpt(nn.Module):
    def __init__(self, work: dict) -> None:
        super().__init__()
        seeds = Seeds()
        width = work["width"]
        self.tokens = seeds.table(work["vocabulary"], width)
        self.positions = seeds.table(work["context"], width)
        self.blocks = nn.ModuleList(Block(width, work["heads"], seeds) for _ in range(work["layers"]))
        self.norm = nn.LayerNorm(width)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.tokens(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return F.linear(self.norm(x), self.tokens.weight)


def build_step(work: dict, fused: bool, compiled: bool) -> Callable[[], torch.Tensor]:
    """A step that takes the next batch from memory and returns its loss."""
    size = (work["batches"], work["batchSize"], work["context"])
    count = size[0] * size[1] * size[2]
    inputs, targets = (
        torch.from_numpy(hashed_labels(seed, count, work["vocabulary"]).reshape(size)) for seed in (101, 102)
    )
    model = Gpt(work)
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=work["learningRate"], weight_decay=work["weightDecay"], **options
    )

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x).flatten(0, 1), y.flatten())

    forward = torch.compile(loss_of) if compiled else loss_of
    position = 0

    def step() -> torch.Tensor:
        nonlocal position
        loss = forward(inputs[position], targets[position])
        position = (position + 1) % len(inputs)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
