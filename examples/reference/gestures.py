"""What scikit-learn reaches on the pens of examples/gestures.ts.

    python examples/reference/gestures.py

scikit-learn 1.9.1, 2026-11-30.
"""
import gzip
from pathlib import Path

import numpy as np
from sklearn.neighbors import KNeighborsClassifier

rows = gzip.open(Path(__file__).parents[1] / "data/pen-digits.csv.gz", "rt").read().split()
parts = {name: np.array([row.split(",")[1:] for row in rows if row.startswith(name)], float) for name in ("train", "test")}
for points in (8, 4):
    x, y, tests, truth = parts["train"][:, : 2 * points], parts["train"][:, 16], parts["test"][:, : 2 * points], parts["test"][:, 16]
    print(points, "points:", round(KNeighborsClassifier(3).fit(x, y).score(tests, truth), 4))
