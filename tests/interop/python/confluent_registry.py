"""Registers, evolves, writes and reads with Confluent's Python client.

Arguments: the URL of the registry, host:port of the broker.
"""

import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import Schema, SchemaReference, SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

V1 = '{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]}]}'
V2 = (
    '{"type":"record","name":"Student","fields":[{"name":"first","type":["null","string"]},'
    '{"name":"age","type":"int","default":0}]}'
)
BAD = '{"type":"record","name":"Student","fields":[{"name":"other","type":"string"}]}'
JSON = (
    '{"$schema":"http://json-schema.org/draft-07/schema#","title":"Item","type":"object",'
    '"properties":{"n":{"type":"integer"}},"required":["n"]}'
)


def check(what, got, expected):
    assert got == expected, f"{what}: {got!r} and not {expected!r}"


def registry(client):
    first = client.register_schema("students-value", Schema(V1, "AVRO"))
    check("again", client.register_schema("students-value", Schema(V1, "AVRO")), first)
    second = client.register_schema("students-value", Schema(V2, "AVRO"))
    assert second > first
    check("subjects", client.get_subjects(), ["students-value"])
    check("versions", client.get_versions("students-value"), [1, 2])
    latest = client.get_latest_version("students-value")
    check("latest", (latest.schema_id, latest.version), (second, 2))
    check("lookup", client.lookup_schema("students-value", Schema(V1, "AVRO")).version, 1)
    check("good", client.test_compatibility("students-value", Schema(V2, "AVRO")), True)
    check("bad", client.test_compatibility("students-value", Schema(BAD, "AVRO")), False)
    try:
        client.register_schema("students-value", Schema(BAD, "AVRO"))
        raise AssertionError("an incompatible schema was taken")
    except SchemaRegistryError as error:
        check("status", error.http_status_code, 409)
    reference = SchemaReference("Student", "students-value", 1)
    text = '{"type":"record","name":"Class","fields":[{"name":"s","type":"Student"}]}'
    client.register_schema("class-value", Schema(text, "AVRO", [reference]))
    check("level", client.set_compatibility("students-value", "FULL")["compatibility"], "FULL")
    check("level", client.get_compatibility("students-value"), "FULL")
    check("deleted", client.delete_version("students-value", 2), 2)
    check("versions", client.get_versions("students-value"), [1])


def round_trip(client, broker, topic, serializer, deserializer, value):
    producer = Producer({"bootstrap.servers": broker})
    context = SerializationContext(topic, MessageField.VALUE)
    producer.produce(topic, value=serializer(value, context))
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
    check(topic, deserializer(message.value(), context), value)
    consumer.close()


def trip_class():
    """The class of `message Trip { int32 n = 1; }`, without protoc."""
    file = descriptor_pb2.FileDescriptorProto(name="trip.proto", package="trip", syntax="proto3")
    field = file.message_type.add(name="Trip").field.add(name="n", number=1)
    field.type = descriptor_pb2.FieldDescriptorProto.TYPE_INT32
    field.label = descriptor_pb2.FieldDescriptorProto.LABEL_OPTIONAL
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("trip.Trip"))


def main():
    url, broker = sys.argv[1:]
    client = SchemaRegistryClient({"url": url})
    registry(client)
    round_trip(
        client, broker, "avro-trip", AvroSerializer(client, V1), AvroDeserializer(client), {"first": "Ian"}
    )
    round_trip(
        client, broker, "json-trip", JSONSerializer(JSON, client), JSONDeserializer(JSON), {"n": 7}
    )
    trip = trip_class()
    config = {"use.deprecated.format": False}
    serializer = ProtobufSerializer(trip, client, config)
    deserializer = ProtobufDeserializer(trip, config)
    round_trip(client, broker, "protobuf-trip", serializer, deserializer, trip(n=7))
    stored = client.get_latest_version("protobuf-trip-value").schema
    check("type", stored.schema_type, "PROTOBUF")
    assert "message Trip" in stored.schema_str, stored.schema_str
    check("subjects", "json-trip-value" in client.get_subjects(), True)
    print("done")


main()
