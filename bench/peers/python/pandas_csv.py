"""Reads each CSV file whose path comes in with pandas, and answers how long it took. "--one-thread": with one thread."""

import json
import sys
import time

import pandas

if "--one-thread" in sys.argv and pandas.__version__ >= "3.1":
    # pandas reads large files with several threads since 3.1.
    pandas.set_option("mode.max_threads", 1)

for line in sys.stdin:
    start, cpu = time.perf_counter(), time.process_time()
    rows = len(pandas.read_csv(line.strip()))
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"rows": rows, "seconds": seconds, "cpuSeconds": cpu_seconds}), flush=True)
