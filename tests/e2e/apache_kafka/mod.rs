//! Beside a real Apache Kafka: the same answers, and the same files.

mod answers;
mod directories;
