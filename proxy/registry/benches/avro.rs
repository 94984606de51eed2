//! What it costs to turn JSON into Avro and back, in ns a record, with the
//! compiled plan and with the value tree of `apache-avro`. The best of
//! several rounds counts.
//!
//!     cargo bench -p registry --bench avro

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema};
use registry::avro::AvroSchema;
use registry::schema::Strictness;
use serde_json::Value as Json;

const RECORDS: usize = 2_000;
const ROUNDS: usize = 50;

/// A nested record, an array, a map, an enum, nullable unions, bytes, a
/// decimal.
const SCHEMA: &str = r#"{"type":"record","name":"shop.Order","fields":[
    {"name":"id","type":"long"},
    {"name":"customer","type":{"type":"record","name":"Customer","fields":[
        {"name":"name","type":"string"},
        {"name":"email","type":["null","string"]},
        {"name":"age","type":["null","int"]}]}},
    {"name":"status","type":{"type":"enum","name":"Status","symbols":["NEW","PAID","SENT"]}},
    {"name":"tags","type":{"type":"array","items":"string"}},
    {"name":"stock","type":{"type":"map","values":"int"}},
    {"name":"note","type":["null","string"]},
    {"name":"signature","type":"bytes"},
    {"name":"total","type":{"type":"bytes","logicalType":"decimal","precision":12,"scale":2}},
    {"name":"weight","type":"double"},
    {"name":"gift","type":"boolean"}]}"#;

const JSON: &str = r#"{"id":123456789,"customer":{"name":"Ada Lovelace","email":{"string":"ada@example.org"},"age":{"int":36}},"status":"PAID","tags":["books","first edition","signed"],"stock":{"berlin":3,"oslo":120},"note":null,"signature":"\u0001\u0002abcdefÿ","total":"\u0000ä","weight":12.75,"gift":true}"#;

fn main() {
    let ours = AvroSchema::parse(SCHEMA, &[], Strictness::New).unwrap();
    let schema = Schema::parse_str(SCHEMA).unwrap();
    let writer = GenericDatumWriter::builder(&schema).build().unwrap();
    let unchecked = GenericDatumWriter::builder(&schema).validate(false).build().unwrap();
    let reader = GenericDatumReader::builder(&schema).build().unwrap();

    let mut datum = Vec::new();
    ours.plan().encode(JSON.as_bytes(), &mut datum).unwrap();
    let through_tree = |writer: &GenericDatumWriter<'_>, out: &mut Vec<u8>| {
        let json: Json = serde_json::from_str(black_box(JSON)).unwrap();
        writer.write_value(out, tree(&json, &schema)).unwrap();
    };
    let from_tree = |datum: &[u8], out: &mut Vec<u8>| {
        let value = reader.read_value(&mut black_box(datum)).unwrap();
        serde_json::to_writer(out, &json(&value, &schema)).unwrap();
    };
    // Both ways are the same thing.
    let mut text = Vec::new();
    ours.plan().decode(&datum, &mut text).unwrap();
    let mut their_text = Vec::new();
    from_tree(&datum, &mut their_text);
    let parse = |text: &[u8]| serde_json::from_slice::<Json>(text).unwrap();
    assert_eq!(parse(&text), parse(&their_text));
    assert_eq!(parse(&text), parse(JSON.as_bytes()));
    // Their maps have no order: only what the bytes mean can be compared.
    let mut theirs = Vec::new();
    through_tree(&writer, &mut theirs);
    text.clear();
    ours.plan().decode(&theirs, &mut text).unwrap();
    assert_eq!(parse(&text), parse(JSON.as_bytes()));

    let mut out = Vec::with_capacity(1024);
    println!("{} bytes of JSON, {} bytes of Avro", JSON.len(), datum.len());
    let tree = best(|| {
        out.clear();
        through_tree(&writer, &mut out);
    });
    show("JSON to Avro, apache-avro", tree, None);
    let unchecked = best(|| {
        out.clear();
        through_tree(&unchecked, &mut out);
    });
    show("JSON to Avro, apache-avro, not validated", unchecked, None);
    let plan = best(|| {
        out.clear();
        ours.plan().encode(black_box(JSON.as_bytes()), &mut out).unwrap();
    });
    show("JSON to Avro, plan", plan, Some(unchecked));
    let backwards = backwards();
    let plan = best(|| {
        out.clear();
        ours.plan().encode(black_box(backwards.as_bytes()), &mut out).unwrap();
    });
    show("JSON to Avro, plan, fields in another order", plan, Some(unchecked));
    let tree = best(|| {
        out.clear();
        from_tree(&datum, &mut out);
    });
    show("Avro to JSON, apache-avro", tree, None);
    let plan = best(|| {
        out.clear();
        ours.plan().decode(black_box(&datum), &mut out).unwrap();
    });
    show("Avro to JSON, plan", plan, Some(tree));
}

fn best(mut record: impl FnMut()) -> Duration {
    let round = |_| {
        let start = Instant::now();
        for _ in 0..RECORDS {
            record();
        }
        start.elapsed()
    };
    (0..ROUNDS).map(round).min().unwrap()
}

