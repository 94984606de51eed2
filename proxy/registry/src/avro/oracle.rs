//! The plan against `apache-avro`: for any schema and any datum of it the
//! bytes are the same, and the JSON is what the specification says.

use std::collections::HashMap;

use apache_avro::reader::datum::GenericDatumReader;
use apache_avro::types::Value;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema, Uuid};
use proptest::collection::vec;
use proptest::prelude::*;

use super::AvroSchema;
use crate::schema::Strictness;

/// A schema to be. Named types get their names from their place in the text.
#[derive(Debug, Clone)]
enum Shape {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(usize),
    Date,
    TimestampMicros,
    Uuid,
    Decimal,
    Array(Box<Shape>),
    Map(Box<Shape>),
    Nullable(Box<Shape>),
    Union(Vec<Shape>),
    Record(Vec<Shape>),
}

impl Shape {
    /// The schema's text. `names` counts the named types so far.
    fn text(&self, names: &mut usize) -> String {
        let mut name = || {
            *names += 1;
            format!("ns{}.N{names}", *names % 3)
        };
        match self {
            Self::Null => "\"null\"".into(),
            Self::Boolean => "\"boolean\"".into(),
            Self::Int => "\"int\"".into(),
            Self::Long => "\"long\"".into(),
            Self::Float => "\"float\"".into(),
            Self::Double => "\"double\"".into(),
            Self::Bytes => "\"bytes\"".into(),
            Self::String => "\"string\"".into(),
            Self::Date => r#"{"type":"int","logicalType":"date"}"#.into(),
            Self::TimestampMicros => r#"{"type":"long","logicalType":"timestamp-micros"}"#.into(),
            Self::Uuid => r#"{"type":"string","logicalType":"uuid"}"#.into(),
            Self::Decimal => {
                r#"{"type":"bytes","logicalType":"decimal","precision":20,"scale":4}"#.into()
            }
            Self::Fixed(size) => {
                format!(r#"{{"type":"fixed","name":"{}","size":{size}}}"#, name())
            }
            Self::Enum(size) => {
                let symbols: Vec<_> = (0..*size).map(|at| format!("\"S{at}\"")).collect();
                let symbols = symbols.join(",");
                format!(r#"{{"type":"enum","name":"{}","symbols":[{symbols}]}}"#, name())
            }
            Self::Array(items) => format!(r#"{{"type":"array","items":{}}}"#, items.text(names)),
            Self::Map(values) => format!(r#"{{"type":"map","values":{}}}"#, values.text(names)),
            Self::Nullable(inner) => format!(r#"["null",{}]"#, inner.text(names)),
            Self::Union(branches) => {
                let branches: Vec<_> = branches.iter().map(|branch| branch.text(names)).collect();
                format!("[{}]", branches.join(","))
            }
            Self::Record(fields) => {
                let name = name();
                let fields: Vec<_> = fields
                    .iter()
                    .enumerate()
                    .map(|(at, field)| {
                        format!(r#"{{"name":"f{at}","type":{}}}"#, field.text(names))
                    })
                    .collect();
                let fields = fields.join(",");
                format!(r#"{{"type":"record","name":"{name}","fields":[{fields}]}}"#)
            }
        }
    }

    /// What may occur once in a union; nothing for what may occur often.
    fn branch_kind(&self) -> Option<&'static str> {
        match self {
            Self::Null => Some("null"),
            Self::Boolean => Some("boolean"),
            Self::Int | Self::Date => Some("int"),
            Self::Long | Self::TimestampMicros => Some("long"),
            Self::Float => Some("float"),
            Self::Double => Some("double"),
            Self::Bytes | Self::Decimal => Some("bytes"),
            Self::String | Self::Uuid => Some("string"),
            Self::Array(_) => Some("array"),
            Self::Map(_) => Some("map"),
            Self::Nullable(_) | Self::Union(_) => Some("union"),
            Self::Fixed(_) | Self::Enum(_) | Self::Record(_) => None,
        }
    }
}

fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Null),
        Just(Shape::Boolean),
        Just(Shape::Int),
        Just(Shape::Long),
        Just(Shape::Float),
        Just(Shape::Double),
        Just(Shape::Bytes),
        Just(Shape::String),
        Just(Shape::Date),
        Just(Shape::TimestampMicros),
        Just(Shape::Uuid),
        Just(Shape::Decimal),
        (0_usize..20).prop_map(Shape::Fixed),
        (1_usize..5).prop_map(Shape::Enum),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| Shape::Array(items.into())),
            inner.clone().prop_map(|values| Shape::Map(values.into())),
            inner.clone().prop_filter_map("no union in a union", |inner| {
                let fits = !matches!(inner.branch_kind(), Some("null" | "union"));
                fits.then(|| Shape::Nullable(inner.into()))
            }),
            vec(inner.clone(), 1..5)
                .prop_map(|branches| {
                    let mut kinds = Vec::new();
                    let mut kept = Vec::new();
                    for branch in branches {
                        match branch.branch_kind() {
                            Some("union") => continue,
                            Some(kind) if kinds.contains(&kind) => continue,
                            Some(kind) => kinds.push(kind),
                            None => {}
                        }
                        kept.push(branch);
                    }
                    Shape::Union(kept)
                })
                .prop_filter("a union of something", |union| {
                    !matches!(union, Shape::Union(branches) if branches.is_empty())
                }),
            vec(inner, 0..5).prop_map(Shape::Record),
        ]
    })
}

