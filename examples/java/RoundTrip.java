import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * Produce, consume, commit with the HttpClient of Java 11 or newer.
 *
 * <pre>java examples/java/RoundTrip.java [http://localhost:8082]</pre>
 */
public class RoundTrip {
    static final String JSON = "application/vnd.kafka.json.v2+json";
    static final String V2 = "application/vnd.kafka.v2+json";
    static final HttpClient CLIENT = HttpClient.newHttpClient();

    /** One request; anything but 2xx ends the program with what the server said. */
    static String call(String method, String url, String contentType, String accept, String body)
            throws Exception {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(url))
                .method(method, body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(body))
                .header("Content-Type", contentType);
        if (accept != null) {
            request.header("Accept", accept);
        }
        var response = CLIENT.send(request.build(), BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw new IllegalStateException(
                    method + " " + url + ": " + response.statusCode() + " " + response.body());
        }
        return response.body();
    }

    public static void main(String[] arguments) throws Exception {
        String fromEnvironment = System.getenv().getOrDefault("OTTLA_REST_URL", "http://localhost:8082");
        String url = arguments.length > 0 ? arguments[0] : fromEnvironment;
        String topic = "java-round-trip";
        String group = "java-round-trip-" + ProcessHandle.current().pid();

        // Produce two records. The answer names the partition and offset of each.
        String records = "{\"records\":[{\"key\":\"k1\",\"value\":{\"foo\":\"bar\"}},"
                + "{\"key\":\"k2\",\"value\":[1,2,3]}]}";
        System.out.println("produced: " + call("POST", url + "/topics/" + topic, JSON, null, records));

        // A consumer instance is a member of a group that lives in the server. A
        // program of yours would read the answer with its JSON library.
        String settings = "{\"format\":\"json\",\"auto.offset.reset\":\"earliest\"}";
        String created = call("POST", url + "/consumers/" + group, V2, null, settings);
        Matcher baseUri = Pattern.compile("\"base_uri\":\"([^\"]+)\"").matcher(created);
        if (!baseUri.find()) {
            throw new IllegalStateException("no base_uri in " + created);
        }
        String instance = baseUri.group(1);
        call("POST", instance + "/subscription", V2, null, "{\"topics\":[\"" + topic + "\"]}");

        // Read, use, commit: what was read counts as done.
        System.out.println("consumed: " + call("GET", instance + "/records", V2, JSON, null));
        call("POST", instance + "/offsets", V2, null, null);

        // An instance that is not deleted leaves its group after a few minutes by itself.
        call("DELETE", instance, V2, null, null);
        System.out.println("done");
    }
}
