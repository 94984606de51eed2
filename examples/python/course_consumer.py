#!/usr/bin/env python3
"""Read messages through the first version of the API, and commit by hand.

    python3 examples/python/course_consumer.py [http://localhost:8082]
"""

import base64
import json
import os
import sys

import requests

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OTTLA_REST_URL", "http://localhost:8082")
GROUP = "my_group"

headers = {"Content-Type": "application/vnd.kafka.v1+json"}

# Create a consumer instance that starts with the oldest message. The answer
# holds the base URI for all that follows.
settings = {"format": "binary", "auto.offset.reset": "smallest", "auto.commit.enable": "false"}
r = requests.post(f"{URL}/consumers/{GROUP}", data=json.dumps(settings), headers=headers, timeout=30)
if r.status_code != 200:
    sys.exit(f"Status Code: {r.status_code}\n{r.text}")
base_uri = r.json()["base_uri"]

# Read. The Accept header names the format that the instance was created with.
accept = {"Accept": "application/vnd.kafka.binary.v1+json"}
r = requests.get(base_uri + "/topics/my_topic", headers=accept, timeout=30)
if r.status_code != 200:
    sys.exit(f"Status Code: {r.status_code}\n{r.text}")
for message in r.json():
    if message["key"] is not None:
        print("Message Key:", base64.b64decode(message["key"]).decode())
    print("Message Value:", base64.b64decode(message["value"]).decode())

# Commit, so that the group does not get these messages again.
r = requests.post(base_uri + "/offsets", headers=headers, timeout=30)
if r.status_code != 200:
    sys.exit(f"Status Code: {r.status_code}\n{r.text}")

# Delete the consumer instance.
r = requests.delete(base_uri, headers=headers, timeout=30)
if r.status_code != 204:
    sys.exit(f"Status Code: {r.status_code}\n{r.text}")
