"""Registers, evolves, writes and reads with python-schema-registry-client.

Arguments: the URL of the registry, host:port of the broker.
"""

import asyncio
import sys

from confluent_kafka import Consumer, Producer
from schema_registry.client import AsyncSchemaRegistryClient, SchemaRegistryClient, schema
from schema_registry.client.errors import ClientError
from schema_registry.serializers import (
    AsyncAvroMessageSerializer,
    AvroMessageSerializer,
    JsonMessageSerializer,
)

FIRST = {"name": "first", "type": ["null", "string"]}
V1 = schema.AvroSchema({"type": "record", "name": "Student", "fields": [FIRST]})
V2 = schema.AvroSchema(
    {
        "type": "record",
        "name": "Student",
        "fields": [FIRST, {"name": "age", "type": "int", "default": 0}],
    }
)
BAD = schema.AvroSchema(
    {"type": "record", "name": "Student", "fields": [{"name": "other", "type": "string"}]}
)
ITEM = schema.JsonSchema(
    {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Item",
        "type": "object",
        "properties": {"n": {"type": "integer"}},
        "required": ["n"],
    }
)
SUBJECT = "students-value"


def check(what, got, expected):
    assert got == expected, f"{what}: {got!r} and not {expected!r}"


def refused(what, status, call, *arguments):
    try:
        call(*arguments)
    except ClientError as error:
        check(what, error.http_code, status)
    else:
        raise AssertionError(f"{what}: not refused")


def registry(url):
    client = SchemaRegistryClient(url)
    check("unknown", client.get_schema("unknown"), None)
    check("unknown", client.check_version("unknown", V1), None)
    check("level", client.get_compatibility(), "BACKWARD")
    first = client.register(SUBJECT, V1)
    second = client.register(SUBJECT, V2)
    assert second > first
    refused("incompatible", 409, client.register, SUBJECT, BAD)

    # What another program sees, which has nothing in its cache.
    client = SchemaRegistryClient(url)
    check("again", client.register(SUBJECT, V1), first)
    check("lookup", client.check_version(SUBJECT, V1)[:2], (SUBJECT, first))
    check("lookup", client.check_version(SUBJECT, BAD), None)
    check("by id", SchemaRegistryClient(url).get_by_id(second), V2)
    check("by id", client.get_by_id(1000), None)
    check("subjects", client.get_subjects(), [SUBJECT])
    check("versions", client.get_versions(SUBJECT), [1, 2])
    latest = client.get_schema(SUBJECT)
    check("latest", (latest.schema_id, latest.version, latest.schema), (second, 2, V2))
    check("of version", client.get_schema(SUBJECT, 1).schema, V1)
    where = client.get_schema_subject_versions(second)
    check("where", [(each.subject, each.version) for each in where], [(SUBJECT, 2)])

    check("good", client.test_compatibility(SUBJECT, V2), True)
    check("bad", client.test_compatibility(SUBJECT, BAD), False)
    verbose = client.test_compatibility(SUBJECT, BAD, version=1, verbose=True)
    check("bad", verbose["is_compatible"], False)
    assert verbose["messages"], verbose
    check("level", client.update_compatibility("FULL", SUBJECT), True)
    check("level", client.get_compatibility(SUBJECT), "FULL")
    check("deleted", client.delete_version(SUBJECT, 2), 2)
    check("versions", client.get_versions(SUBJECT), [1])
    check("deleted", client.delete_subject(SUBJECT), [1])
    check("deleted", client.delete_subject(SUBJECT), [])


def through_kafka(broker, topic, value):
    producer = Producer({"bootstrap.servers": broker})
    producer.produce(topic, value=value)
    assert producer.flush(60) == 0, "not all records were written"
    consumer = Consumer(
        {"bootstrap.servers": broker, "group.id": topic, "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = None
    for _ in range(60):
        message = consumer.poll(1.0)
        if message is not None and message.error() is None:
            break
    consumer.close()
    return message.value()


async def asynchronous(url):
    client = AsyncSchemaRegistryClient(url)
    serializer = AsyncAvroMessageSerializer(client)
    value = await serializer.encode_record_with_schema("async-value", V1, {"first": "Ian"})
    reader = AsyncAvroMessageSerializer(AsyncSchemaRegistryClient(url))
    check("async", await reader.decode_message(value), {"first": "Ian"})
    check("async", "async-value" in await client.get_subjects(), True)


def main():
    url, broker = sys.argv[1:]
    registry(url)
    for topic, serializer, with_schema, record in [
        ("avro-trip", AvroMessageSerializer, V1, {"first": "Ian"}),
        ("json-trip", JsonMessageSerializer, ITEM, {"n": 7}),
    ]:
        writer = serializer(SchemaRegistryClient(url))
        value = writer.encode_record_with_schema(f"{topic}-value", with_schema, record)
        reader = serializer(SchemaRegistryClient(url))
        check(topic, reader.decode_message(through_kafka(broker, topic, value)), record)
    asyncio.run(asynchronous(url))
    print("all done")


main()
