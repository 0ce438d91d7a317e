"""Reads each CSV file whose path comes in with pandas, and answers how long it took."""

import json
import sys
import time

import pandas

for line in sys.stdin:
    start, cpu = time.perf_counter(), time.process_time()
    rows = len(pandas.read_csv(line.strip()))
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    print(json.dumps({"rows": rows, "seconds": seconds, "cpuSeconds": cpu_seconds}), flush=True)
