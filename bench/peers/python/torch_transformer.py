"""Training steps of a transformer over tokens and of one over the patches of images, in PyTorch."""

from collections.abc import Callable

import torch
import torch.nn as nn
import torch.nn.functional as F

from data import hashed_labels, hashed_uniform

WEIGHT_LIMIT = 0.05


def encoder(work: dict) -> nn.TransformerEncoder:
    width = work["width"]
    layer = nn.TransformerEncoderLayer(
        width, work["heads"], work["hidden"], dropout=0, activation="gelu", norm_first=True, batch_first=True
    )
    return nn.TransformerEncoder(layer, work["layers"], nn.LayerNorm(width), enable_nested_tensor=False)


class TextClassifier(nn.Module):
    def __init__(self, work: dict) -> None:
        super().__init__()
        self.tokens = nn.Embedding(work["vocabulary"], work["width"])
        self.positions = nn.Embedding(work["length"], work["width"])
        self.encoder = encoder(work)
        self.head = nn.Linear(work["width"], work["classes"])

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        return self.head(self.encoder(self.tokens(tokens) + self.positions.weight).mean(1))


class ImageClassifier(nn.Module):
    def __init__(self, work: dict) -> None:
        super().__init__()
        width, patch = work["width"], work["patchSize"]
        self.patches = nn.Conv2d(work["channels"], width, patch, patch)
        self.positions = nn.Embedding((work["imageSize"] // patch) ** 2, width)
        self.encoder = encoder(work)
        self.head = nn.Linear(width, work["classes"])

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(images).flatten(2).transpose(1, 2)
        return self.head(self.encoder(tokens + self.positions.weight).mean(1))


def fill(model: nn.Module) -> nn.Module:
    """Each weight by the formula, its seed the place of its name among all."""
    with torch.no_grad():
        for i, (name, parameter) in enumerate(sorted(model.named_parameters())):
            if parameter.ndim > 1:
                parameter.copy_(torch.from_numpy(hashed_uniform(i + 1, tuple(parameter.shape), WEIGHT_LIMIT)))
            else:
                parameter.fill_(1 if "norm" in name and name.endswith("weight") else 0)
    return model


def build_step(work: dict, fused: bool, compiled: bool) -> Callable[[], torch.Tensor]:
    """A step that takes the next batch from memory and returns its loss."""
    batches, size = work["batches"], work["batchSize"]
    if work["kind"] == "vit":
        model = fill(ImageClassifier(work))
        shape = (batches, size, work["channels"], work["imageSize"], work["imageSize"])
        inputs = torch.from_numpy(hashed_uniform(103, shape))
    else:
        model = fill(TextClassifier(work))
        shape = (batches, size, work["length"])
        tokens = hashed_labels(101, batches * size * work["length"], work["vocabulary"])
        inputs = torch.from_numpy(tokens.reshape(shape))
    labels = torch.from_numpy(hashed_labels(102, batches * size, work["classes"]).reshape(batches, size))
    options = {"fused": True} if fused else {}
    optimizer = torch.optim.AdamW(
        model.parameters(), lr=work["learningRate"], weight_decay=work["weightDecay"], **options
    )

    def loss_of(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(x), y)

    forward = torch.compile(loss_of) if compiled else loss_of
    position = 0

    def step() -> torch.Tensor:
        nonlocal position
        loss = forward(inputs[position], labels[position])
        position = (position + 1) % batches
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss

    return step
