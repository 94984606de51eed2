import java.time.Duration;
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.clients.consumer.*;
import org.apache.kafka.clients.producer.*;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.RebalanceInProgressException;
import org.apache.kafka.common.serialization.*;

/** Apache Kafka's own clients: see ../README.md. The group protocol is the third argument: classic or consumer. */
public class Client {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final int PARTITIONS = 4;
    static final int PER_ROUND = 100;

    static String bootstrap, name, protocol;

    public static void main(String[] args) throws Exception {
        bootstrap = args[0];
        name = args[1];
        protocol = args.length > 2 ? args[2] : "classic";
        try (Admin admin = Admin.create(Map.of("bootstrap.servers", bootstrap))) {
            admin.createTopics(List.of(new NewTopic(name, PARTITIONS, (short) 1))).all().get();
            run(admin);
        }
        System.out.println("done");
        System.exit(0);
    }

    static void run(Admin admin) throws Exception {
        for (String codec : CODECS) {
            try (Producer<String, String> producer = producer(codec)) {
                produce(producer, codec);
            }
        }
        List<TopicPartition> partitions =
            IntStream.range(0, PARTITIONS).mapToObj(number -> new TopicPartition(name, number)).toList();
        try (Consumer<String, String> reader = new KafkaConsumer<>(settings())) {
            reader.assign(partitions);
            reader.seekToBeginning(partitions);
            List<ConsumerRecord<String, String>> got = new ArrayList<>();
            while (got.size() < CODECS.size() * PER_ROUND) reader.poll(Duration.ofMillis(200)).forEach(got::add);
            check("from the beginning", got, CODECS);
        }

        Producer<String, String> producer = producer("zstd");
        List<Member> members = List.of(new Member(), new Member());
        await(() -> members.stream().allMatch(member -> member.assigned == 2));
        // What the first member read before the second one joined comes again.
        for (Member member : members) member.call(consumer -> {
            member.got.clear();
            consumer.seekToBeginning(consumer.assignment());
        });
        check("two members", take(members, CODECS.size() * PER_ROUND), CODECS);
        commitEverything(admin, members, partitions);

        System.out.println("restart");
        System.in.read();

        produce(producer, "after");
        check("after the restart", take(members, PER_ROUND), List.of("after"));
        // Whoever comes next finds nothing left to read.
        commitEverything(admin, members, partitions);
        for (Member member : members) member.close();
        producer.close();
    }

    static Producer<String, String> producer(String codec) {
        return new KafkaProducer<>(Map.of(
            "bootstrap.servers", bootstrap,
            "compression.type", codec,
            "key.serializer", StringSerializer.class,
            "value.serializer", StringSerializer.class));
    }

    static Map<String, Object> settings() {
        return Map.of(
            "bootstrap.servers", bootstrap,
            "auto.offset.reset", "earliest",
            "enable.auto.commit", false,
            "key.deserializer", StringDeserializer.class,
            "value.deserializer", StringDeserializer.class);
    }

    static void produce(Producer<String, String> producer, String round) throws Exception {
        List<Future<RecordMetadata>> sent = new ArrayList<>();
        for (int number = 0; number < PER_ROUND; number++) {
            String value = number == 7 ? null : round + "-" + number;
            ProducerRecord<String, String> record = new ProducerRecord<>(name, "key-" + number % 10, value);
            record.headers().add("round", round.getBytes()).add("n", String.valueOf(number).getBytes());
            sent.add(producer.send(record));
        }
        producer.flush();
        for (Future<RecordMetadata> one : sent) one.get();
    }

