"""The engine of Open Policy Agent: what it makes of policies, data and an input.

    opa.py

Prints `listening …`. Every line of the standard input is a question, answered by one line:

    {"policies": {NAME: TEXT}, "data": OBJECT, "ask": "package.rule", "input": VALUE}

`value VALUE`, `undefined`, or `failed WHY`.
"""

import json
import sys

from opa_bindings import OpaEngine
from opa_bindings.engine import OpaError, OpaUndefinedError


def answer(question):
    with OpaEngine() as engine:
        for name, text in question["policies"].items():
            engine.add_policy(name, text)
        engine.add_data(question["data"])
        value = engine.eval_document(question["ask"], question["input"])
        return "value " + json.dumps(value)


print("listening for questions", flush=True)
for line in sys.stdin:
    try:
        said = answer(json.loads(line))
    except OpaUndefinedError:
        said = "undefined"
    except OpaError as error:
        said = "failed " + str(error).replace("\n", " ")
    print(said, flush=True)
