"""A translation memory on the messages of examples/translation.ts: the German of the most similar English message that is known.

    python examples/reference/translation.py

scikit-learn 1.9.1, sacrebleu is not needed: BLEU as Papineni and others, 2002, on words and marks. 2026-11-30.
"""
import gzip
import math
import random
import re
from collections import Counter
from pathlib import Path

from sklearn.feature_extraction.text import TfidfVectorizer

pairs = [line.split("\t") for line in gzip.open(Path(__file__).parents[1] / "data/messages-de.tsv.gz", "rt", encoding="utf8").read().strip().split("\n")]
pairs = [pair for pair in pairs if all(len(text.split(" ")) <= 8 for text in pair)]
words = lambda text: re.findall(r"\w+|[^\w\s]", text)


def bleu(said, truth):
    logs, lengths = [], [sum(len(words(t)) for t in texts) for texts in (said, truth)]
    for order in range(1, 5):
        right = total = 0
        for a, b in zip(said, truth):
            runs = [Counter(tuple(w[i : i + order]) for i in range(len(w) - order + 1)) for w in (words(a), words(b))]
            right, total = right + sum((runs[0] & runs[1]).values()), total + sum(runs[0].values())
        logs.append(math.log(right / total))
    return 100 * min(1, math.exp(1 - lengths[1] / lengths[0])) * math.exp(sum(logs) / 4)


scores = []
for seed in range(3):
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    test, train = shuffled[:500], shuffled[500:]
    terms = TfidfVectorizer(ngram_range=(1, 2), token_pattern=r"\S+")
    known = terms.fit_transform(english for english, _ in train)
    nearest = (terms.transform(english for english, _ in test) @ known.T).toarray().argmax(1)
    scores.append(bleu([train[i][1] for i in nearest], [german for _, german in test]))
print(len(pairs), "pairs, BLEU", scores)
