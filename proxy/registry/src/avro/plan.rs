//! Data of one schema, from JSON text to Avro's binary encoding and back.
//!
//! A schema is compiled once to a [`Plan`], a table of what to do for each of
//! its types; data then goes straight from text to bytes, without a tree in
//! between.
//!
//! The JSON is Avro's own: a value of a union is `null` or an object with the
//! name of its branch, bytes and fixed are text with one character up to
//! U+00FF for each byte, logical types show as the type below them. What is
//! written is always of that form; what is read may leave out the name of a
//! branch where only one branch fits, and may have its fields in any order
//! and under their aliases. A field that is missing is an error even when it
//! has a default, as defaults are for readers of old data.

mod buffer;
mod decode;
mod encode;
mod error;
mod scanner;

pub use buffer::Buffer;
pub use error::{DecodeError, EncodeError};

use self::decode::Decoder;
pub(super) use self::decode::write_latin1;
use self::encode::Encoder;
use super::schema::{Definition, Primitive, Type, Types};
use crate::lossless_json::write_string;

/// How deep records, arrays and maps may lie in each other in one datum.
const MAX_DEPTH: usize = 400;

/// The place of a node in a [`Plan`].
type NodeId = usize;

/// What to do with data of one schema.
#[derive(Debug)]
pub struct Plan {
    nodes: Vec<Node>,
    root: NodeId,
}

#[derive(Debug)]
enum Node {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed { name: Box<str>, size: usize },
    Enum(EnumPlan),
    Array(NodeId),
    Map(NodeId),
    Union(UnionPlan),
    Record(RecordPlan),
}

#[derive(Debug)]
struct EnumPlan {
    name: Box<str>,
    symbols: Vec<Quoted>,
    by_name: Names,
}

#[derive(Debug)]
struct UnionPlan {
    branches: Vec<BranchPlan>,
    by_name: Names,
    null: Option<usize>,
}

#[derive(Debug)]
struct BranchPlan {
    name: Quoted,
    node: NodeId,
}

#[derive(Debug)]
struct RecordPlan {
    name: Box<str>,
    fields: Vec<FieldPlan>,
    /// Names first, then the aliases that are no names.
    by_name: Names,
}

#[derive(Debug)]
struct FieldPlan {
    name: Quoted,
    node: NodeId,
}

/// A text and how it looks in JSON.
#[derive(Debug)]
struct Quoted {
    text: Box<str>,
    json: Box<[u8]>,
}

impl Quoted {
    fn new(text: &str) -> Self {
        let mut json = String::with_capacity(text.len() + 2);
        write_string(text, &mut json);
        Self { text: text.into(), json: json.into_bytes().into() }
    }
}

/// From a name to its place.
#[derive(Debug)]
struct Names(Vec<(Box<[u8]>, usize)>);

impl Names {
    /// Of a name that occurs twice the first place counts.
    fn new<'a>(names: impl Iterator<Item = (&'a str, usize)>) -> Self {
        let mut names: Vec<_> =
            names.map(|(name, place)| (name.as_bytes().into(), place)).collect();
        names.sort_by(|(one, _): &(Box<[u8]>, usize), (two, _)| one.cmp(two));
        names.dedup_by(|(two, _), (one, _)| one == two);
        Self(names)
    }

    fn get(&self, name: &[u8]) -> Option<usize> {
        let at = self.0.binary_search_by(|(known, _)| known.as_ref().cmp(name)).ok()?;
        self.0.get(at).map(|(_, place)| *place)
    }
}