fn values(shape: Shape) -> BoxedStrategy<Value> {
    let text = "[ -~\u{0}-\u{1f}äß€😀]{0,12}";
    match shape {
        Shape::Null => Just(Value::Null).boxed(),
        Shape::Boolean => any::<bool>().prop_map(Value::Boolean).boxed(),
        Shape::Int => any::<i32>().prop_map(Value::Int).boxed(),
        Shape::Long => any::<i64>().prop_map(Value::Long).boxed(),
        Shape::Float => prop_oneof![
            any::<f32>().prop_filter("a number", |float| !float.is_nan()),
            Just(f32::NAN),
            Just(f32::INFINITY)
        ]
        .prop_map(Value::Float)
        .boxed(),
        Shape::Double => prop_oneof![
            any::<f64>().prop_filter("a number", |float| !float.is_nan()),
            Just(f64::NAN),
            Just(f64::NEG_INFINITY)
        ]
        .prop_map(Value::Double)
        .boxed(),
        Shape::Bytes => vec(any::<u8>(), 0..12).prop_map(Value::Bytes).boxed(),
        Shape::String => text.prop_map(Value::String).boxed(),
        Shape::Date => any::<i32>().prop_map(Value::Date).boxed(),
        Shape::TimestampMicros => any::<i64>().prop_map(Value::TimestampMicros).boxed(),
        Shape::Uuid => any::<u128>().prop_map(|bits| Value::Uuid(Uuid::from_u128(bits))).boxed(),
        Shape::Decimal => any::<i32>()
            .prop_map(|units| Value::Decimal(Decimal::from(units.to_be_bytes())))
            .boxed(),
        Shape::Fixed(size) => {
            vec(any::<u8>(), size).prop_map(move |bytes| Value::Fixed(size, bytes)).boxed()
        }
        Shape::Enum(size) => (0..u32::try_from(size).unwrap())
            .prop_map(|at| Value::Enum(at, format!("S{at}")))
            .boxed(),
        Shape::Array(items) => vec(values(*items), 0..70).prop_map(Value::Array).boxed(),
        Shape::Map(inner) => vec((text, values(*inner)), 0..4)
            .prop_map(|entries| {
                let keyed = |(key, value): (String, Value)| (format!("k{key}"), value);
                Value::Map(entries.into_iter().map(keyed).collect::<HashMap<_, _>>())
            })
            .boxed(),
        Shape::Nullable(inner) => prop_oneof![
            Just(Value::Union(0, Value::Null.into())),
            values(*inner).prop_map(|value| Value::Union(1, value.into())),
        ]
        .boxed(),
        Shape::Union(branches) => (0..branches.len())
            .prop_flat_map(move |at| {
                let place = u32::try_from(at).unwrap();
                values(branches[at].clone())
                    .prop_map(move |value| Value::Union(place, value.into()))
            })
            .boxed(),
        Shape::Record(fields) => fields
            .into_iter()
            .map(values)
            .collect::<Vec<_>>()
            .prop_map(|values| {
                let named =
                    values.into_iter().enumerate().map(|(at, value)| (format!("f{at}"), value));
                Value::Record(named.collect())
            })
            .boxed(),
    }
}

/// How JSON is written, where there is a choice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    AsWritten,
    /// Fields in the opposite order.
    Backwards,
    /// Values beside null without the name of their branch.
    Bare,
}

