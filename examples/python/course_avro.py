#!/usr/bin/env python3
"""Send Avro messages through the first version of the API: the schemas once, later only their ids.

    python3 examples/python/course_avro.py [http://localhost:8082]
"""

import json
import os
import sys

import requests

URL = sys.argv[1] if len(sys.argv) > 1 else os.environ.get("OTTLA_REST_URL", "http://localhost:8082")
TOPIC = "my_avro_topic"
GROUP = "my_avro_group"


def check(r, status):
    if r.status_code != status:
        sys.exit(f"Status Code: {r.status_code}\n{r.text}")


headers = {"Content-Type": "application/vnd.kafka.avro.v1+json"}
key_schema = {"name": "user_id", "type": "int", "doc": "Unique user identifier"}
value_schema = {"type": "record", "name": "User", "fields": [{"name": "name", "type": "string"}]}

# The first request holds the schemas, as strings. They are registered.
payload = {
    "key_schema": json.dumps(key_schema),
    "value_schema": json.dumps(value_schema),
    "records": [{"key": 1, "value": {"name": "testUser"}}, {"key": 2, "value": {"name": "otherUser"}}],
}
r = requests.post(f"{URL}/topics/{TOPIC}", data=json.dumps(payload), headers=headers, timeout=30)
check(r, 200)
answer = r.json()
print("schemas were sent, and have ids now")

# From then on their ids will do.
for number in (3, 4, 5):
    payload = {
        "key_schema_id": answer["key_schema_id"],
        "value_schema_id": answer["value_schema_id"],
        "records": [{"key": number, "value": {"name": f"user{number}"}}],
    }
    r = requests.post(f"{URL}/topics/{TOPIC}", data=json.dumps(payload), headers=headers, timeout=30)
    check(r, 200)

# Read them. Nothing has to be said about schemas any more: each message names its own.
settings = {"format": "avro", "auto.offset.reset": "smallest"}
headers = {"Content-Type": "application/vnd.kafka.v1+json"}
r = requests.post(f"{URL}/consumers/{GROUP}", data=json.dumps(settings), headers=headers, timeout=30)
check(r, 200)
base_uri = r.json()["base_uri"]
accept = {"Accept": "application/vnd.kafka.avro.v1+json"}
r = requests.get(f"{base_uri}/topics/{TOPIC}", headers=accept, timeout=30)
check(r, 200)
for message in r.json():
    print("Message Key:", message["key"], "Message Value:", message["value"])
check(requests.delete(base_uri, headers=headers, timeout=30), 204)