    static void check(String step, List<ConsumerRecord<String, String>> got, List<String> rounds) {
        Map<String, Integer> last = new HashMap<>();
        List<String> identities = new ArrayList<>();
        for (ConsumerRecord<String, String> record : got) {
            String round = new String(record.headers().lastHeader("round").value());
            int number = Integer.parseInt(new String(record.headers().lastHeader("n").value()));
            identities.add(round + "-" + number);
            expect(step + ": key", record.key(), "key-" + number % 10);
            expect(step + ": value", record.value(), number == 7 ? null : round + "-" + number);
            Integer before = last.put(round + record.key(), number);
            if (before != null && before >= number) {
                throw new AssertionError(step + ": order of " + record.key() + ": " + got.stream()
                    .map(one -> one.partition() + "@" + one.offset() + "=" + one.value()).toList());
            }
        }
        List<String> wanted = rounds.stream()
            .flatMap(round -> IntStream.range(0, PER_ROUND).mapToObj(number -> round + "-" + number)).sorted().toList();
        expect(step, identities.stream().sorted().toList(), wanted);
    }

    static void expect(String step, Object got, Object wanted) {
        if (!Objects.equals(got, wanted)) throw new AssertionError(step + ": expected " + wanted + ", got " + got);
    }

    static void await(Callable<Boolean> condition) throws Exception {
        while (!condition.call()) Thread.sleep(20);
    }

    /**
     * What the members read, once it is that many records together. A client that loses its only broker forgets
     * its metadata, which makes the group rebalance (KIP-1102): what was read before that comes again.
     */
    static List<ConsumerRecord<String, String>> take(List<Member> members, int count) throws Exception {
        Map<List<Object>, ConsumerRecord<String, String>> all = new HashMap<>();
        await(() -> {
            for (Member member : members) {
                for (ConsumerRecord<String, String> record : member.got) {
                    all.put(List.of(record.partition(), record.offset()), record);
                }
            }
            return all.size() >= count;
        });
        for (Member member : members) member.call(consumer -> member.got.clear());
        return all.values().stream().sorted(Comparator.comparingLong(ConsumerRecord::offset)).toList();
    }

    /** Commits positions until those of all partitions are the ends. */
    static void commitEverything(Admin admin, List<Member> members, List<TopicPartition> partitions) throws Exception {
        Map<TopicPartition, Long> ends = new HashMap<>();
        admin.listOffsets(partitions.stream().collect(Collectors.toMap(partition -> partition, partition -> OffsetSpec.latest())))
            .all().get().forEach((partition, info) -> ends.put(partition, info.offset()));
        await(() -> {
            for (Member member : members) member.call(consumer -> {
                try {
                    consumer.commitSync();
                } catch (CommitFailedException | RebalanceInProgressException again) {
                    // The next poll joins again.
                }
            });
            Map<TopicPartition, Long> committed = new HashMap<>();
            admin.listConsumerGroupOffsets(name).partitionsToOffsetAndMetadata().get()
                .forEach((partition, offset) -> committed.put(partition, offset.offset()));
            return committed.equals(ends);
        });
    }

    /** A consumer of the group in a thread of its own. */
    static class Member extends Thread {
        final List<ConsumerRecord<String, String>> got = new CopyOnWriteArrayList<>();
        volatile int assigned;
        volatile boolean open = true;
        private final BlockingQueue<FutureTask<Void>> calls = new LinkedBlockingQueue<>();
        private volatile Consumer<String, String> consumer;

        Member() {
            setDaemon(true);
            start();
        }

        @Override public void run() {
            Map<String, Object> settings = new HashMap<>(settings());
            settings.put("group.id", name);
            settings.put("group.protocol", protocol);
            if (protocol.equals("classic")) settings.put("heartbeat.interval.ms", 300);
            try (Consumer<String, String> opened = new KafkaConsumer<>(settings)) {
                consumer = opened;
                consumer.subscribe(List.of(name));
                while (open) {
                    consumer.poll(Duration.ofMillis(100)).forEach(got::add);
                    assigned = consumer.assignment().size();
                    for (FutureTask<Void> call; (call = calls.poll()) != null; ) call.run();
                }
            } catch (Throwable error) {
                error.printStackTrace();
                System.exit(1);
            }
        }

        /** Runs the action between two polls. */
        void call(java.util.function.Consumer<Consumer<String, String>> action) throws Exception {
            FutureTask<Void> call = new FutureTask<>(() -> action.accept(consumer), null);
            calls.add(call);
            call.get();
        }

        void close() throws Exception {
            open = false;
            join();
        }
    }
}
