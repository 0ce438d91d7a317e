"""The MLP's training step in PyTorch, as a user writes it."""

from collections.abc import Callable

import numpy as np
import torch

from data import hashed_labels, hashed_uniform


def build_step(work: dict, fused: bool) -> Callable[[], torch.Tensor]:
    """A step that takes the next batch from memory and returns its loss."""
    sizes, batch = work["sizes"], work["batchSize"]
    images = hashed_uniform(10, (work["batches"], batch, sizes[0]), 0.5) + np.float32(0.5)
    labels = hashed_labels(11, work["batches"] * batch, sizes[-1]).reshape(-1, batch)
    model = build_model(sizes)
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=work["learningRate"], **options)
    criterion = torch.nn.CrossEntropyLoss()
    position = 0

    def step() -> torch.Tensor:
        nonlocal position
        x, y = torch.from_numpy(images[position]), torch.from_numpy(labels[position])
        position = (position + 1) % len(images)
        loss = criterion(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step


def build_model(sizes: list[int]) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    for seed, (inputs, outputs) in enumerate(zip(sizes, sizes[1:]), start=1):
        linear = torch.nn.Linear(inputs, outputs)
        weight = hashed_uniform(seed, (inputs, outputs), np.sqrt(6 / (inputs + outputs)))
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weight).T)
            linear.bias.zero_()
        layers += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])
