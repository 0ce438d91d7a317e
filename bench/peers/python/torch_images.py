"""Training steps of image classifiers in PyTorch, as a user writes them: a small convolutional network, ResNet."""

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from data import hashed_labels, hashed_uniform


def cnn(work: dict, fused: bool, compiled: bool) -> Callable[[], torch.Tensor]:
    first, second = work["channels"]
    model = nn.Sequential(
        nn.Conv2d(1, first, 3),
        nn.ReLU(),
        nn.Conv2d(first, second, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(second * 12 * 12, work["hidden"]),
        nn.ReLU(),
        nn.Linear(work["hidden"], work["classes"]),
    )
    weights = [weight for weight in model.parameters() if weight.ndim > 1]
    for seed, weight in enumerate(weights, start=1):
        taps = weight[0, 0].numel()
        fill(weight, seed, np.sqrt(6 / (taps * (weight.shape[0] + weight.shape[1]))))
    for layer in model:
        if hasattr(layer, "bias"):
            nn.init.zeros_(layer.bias)
    images = hashed_uniform(10, (work["batches"], work["batchSize"], 1, 28, 28), 0.5) + np.float32(0.5)
    return training(model, images, work, fused, compiled)


def resnet(work: dict, fused: bool, compiled: bool) -> Callable[[], torch.Tensor]:
    import torchvision

    model = getattr(torchvision.models, f"resnet{work['layers']}")(num_classes=work["classes"])
    weights = sorted((name, weight) for name, weight in model.named_parameters() if weight.ndim > 1)
    for seed, (_, weight) in enumerate(weights, start=1):
        fill(weight, seed, np.sqrt(6 * weight.shape[0] / weight.numel()))
    nn.init.zeros_(model.fc.bias)
    size = work["imageSize"]
    images = hashed_uniform(10, (work["batches"], work["batchSize"], 3, size, size))
    return training(model, images, work, fused, compiled)


def fill(weight: torch.Tensor, seed: int, limit: float) -> None:
    with torch.no_grad():
        weight.copy_(torch.from_numpy(hashed_uniform(seed, tuple(weight.shape), limit)))


def training(
    model: nn.Module, images: np.ndarray, work: dict, fused: bool, compiled: bool
) -> Callable[[], torch.Tensor]:
    """A step that takes the next batch from memory and returns its loss."""
    labels = hashed_labels(11, work["batches"] * work["batchSize"], work["classes"])
    labels = labels.reshape(-1, work["batchSize"])
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.Adam(model.parameters(), lr=work["learningRate"], **options)
    criterion = nn.CrossEntropyLoss()
    forward = torch.compile(model) if compiled else model
    position = 0

    def step() -> torch.Tensor:
        nonlocal position
        x, y = torch.from_numpy(images[position]), torch.from_numpy(labels[position])
        position = (position + 1) % len(images)
        loss = criterion(forward(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
