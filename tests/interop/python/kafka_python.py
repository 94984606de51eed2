"""kafka-python: see ../README.md."""

import os
import queue
import sys
import threading
import time
import traceback
from concurrent.futures import Future

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

from steps import CODECS, PARTITIONS, PER_ROUND, ask_for_restart, check, check_everything, records

bootstrap, name = sys.argv[1:]
partitions = [TopicPartition(name, partition) for partition in range(PARTITIONS)]


def produce(producer, round_name):
    futures = [
        producer.send(name, key=key, value=value, headers=headers) for key, value, headers in records(round_name)
    ]
    producer.flush()
    for future in futures:
        future.get()


def consumer(**settings):
    return KafkaConsumer(
        bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False, **settings
    )


def poll(consumer):
    # A poll that ends while the group rebalances makes this client give up joining: a
    # second is longer than members with the heartbeats below take to rejoin.
    return [
        (record.key, record.value, record.headers)
        for batch in consumer.poll(timeout_ms=1000).values()
        for record in batch
    ]


class Member(threading.Thread):
    """A consumer of the group. It rejoins only while it polls, so each has a thread."""

    def __init__(self, client_id):
        super().__init__(daemon=True)
        self.client_id = client_id
        self.records = queue.Queue()
        self.calls = queue.Queue()
        self.start()

    def run(self):
        consumer_ = consumer(group_id=name, client_id=self.client_id, heartbeat_interval_ms=100)
        consumer_.subscribe([name])
        self.is_open = True
        while self.is_open:
            try:
                for record in poll(consumer_):
                    self.records.put(record)
            except Exception:
                traceback.print_exc()
                os._exit(1)
            while not self.calls.empty():
                function, answer = self.calls.get()
                try:
                    answer.set_result(function(consumer_))
                except Exception as error:
                    answer.set_exception(error)

    def call(self, function):
        """Runs the function between two polls."""
        answer = Future()
        self.calls.put((function, answer))
        return answer.result()

    def close(self, consumer_):
        self.is_open = False
        consumer_.close()

    def read_again(self, consumer_):
        consumer_.seek_to_beginning()
        while not self.records.empty():
            self.records.get()


def take(members, count):
    """What the members read, until it is that many records together."""
    got = []
    while len(got) < count:
        for member in members:
            while not member.records.empty():
                got.append(member.records.get())
        time.sleep(0.05)
    return got


admin = KafkaAdminClient(bootstrap_servers=bootstrap)
admin.create_topics([NewTopic(name, PARTITIONS, 1)])
admin.close()

# The last one is idempotent and stays open over the restart.
for codec in CODECS:
    producer = KafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=codec == CODECS[-1],
        compression_type=None if codec == "none" else codec,
    )
    produce(producer, codec)

reader = consumer()
reader.assign(partitions)
got = []
while len(got) < len(CODECS) * PER_ROUND:
    got += poll(reader)
check_everything("from the beginning", got, CODECS)
reader.close()

members = [Member("a"), Member("b")]
while [len(member.call(KafkaConsumer.assignment)) for member in members] != [2, 2]:
    time.sleep(0.05)
# What the first member read before the second one joined comes again.
for member in members:
    member.call(member.read_again)
check_everything("two members", take(members, len(CODECS) * PER_ROUND), CODECS)
for member in members:
    member.call(KafkaConsumer.commit)

ask_for_restart()

produce(producer, "after")
check_everything("after the restart", take(members, PER_ROUND), ["after"])
for member in members:
    member.call(KafkaConsumer.commit)
for member in members:
    member.call(member.close)

# Whoever comes next finds nothing left to read.
late = consumer(group_id=name)
ends = late.end_offsets(partitions)
check("committed offsets", {partition: late.committed(partition) for partition in partitions}, ends)
late.close()
producer.close()
print("done")
