import java.time.Duration;
import java.util.*;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.ParsedSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.avro.AvroSchema;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.*;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.Metadata;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.entities.SchemaReference;
import org.apache.flink.avro.registry.confluent.shaded.io.confluent.kafka.schemaregistry.client.rest.exceptions.RestClientException;
import org.apache.flink.avro.shaded.org.apache.avro.Schema;
import org.apache.flink.avro.shaded.org.apache.avro.generic.*;
import org.apache.flink.formats.avro.registry.confluent.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.serialization.*;

/**
 * Registers and evolves with Confluent's own client, which Flink's Avro format carries under names of its own, and
 * writes and reads with that format. Arguments: the URL of the registry, host:port of the broker.
 */
public class Registry {
    static final String SUBJECT = "students-value";
    static final String FIRST = "{\"name\":\"first\",\"type\":[\"null\",\"string\"]}";
    static final String AGE = "{\"name\":\"age\",\"type\":\"int\",\"default\":0}";
    static final AvroSchema V1 = student(FIRST);
    static final AvroSchema V2 = student(FIRST + "," + AGE);
    static final AvroSchema BAD = student("{\"name\":\"other\",\"type\":\"string\"}");

    interface Call {
        Object run() throws Exception;
    }

    public static void main(String[] args) throws Exception {
        registry(args[0]);
        roundTrip(args[0], args[1]);
        System.out.println("all done");
    }

    static AvroSchema student(String fields) {
        return new AvroSchema(
            "{\"type\":\"record\",\"name\":\"Student\",\"namespace\":\"school\",\"fields\":[" + fields + "]}");
    }

    static void registry(String url) throws Exception {
        SchemaRegistryClient client = new CachedSchemaRegistryClient(url, 100);
        int first = client.register(SUBJECT, V1);
        int second = client.register(SUBJECT, V2);
        check("id", second > first, true);
        refused("incompatible", 409, 409, () -> client.register(SUBJECT, BAD));
        refused("unknown", 404, 40401, () -> client.getLatestSchemaMetadata("unknown"));
        refused("unknown", 404, 40403, () -> client.getSchemaById(1000));

        // What another program sees, which has nothing in its cache.
        SchemaRegistryClient other = new CachedSchemaRegistryClient(url, 100);
        check("again", other.register(SUBJECT, V1), first);
        check("lookup", other.getId(SUBJECT, V2), second);
        check("version", other.getVersion(SUBJECT, V2), 2);
        check("by id", other.getSchemaById(second), V2);
        check("by id", other.getSchemaBySubjectAndId(SUBJECT, first), V1);
        check("latest", other.getLatestSchemaMetadata(SUBJECT).getVersion(), 2);
        check("of version", other.getSchemaMetadata(SUBJECT, 1).getId(), first);
        check("all", other.getSchemas(SUBJECT, false, true).size(), 1);
        check("subjects", List.copyOf(other.getAllSubjects()), List.of(SUBJECT));
        check("by prefix", List.copyOf(other.getAllSubjectsByPrefix("other")), List.of());
        check("versions", other.getAllVersions(SUBJECT), List.of(1, 2));
        check("where", List.copyOf(other.getAllSubjectsById(first)), List.of(SUBJECT));
        check("where", other.getAllVersionsById(second).iterator().next().getVersion(), 2);

        check("good", other.testCompatibility(SUBJECT, V2), true);
        check("bad", other.testCompatibility(SUBJECT, BAD), false);
        check("told", other.testCompatibilityVerbose(SUBJECT, V2), List.of());
        check("told", other.testCompatibilityVerbose(SUBJECT, BAD).isEmpty(), false);
        check("level", other.getCompatibility(null), "BACKWARD");
        check("level", other.updateCompatibility(SUBJECT, "FULL"), "FULL");
        check("level", other.getCompatibility(SUBJECT), "FULL");
        other.deleteCompatibility(SUBJECT);
        refused("level", 404, 40408, () -> other.getCompatibility(SUBJECT));

        SchemaReference reference = new SchemaReference("school.Student", SUBJECT, 1);
        String text = "{\"type\":\"record\",\"name\":\"Class\",\"fields\":[{\"name\":\"s\",\"type\":\"school.Student\"}]}";
        AvroSchema group =
            new AvroSchema(text, List.of(reference), Map.of("school.Student", V1.canonicalString()), null);
        int id = other.register("class-value", group);
        ParsedSchema stored = new CachedSchemaRegistryClient(url, 100).getSchemaById(id);
        check("references", stored.references(), List.of(reference));

        Metadata metadata = new Metadata(Map.of(), Map.of("owner", "school"), Set.of());
        other.register("tagged-value", V1.copy(metadata, null));
        check("metadata", other.getLatestWithMetadata("tagged-value", Map.of("owner", "school"), false).getVersion(), 1);

        check("mode", other.getMode(), "READWRITE");
        check("mode", other.setMode("READONLY", SUBJECT), "READONLY");
        refused("read-only", 422, 42205, () -> other.deleteSubject(SUBJECT));
        other.deleteMode(SUBJECT);
        refused("referenced", 422, 42206, () -> other.deleteSchemaVersion(SUBJECT, "1"));
        check("deleted", other.deleteSchemaVersion(SUBJECT, "2"), 2);
        check("versions", other.getAllVersions(SUBJECT), List.of(1));
        check("versions", other.getAllVersions(SUBJECT, true), List.of(1, 2));
        check("deleted", other.deleteSubject("tagged-value"), List.of(1));
        check("deleted", other.deleteSubject("tagged-value", true), List.of(1));
    }

    /** The writer knows the older schema, the reader the newer one. */
    static void roundTrip(String url, String broker) throws Exception {
        String topic = "avro-trip";
        GenericRecord ian = new GenericRecordBuilder(V1.rawSchema()).set("first", "Ian").build();
        Schema newer = V2.rawSchema();
        try (Producer<byte[], byte[]> producer = new KafkaProducer<>(
                Map.of("bootstrap.servers", broker), new ByteArraySerializer(), new ByteArraySerializer());
            Consumer<byte[], byte[]> consumer = new KafkaConsumer<>(
                Map.of("bootstrap.servers", broker, "group.id", topic, "auto.offset.reset", "earliest"),
                new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            byte[] value =
                ConfluentRegistryAvroSerializationSchema.forGeneric(topic + "-value", V1.rawSchema(), url).serialize(ian);
            producer.send(new ProducerRecord<>(topic, value)).get();
            consumer.subscribe(List.of(topic));
            Iterator<ConsumerRecord<byte[], byte[]>> records = Collections.emptyIterator();
            while (!records.hasNext()) records = consumer.poll(Duration.ofMillis(200)).iterator();
            GenericRecord got =
                ConfluentRegistryAvroDeserializationSchema.forGeneric(newer, url).deserialize(records.next().value());
            check("first", got.get("first").toString(), "Ian");
            check("age", got.get("age"), 0);
        }
    }

    static void refused(String what, int status, int code, Call call) throws Exception {
        try {
            check(what, call.run(), "refused");
        } catch (RestClientException error) {
            check(what, List.of(error.getStatus(), error.getErrorCode()), List.of(status, code));
        }
    }

    static void check(String what, Object got, Object expected) {
        if (!expected.equals(got)) throw new AssertionError(what + ": " + got + " and not " + expected);
    }
}