/// The JSON of a value, written independently of the plan. Maps have the
/// order of the oracle's bytes, which `entries` holds.
fn json(value: &Value, shape: &Shape, names: &mut usize, style: Style) -> String {
    let mut name = || {
        *names += 1;
        format!("ns{}.N{names}", *names % 3)
    };
    let latin1 = |bytes: &[u8]| {
        let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
        serde_json::to_string(&text).unwrap()
    };
    // Where two shortest texts lead back to a number, ryu decides for both.
    let float = |number: f64, text: &str| match number {
        number if number.is_finite() => text.to_owned(),
        number if number.is_nan() => "\"NaN\"".to_owned(),
        number if number > 0.0 => "\"Infinity\"".to_owned(),
        _ => "\"-Infinity\"".to_owned(),
    };
    match (value, shape) {
        (Value::Null, _) => "null".into(),
        (Value::Boolean(value), _) => value.to_string(),
        (Value::Int(value) | Value::Date(value), _) => value.to_string(),
        (Value::Long(value) | Value::TimestampMicros(value), _) => value.to_string(),
        (Value::Float(value), _) => float((*value).into(), ryu::Buffer::new().format(*value)),
        (Value::Double(value), _) => float(*value, ryu::Buffer::new().format(*value)),
        (Value::String(text), _) => serde_json::to_string(text).unwrap(),
        (Value::Uuid(uuid), _) => format!("\"{uuid}\""),
        (Value::Decimal(decimal), _) => latin1(&Vec::<u8>::try_from(decimal).unwrap()),
        (Value::Bytes(bytes), _) => latin1(bytes),
        (Value::Fixed(_, bytes), _) => {
            name();
            latin1(bytes)
        }
        (Value::Enum(_, symbol), _) => {
            name();
            format!("\"{symbol}\"")
        }
        (Value::Array(elements), Shape::Array(items)) => {
            let before = *names;
            let elements: Vec<_> = elements
                .iter()
                .map(|element| {
                    *names = before;
                    json(element, items, names, style)
                })
                .collect();
            *names = before;
            items.text(names);
            format!("[{}]", elements.join(","))
        }
        (Value::Map(entries), Shape::Map(inner)) => {
            let before = *names;
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| {
                    *names = before;
                    let key = serde_json::to_string(key).unwrap();
                    format!("{key}:{}", json(value, inner, names, style))
                })
                .collect();
            *names = before;
            inner.text(names);
            format!("{{{}}}", entries.join(","))
        }
        (Value::Union(place, value), Shape::Nullable(inner)) => {
            let branches = [Shape::Null, (**inner).clone()];
            union(*place, value, &branches, names, style)
        }
        (Value::Union(place, value), Shape::Union(branches)) => {
            union(*place, value, branches, names, style)
        }
        (Value::Record(fields), Shape::Record(shapes)) => {
            name();
            let mut members: Vec<_> = fields
                .iter()
                .zip(shapes)
                .map(|((name, value), shape)| {
                    format!("\"{name}\":{}", json(value, shape, names, style))
                })
                .collect();
            if style == Style::Backwards {
                members.reverse();
            }
            format!("{{{}}}", members.join(","))
        }
        other => panic!("{other:?}"),
    }
}

fn union(place: u32, value: &Value, branches: &[Shape], names: &mut usize, style: Style) -> String {
    let place = usize::try_from(place).unwrap();
    let mut text = String::new();
    for (at, branch) in branches.iter().enumerate() {
        if at != place {
            branch.text(names);
            continue;
        }
        // A named type takes its name before those inside it.
        let number = *names + 1;
        let tag = branch.branch_kind().map_or(format!("ns{}.N{number}", number % 3), str::to_owned);
        let value = json(value, branch, names, style);
        let is_alone = branches.len() == 2 && matches!(branches[0], Shape::Null);
        text = match branch {
            Shape::Null => value,
            _ if style == Style::Bare && is_alone => value,
            _ => format!("{{\"{tag}\":{value}}}"),
        };
    }
    text
}

fn schemas_and_values() -> impl Strategy<Value = (Shape, Value)> {
    shapes()
        .prop_flat_map(|shape| values(shape.clone()).prop_map(move |value| (shape.clone(), value)))
}

