#!/usr/bin/env python3
"""Send messages through the first version of the API: keys and values in base64.

    python3 examples/python/course_producer.py [http://localhost:8082]
"""

import base64
import json
import os
import sys

import requests

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OTTLA_REST_URL", "http://localhost:8082")
TOPIC = "my_topic"


def encode(text):
    return base64.b64encode(text.encode()).decode()


headers = {"Content-Type": "application/vnd.kafka.binary.v1+json"}
payload = {"records": [{"key": encode("firstkey"), "value": encode("firstvalue")}]}

r = requests.post(f"{URL}/topics/{TOPIC}", data=json.dumps(payload), headers=headers, timeout=30)
if r.status_code != 200:
    sys.exit(f"Status Code: {r.status_code}\n{r.text}")
print(r.text)
