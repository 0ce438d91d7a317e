"""A contender's side of `bench/protocol.ts` in Python."""

import json
import sys
import time
from collections.abc import Callable

# The numbers taken from the work's result, and the function to repeat.
Job = tuple[list[float], Callable[[], object]]


def serve(
    framework: str,
    version: str,
    threads: int,
    prepare: Callable[[dict], Job | str],
    finish: Callable[[object], object] = lambda result: None,
) -> None:
    """Answers requests until standard input ends. `prepare` returns the reason where it does no such work; `finish` waits
    for the last result of a run."""
    replies, sys.stdout = sys.stdout, sys.stderr
    job: Job | None = None

    def answer(request: dict) -> dict:
        nonlocal job
        match request["command"]:
            case "hello":
                return {"framework": framework, "version": version, "threads": threads}
            case "prepare":
                made = prepare(request["work"])
                if isinstance(made, str):
                    return {"unsupported": made, "check": []}
                job = made
                return {"check": made[0]}
            case "run":
                function = job[1]
                start = time.perf_counter()
                for _ in range(request["iterations"]):
                    result = function()
                finish(result)
                return {"seconds": time.perf_counter() - start}
            case "release":
                job = None
                return {}
        raise ValueError(f"unknown command {request['command']}")

    for line in sys.stdin:
        try:
            reply = answer(json.loads(line))
        except Exception as error:
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()
