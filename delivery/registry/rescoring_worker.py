"""Tags notes with one model, in a process that knows nothing but that model: ``python -P rescoring_worker.py FOLDER``.

A process imports `stages` once; two models, each with its own code, therefore need two. Texts come and mentions go
through pipes as lines of JSON and touch no disk: ``{"texts": […], "repeats": n}`` gives
``{"notes": [[[start, end, label, confidence, accepted], …], …], "seconds": …}``, CPU seconds of all repeats.
"""

import argparse
import json
import os
import sys
import time


def main() -> None:
    """Answer requests until the input ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", metavar="FOLDER", help="a logged model")
    options = parser.parse_args()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print is no answer
    import mlflow

    # All notes come in one request here, and whatever the graph evaluates is rescored.
    unlimited = {"note_characters": None, "request_characters": None}
    model = mlflow.pyfunc.load_model(options.model, model_config=unlimited)
    for line in sys.stdin:
        request = json.loads(line)
        started = time.process_time()
        for _ in range(request["repeats"]):
            predictions = model.predict(request["texts"])
        seconds = time.process_time() - started
        notes = [
            [[m["start"], m["end"], m["label"], m["confidence"], m["accepted"]] for m in mentions]
            for mentions in predictions["mentions"]
        ]
        answers.write(json.dumps({"notes": notes, "seconds": seconds}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
