// Registers, evolves, encodes and decodes with @kafkajs/confluent-schema-registry.
// Arguments: the URL of the registry, host:port of the broker (not used).
const assert = require('node:assert/strict');
const { SchemaRegistry, SchemaType } = require('@kafkajs/confluent-schema-registry');

const V1 = { type: 'record', name: 'Student', namespace: 'school', fields: [{ name: 'first', type: ['null', 'string'] }] };
const V2 = { ...V1, fields: [...V1.fields, { name: 'age', type: 'int', default: 0 }] };
const BAD = { ...V1, fields: [{ name: 'other', type: 'string' }] };
const avro = (schema) => ({ type: SchemaType.AVRO, schema: JSON.stringify(schema) });

async function main() {
  const registry = new SchemaRegistry({ host: process.argv[2] });
  const subject = { subject: 'students-value' };
  const first = await registry.register(avro(V1), subject);
  assert.equal((await registry.register(avro(V1), subject)).id, first.id);
  const second = await registry.register(avro(V2), subject);
  assert.notEqual(second.id, first.id);
  assert.equal(await registry.getLatestSchemaId(subject.subject), second.id);
  assert.equal(await registry.getRegistryIdBySchema(subject.subject, avro(V1)), first.id);
  await assert.rejects(registry.register(avro(BAD), subject));
  const decoded = await registry.decode(await registry.encode(first.id, { first: 'Ian' }));
  assert.equal(decoded.first, 'Ian');
  const json = await registry.register(
    { type: SchemaType.JSON, schema: '{"type":"object","properties":{"n":{"type":"integer"}}}' },
    { subject: 'item-value' },
  );
  assert.deepEqual(await registry.decode(await registry.encode(json.id, { n: 7 })), { n: 7 });
  const proto = await registry.register(
    { type: SchemaType.PROTOBUF, schema: 'syntax = "proto3"; package trip; message Trip { int32 n = 1; }' },
    { subject: 'trip-value' },
  );
  assert.equal((await registry.decode(await registry.encode(proto.id, { n: 7 }))).n, 7);
  console.log('done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
