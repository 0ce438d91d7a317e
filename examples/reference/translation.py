"""A translation memory on the messages of examples/translation.ts: the German of the most similar English message that is known.

    python examples/reference/translation.py

scikit-learn 1.9.1, sacrebleu 2.6.0, 2026-11-30.
"""
import gzip
import random
from pathlib import Path

from sacrebleu import corpus_bleu, corpus_chrf
from sklearn.feature_extraction.text import TfidfVectorizer

pairs = [line.split("\t") for line in gzip.open(Path(__file__).parents[1] / "data/messages-de.tsv.gz", "rt", encoding="utf8").read().strip().split("\n")]
pairs = [pair for pair in pairs if all(len(text.split(" ")) <= 8 for text in pair)]

scores = []
for seed in range(3):
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    test, train = shuffled[:500], shuffled[500:]
    terms = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+")
    known = terms.fit_transform(english for english, _ in train)
    nearest = (terms.transform(english for english, _ in test) @ known.T).toarray().argmax(1)
    said, truth = [train[i][1] for i in nearest], [[german for _, german in test]]
    scores.append((corpus_bleu(said, truth).score, corpus_chrf(said, truth).score))
print(len(pairs), "pairs, BLEU and chrF", scores, "means", [sum(values) / 3 for values in zip(*scores)])
