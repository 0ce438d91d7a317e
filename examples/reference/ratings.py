"""Writes examples/data/lectures.csv.gz, and what scikit-learn reaches by the protocol of examples/recommendation.ts.

    python examples/reference/ratings.py FOLDER     the folder site-library/lme4/data of the R package lme4
    python examples/reference/ratings.py

The data is InstEval of lme4 1.1-31 (in Debian: r-cran-lme4), read with the package rdata. scikit-learn 1.9.1, 2026-11-30.
"""
import gzip
import struct
import sys
import zlib
from pathlib import Path

CSV = Path(__file__).parent.parent / "data" / "lectures.csv.gz"


def write(folder):
    import rdata

    index = rdata.conversion.convert(rdata.parser.parse_file(f"{folder}/Rdata.rdx"))
    offset, length = [int(x) for x in index["variables"]["InstEval"]]
    raw = Path(folder, "Rdata.rdb").read_bytes()[offset : offset + length]
    content = zlib.decompress(raw[4:])
    assert len(content) == struct.unpack(">I", raw[:4])[0]
    ratings = rdata.conversion.convert(rdata.parser.parse_data(content))
    ratings.columns = ["student", "lecturer", "studentYears", "lectureAge", "service", "department", "rating"]
    text = ratings.to_csv(index=False, lineterminator="\n")
    CSV.write_bytes(gzip.compress(text.encode(), mtime=0))


def reference():
    import numpy as np
    import pandas
    import sklearn
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.preprocessing import OneHotEncoder

    table = pandas.read_csv(CSV)
    y = table.pop("rating").to_numpy(float)
    rows = []
    for seed in range(3):
        random = np.random.default_rng(seed)
        new = random.random(1 + table.lecturer.max())[table.lecturer] < 0.1
        part = random.random(len(y))
        train, test = ~new & (part >= 0.1), ~new & (part < 0.1)
        scores = []
        for columns in (["student", "lecturer"], list(table.columns)):
            encoder = OneHotEncoder(handle_unknown="ignore")
            model = Ridge(alpha=4).fit(encoder.fit_transform(table.loc[train, columns]), y[train])
            scores += [r2_score(y[part_], model.predict(encoder.transform(table.loc[part_, columns]))) for part_ in (test, new)]
        rows.append(scores)
    print("scikit-learn", sklearn.__version__)
    print("ridge: students and lecturers, test and new lecturers; all columns, the same", np.mean(rows, 0).round(4))


if len(sys.argv) > 1:
    write(sys.argv[1])
else:
    reference()
