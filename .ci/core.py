"""Names words and thoughts once, for the checks that hold them to more."""

import sys

CORE = (
    "errors",
    "model",
    "ports",
    "config",
    "addresses",
    "answers",
    "pages",
    "totp",
    "flow",
    "account",
    "setbacks",
    "sink_state",
    "state",
    "decisions",
    "windows",
    "budget",
    "spacing",
    "gates",
    "upkeep",
    "policy",
    "book",
    "views",
)
TESTS = ("tests/config", "tests/flow", "tests/thoughts")

if __name__ == "__main__":
    if sys.argv[1] == "coverage":
        print(",".join(f"homey_tokend/{name}.py,homey_tokend/{name}/*" for name in CORE))
    else:
        print(*TESTS)