impl Plan {
    pub(super) fn compile(root: &Type, types: &Types) -> Self {
        // The named types come first, so that their places are known.
        let mut plan = Self { nodes: Vec::new(), root: 0 };
        plan.nodes.resize_with(types.len(), || Node::Null);
        for id in 0..types.len() {
            let named = types.get(id);
            let name = named.full_name.as_str().into();
            plan.nodes[id] = match &named.definition {
                Definition::Fixed { size } => Node::Fixed { name, size: *size },
                Definition::Enum { symbols, .. } => Node::Enum(EnumPlan {
                    name,
                    symbols: symbols.iter().map(|symbol| Quoted::new(symbol)).collect(),
                    by_name: Names::new(symbols.iter().map(String::as_str).zip(0..)),
                }),
                Definition::Record { fields, .. } => {
                    let own = fields.iter().map(|field| field.name.as_str()).zip(0..);
                    let aliases = fields.iter().zip(0..).flat_map(|(field, place)| {
                        field.aliases.iter().map(move |alias| (alias.as_str(), place))
                    });
                    let by_name = Names::new(own.chain(aliases));
                    let fields = fields
                        .iter()
                        .map(|field| FieldPlan {
                            name: Quoted::new(&field.name),
                            node: plan.node(&field.schema, types),
                        })
                        .collect();
                    Node::Record(RecordPlan { name, fields, by_name })
                }
            };
        }
        plan.root = plan.node(root, types);
        plan
    }

