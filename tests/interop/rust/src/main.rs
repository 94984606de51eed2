//! Registers, evolves, writes and reads with `schema_registry_converter`, and passes what it
//! writes through Kafka with rskafka.
//! Arguments: the URL of the registry, host:port of the broker.

use std::collections::BTreeMap;
use std::error::Error;

use chrono::Utc;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::record::Record;
use schema_registry_converter::async_impl::easy_avro::{EasyAvroDecoder, EasyAvroEncoder};
use schema_registry_converter::async_impl::easy_json::{EasyJsonDecoder, EasyJsonEncoder};
use schema_registry_converter::async_impl::easy_proto_decoder::EasyProtoDecoder;
use schema_registry_converter::async_impl::easy_proto_encoder::EasyProtoEncoder;
use schema_registry_converter::async_impl::schema_registry::{
    SrSettings, get_all_subjects, get_all_versions, get_schema_by_guid, get_schema_by_id,
    get_schema_by_subject, get_schema_by_subject_and_version, is_compatible_schema, post_schema,
};
use schema_registry_converter::schema_registry_common::{
    SchemaType, SubjectNameStrategy, SuppliedReference, SuppliedSchema, VALUE_SCHEMA_ID_HEADER,
};
use serde::Serialize;
use serde_json::{Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const V1: &str = r#"{"type":"record","name":"Student","namespace":"school","fields":[{"name":"first","type":["null","string"]}]}"#;
const V2: &str = r#"{"type":"record","name":"Student","namespace":"school","fields":[{"name":"first","type":["null","string"]},{"name":"age","type":"int","default":0}]}"#;
const BAD: &str = r#"{"type":"record","name":"Student","namespace":"school","fields":[{"name":"other","type":"string"}]}"#;
const CLASS: &str = r#"{"type":"record","name":"Class","namespace":"school","fields":[{"name":"s","type":"school.Student"}]}"#;
const ITEM: &str = r#"{"$schema":"http://json-schema.org/draft-07/schema#","title":"Item","type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;
const TRIP: &str =
    "syntax = \"proto3\";\npackage trip;\n\nmessage Other {}\nmessage Trip {\n  int32 n = 1;\n}\n";
const SUBJECT: &str = "students-value";

#[derive(Serialize)]
struct Student {
    first: Option<String>,
    age: i32,
}

fn supplied(schema_type: SchemaType, schema: &str) -> SuppliedSchema {
    SuppliedSchema::new(None, schema_type, schema.to_owned())
}

fn avro(schema: &str) -> SuppliedSchema {
    supplied(SchemaType::Avro, schema)
}

async fn registry(settings: &SrSettings) -> Result<()> {
    let subject = || SUBJECT.to_owned();
    let first = post_schema(settings, subject(), avro(V1)).await?;
    assert_eq!(post_schema(settings, subject(), avro(V1)).await?.id, first.id);
    assert!(is_compatible_schema(settings, subject(), avro(V2)).await?);
    assert!(!is_compatible_schema(settings, subject(), avro(BAD)).await?);
    let second = post_schema(settings, subject(), avro(V2)).await?;
    assert!(second.id > first.id);
    let refusal = post_schema(settings, subject(), avro(BAD)).await.expect_err("incompatible");
    assert!(!refusal.retriable && format!("{refusal}").contains("409"), "{refusal}");
    let refusal = get_schema_by_id(1000, settings).await.expect_err("unknown id");
    assert!(format!("{refusal}").contains("404"), "{refusal}");

    assert_eq!(get_all_subjects(settings).await?, [SUBJECT]);
    assert_eq!(get_all_versions(settings, subject()).await?, [1, 2]);
    let by_id = get_schema_by_id(first.id, settings).await?;
    assert_eq!((by_id.schema.as_str(), by_id.schema_type), (V1, SchemaType::Avro));
    let latest = get_schema_by_subject_and_version(settings, SUBJECT, None).await?;
    assert_eq!((latest.id, latest.version), (second.id, Some(2)));
    let of_version = get_schema_by_subject_and_version(settings, SUBJECT, Some(1)).await?;
    assert_eq!(of_version.id, first.id);
    let strategy = SubjectNameStrategy::TopicNameStrategy("students".to_owned(), false);
    assert_eq!(get_schema_by_subject(settings, &strategy).await?.id, second.id);

    // The client registers what is referred to, too.
    let student = SuppliedReference::new("school.Student".to_owned(), subject(), V1.to_owned());
    let class = avro(CLASS).with_references(vec![student]);
    let class = post_schema(settings, "class-value".to_owned(), class).await?;
    let references = get_schema_by_id(class.id, settings).await?.references;
    assert_eq!((references[0].subject.as_str(), references[0].version), (SUBJECT, 1));

    let properties = [("owner".to_owned(), "school".to_owned())].into();
    let tagged = avro(V1).with_properties(properties);
    let tagged = post_schema(settings, "tagged-value".to_owned(), tagged).await?;
    let properties = get_schema_by_id(tagged.id, settings).await?.properties;
    assert_eq!(properties.expect("properties")["owner"], "school");
    Ok(())
}

/// Writes the value to a topic of its own and reads it from there.
async fn through_kafka(broker: &str, topic: &str, value: Vec<u8>) -> Result<Vec<u8>> {
    let kafka = ClientBuilder::new(vec![broker.to_owned()]).build().await?;
    kafka.controller_client()?.create_topic(topic, 1, 1, 10_000).await?;
    let partition = kafka.partition_client(topic, 0, UnknownTopicHandling::Retry).await?;
    let record =
        Record { key: None, value: Some(value), headers: BTreeMap::new(), timestamp: Utc::now() };
    partition.produce(vec![record], Compression::NoCompression).await?;
    let (mut records, _) = partition.fetch_records(0, 1..1_000_000, 60_000).await?;
    Ok(records.remove(0).record.value.ok_or("no value")?)
}

fn with_schema(topic: &str, schema: SuppliedSchema) -> SubjectNameStrategy {
    SubjectNameStrategy::TopicNameStrategyWithSchema(topic.to_owned(), false, schema)
}

async fn round_trips(settings: &SrSettings, broker: &str) -> Result<()> {
    let strategy = with_schema("avro-trip", avro(V2));
    let ian = Student { first: Some("Ian".to_owned()), age: 20 };
    let value = EasyAvroEncoder::new(settings.clone()).encode_struct(&ian, &strategy).await?;
    let value = through_kafka(broker, "avro-trip", value).await?;
    let got = EasyAvroDecoder::new(settings.clone()).decode(Some(&value)).await?;
    assert_eq!(got.name.expect("a name").to_string(), "school.Student");
    assert_eq!(Value::try_from(got.value)?, serde_json::to_value(&ian)?);

    let strategy = with_schema("json-trip", supplied(SchemaType::Json, ITEM));
    let item = json!({"n": 7});
    let encoder = EasyJsonEncoder::new(settings.clone());
    let value = encoder.encode(&item, strategy.clone()).await?;
    encoder.encode(&json!({"n": "seven"}), strategy).await.expect_err("not an item");
    let value = through_kafka(broker, "json-trip", value).await?;
    let got = EasyJsonDecoder::new(settings.clone()).decode(Some(&value)).await?;
    assert_eq!(got.expect("a record").value, item);

    let strategy = with_schema("protobuf-trip", supplied(SchemaType::Protobuf, TRIP));
    let encoder = EasyProtoEncoder::new(settings.clone());
    let value = encoder.encode_json(&item, "trip.Trip", &strategy).await?;
    let value = through_kafka(broker, "protobuf-trip", value).await?;
    let decoder = EasyProtoDecoder::new(settings.clone());
    let got = decoder.decode_with_context(Some(&value)).await?.expect("a record");
    assert_eq!(got.full_name, "trip.Trip");
    assert_eq!(serde_json::to_value(got.value)?, item);
    Ok(())
}

/// Ids in headers are guids, which the registry tells only those who take all of its members.
async fn id_in_header(url: String) -> Result<()> {
    let settings = SrSettings::new_builder(url)
        .add_header("Confluent-Accept-Unknown-Properties", "true")
        .build()?;
    let strategy = with_schema("header-trip", avro(V2));
    let ian = Student { first: Some("Ian".to_owned()), age: 20 };
    let encoder = EasyAvroEncoder::new(settings.clone());
    let (value, header) = encoder.encode_struct_with_header_id(&ian, &strategy, false).await?;
    assert_eq!((header.name, header.value.len()), (VALUE_SCHEMA_ID_HEADER, 17));
    let decoder = EasyAvroDecoder::new(settings.clone());
    let got = decoder.decode_with_header_id(Some(&header.value), Some(&value)).await?;
    assert_eq!(Value::try_from(got.value)?, serde_json::to_value(&ian)?);
    let stored = get_schema_by_subject_and_version(&settings, "header-trip-value", None).await?;
    let by_guid = get_schema_by_guid(&stored.guid.ok_or("no guid")?, &settings).await?;
    assert_eq!(by_guid.schema, V2);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(broker)) = (arguments.next(), arguments.next()) else {
        return Err("the arguments are: URL of the registry, host:port of the broker".into());
    };
    let settings = SrSettings::new(url.clone());
    registry(&settings).await?;
    round_trips(&settings, &broker).await?;
    id_in_header(url).await?;
    println!("all done");
    Ok(())
}
