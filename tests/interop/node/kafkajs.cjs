// kafkajs: see ../README.md. Of the codecs it has gzip without further packages.
const assert = require('node:assert/strict');
const readline = require('node:readline');
const { CompressionTypes, Kafka, Partitioners, logLevel } = require('kafkajs');

const [bootstrap, name] = process.argv.slice(2);
const PARTITIONS = 4;
const PER_ROUND = 100;
const CODECS = { none: CompressionTypes.None, gzip: CompressionTypes.GZIP };
const rounds = Object.keys(CODECS);

const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.ERROR });

// One round: ten keys, and one value is null.
const messages = (round) =>
  Array.from({ length: PER_ROUND }, (_, number) => ({
    key: `key-${number % 10}`,
    value: number === 7 ? null : `${round}-${number}`,
    headers: { round, n: `${number}` },
  }));

function checkEverything(step, got, expectedRounds) {
  const identify = ({ headers }) => [headers.round.toString(), Number(headers.n)];
  const last = new Map();
  const seen = new Set();
  for (const message of got) {
    const [round, number] = identify(message);
    const key = message.key.toString();
    assert.equal(key, `key-${number % 10}`, step);
    assert.equal(message.value?.toString() ?? null, number === 7 ? null : `${round}-${number}`, step);
    assert(!((last.get(round + key) ?? -1) >= number), `${step}: ${key} out of order`);
    last.set(round + key, number);
    seen.add(`${round}-${number}`);
  }
  assert.equal(got.length, expectedRounds.length * PER_ROUND, `${step}: count`);
  for (const round of expectedRounds) {
    for (let number = 0; number < PER_ROUND; number++) assert(seen.has(`${round}-${number}`), step);
  }
}

// A consumer that keeps what it reads, and its assignment.
async function member(groupId) {
  const consumer = kafka.consumer({ groupId, sessionTimeout: 10000, heartbeatInterval: 300, maxWaitTimeInMs: 200 });
  const self = { consumer, got: [], partitions: [] };
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    self.partitions = payload.memberAssignment[name] ?? [];
  });
  await consumer.connect();
  await consumer.subscribe({ topic: name, fromBeginning: true });
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message }) => self.got.push({ ...message, partition }),
  });
  return self;
}

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 20));
}

async function produce(producer, round, compression) {
  await producer.send({ topic: name, acks: -1, compression, messages: messages(round) });
}

// What was read is committed by hand, for each partition the next offset.
async function commit({ consumer, got }) {
  const next = new Map();
  for (const { partition, offset } of got) next.set(partition, String(BigInt(offset) + 1n));
  await consumer.commitOffsets([...next].map(([partition, offset]) => ({ topic: name, partition, offset })));
}

async function main() {
  const admin = kafka.admin();
  await admin.connect();
  await admin.createTopics({ topics: [{ topic: name, numPartitions: PARTITIONS, replicationFactor: 1 }] });

  const producer = kafka.producer({ createPartitioner: Partitioners.DefaultPartitioner });
  await producer.connect();
  for (const [round, compression] of Object.entries(CODECS)) await produce(producer, round, compression);

  const reader = await member(`${name}-alone`);
  await until(() => reader.got.length >= rounds.length * PER_ROUND);
  checkEverything('from the beginning', reader.got, rounds);
  await reader.consumer.disconnect();

  const members = [await member(name), await member(name)];
  await until(() => members.every(({ partitions }) => partitions.length === 2));
  // What the first member read before the second one joined comes again.
  const again = async (self) => {
    self.got = [];
    for (const partition of self.partitions) self.consumer.seek({ topic: name, partition, offset: '0' });
  };
  await Promise.all(members.map(again));
  const got = () => members.flatMap((self) => self.got);
  const distinct = () => new Map(got().map((message) => [`${message.partition}/${message.offset}`, message]));
  await until(() => distinct().size >= rounds.length * PER_ROUND);
  // A fetch that was under way when the member sought may have been handed over as well.
  checkEverything('two members', [...distinct().values()].sort((a, b) => Number(a.offset) - Number(b.offset)), rounds);
  await Promise.all(members.map(commit));
  for (const self of members) self.got = [];

  console.log('restart');
  const lines = readline.createInterface({ input: process.stdin });
  await new Promise((resolve) => lines.once('line', resolve));
  lines.close();

  await produce(producer, 'after', CompressionTypes.GZIP);
  await until(() => got().length >= PER_ROUND);
  checkEverything('after the restart', got(), ['after']);
  await Promise.all(members.map(commit));
  await Promise.all(members.map(({ consumer }) => consumer.disconnect()));

  // Whoever comes next finds nothing left to read.
  const [{ partitions: committed }] = await admin.fetchOffsets({ groupId: name, topics: [name] });
  const ends = await admin.fetchTopicOffsets(name);
  for (const { partition, offset } of committed) {
    assert.equal(offset, ends.find((end) => end.partition === partition).high, `committed offset of ${partition}`);
  }
  await producer.disconnect();
  await admin.disconnect();
  console.log('done');
  // After a restart of the broker this client keeps a connection, and with it the process.
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
