import java.io.PrintWriter;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HexFormat;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.message.RequestHeaderData;
import org.apache.kafka.common.message.ResponseHeaderData;
import org.apache.kafka.common.protocol.ApiKeys;
import org.apache.kafka.common.protocol.ApiMessage;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Field;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.Struct;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.CompressionType;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.record.internal.SimpleRecord;

/**
 * Writes one file of frames per API, made by Kafka's own message classes.
 * See README.md beside it.
 */
public class GoldenFrames {
    private static final int CORRELATION_ID = 0x01020304;
    private static final String CLIENT_ID = "golden";

    /** Whether nullable values are there and arrays have elements. */
    private final boolean full;
    /** Each number differs from its neighbours, so that a swap of two fields shows. */
    private int next = 1;

    private GoldenFrames(boolean full) {
        this.full = full;
    }

    public static void main(String[] arguments) throws Exception {
        Path directory = Path.of(arguments[0]);
        try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(directory.resolve("RecordBatches.txt")))) {
            for (CompressionType type : CompressionType.values()) {
                // More than one block of every codec.
                String value = "0123456789".repeat(type == CompressionType.NONE ? 1 : 15_000);
                MemoryRecords batch = MemoryRecords.withIdempotentRecords(
                    Compression.of(type).build(), 7L, (short) 3, 40, simpleRecords(1, value));
                byte[] bytes = new byte[batch.sizeInBytes()];
                batch.buffer().get(bytes);
                out.println(type.name + " " + HexFormat.of().formatHex(bytes));
            }
        }
        Set<String> names = Set.of(arguments);
        for (ApiKeys key : ApiKeys.values()) {
            if (!names.contains(key.name)) {
                continue;
            }
            short oldest = key.messageType.lowestSupportedVersion();
            short newest = key.messageType.highestSupportedVersion(false);
            try (PrintWriter out = new PrintWriter(Files.newBufferedWriter(directory.resolve(key.name + ".txt")))) {
                for (short version = oldest; version <= newest; version++) {
                    for (boolean full : new boolean[] {true, false}) {
                        String kind = version + (full ? " full " : " sparse ");
                        request(out, key, version, full, kind, version == newest);
                        response(out, key, version, full, kind, version == newest);
                    }
                }
            }
        }
    }

    private static void request(
            PrintWriter out, ApiKeys key, short version, boolean full, String kind, boolean json) throws Exception {
        Schema[] schemas = key.messageType.requestSchemas();
        RequestHeaderData header = new RequestHeaderData()
            .setRequestApiKey(key.id)
            .setRequestApiVersion(version)
            .setCorrelationId(CORRELATION_ID)
            .setClientId(CLIENT_ID);
        ApiMessage body = fill(key.messageType.newRequest(), schemas[version], version, full);
        String frame = hex(header, key.requestHeaderVersion(version)) + hex(body, version);
        out.println("request " + kind + frame + (json ? " " + json(body, version) : ""));
    }

    private static void response(
            PrintWriter out, ApiKeys key, short version, boolean full, String kind, boolean json) throws Exception {
        Schema[] schemas = key.messageType.responseSchemas();
        ResponseHeaderData header = new ResponseHeaderData().setCorrelationId(CORRELATION_ID);
        ApiMessage body = fill(key.messageType.newResponse(), schemas[version], version, full);
        String frame = hex(header, key.responseHeaderVersion(version)) + hex(body, version);
        out.println("response " + kind + frame + (json ? " " + json(body, version) : ""));
    }

    private static ApiMessage fill(ApiMessage message, Schema schema, short version, boolean full) {
        Struct struct = new GoldenFrames(full).struct(schema);
        ByteBuffer buffer = ByteBuffer.allocate(schema.sizeOf(struct));
        schema.write(buffer, struct);
        buffer.flip();
        message.read(new ByteBufferAccessor(buffer), version);
        if (buffer.hasRemaining()) {
            throw new IllegalStateException(message + " leaves " + buffer.remaining() + " bytes");
        }
        return message;
    }

    private Struct struct(Schema schema) {
        Struct struct = new Struct(schema);
        for (BoundField field : schema.fields()) {
            struct.set(field, value(field.def.name, field.def.type));
        }
        return struct;
    }

    private Object value(String name, Type type) {
        if (type.isNullable() && !full) {
            return null;
        }
        if (type instanceof Schema schema) {
            return struct(schema);
        }
        if (type instanceof TaggedFields tagged) {
            Map<Integer, Object> values = new TreeMap<>();
            if (full) {
                for (Map.Entry<Integer, Field> field : tagged.fields().entrySet()) {
                    values.put(field.getKey(), value(field.getValue().name, field.getValue().type));
                }
            }
            return values;
        }
        if (type.isArray()) {
            Object[] elements = new Object[full ? 2 : 0];
            for (int at = 0; at < elements.length; at++) {
                elements[at] = value(name, type.arrayElementType().get());
            }
            return elements;
        }
        int number = full ? next++ : 0;
        // Readers may turn numbers without a meaning into another.
        if (name != null && name.endsWith("error_code")) {
            return (short) (number % 120);
        }
        String text = full ? "t" + number : "";
        return switch (type.toString().replace("COMPACT_", "").replace("NULLABLE_", "")) {
            case "BOOLEAN" -> full;
            case "INT8" -> (byte) number;
            case "INT16" -> (short) number;
            case "UINT16" -> number;
            case "INT32" -> number;
            case "UINT32" -> (long) number;
            case "INT64" -> 0x1_0000_0000L * number;
            case "FLOAT64" -> (double) number;
            case "UUID" -> new Uuid(full ? 0x1122_3344_5566_7788L : 0, number);
            case "STRING" -> text;
            case "BYTES" -> ByteBuffer.wrap(text.getBytes(StandardCharsets.UTF_8));
            case "RECORDS" -> full ? records(number) : MemoryRecords.EMPTY;
            default -> throw new IllegalStateException("no value for " + name + " of type " + type);
        };
    }

    private static MemoryRecords records(int number) {
        return MemoryRecords.withRecords(Compression.NONE, simpleRecords(number, "value"));
    }

    private static SimpleRecord[] simpleRecords(int number, String value) {
        Header[] headers = {
            new RecordHeader("a", new byte[] {1}), new RecordHeader("b", null), new RecordHeader("a", new byte[] {2}),
        };
        return new SimpleRecord[] {
            new SimpleRecord(1_000L + number, "key".getBytes(StandardCharsets.UTF_8), null, headers),
            new SimpleRecord(999L + number, null, value.getBytes(StandardCharsets.UTF_8)),
        };
    }

    private static String hex(Message message, short version) {
        ObjectSerializationCache cache = new ObjectSerializationCache();
        ByteBuffer buffer = ByteBuffer.allocate(message.size(cache, version));
        message.write(new ByteBufferAccessor(buffer), cache, version);
        return HexFormat.of().formatHex(buffer.array());
    }

    private static String json(ApiMessage message, short version) throws Exception {
        Class<?> converter = Class.forName(message.getClass().getName() + "JsonConverter");
        return converter
            .getMethod("write", message.getClass(), short.class)
            .invoke(null, message, version)
            .toString();
    }
}
