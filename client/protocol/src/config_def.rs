//! Kafka configuration definitions: names, types, defaults and their checks.