fn show(what: &str, time: Duration, compared_with: Option<Duration>) {
    let nanos = |time: Duration| time.as_secs_f64() * 1e9 / RECORDS as f64;
    let ratio =
        compared_with.map(|other| format!("  {:.1} times as fast", nanos(other) / nanos(time)));
    println!("{what:<48}{:>8.0} ns{}", nanos(time), ratio.unwrap_or_default());
}

/// The same record with its fields from last to first.
fn backwards() -> String {
    let Json::Object(members) = serde_json::from_str(JSON).unwrap() else { unreachable!() };
    let members: serde_json::Map<String, Json> = members.into_iter().rev().collect();
    Json::Object(members).to_string()
}

/// JSON under Avro's rules as a tree of `apache-avro`, led by the schema.
fn tree(json: &Json, schema: &Schema) -> Value {
    let latin1 = |text: &str| text.chars().map(|char| u8::try_from(char).unwrap()).collect();
    match (schema, json) {
        (Schema::Null, Json::Null) => Value::Null,
        (Schema::Boolean, Json::Bool(value)) => Value::Boolean(*value),
        (Schema::Int, Json::Number(value)) => {
            Value::Int(value.as_i64().unwrap().try_into().unwrap())
        }
        (Schema::Long, Json::Number(value)) => Value::Long(value.as_i64().unwrap()),
        (Schema::Double, Json::Number(value)) => Value::Double(value.as_f64().unwrap()),
        (Schema::String, Json::String(text)) => Value::String(text.clone()),
        (Schema::Bytes, Json::String(text)) => Value::Bytes(latin1(text)),
        (Schema::Decimal(_), Json::String(text)) => {
            let bytes: Vec<u8> = latin1(text);
            Value::Decimal(Decimal::from(bytes))
        }
        (Schema::Enum(schema), Json::String(symbol)) => {
            let place = schema.symbols.iter().position(|known| known == symbol).unwrap();
            Value::Enum(place.try_into().unwrap(), symbol.clone())
        }
        (Schema::Array(schema), Json::Array(elements)) => {
            Value::Array(elements.iter().map(|element| tree(element, &schema.items)).collect())
        }
        (Schema::Map(schema), Json::Object(members)) => Value::Map(
            members.iter().map(|(key, value)| (key.clone(), tree(value, &schema.types))).collect(),
        ),
        (Schema::Union(schema), Json::Null) => {
            let place = schema.variants().iter().position(|branch| matches!(branch, Schema::Null));
            Value::Union(place.unwrap().try_into().unwrap(), Box::new(Value::Null))
        }
        (Schema::Union(schema), Json::Object(members)) => {
            let (name, value) = members.iter().next().unwrap();
            let branches = schema.variants().iter().enumerate();
            let (place, branch) =
                branches.into_iter().find(|(_, branch)| kind(branch) == name).unwrap();
            Value::Union(place.try_into().unwrap(), Box::new(tree(value, branch)))
        }
        (Schema::Record(schema), Json::Object(members)) => Value::Record(
            schema
                .fields
                .iter()
                .map(|field| {
                    (field.name.clone(), tree(members.get(&field.name).unwrap(), &field.schema))
                })
                .collect(),
        ),
        other => panic!("{other:?}"),
    }
}

/// The JSON of a tree, under Avro's rules.
fn json(value: &Value, schema: &Schema) -> Json {
    let latin1 = |bytes: &[u8]| Json::String(bytes.iter().map(|byte| char::from(*byte)).collect());
    match (value, schema) {
        (Value::Null, _) => Json::Null,
        (Value::Boolean(value), _) => (*value).into(),
        (Value::Int(value), _) => (*value).into(),
        (Value::Long(value), _) => (*value).into(),
        (Value::Double(value), _) => (*value).into(),
        (Value::String(text) | Value::Enum(_, text), _) => Json::String(text.clone()),
        (Value::Bytes(bytes), _) => latin1(bytes),
        (Value::Decimal(decimal), _) => latin1(&Vec::<u8>::try_from(decimal).unwrap()),
        (Value::Array(elements), Schema::Array(schema)) => {
            elements.iter().map(|element| json(element, &schema.items)).collect()
        }
        (Value::Map(entries), Schema::Map(schema)) => {
            entries.iter().map(|(key, value)| (key.clone(), json(value, &schema.types))).collect()
        }
        (Value::Union(place, value), Schema::Union(schema)) => {
            let branch = schema.variants().get(*place as usize).unwrap();
            match branch {
                Schema::Null => Json::Null,
                _ => [(kind(branch).to_owned(), json(value, branch))].into_iter().collect(),
            }
        }
        (Value::Record(fields), Schema::Record(schema)) => fields
            .iter()
            .zip(&schema.fields)
            .map(|((name, value), field)| (name.clone(), json(value, &field.schema)))
            .collect(),
        other => panic!("{other:?}"),
    }
}

fn kind(schema: &Schema) -> &'static str {
    match schema {
        Schema::Null => "null",
        Schema::Int => "int",
        Schema::String => "string",
        other => panic!("{other:?}"),
    }
}
