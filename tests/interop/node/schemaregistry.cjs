// Registers, evolves, writes and reads with @confluentinc/schemaregistry and its three serializers.
// Arguments: the URL of the registry, host:port of the broker.
const assert = require('node:assert/strict');
const {
  AvroDeserializer, AvroSerializer, JsonDeserializer, JsonSerializer, ProtobufDeserializer, ProtobufSerializer,
  SchemaRegistryClient, SerdeType,
} = require('@confluentinc/schemaregistry');
const { create, createFileRegistry, createMutableRegistry } = require('@bufbuild/protobuf');
const { FileDescriptorProtoSchema, FieldDescriptorProto_Label, FieldDescriptorProto_Type } = require('@bufbuild/protobuf/wkt');
const { Kafka, logLevel } = require('kafkajs');

const V1 = { type: 'record', name: 'Student', namespace: 'school', fields: [{ name: 'first', type: ['null', 'string'] }] };
const V2 = { ...V1, fields: [...V1.fields, { name: 'age', type: 'int', default: 0 }] };
const BAD = { ...V1, fields: [{ name: 'other', type: 'string' }] };
const JSON_SCHEMA = {
  $schema: 'http://json-schema.org/draft-07/schema#',
  title: 'Item',
  type: 'object',
  properties: { n: { type: 'integer' } },
  required: ['n'],
};
const avro = (schema) => ({ schemaType: 'AVRO', schema: JSON.stringify(schema) });
const json = { schemaType: 'JSON', schema: JSON.stringify(JSON_SCHEMA) };

async function registry(client) {
  const subject = 'students-value';
  const first = await client.registerFullResponse(subject, avro(V1));
  assert.equal(await client.register(subject, avro(V1)), first.id);
  const second = await client.register(subject, avro(V2));
  assert.ok(second > first.id);
  assert.equal(await client.getId(subject, avro(V1)), first.id);
  assert.equal(await client.getVersion(subject, avro(V1)), 1);
  assert.deepEqual(JSON.parse((await client.getBySubjectAndId(subject, second)).schema), V2);
  const latest = await client.getLatestSchemaMetadata(subject);
  assert.deepEqual([latest.id, latest.version], [second, 2]);
  assert.deepEqual(JSON.parse((await client.getByGuid(latest.guid)).schema), V2);
  assert.deepEqual(await client.getAllSubjects(), [subject]);
  assert.deepEqual(await client.getAllVersions(subject), [1, 2]);
  assert.equal(await client.testSubjectCompatibility(subject, avro(V2)), true);
  assert.equal(await client.testSubjectCompatibility(subject, avro(BAD)), false);
  assert.equal(await client.testCompatibility(subject, 1, avro(BAD)), false);
  await assert.rejects(client.register(subject, avro(BAD)), { status: 409 });
  await assert.rejects(client.getLatestSchemaMetadata('unknown'), { status: 404, errorCode: 40401 });

  const reference = { name: 'school.Student', subject, version: 1 };
  const group = { type: 'record', name: 'Group', fields: [{ name: 's', type: 'school.Student' }] };
  await client.register('group-value', { ...avro(group), references: [reference] });
  assert.deepEqual((await client.getLatestSchemaMetadata('group-value')).references, [reference]);

  const metadata = { properties: { owner: 'school' } };
  const tagged = await client.register('tagged-value', { ...avro(V1), metadata });
  assert.equal((await client.getLatestWithMetadata('tagged-value', metadata.properties)).id, tagged);

  assert.equal(await client.getDefaultCompatibility(), 'BACKWARD');
  assert.equal(await client.updateCompatibility(subject, 'FULL'), 'FULL');
  assert.equal(await client.getCompatibility(subject), 'FULL');
  assert.equal((await client.updateConfig(subject, { normalize: true })).normalize, true);
  assert.equal((await client.getConfig(subject)).normalize, true);

  assert.equal(await client.deleteSubjectVersion(subject, 2), 2);
  assert.deepEqual(await client.getAllVersions(subject), [1]);
  assert.deepEqual(await client.deleteSubject('tagged-value'), [1]);
  assert.deepEqual(await client.deleteSubject('tagged-value', true), [1]);
}

async function roundTrip(kafka, topic, serializer, deserializer, value) {
  const producer = kafka.producer();
  await producer.connect();
  await producer.send({ topic, messages: [{ value: await serializer.serialize(topic, value) }] });
  await producer.disconnect();
  const consumer = kafka.consumer({ groupId: topic });
  await consumer.connect();
  await consumer.subscribe({ topic, fromBeginning: true });
  const message = await new Promise((resolve, reject) => {
    consumer.run({ eachMessage: async (record) => resolve(record.message) }).catch(reject);
  });
  const got = await deserializer.deserialize(topic, message.value);
  await consumer.disconnect();
  return got;
}

/** `message Trip { int32 n = 1; }` and, for its index, a message before it; without protoc. */
function tripFile() {
  const number = { name: 'n', number: 1, type: FieldDescriptorProto_Type.INT32, label: FieldDescriptorProto_Label.OPTIONAL };
  const messageType = [{ name: 'Other' }, { name: 'Trip', field: [number] }];
  const proto = create(FileDescriptorProtoSchema, { name: 'trip.proto', package: 'trip', syntax: 'proto3', messageType });
  return createFileRegistry(proto, () => undefined);
}

async function main() {
  const [url, broker] = process.argv.slice(2);
  const client = new SchemaRegistryClient({ baseURLs: [url] });
  await registry(client);
  const kafka = new Kafka({ brokers: [broker], logLevel: logLevel.ERROR });

  const ian = { first: 'Ian' };
  await client.register('avro-trip-value', avro(V1));
  const latest = { useLatestVersion: true };
  const students = new AvroSerializer(client, SerdeType.VALUE, { ...latest });
  const student = await roundTrip(kafka, 'avro-trip', students, new AvroDeserializer(client, SerdeType.VALUE, {}), ian);
  assert.equal(student.first, 'Ian');

  // Without a schema of one's own the serializer takes the registered one, and checks against it.
  await client.register('json-trip-value', json);
  const items = new JsonSerializer(client, SerdeType.VALUE, { ...latest, validate: true });
  const item = await roundTrip(kafka, 'json-trip', items, new JsonDeserializer(client, SerdeType.VALUE, { validate: true }), { n: 7 });
  assert.deepEqual(item, { n: 7 });
  await assert.rejects(items.serialize('json-trip', { n: 'seven' }));

  const files = tripFile();
  const message = create(files.getMessage('trip.Trip'), { n: 7 });
  const trips = new ProtobufSerializer(client, SerdeType.VALUE, { autoRegisterSchemas: true, registry: createMutableRegistry(files) });
  const trip = await roundTrip(kafka, 'protobuf-trip', trips, new ProtobufDeserializer(client, SerdeType.VALUE, {}), message);
  assert.equal(trip.n, 7);
  // The client registers the bytes of the descriptor, which the registry keeps as text.
  const stored = await client.getLatestSchemaMetadata('protobuf-trip-value');
  assert.equal(stored.schemaType, 'PROTOBUF');
  assert.match(stored.schema, /message Trip/);
  console.log('all done');
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
