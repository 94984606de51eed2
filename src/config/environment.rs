//! Settings in environment variables.

use super::names::{self, Owner};
use super::{Origin, Sink};

/// Prefixes of variables, the longest that fits counts. `OTTLA_` may set
/// everything and is read last, so that it wins over the others.
const PREFIXES: &[(&str, Option<Owner>)] = &[
    ("SCHEMA_REGISTRY_", Some(Owner::Registry)),
    ("KAFKA_REST_", Some(Owner::Proxy)),
    ("KAFKA_", Some(Owner::Broker)),
    ("OTTLA_", None),
];

/// What follows a foreign prefix in variables that start scripts and container
/// images read, and that set nothing here.
const OF_START_SCRIPTS: &[&str] = &[
    "CLUSTER_ID",
    "DEBUG",
    "ENABLE_KRAFT",
    "GC_LOG_OPTS",
    "GPG_KEY",
    "HEAP_OPTS",
    "HOME",
    "JVM_PERFORMANCE_OPTS",
    "KRAFT_CLUSTER_ID",
    "OPTS",
    "SCALA_VERSION",
    "VERSION",
];

/// Beginnings of such variables.
const OF_START_SCRIPTS_BEGIN: &[&str] = &["DEBUG_", "JMX_", "LOG4J", "TOOLS_LOG4J"];

/// What follows `OTTLA_` in variables that are flags of the command line.
pub(crate) const OF_COMMAND_LINE: &[&str] = &["CONFIG", "READY_FILE"];

/// Reads the settings out of the variables.
pub(super) fn read(variables: &[(String, String)], sink: &mut Sink) {
    for (prefix, owner) in PREFIXES {
        for (variable, value) in variables {
            if longest_prefix(variable) == Some(*prefix)
                && let Some(rest) = variable.strip_prefix(prefix)
            {
                read_variable(prefix, rest, *owner, variable, value, sink);
            }
        }
    }
}

fn longest_prefix(variable: &str) -> Option<&'static str> {
    let fitting =
        PREFIXES.iter().map(|(prefix, _)| *prefix).filter(|prefix| variable.starts_with(prefix));
    fitting.max_by_key(|prefix| prefix.len())
}

fn read_variable(
    prefix: &str,
    rest: &str,
    owner: Option<Owner>,
    variable: &str,
    value: &str,
    sink: &mut Sink,
) {
    if is_service_link(rest, value) {
        return;
    }
    let origin = Origin::Variable(variable.to_owned());
    match owner {
        None if OF_COMMAND_LINE.contains(&rest) => {}
        None => match names::from_variable(rest, None) {
            Ok(name) => sink.set(name, value, origin),
            Err(name) => sink.refuse_unknown(&name, &origin),
        },
        Some(_) => match names::from_variable(rest, owner) {
            Ok(name) => sink.set(name, value, origin),
            Err(_) if is_of_start_script(rest) => {}
            Err(name) => sink.ignore_unknown(&format!("{prefix}… variables"), &name),
        },
    }
}

fn is_of_start_script(rest: &str) -> bool {
    OF_START_SCRIPTS.contains(&rest)
        || OF_START_SCRIPTS_BEGIN.iter().any(|begin| rest.starts_with(begin))
}

