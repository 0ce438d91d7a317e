"""Inputs by the formula of `bench/data.ts`."""

import numpy as np


def hashed_units(seed: int, count: int) -> np.ndarray:
    h = np.arange(count, dtype=np.uint32) + np.uint32(seed * 0x9E3779B9 & 0xFFFFFFFF)
    h = (h ^ (h >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    h = (h ^ (h >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return (h ^ (h >> np.uint32(16))).astype(np.float64) / 2**32


def hashed_uniform(seed: int, shape: tuple[int, ...], limit: float = 1.0) -> np.ndarray:
    return ((2 * hashed_units(seed, int(np.prod(shape))) - 1) * limit).astype(np.float32).reshape(shape)


def chain_factors(work: dict) -> np.ndarray:
    """The second operands of a chain of square products, of numbers that keep the results' size."""
    size = work["inner"]
    return hashed_uniform(2, (work["products"], size, size), (3 / size) ** 0.5)


def hashed_labels(seed: int, count: int, classes: int) -> np.ndarray:
    return np.floor(hashed_units(seed, count) * classes).astype(np.int64)


def sample(values: np.ndarray) -> list[float]:
    """The mean magnitude and four elements, as `sample` of `bench/data.ts`."""
    flat = values.reshape(-1)
    at = [flat[int(share * flat.size)] for share in (0.1, 0.37, 0.61, 0.93)]
    return [float(np.abs(flat).mean(dtype=np.float64)), *map(float, at)]
