"""confluent-kafka, that is librdkafka: see ../README.md."""

import sys

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from steps import CODECS, PARTITIONS, PER_ROUND, ask_for_restart, check, check_everything, records

bootstrap, name = sys.argv[1:]


def produce(producer, round_name):
    failures = []
    for key, value, headers in records(round_name):
        producer.produce(name, value, key, headers=headers, on_delivery=lambda error, _: error and failures.append(error))
    producer.flush()
    check(f"delivery of {round_name}", failures, [])


def take(consumers, count):
    """Polls all consumers in turn until they have got that many records together."""
    got = []
    while len(got) < count:
        for consumer in consumers:
            for message in consumer.consume(count, 0.2):
                if message.error():
                    # librdkafka goes on by itself; fatal errors end the program through the caller's limit.
                    print("consumer:", message.error(), file=sys.stderr)
                else:
                    got.append((message.key(), message.value(), message.headers()))
    return got


def consumer(**settings):
    return Consumer(
        {"bootstrap.servers": bootstrap, "auto.offset.reset": "earliest", "enable.auto.commit": False, **settings}
    )


admin = AdminClient({"bootstrap.servers": bootstrap})
for future in admin.create_topics([NewTopic(name, PARTITIONS, 1)]).values():
    future.result()

# The last one is idempotent and stays open over the restart.
for codec in CODECS:
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "enable.idempotence": codec == CODECS[-1]})
    produce(producer, codec)

reader = consumer(**{"group.id": f"{name}-nobody"})
reader.assign([TopicPartition(name, partition, 0) for partition in range(PARTITIONS)])
check_everything("from the beginning", take([reader], len(CODECS) * PER_ROUND), CODECS)
reader.close()

members = [consumer(**{"group.id": name, "client.id": client}) for client in ("a", "b")]
for member in members:
    member.subscribe([name])
got = []
while [len(member.assignment()) for member in members] != [2, 2]:
    for member in members:
        got += [(m.key(), m.value(), m.headers()) for m in member.consume(1000, 0.1) if not m.error()]
# What the first member read before the second one joined comes again.
for member in members:
    for partition in member.assignment():
        member.seek(TopicPartition(name, partition.partition, 0))
got = take(members, len(CODECS) * PER_ROUND)
check_everything("two members", got, CODECS)
for member in members:
    member.commit(asynchronous=False)

ask_for_restart()

produce(producer, "after")
check_everything("after the restart", take(members, PER_ROUND), ["after"])
for member in members:
    member.commit(asynchronous=False)
for member in members:
    member.close()

# Whoever comes next finds nothing left to read.
late = consumer(**{"group.id": name})
committed = late.committed([TopicPartition(name, partition) for partition in range(PARTITIONS)])
ends = [late.get_watermark_offsets(partition)[1] for partition in committed]
check("committed offsets", [partition.offset for partition in committed], ends)
late.close()
print("done")
