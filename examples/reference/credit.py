"""Writes examples/data/german-credit.csv, and what scikit-learn reaches by the protocol of examples/credit.ts.

    python examples/reference/credit.py GermanCredit.RData

The file is that of the R package caret 6.0-93 (in Debian: r-cran-caret), read with the package rdata. Its columns of zeros and ones are
put together again, one to a question. scikit-learn 1.9.1, 2026-11-30.
"""
import csv
import sys
from pathlib import Path

import numpy as np

CSV = Path(__file__).parent.parent / "data" / "german-credit.csv"
NUMBERS = ["Duration", "Amount", "InstallmentRatePercentage", "ResidenceDuration", "Age", "NumberExistingCredits", "NumberPeopleMaintenance", "Telephone", "ForeignWorker"]
CHOICES = ["CheckingAccountStatus", "CreditHistory", "Purpose", "SavingsAccountBonds", "EmploymentDuration", "Personal", "OtherDebtorsGuarantors", "Property", "OtherInstallmentPlans", "Housing", "Job"]


def write(path):
    import rdata

    credit = rdata.read_rda(path)["GermanCredit"]
    with open(CSV, "w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow([*NUMBERS, *CHOICES, "Class"])
        for _, row in credit.iterrows():
            chosen = []
            for question in CHOICES:
                options = [name for name in credit.columns if name.startswith(question + ".")]
                [answer] = [name for name in options if row[name] == 1] or [question + ".Other"]
                chosen.append(answer[len(question) + 1 :])
            out.writerow([*(int(row[name]) for name in NUMBERS), *chosen, row["Class"]])


def reference():
    import pandas
    import sklearn
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedKFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    table = pandas.read_csv(CSV, keep_default_na=False).drop(columns=["Personal", "ForeignWorker"])
    y = (table.pop("Class") == "Bad").to_numpy()
    numbers = [name for name in NUMBERS if name in table]
    choices = [name for name in CHOICES if name in table]
    prepare = lambda: make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(handle_unknown="ignore"), choices))

    def protocol(make, seed):
        said = np.zeros(len(y))
        for train, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(table, y):
            said[test] = make_pipeline(prepare(), make(seed)).fit(table.iloc[train], y[train]).predict_proba(table.iloc[test])[:, 1]
        cost = lambda refused: (5 * (y & ~refused).sum() + (~y & refused).sum()) / len(y)
        return 1 - cost(said > 1 / 6) / cost(np.ones(len(y), bool)), roc_auc_score(y, said)

    print("scikit-learn", sklearn.__version__)
    for name, make in {
        "logistic regression": lambda seed: LogisticRegression(max_iter=1000),
        "gradient boosting": lambda seed: GradientBoostingClassifier(random_state=seed),
    }.items():
        print(name, dict(zip(["saved", "auc"], np.mean([protocol(make, seed) for seed in range(3)], 0).round(4))))


if len(sys.argv) > 1:
    write(sys.argv[1])
else:
    reference()