/// Members of maps come in any order in the oracle's bytes: compared as values.
fn value_of(text: &str) -> serde_json::Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn read(schema: &Schema, mut datum: &[u8]) -> Value {
    let value =
        GenericDatumReader::builder(schema).build().unwrap().read_value(&mut datum).unwrap();
    assert!(datum.is_empty());
    value
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn bytes_are_those_of_the_oracle((shape, value) in schemas_and_values()) {
        let text = shape.text(&mut 0);
        let ours = AvroSchema::parse(&text, &[], Strictness::New).unwrap();
        let theirs = Schema::parse_str(&text).unwrap();
        let writer = GenericDatumWriter::builder(&theirs).build().unwrap();
        let datum = writer.write_value_to_vec(value.clone()).unwrap();

        // Their bytes are our JSON, and that is the JSON of the value.
        let mut decoded = Vec::new();
        prop_assert_eq!(ours.plan().decode(&datum, &mut decoded), Ok(datum.len()));
        let decoded = String::from_utf8(decoded).unwrap();
        let expected = json(&value, &shape, &mut 0, Style::AsWritten);
        prop_assert_eq!(value_of(&decoded), value_of(&expected));

        // Our JSON is their bytes again.
        let mut encoded = Vec::new();
        ours.plan().encode(decoded.as_bytes(), &mut encoded).unwrap();
        prop_assert_eq!(&encoded, &datum);

        // So is JSON of other orders and without names of branches, as far as
        // the order of maps goes, which only the oracle's values tell.
        for style in [Style::Backwards, Style::Bare] {
            let text = json(&value, &shape, &mut 0, style);
            let mut encoded = Vec::new();
            ours.plan().encode(text.as_bytes(), &mut encoded).unwrap();
            prop_assert_eq!(encoded.len(), datum.len());
            let mut again = Vec::new();
            ours.plan().decode(&encoded, &mut again).unwrap();
            prop_assert_eq!(value_of(std::str::from_utf8(&again).unwrap()), value_of(&expected));
            // What we write, they read.
            let mut rewritten = Vec::new();
            ours.plan().encode(&again, &mut rewritten).unwrap();
            let read = json(&read(&theirs, &rewritten), &shape, &mut 0, Style::AsWritten);
            prop_assert_eq!(value_of(&read), value_of(&expected));
        }

        // A datum that is cut is refused, or is a shorter one.
        for end in 0..datum.len() {
            let mut out = Vec::new();
            match ours.plan().decode(&datum[..end], &mut out) {
                Ok(taken) => prop_assert!(taken <= end),
                Err(_) => prop_assert!(out.is_empty()),
            }
        }
    }

    #[test]
    fn any_bytes_are_read_as_the_oracle_reads_them((shape, _) in schemas_and_values(), datum in vec(any::<u8>(), 0..40)) {
        let text = shape.text(&mut 0);
        let ours = AvroSchema::parse(&text, &[], Strictness::New).unwrap();
        let mut out = Vec::new();
        if let Ok(taken) = ours.plan().decode(&datum, &mut out) {
            // What is read once is JSON, and is written and read again as the same.
            let mut again = Vec::new();
            ours.plan().encode(&out, &mut again).unwrap();
            let mut text = Vec::new();
            ours.plan().decode(&again, &mut text).unwrap();
            prop_assert_eq!(String::from_utf8(text), String::from_utf8(out));
            prop_assert!(taken <= datum.len());
        }
    }

    #[test]
    fn any_text_is_refused_or_written(shape in shapes(), json in "[\\[\\]{}:,\"a-zA-Z0-9.\\\\ -]{0,60}") {
        let text = shape.text(&mut 0);
        let ours = AvroSchema::parse(&text, &[], Strictness::New).unwrap();
        let mut out = Vec::new();
        if ours.plan().encode(json.as_bytes(), &mut out).is_ok() {
            ours.plan().decode(&out, &mut Vec::new()).unwrap();
            prop_assert!(serde_json::from_str::<serde_json::Value>(&json).is_ok(), "{}", json);
        }
    }

    #[test]
    fn texts_of_a_schema_mean_the_same(shape in shapes()) {
        let text = shape.text(&mut 0);
        let schema = AvroSchema::parse(&text, &[], Strictness::New).unwrap();
        for written in [schema.canonical_text(), schema.normalized_text()] {
            let again = AvroSchema::parse(&written, &[], Strictness::New).unwrap();
            prop_assert_eq!(again.canonical_text(), written.clone());
            // The oracle takes both for the same schema.
            prop_assert_eq!(Schema::parse_str(&written).unwrap(), Schema::parse_str(&text).unwrap());
            prop_assert!(super::incompatibilities(&schema, &again).is_empty());
        }
    }
}
