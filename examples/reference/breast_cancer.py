"""Writes examples/data/breast-cancer.csv, and what scikit-learn reaches by the protocol of examples/breast-cancer.ts.

    python examples/reference/breast_cancer.py

scikit-learn 1.9.1, 2026-11-29.
"""
import csv
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

data = load_breast_cancer()
with open(Path(__file__).parent.parent / "data" / "breast-cancer.csv", "w", newline="") as file:
    out = csv.writer(file, lineterminator="\n")
    out.writerow([name.replace(" ", "_") for name in data.feature_names] + ["diagnosis"])
    for row, label in zip(data.data, data.target):
        out.writerow([*(f"{x:.9g}" for x in row), data.target_names[label]])

x, y = data.data, 1 - data.target  # malignant is 1


def protocol(make, seed):
    scores, called = np.zeros(len(y)), np.zeros(len(y))
    for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y):
        fitting, validation = train_test_split(train, test_size=0.25, stratify=y[train], random_state=seed)
        model = make(seed).fit(x[fitting], y[fitting])
        benign = np.sort(model.predict_proba(x[validation])[y[validation] == 0, 1])
        threshold = benign[int(np.ceil(0.95 * len(benign))) - 1]
        scores[test] = model.predict_proba(x[test])[:, 1]
        called[test] = scores[test] > threshold
    return called[y == 1].mean(), 1 - called[y == 0].mean(), roc_auc_score(y, scores), brier_score_loss(y, scores)


makers = {
    "logistic regression": lambda seed: make_pipeline(StandardScaler(), LogisticRegression()),
    "MLPClassifier": lambda seed: make_pipeline(
        StandardScaler(), MLPClassifier((32,), alpha=1e-2, max_iter=400, random_state=seed)
    ),
}
print("scikit-learn", sklearn.__version__)
for name, make in makers.items():
    rows = np.array([protocol(make, seed) for seed in range(3)])
    print(name, dict(zip(["recall", "specificity", "auc", "brier"], rows.mean(0).round(4))))
