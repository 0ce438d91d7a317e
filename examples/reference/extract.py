"""Writes the files of examples/data that are extracts of published collections; examples/data/README.md has their licences.

    python examples/reference/extract.py messages [/usr/share/locale]     PostgreSQL 15's message catalogues, as Debian installs them
    python examples/reference/extract.py pendigits FOLDER                 pendigits.tra and pendigits.tes of the UCI repository
    python examples/reference/extract.py entities wikigold.conll.txt
    python examples/reference/extract.py questions FOLDER                 train.csv and test.csv of banking77
    python examples/reference/extract.py similarity wordsim353.tsv        as gensim's tests have it

Python 3.11; nothing else is needed.
"""
import csv
import gettext
import gzip
import re
import sys
from pathlib import Path

out = Path(__file__).parents[1] / "data"


def save(name, lines):
    text = "\n".join(lines) + "\n"
    # The same bytes for the same lines: no time and no name in the head.
    (out / name).write_bytes(gzip.compress(text.encode(), 9, mtime=0))
    print(name, len(lines), "lines")


def messages(folder="/usr/share/locale"):
    pairs = {}
    for file in sorted(Path(folder).glob("de/LC_MESSAGES/*-15.mo")):
        with open(file, "rb") as stream:
            catalog = gettext.GNUTranslations(stream)._catalog
        for english, german in catalog.items():
            if not isinstance(english, str) or "\n" in english.strip() + german.strip():
                continue
            english, german = (" ".join(text.split()) for text in (english, german))
            if 3 <= len(english.split()) <= 12 and english != german and german not in pairs.values():
                pairs.setdefault(english, german)
    save("messages-de.tsv.gz", [f"{english}\t{german}" for english, german in sorted(pairs.items())])


def pendigits(folder):
    rows = []
    for part in ("tra", "tes"):
        for line in (Path(folder) / f"pendigits.{part}").read_text().split("\n"):
            *points, label = re.findall(r"\d+", line) or [""]
            digit = str(label.index("1")) if len(label) == 10 else label  # some copies have it one-hot
            if len(points) == 16:
                rows.append(",".join(["train" if part == "tra" else "test", *points, digit]))
    save("pen-digits.csv.gz", rows)


def entities(file):
    sentences = [block.split("\n") for block in Path(file).read_text("utf8").strip().split("\n\n")]
    lines = [" ".join("/".join(token.rsplit(" ", 1)) for token in tokens if token.strip()) for tokens in sentences]
    save("entities.txt.gz", [line for line in lines if "-DOCSTART-" not in line])


def questions(folder):
    rows = []
    for part in ("train", "test"):
        with open(Path(folder) / f"{part}.csv", newline="", encoding="utf8") as stream:
            for row in csv.DictReader(stream):
                rows.append("\t".join([part, row["category"].strip("?"), " ".join(row["text"].split())]))
    save("bank-questions.tsv.gz", rows)


def similarity(file):
    lines = Path(file).read_text("utf8").strip().split("\n")
    save("word-similarity.tsv.gz", [line.strip().lower() for line in lines if not line.startswith("#")])


globals()[sys.argv[1]](*sys.argv[2:])