    fn node(&mut self, schema: &Type, types: &Types) -> NodeId {
        let node = match schema {
            Type::Named(id) => return *id,
            Type::Primitive { primitive, .. } => match primitive {
                Primitive::Null => Node::Null,
                Primitive::Boolean => Node::Boolean,
                Primitive::Int => Node::Int,
                Primitive::Long => Node::Long,
                Primitive::Float => Node::Float,
                Primitive::Double => Node::Double,
                Primitive::Bytes => Node::Bytes,
                Primitive::String => Node::String,
            },
            Type::Array { items, .. } => Node::Array(self.node(items, types)),
            Type::Map { values, .. } => Node::Map(self.node(values, types)),
            Type::Union(branches) => {
                let names = branches.iter().map(|branch| types.branch_name(branch)).zip(0..);
                Node::Union(UnionPlan {
                    by_name: Names::new(names),
                    null: branches.iter().position(|branch| {
                        matches!(branch, Type::Primitive { primitive: Primitive::Null, .. })
                    }),
                    branches: branches
                        .iter()
                        .map(|branch| BranchPlan {
                            name: Quoted::new(types.branch_name(branch)),
                            node: self.node(branch, types),
                        })
                        .collect(),
                })
            }
        };
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    /// Appends the binary form of a JSON text to `out`, which is as it was
    /// when the text does not fit the schema.
    ///
    /// Time and memory are linear in the length of the text.
    pub fn encode(&self, json: &[u8], out: &mut impl Buffer) -> Result<(), EncodeError> {
        let start = out.len();
        let result = Encoder::new(self, json, out).and_then(Encoder::run);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// Appends the JSON text of the datum at the start of `datum` to `out`,
    /// which is as it was when that is no datum of the schema. Answers how
    /// many bytes the datum takes.
    ///
    /// The text is bounded, whatever the schema makes of each byte.
    pub fn decode(&self, datum: &[u8], out: &mut impl Buffer) -> Result<usize, DecodeError> {
        let start = out.len();
        let result = Decoder::new(self, datum, out).run();
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// As [`encode`](Self::encode), for a schema of `bytes`: without the length.
    pub(super) fn encode_raw_bytes(
        &self,
        json: &[u8],
        out: &mut impl Buffer,
    ) -> Result<(), EncodeError> {
        let start = out.len();
        let result = Encoder::new(self, json, out).and_then(Encoder::run_raw_bytes);
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    fn at(&self, node: NodeId) -> &Node {
        &self.nodes[node]
    }
}

impl Node {
    /// The kind of type, for messages.
    fn kind(&self) -> &str {
        match self {
            Self::Null => "null",
            Self::Boolean => "boolean",
            Self::Int => "int",
            Self::Long => "long",
            Self::Float => "float",
            Self::Double => "double",
            Self::Bytes => "bytes",
            Self::String => "string",
            Self::Array(_) => "array",
            Self::Map(_) => "map",
            Self::Union(_) => "union",
            Self::Fixed { name, .. } => name,
            Self::Enum(plan) => &plan.name,
            Self::Record(plan) => &plan.name,
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use crate::avro::AvroSchema;
    use crate::schema::Strictness;

    fn parse(schema: &str) -> AvroSchema {
        AvroSchema::parse(schema, &[], Strictness::New).unwrap()
    }

    fn encode(schema: &str, json: &str) -> Result<Vec<u8>, String> {
        let mut out = b"before".to_vec();
        let result = parse(schema).plan().encode(json.as_bytes(), &mut out);
        let written = out.strip_prefix(b"before").unwrap().to_vec();
        // What failed leaves nothing behind.
        assert!(result.is_ok() || written.is_empty());
        result.map(|()| written).map_err(|error| error.to_string())
    }

    fn decode(schema: &str, datum: &[u8]) -> Result<String, String> {
        let mut out = b"before".to_vec();
        let result = parse(schema).plan().decode(datum, &mut out);
        let written = String::from_utf8(out.strip_prefix(b"before").unwrap().to_vec()).unwrap();
        assert!(result.is_ok() || written.is_empty());
        result.map(|_| written).map_err(|error| error.to_string())
    }

    /// JSON as it is written and the bytes it stands for, both ways.
    fn check(schema: &str, json: &str, datum: &[u8]) {
        assert_eq!(encode(schema, json).as_deref(), Ok(datum), "{json}");
        assert_eq!(decode(schema, datum).as_deref(), Ok(json), "{datum:?}");
        for end in 0..datum.len() {
            let error = decode(schema, &datum[..end]).unwrap_err();
            assert!(error.contains("ends too early"), "{json} cut at {end}: {error}");
        }
    }

    fn check_error(schema: &str, json: &str, expected: &str) {
        let error = encode(schema, json).unwrap_err();
        assert!(error.contains(expected), "{schema} {json}: {error}");
    }

    const RECORD: &str = r#"{"type":"record","name":"x.R","fields":[
        {"name":"a","type":"int"},
        {"name":"b","type":["null","string"],"default":null},
        {"name":"c","type":{"type":"array","items":"long"},"aliases":["old_c"]}]}"#;
    const STUDENT: &str = r#"{"type":"record","name":"StudentName","fields":[{"name":"first","type":["null","string"]},{"name":"last","type":["null","string"]}]}"#;

    #[test]
    fn every_type_has_its_bytes() {
        check("\"null\"", "null", b"");
        check("\"boolean\"", "true", &[1]);
        check("\"boolean\"", "false", &[0]);
        check("\"int\"", "0", &[0]);
        check("\"int\"", "-1", &[1]);
        check("\"int\"", "64", &[0x80, 1]);
        check("\"int\"", "2147483647", &[0xfe, 0xff, 0xff, 0xff, 0x0f]);
        check("\"int\"", "-2147483648", &[0xff, 0xff, 0xff, 0xff, 0x0f]);
        check(
            "\"long\"",
            "9223372036854775807",
            &[0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        );
        check(
            "\"long\"",
            "-9223372036854775808",
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1],
        );
        check("\"float\"", "1.5", &1.5_f32.to_le_bytes());
        check("\"float\"", "0.1", &0.1_f32.to_le_bytes());
        check("\"double\"", "-2.5e-8", &(-2.5e-8_f64).to_le_bytes());
        check("\"double\"", "1e300", &1e300_f64.to_le_bytes());
        check("\"double\"", "\"NaN\"", &f64::NAN.to_le_bytes());
        check("\"float\"", "\"-Infinity\"", &f32::NEG_INFINITY.to_le_bytes());
        check("\"string\"", "\"\"", &[0]);
        check("\"string\"", "\"añ😀\"", b"\x0ea\xc3\xb1\xf0\x9f\x98\x80");
        check("\"string\"", r#""\"\\\b\t\n\f\r\u0001""#, b"\x10\"\\\x08\t\n\x0c\r\x01");
        check("\"bytes\"", "\"aÿ\\u0000\\n\u{7f}\u{80}\"", b"\x0ca\xff\x00\n\x7f\x80");
        check(r#"{"type":"fixed","name":"F","size":2}"#, "\"aÿ\"", b"a\xff");
        check(r#"{"type":"enum","name":"E","symbols":["A","B"]}"#, "\"B\"", &[2]);
        check(r#"{"type":"array","items":"int"}"#, "[]", &[0]);
        check(r#"{"type":"array","items":"int"}"#, "[1,2]", &[4, 2, 4, 0]);
        check(r#"{"type":"map","values":"int"}"#, "{}", &[0]);
        check(
            r#"{"type":"map","values":"int"}"#,
            r#"{"k":1,"\n":2}"#,
            b"\x04\x02k\x02\x02\n\x04\x00",
        );
        check(r#"["null","int",{"type":"fixed","name":"n.F","size":1}]"#, "null", &[0]);
        check(r#"["null","int",{"type":"fixed","name":"n.F","size":1}]"#, r#"{"int":1}"#, &[2, 2]);
        check(
            r#"["null","int",{"type":"fixed","name":"n.F","size":1}]"#,
            r#"{"n.F":"x"}"#,
            b"\x04x",
        );
        check(RECORD, r#"{"a":1,"b":null,"c":[3]}"#, &[2, 0, 2, 6, 0]);
        check(
            STUDENT,
            r#"{"first":{"string":"Ian"},"last":{"string":"Whitney"}}"#,
            b"\x02\x06Ian\x02\x0eWhitney",
        );
        // Logical types are what is below them.
        check(
            r#"{"type":"bytes","logicalType":"decimal","precision":4,"scale":2}"#,
            "\"\\u0001Â\"",
            b"\x04\x01\xc2",
        );
        check(r#"{"type":"long","logicalType":"timestamp-millis"}"#, "1", &[2]);
        check(r#"{"type":"record","name":"E","fields":[]}"#, "{}", b"");
    }

    #[test]
    fn long_arrays_have_one_block() {
        for length in [63, 64, 65, 8_191, 8_192, 20_000] {
            let json = format!("[{}]", vec!["1"; length].join(","));
            let datum = encode(r#"{"type":"array","items":"int"}"#, &json).unwrap();
            let count = encode("\"long\"", &length.to_string()).unwrap();
            let expected = [count, vec![2; length], vec![0]].concat();
            assert_eq!(datum, expected, "{length} items");
            assert_eq!(decode(r#"{"type":"array","items":"int"}"#, &datum).unwrap(), json);
        }
    }

    #[test]
    fn blocks_may_be_many_and_carry_their_length() {
        // Two items in a block with its length, then one.
        let datum = [3, 4, 2, 4, 2, 6, 0];
        assert_eq!(decode(r#"{"type":"array","items":"int"}"#, &datum).unwrap(), "[1,2,3]");
        let datum = [1, 4, 2, b'a', 2, 2, 2, b'b', 4, 0];
        assert_eq!(decode(r#"{"type":"map","values":"int"}"#, &datum).unwrap(), r#"{"a":1,"b":2}"#);
    }

    #[test]
    fn fields_may_come_in_any_order_and_under_their_aliases() {
        let expected = encode(RECORD, r#"{"a":1,"b":{"string":"x"},"c":[3,4]}"#).unwrap();
        for json in [
            r#"{"c":[3,4],"b":{"string":"x"},"a":1}"#,
            r#"{"b":{"string":"x"},"c":[3,4],"a":1}"#,
            r#" { "a" : 1 , "c" : [ 3 , 4 ] , "b" : { "string" : "x" } } "#,
            r#"{"a":1,"b":{"string":"x"},"old_c":[3,4]}"#,
            r#"{"old_c":[3,4],"a":1,"b":"x"}"#,
            r#"{"\u0061":1,"\u0062":{"string":"x"},"c":[3,4]}"#,
        ] {
            assert_eq!(encode(RECORD, json).unwrap(), expected, "{json}");
        }
        // Records in records, each in an order of its own.
        let nested = r#"{"type":"record","name":"O","fields":[{"name":"x","type":{"type":"record","name":"I","fields":[{"name":"p","type":"int"},{"name":"q","type":"string"}]}},{"name":"y","type":"I"},{"name":"z","type":"int"}]}"#;
        assert_eq!(
            encode(nested, r#"{"z":9,"y":{"q":"b","p":2},"x":{"q":"a","p":1}}"#),
            encode(nested, r#"{"x":{"p":1,"q":"a"},"y":{"p":2,"q":"b"},"z":9}"#),
        );
    }

    #[test]
    fn what_does_not_fit_says_where_and_why() {
        check_error(STUDENT, r#"{"last": null}"#, "missing field 'first' of StudentName (at /");
        check_error(STUDENT, r#"{"first": null}"#, "missing field 'last' of StudentName");
        check_error(STUDENT, "{}", "missing fields 'first', 'last' of StudentName");
        // A default is no value.
        check_error(RECORD, r#"{"a":1,"c":[]}"#, "missing field 'b' of x.R");
        check_error(RECORD, r#"{"a":1,"b":null,"c":[],"d":1}"#, "x.R has no field \'d\'");
        check_error(RECORD, r#"{"d":1,"a":1,"b":null,"c":[]}"#, "x.R has no field 'd'");
        check_error(RECORD, r#"{"a":1,"a":1,"b":null,"c":[]}"#, "field 'a' of x.R occurs twice");
        check_error(RECORD, r#"{"c":[],"c":[],"a":1,"b":null}"#, "field 'c' of x.R occurs twice");
        check_error(
            RECORD,
            r#"{"a":1,"b":null,"c":[1,"x"]}"#,
            "expected long, found a string (at /c/1, byte 23)",
        );
        check_error(
            RECORD,
            r#"{"a":1,"b":{"string":2},"c":[]}"#,
            "expected string, found a number (at /b/string",
        );
        check_error(
            RECORD,
            r#"{"a":1,"b":2,"c":[]}"#,
            "a number is none of the branches [null, string] (at /b",
        );
        check_error(
            RECORD,
            r#"{"a":1,"b":{"string":"x","y":1},"c":[]}"#,
            "expected '}' after the value of a branch",
        );
        check_error(RECORD, "[]", "expected x.R, found an array");
        check_error(RECORD, "", "found the end of the text");
        check_error("\"int\"", "2147483648", "beyond an int");
        check_error("\"int\"", "1.0", "without fraction");
        check_error("\"int\"", "1e3", "without fraction");
        check_error("\"int\"", "\"1\"", "expected int, found a string");
        check_error("\"int\"", "null", "expected int, found null");
        check_error("\"int\"", "01", "not a number");
        check_error("\"int\"", "-", "not a number");
        check_error("\"int\"", "1 2", "text after the value");
        check_error("\"long\"", "9223372036854775808", "beyond a long");
        check_error("\"long\"", "99999999999999999999999", "beyond a long");
        check_error("\"float\"", "1e39", "beyond a float");
        check_error("\"double\"", "1e309", "beyond a double");
        check_error("\"double\"", "\"nan\"", "expected a number, found a string");
        check_error("\"double\"", "1.", "not a number");
        check_error("\"boolean\"", "tru", "expected boolean");
        check_error("\"null\"", "nul", "expected null");
        check_error("\"string\"", "\"a", "a string without end");
        check_error("\"string\"", "\"a\\", "a string without end");
        check_error("\"string\"", "\"\\x\"", "an unknown escape");
        check_error("\"string\"", "\"\\u12g4\"", "not four digits");
        check_error("\"string\"", "\"\\ud800\"", "half of a surrogate pair");
        check_error("\"string\"", "\"\\udc00\\ud800\"", "half of a surrogate pair");
        check_error("\"string\"", "\"\n\"", "a control character");
        check_error("\"bytes\"", "\"€\"", "above U+00FF");
        check_error("\"bytes\"", "\"\\u0100\"", "above U+00FF");
        check_error(r#"{"type":"fixed","name":"F","size":2}"#, "\"a\"", "F takes 2 bytes, found 1");
        check_error(
            r#"{"type":"enum","name":"E","symbols":["A"]}"#,
            "\"B\"",
            "\"B\" is not a symbol of E",
        );
        check_error(r#"{"type":"map","values":"int"}"#, r#"{"k":"x"}"#, "(at /k");
        check_error(r#"{"type":"map","values":"int"}"#, r#"{k:1}"#, "expected a string");
        check_error(r#"{"type":"array","items":"int"}"#, "[1,]", "expected int");
        check_error(r#"{"type":"array","items":"int"}"#, "[1 2]", "expected ','");
        check_error("[\"int\"]", "null", "null is none of the branches [int]");
        let not_utf8 = parse("\"string\"").plan().encode(b"\"\xff\"", &mut Vec::new());
        assert!(not_utf8.unwrap_err().to_string().contains("not UTF-8"));
    }

    #[test]
    fn a_branch_needs_no_name_where_only_one_fits() {
        let check = |schema: &str, bare: &str, tagged: &str| {
            assert_eq!(encode(schema, bare), encode(schema, tagged), "{schema} {bare}");
            assert!(encode(schema, tagged).is_ok());
        };
        check(r#"["null","string"]"#, "\"x\"", r#"{"string":"x"}"#);
        check(r#"["null","double","boolean"]"#, "1", r#"{"double":1}"#);
        check(r#"["null","int","double"]"#, "1.5", r#"{"double":1.5}"#);
        check(r#"["null","double"]"#, "\"NaN\"", r#"{"double":"NaN"}"#);
        check(r#"["int","long"]"#, "2147483648", r#"{"long":2147483648}"#);
        check(r#"["null",{"type":"array","items":"int"}]"#, "[1]", r#"{"array":[1]}"#);
        let map = r#"["null",{"type":"map","values":"int"}]"#;
        check(map, r#"{"a":1}"#, r#"{"map":{"a":1}}"#);
        check(map, r#"{"map":1}"#, r#"{"map":{"map":1}}"#);
        check(map, "{}", r#"{"map":{}}"#);
        let record = r#"["null",{"type":"record","name":"R","fields":[{"name":"string","type":"int"}]},"string"]"#;
        check(record, r#"{"string":1}"#, r#"{"R":{"string":1}}"#);
        let two = r#"[{"type":"record","name":"A","fields":[{"name":"a","type":"int"}]},{"type":"record","name":"B","fields":[{"name":"b","type":["int","string"]}]}]"#;
        check(two, r#"{"a":1}"#, r#"{"A":{"a":1}}"#);
        check(two, r#"{"b":"x"}"#, r#"{"B":{"b":{"string":"x"}}}"#);

        check_error(r#"["int","long"]"#, "1", "both int and long fit");
        check_error(r#"["string","bytes"]"#, "\"x\"", "both string and bytes fit");
        check_error(
            r#"["string",{"type":"enum","name":"E","symbols":["A"]}]"#,
            "\"A\"",
            "both string and E fit",
        );
        check_error(r#"["int","float"]"#, "true", "a boolean is none of the branches [int, float]");
        check_error(two, r#"{"c":1}"#, "fits none of the branches [A, B]");
        // What is tagged is read as tagged, whatever else fits.
        let both = r#"["int",{"type":"map","values":"int"}]"#;
        assert_eq!(encode(both, r#"{"int":1}"#).unwrap(), [0, 2]);
    }

    #[test]
    fn the_branch_that_fits_is_not_searched_for_ever() {
        // Two records that hold each other behind unions: every level doubles
        // the ways to read what is below it.
        let schema = r#"{"type":"record","name":"A","fields":[{"name":"n","type":["null","A",
            {"type":"record","name":"B","fields":[{"name":"n","type":["null","A","B"]}]}]}]}"#;
        let json = r#"{"n":"#.repeat(60) + "null" + &"}".repeat(60);
        check_error(schema, &json, "name the branch");
    }

    #[test]
    fn recursion_has_a_bound() {
        let list = r#"{"type":"record","name":"L","fields":[{"name":"n","type":["null","L"]}]}"#;
        let nested =
            |depth: usize| r#"{"n":{"L":"#.repeat(depth) + "{\"n\":null}" + &"}}".repeat(depth);
        let datum = encode(list, &nested(350)).unwrap();
        assert_eq!(datum.len(), 351);
        assert_eq!(decode(list, &datum).unwrap(), nested(350));
        check_error(list, &nested(100_000), "nested too deep");
        let error = decode(list, &[2; 100_000]).unwrap_err();
        assert!(error.contains("nested too deep") && error.len() < 200, "{error}");
        let array = r#"{"type":"record","name":"T","fields":[{"name":"t","type":{"type":"array","items":"T"}}]}"#;
        check_error(array, &"{\"t\":[".repeat(100_000), "nested too deep");
        assert!(decode(array, &[2; 100_000]).unwrap_err().contains("nested too deep"));
        // Infinite data of an infinite type takes no bytes at all.
        let endless = r#"{"type":"record","name":"E","fields":[{"name":"e","type":"E"}]}"#;
        assert!(decode(endless, b"").unwrap_err().contains("nested too deep"));
    }

    #[test]
    fn what_is_no_datum_is_refused_before_anything_is_allocated() {
        let check = |schema: &str, datum: &[u8], expected: &str| {
            let error = decode(schema, datum).unwrap_err();
            assert!(error.contains(expected), "{schema} {datum:?}: {error}");
        };
        let huge = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1];
        let beyond = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        let endless = [0xff; 20];
        check("\"string\"", &huge, "ends too early");
        check("\"bytes\"", &huge, "ends too early");
        check("\"bytes\"", &[1], "a length below 0");
        check("\"string\"", b"\x02\xff", "not UTF-8");
        check("\"long\"", &beyond, "beyond a long");
        check("\"long\"", &endless, "beyond a long");
        check("\"int\"", &[0x80, 0x80, 0x80, 0x80, 0x10], "beyond an int");
        check("\"boolean\"", &[2], "neither true nor false");
        check(r#"{"type":"enum","name":"E","symbols":["A"]}"#, &[2], "E has no symbol 1");
        check(r#"{"type":"enum","name":"E","symbols":["A"]}"#, &[1], "E has no symbol -1");
        check(r#"["null"]"#, &[2], "the union has 1 branches, not 1");
        check(r#"{"type":"fixed","name":"F","size":2147483647}"#, &[1], "ends too early");
        check(r#"{"type":"array","items":"null"}"#, &huge, "too many items without bytes");
        check(r#"{"type":"array","items":"int"}"#, &huge, "ends too early");
        let min = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 0];
        check(r#"{"type":"array","items":"null"}"#, &min, "too many items without bytes");

        // Each record of the chain holds the one before twice: 2^60 in all.
        let mut types = vec![r#"{"type":"record","name":"R0","fields":[]}"#.to_owned()];
        for at in 1..60 {
            let parent = at - 1;
            types.push(format!(
                r#"{{"type":"record","name":"R{at}","fields":[{{"name":"a","type":"R{parent}"}},{{"name":"b","type":"R{parent}"}}]}}"#
            ));
        }
        check(&format!("[{}]", types.join(",")), &[118], "becomes too long");
    }

    #[test]
    fn any_buffer_is_written_behind_what_it_holds() {
        let schema = parse(RECORD);
        let json = br#"{"c":[1],"a":1,"b":null}"#;
        let mut out = BytesMut::from(&b"head"[..]);
        schema.plan().encode(json, &mut out).unwrap();
        assert_eq!(&out[..], b"head\x02\x00\x02\x02\x00");
        let mut text = BytesMut::from(&b"head"[..]);
        // What follows a datum is left to the caller.
        out.extend_from_slice(b"tail");
        assert_eq!(schema.plan().decode(&out[4..], &mut text), Ok(5));
        assert_eq!(&text[..], br#"head{"a":1,"b":null,"c":[1]}"#);
    }

    #[test]
    fn bytes_at_the_top_are_the_payload_itself() {
        let schema = parse("\"bytes\"");
        let mut payload = vec![0, 0, 0, 0, 1];
        schema.encode_payload("\"aÿ\"".as_bytes(), &mut payload).unwrap();
        assert_eq!(payload, b"\x00\x00\x00\x00\x01a\xff");
        let mut text = Vec::new();
        schema.decode_payload(b"\x06a\xff", &mut text).unwrap();
        assert_eq!(String::from_utf8(text).unwrap(), "\"\\u0006aÿ\"");
        let mut out = b"x".to_vec();
        assert!(schema.encode_payload("\"€\"".as_bytes(), &mut out).is_err());
        assert!(schema.encode_payload(b"\"a\" 1", &mut out).is_err());
        assert_eq!(out, b"x");
        // Everything else is a datum.
        let schema = parse("\"string\"");
        let mut payload = Vec::new();
        schema.encode_payload(b"\"a\"", &mut payload).unwrap();
        assert_eq!(payload, b"\x02a");
    }
}
