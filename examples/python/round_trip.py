#!/usr/bin/env python3
"""Produce, consume, commit with `requests`.

    python3 examples/python/round_trip.py [http://localhost:8082]
"""

import os
import sys

import requests

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OTTLA_REST_URL", "http://localhost:8082")
TOPIC = "python-round-trip"
GROUP = f"python-round-trip-{os.getpid()}"
JSON = {"Content-Type": "application/vnd.kafka.json.v2+json"}
V2 = {"Content-Type": "application/vnd.kafka.v2+json"}


def call(method, url, **arguments):
    """One request; anything but 2xx ends the program with what the server said."""
    response = requests.request(method, url, timeout=30, **arguments)
    if not response.ok:
        sys.exit(f"{method} {url}: {response.status_code} {response.text}")
    return response


# Produce two records. Each answer names the partition and offset of its record.
records = [{"key": "k1", "value": {"foo": "bar"}}, {"key": "k2", "value": [1, 2, 3]}]
answer = call("POST", f"{URL}/topics/{TOPIC}", json={"records": records}, headers=JSON).json()
print("produced:", answer["offsets"])

# A consumer instance is a member of a group that lives in the server.
settings = {"format": "json", "auto.offset.reset": "earliest"}
instance = call("POST", f"{URL}/consumers/{GROUP}", json=settings, headers=V2).json()["base_uri"]
call("POST", f"{instance}/subscription", json={"topics": [TOPIC]}, headers=V2)

# Read, use, commit: what was read counts as done.
accept = {"Accept": "application/vnd.kafka.json.v2+json"}
for record in call("GET", f"{instance}/records", headers=accept).json():
    print("consumed:", record["partition"], record["offset"], record["key"], record["value"])
call("POST", f"{instance}/offsets", headers=V2)

# An instance that is not deleted leaves its group after a few minutes by itself.
call("DELETE", instance, headers=V2)
print("done")
