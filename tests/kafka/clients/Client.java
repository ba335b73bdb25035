// A Java client that knows nothing of Kappa, for tests: it writes and reads records as lines of text.
//
//   write BROKERS TOPIC COMPRESSION    standard input → records; prints "partition offset" of each
//   read BROKERS TOPIC                 what is committed now → standard output
//
// A record is: partition, offset, milliseconds, key, value, headers ("name=value" each), separated by tabs. Bytes are in
// hexadecimal, "-" is null; a partition of "-" is the client's to choose, and offsets are not read.
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.*;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.*;

public class Client {
    public static void main(String[] words) throws Exception {
        switch (words[0]) {
            case "write" -> write(words[1], words[2], words[3]);
            case "read" -> read(words[1], words[2]);
            default -> throw new IllegalArgumentException(words[0]);
        }
    }

    static byte[] bytes(String text) {
        return text.equals("-") ? null : HexFormat.of().parseHex(text);
    }

    static String text(byte[] bytes) {
        return bytes == null ? "-" : HexFormat.of().formatHex(bytes);
    }

    static void write(String brokers, String topic, String compression) throws Exception {
        Map<String, Object> settings = Map.of("bootstrap.servers", brokers, "compression.type", compression);
        try (var producer = new KafkaProducer<>(settings, new ByteArraySerializer(), new ByteArraySerializer());
             var lines = new Scanner(System.in, StandardCharsets.UTF_8)) {
            var sent = new ArrayList<java.util.concurrent.Future<RecordMetadata>>();
            while (lines.hasNextLine()) {
                String[] part = lines.nextLine().split("\t", -1);
                var headers = new ArrayList<Header>();
                for (int i = 5; i < part.length; i++) {
                    String[] pair = part[i].split("=", -1);
                    headers.add(new RecordHeader(pair[0], bytes(pair[1])));
                }
                Integer partition = part[0].equals("-") ? null : Integer.valueOf(part[0]);
                sent.add(producer.send(new ProducerRecord<>(
                    topic, partition, Long.valueOf(part[2]), bytes(part[3]), bytes(part[4]), headers)));
            }
            for (var one : sent) System.out.println(one.get().partition() + "\t" + one.get().offset());
        }
    }

    static void read(String brokers, String topic) {
        Map<String, Object> settings =
            Map.of("bootstrap.servers", brokers, "isolation.level", "read_committed", "enable.auto.commit", "false");
        try (var consumer = new KafkaConsumer<>(settings, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            List<TopicPartition> all = consumer.partitionsFor(topic).stream()
                .map(p -> new TopicPartition(topic, p.partition())).collect(Collectors.toList());
            consumer.assign(all);
            consumer.seekToBeginning(all);
            Map<TopicPartition, Long> ends = consumer.endOffsets(all);
            while (all.stream().anyMatch(p -> consumer.position(p) < ends.get(p))) {
                for (ConsumerRecord<byte[], byte[]> r : consumer.poll(Duration.ofMillis(200))) {
                    var line = new StringJoiner("\t");
                    line.add("" + r.partition()).add("" + r.offset()).add("" + r.timestamp());
                    line.add(text(r.key())).add(text(r.value()));
                    for (Header h : r.headers()) line.add(h.key() + "=" + text(h.value()));
                    System.out.println(line);
                }
            }
        }
    }
}