/// Whether the variable is one that Kubernetes sets in every container for a
/// service that happens to be called `kafka` or `ottla`: `…_SERVICE_HOST`,
/// `…_SERVICE_PORT…`, `…_PORT=tcp://…`, `…_PORT_9092_TCP…`.
fn is_service_link(rest: &str, value: &str) -> bool {
    let is_url =
        value.starts_with("tcp://") || value.starts_with("udp://") || value.starts_with("sctp://");
    let is_port = |rest: &str| rest == "PORT" || rest.ends_with("_PORT");
    let protocol = rest
        .split_once("PORT_")
        .map(|(_, after)| after.trim_start_matches(|letter: char| letter.is_ascii_digit()))
        .is_some_and(|after| {
            ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| after.starts_with(protocol))
        });
    (is_port(rest) && is_url)
        || protocol
        || rest.ends_with("SERVICE_HOST")
        || rest.ends_with("SERVICE_PORT")
        || rest.contains("SERVICE_PORT_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>, Vec<String>) {
        let variables: Vec<(String, String)> = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut sink = Sink::default();
        read(&variables, &mut sink);
        let set = sink
            .settings
            .iter()
            .map(|(name, setting)| format!("{name}={}", setting.text))
            .collect();
        let errors = sink.errors.clone();
        (set, sink.unknown_warnings(), errors)
    }

    #[test]
    fn the_longest_prefix_wins() {
        let (set, warnings, errors) = check(&[
            ("KAFKA_LISTENERS", "PLAINTEXT://:9092"),
            ("KAFKA_REST_LISTENERS", "http://:8082"),
            ("SCHEMA_REGISTRY_LISTENERS", "http://:8081"),
            ("KAFKA_REST_SCHEMA_REGISTRY_URL", ""),
            ("SCHEMA_REGISTRY_KAFKASTORE_BOOTSTRAP_SERVERS", "a:1"),
            ("OTTLA_NUM_PARTITIONS", "3"),
            ("PATH", "/bin"),
        ]);
        assert_eq!(
            set,
            [
                "kafkastore.bootstrap.servers=a:1",
                "listeners=PLAINTEXT://:9092",
                "num.partitions=3",
                "registry.listeners=http://:8081",
                "rest.listeners=http://:8082",
                "schema.registry.url=",
            ]
        );
        assert_eq!((warnings, errors), (vec![], vec![]));
    }

    #[test]
    fn our_own_prefix_wins_over_the_foreign_ones() {
        for order in [
            ["OTTLA_NUM_PARTITIONS", "KAFKA_NUM_PARTITIONS"],
            ["KAFKA_NUM_PARTITIONS", "OTTLA_NUM_PARTITIONS"],
        ] {
            let variables: Vec<(&str, &str)> =
                order.iter().map(|name| (*name, &name[..1])).collect();
            assert_eq!(check(&variables).0, ["num.partitions=O"]);
        }
    }

    #[test]
    fn variables_of_start_scripts_and_containers_set_nothing() {
        let (set, warnings, errors) = check(&[
            ("KAFKA_HEAP_OPTS", "-Xmx1g"),
            ("KAFKA_OPTS", "-Dx"),
            ("KAFKA_LOG4J_OPTS", "-Dy"),
            ("KAFKA_LOG4J_LOGGERS", "kafka=WARN"),
            ("KAFKA_TOOLS_LOG4J_LOGLEVEL", "ERROR"),
            ("KAFKA_JMX_PORT", "9101"),
            ("KAFKA_CLUSTER_ID", "x"),
            ("KAFKA_REST_HEAP_OPTS", "-Xmx1g"),
            ("SCHEMA_REGISTRY_HEAP_OPTS", "-Xmx1g"),
            ("OTTLA_CONFIG", "file"),
            ("OTTLA_READY_FILE", "file"),
        ]);
        assert_eq!((set, warnings, errors), (vec![], vec![], vec![]));
    }

    #[test]
    fn links_to_services_of_our_name_set_nothing() {
        let (set, warnings, errors) = check(&[
            ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
            ("KAFKA_SERVICE_HOST", "10.0.0.1"),
            ("KAFKA_SERVICE_PORT", "9092"),
            ("KAFKA_SERVICE_PORT_PLAIN", "9092"),
            ("KAFKA_PORT_9092_TCP", "tcp://10.0.0.1:9092"),
            ("KAFKA_PORT_9092_TCP_ADDR", "10.0.0.1"),
            ("KAFKA_REST_PORT", "tcp://10.0.0.1:8082"),
            ("OTTLA_PORT", "tcp://10.0.0.1:9092"),
            ("OTTLA_SERVICE_HOST", "10.0.0.1"),
            ("OTTLA_REST_PORT_8082_TCP_PROTO", "tcp"),
        ]);
        assert_eq!((set, warnings, errors), (vec![], vec![], vec![]));
    }

    #[test]
    fn an_unknown_name_is_an_error_with_our_prefix_and_a_warning_with_others() {
        let (_, warnings, errors) = check(&[
            ("OTTLA_LOG_RETENTION_MSS", "1"),
            ("KAFKA_NO_SUCH_THING", "1"),
            ("KAFKA_NUM_PARTITION", "1"),
        ]);
        assert_eq!(
            errors,
            [
                "OTTLA_LOG_RETENTION_MSS: unknown setting log.retention.mss, did you mean log.retention.ms?"
            ]
        );
        assert_eq!(
            warnings,
            [
                "unknown settings in KAFKA_… variables are ignored: no.such.thing, num.partition (did you mean num.partitions?)"
            ]
        );
    }
}
