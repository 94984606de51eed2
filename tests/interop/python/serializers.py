"""The three serializers of confluent-kafka, with schemas in prefixes and in headers.

    serializers.py write BROKER REGISTRY TOPIC    two records each to TOPIC-avro, TOPIC-jsonschema, TOPIC-protobuf
    serializers.py read BROKER REGISTRY TOPIC     those and two more each, which all have to be the same
"""

import sys

from confluent_kafka import Consumer, Producer
from confluent_kafka.schema_registry import (
    SchemaRegistryClient,
    header_schema_id_serializer,
    prefix_schema_id_serializer,
)
from confluent_kafka.schema_registry.avro import AvroDeserializer, AvroSerializer
from confluent_kafka.schema_registry.json_schema import JSONDeserializer, JSONSerializer
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from steps import check

AVRO = """{"type":"record","name":"Item","namespace":"shop","fields":[
    {"name":"name","type":["null","string"]},{"name":"n","type":"long"}]}"""
JSON = """{"$schema":"http://json-schema.org/draft-07/schema#","title":"Item","type":"object",
    "properties":{"name":{"type":"string"},"n":{"type":"integer"}},"required":["n"]}"""


def item_class():
    """The class of a Protobuf message, without protoc."""
    file = descriptor_pb2.FileDescriptorProto(name="item.proto", package="shop", syntax="proto3")
    message = file.message_type.add(name="Item")
    fields = descriptor_pb2.FieldDescriptorProto
    for number, (name, type_) in enumerate([("name", fields.TYPE_STRING), ("n", fields.TYPE_INT64)], 1):
        message.field.add(name=name, number=number, type=type_, label=fields.LABEL_OPTIONAL)
    pool = descriptor_pool.Default()
    pool.AddSerializedFile(file.SerializeToString())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("shop.Item"))


action, broker, registry, topic = sys.argv[1:]
client = SchemaRegistryClient({"url": registry})
Item = item_class()
# Long enough: the Avro deserializer takes a payload of five bytes for one that is cut short.
value = {"name": "somebody", "n": 5}

# Per format: the serializer for a way to name schemas, the deserializer, the value, and how it is compared.
formats = {
    "avro": (
        lambda how: AvroSerializer(client, AVRO, conf={"schema.id.serializer": how}),
        AvroDeserializer(client),
        value,
    ),
    "jsonschema": (
        lambda how: JSONSerializer(JSON, client, conf={"schema.id.serializer": how}),
        JSONDeserializer(None, schema_registry_client=client),
        value,
    ),
    "protobuf": (
        lambda how: ProtobufSerializer(Item, client, {"use.deprecated.format": False, "schema.id.serializer": how}),
        ProtobufDeserializer(Item, {"use.deprecated.format": False}, client),
        Item(**value),
    ),
}


def write():
    producer = Producer({"bootstrap.servers": broker})
    failures = []
    for name, (serializer, _, item) in formats.items():
        for how in (prefix_schema_id_serializer, header_schema_id_serializer):
            headers = []
            context = SerializationContext(f"{topic}-{name}", MessageField.VALUE, headers)
            data = serializer(how)(item, context)
            producer.produce(
                f"{topic}-{name}", data, headers=headers, on_delivery=lambda error, _: error and failures.append(error)
            )
    check("records that were not delivered", producer.flush(60), 0)
    check("delivery", failures, [])
    print("written")


def read():
    for name, (_, deserializer, item) in formats.items():
        settings = {"bootstrap.servers": broker, "group.id": f"{topic}-{name}", "auto.offset.reset": "earliest"}
        consumer = Consumer(settings)
        consumer.subscribe([f"{topic}-{name}"])
        got = 0
        while got < 4:
            message = consumer.poll(1.0)
            if message is None:
                continue
            check("errors", message.error(), None)
            context = SerializationContext(message.topic(), MessageField.VALUE, message.headers())
            check(f"record {got} of {name}", deserializer(message.value(), context), item)
            got += 1
        consumer.close()
    print("read")


{"write": write, "read": read}[action]()
