"""Writers for the test that kills the broker: idempotent producers of librdkafka.

Called as `crash_writer.py BOOTSTRAP_SERVERS TOPIC PARTITION NAME`. Writes NAME-0,
NAME-1, ... to the partition until a line comes on standard input. Prints `acked N`
now and then, and as its last line: N records are acknowledged.
"""

import sys
import threading

from confluent_kafka import Producer

bootstrap, topic, partition, name = sys.argv[1:]

# As long as the broker comes back, nothing is given up.
producer = Producer(
    {
        "bootstrap.servers": bootstrap,
        "enable.idempotence": True,
        "acks": "all",
        "message.timeout.ms": 0,
        "linger.ms": 1,
        "queue.buffering.max.messages": 200,
        "retry.backoff.ms": 10,
        "retry.backoff.max.ms": 100,
        "reconnect.backoff.ms": 10,
        "reconnect.backoff.max.ms": 50,
        "log_level": 0,
    }
)
acked = 0
stop = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), stop.set()), daemon=True).start()


def delivered(error, message):
    global acked
    if error:
        sys.exit(f"{name}: {error}")
    wanted = f"{name}-{acked} "
    if not message.value().decode().startswith(wanted):
        sys.exit(f"{name}: expected {wanted}to be acknowledged, got {message.value()}")
    acked += 1


PADDING = "x" * 300
number = 0
reported = 0
while not stop.is_set():
    try:
        producer.produce(topic, f"{name}-{number} {PADDING}".encode(), partition=int(partition), on_delivery=delivered)
        number += 1
        producer.poll(0)
    except BufferError:
        producer.poll(0.02)
    if acked > reported:
        reported = acked
        print("acked", acked, flush=True)
while producer.flush(1) > 0:
    pass
if acked != number:
    sys.exit(f"{name}: {number} records were written and {acked} acknowledged")
print("acked", acked, flush=True)
