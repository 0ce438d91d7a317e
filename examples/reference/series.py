"""What linear models reach on the days of examples/weather.ts and examples/volatility.ts.

    python examples/reference/series.py

scikit-learn 1.9.1, 2026-11-29.
"""
import csv
from datetime import date
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression, RidgeCV
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

data = Path(__file__).parents[2] / "node_modules/vega-datasets/data"
rows = lambda name: list(csv.DictReader(open(data / name)))

# Weather: ridge regression on the same 28 days, the change from today.
table, days = rows("seattle-weather.csv"), 28
number = lambda name: np.array([float(row[name]) for row in table])
dates = [date.fromisoformat(row["date"]) for row in table]
start = next(i for i, day in enumerate(dates) if day.year == 2015)
angle = np.array([2 * np.pi * (day - date(2012, 1, 1)).days / 365.25 for day in dates])
columns = [number("temp_max"), number("temp_min"), number("wind"), np.log1p(number("precipitation"))]
columns = [(x - x[:start].mean()) / x[:start].std() for x in columns] + [np.sin(angle), np.cos(angle), np.sin(2 * angle)]
warmest, features = number("temp_max"), np.stack(columns, 1)
windows = np.array([features[i - days : i].ravel() for i in range(days, len(warmest))])
truth, before = warmest[days:], warmest[days - 1 : -1]
split = start - days
model = RidgeCV(np.logspace(-2, 4, 25)).fit(windows[:split], (truth - before)[:split])
forecast = before[split:] + model.predict(windows[split:])
skill = 1 - mean_squared_error(truth[split:], forecast) / mean_squared_error(truth[split:], before[split:])
print("weather: skill", round(skill, 4), "MAE", round(mean_absolute_error(truth[split:], forecast), 4))

# Volatility: Corsi, "A simple approximate long-memory model of realized volatility", 2009: means of 1, 5 and 22 days.
table, days = rows("sp500-2000.csv"), 22
spread = np.log(np.maximum(np.log(number("high") / number("low")), 1e-3))
har = np.array([[spread[i - n : i].mean() for n in (1, 5, 22)] for i in range(days, len(spread))])
truth, before = spread[days:], spread[days - 1 : -1]
split = int(0.7 * len(truth))
forecast = LinearRegression().fit(har[:split], truth[:split]).predict(har[split:])
skill = 1 - mean_squared_error(truth[split:], forecast) / mean_squared_error(truth[split:], before[split:])
print("volatility: skill", round(skill, 4), "R²", round(r2_score(truth[split:], forecast), 4))
