"""What the Python programs have in common: the records, and the checks on them."""

import sys

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PARTITIONS = 4
PER_ROUND = 100


def records(round_name):
    """Keys, values and headers of one round; one value is null."""
    for number in range(PER_ROUND):
        value = None if number == 7 else f"{round_name}-{number}".encode()
        yield f"key-{number % 10}".encode(), value, [("round", round_name.encode()), ("n", str(number).encode())]


def expected(rounds):
    return sorted((name, number) for name in rounds for number in range(PER_ROUND))


def identify(headers):
    """Which record this is, by its headers."""
    values = dict(headers)
    return values["round"].decode(), int(values["n"])


def check_everything(step, got, rounds):
    """`got`: (key, value, headers) in the order of arrival."""
    check(step, sorted(identify(headers) for _, _, headers in got), expected(rounds))
    last = {}
    for key, value, headers in got:
        name, number = identify(headers)
        check(f"{step}: key of {name}-{number}", key, f"key-{number % 10}".encode())
        wanted = None if number == 7 else f"{name}-{number}".encode()
        check(f"{step}: value of {name}-{number}", value, wanted)
        if last.get((name, key), -1) >= number:
            sys.exit(f"{step}: records of {key} came in another order than they were sent")
        last[name, key] = number


def check(step, got, wanted):
    if got != wanted:
        sys.exit(f"{step}: expected {str(wanted)[:2000]}, got {str(got)[:2000]}")


def ask_for_restart():
    print("restart", flush=True)
    sys.stdin.readline()
