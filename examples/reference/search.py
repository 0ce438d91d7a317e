"""What scikit-learn reaches with TF-IDF on the passages and questions of examples/document-search.ts.

    python examples/reference/search.py

scikit-learn 1.9.1, 2026-11-30.
"""
import re
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

root = Path(__file__).parents[2]
passages = []
for file in sorted((root / "docs").rglob("*.md")):
    page = file.relative_to(root).as_posix()
    if page.startswith("docs/reference") or page == "docs/results.md" or "README" in page:
        continue
    text = re.sub(r"```.*?```", "", file.read_text(), flags=re.S)
    text = re.sub(r"<!-- measured -->.*?<!-- /measured -->", "", text, flags=re.S)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    title = heading = ""
    for block in re.split(r"\n{2,}", text):
        head = re.match(r"#+ (.*)", block.strip())
        if head:
            title, heading = title or head[1], head[1]
        prose = re.sub(r"\s+", " ", re.sub(r"(?m)^#+ .*\n?", "", block, count=1)).strip()
        if len(prose) >= 40:
            passages.append((page, f"{title}. " + ("" if heading == title else f"{heading}. ") + prose))
asked = [line.split("\t") for line in (root / "examples/data/documentation-questions.tsv").read_text().strip().split("\n")]

for name, options in {"words": {}, "words and pairs, without stop words": {"ngram_range": (1, 2), "stop_words": "english"}}.items():
    terms = TfidfVectorizer(sublinear_tf=True, **options)
    known = terms.fit_transform([text for _, text in passages])
    scores = (terms.transform([question for _, question in asked]) @ known.T).toarray()
    ranks = []
    for (page, _), row in zip(asked, scores):
        best = {}
        for (of, _), score in zip(passages, row):
            best[of] = max(best.get(of, 0), score)
        ranks.append(1 / sum(score >= best[page] for score in best.values()))
    print(f"{len(passages)} passages, {name}: mean reciprocal rank {np.mean(ranks):.4f}, first {np.mean(np.array(ranks) == 1):.4f}")
