"""A fresh process that compiles a training step with torch.compile, its caches aside, and states how long that takes.

    torch_compile_time.py WORK

The time is that of a model's first steps compiled, less that of another model's first steps as they are.
"""

import json
import os
import sys
import time

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"
work = json.loads(sys.argv[1])
sys.argv[1:] = ["--threads", "1"]

import torch_peer


def first_steps_ms(compiled: bool) -> float:
    torch_peer.options.compile = compiled
    torch_peer.options.fused = compiled
    begin = time.perf_counter()
    torch_peer.JOBS[work["kind"]](work)
    return 1e3 * (time.perf_counter() - begin)


as_it_is = first_steps_ms(False)
print(json.dumps({"compileMs": first_steps_ms(True) - as_it_is}), flush=True)
