//! What is a `.proto` file, and how its messages are written.

use super::*;

fn reference(name: &str, text: &str) -> ResolvedReference {
    ResolvedReference { name: name.to_owned(), text: text.to_owned(), references: Vec::new() }
}

fn parse(text: &str) -> Result<ProtobufSchema, InvalidSchema> {
    ProtobufSchema::parse(text, &[], Strictness::New)
}

/// A proto3 file.
fn proto3(text: &str) -> Result<ProtobufSchema, InvalidSchema> {
    parse(&format!("syntax = \"proto3\"; {text}"))
}

#[test]
fn what_does_not_follow_the_grammar_is_refused_with_its_place() {
    for (text, problem) in [
        ("nope", ":1:1: unexpected label: nope"),
        ("edition = \"2023\"; message A { int32 a = 1; }", "edition is not currently supported"),
        ("syntax = \"proto4\";", "unknown syntax"),
        ("package a; syntax = \"proto3\";", "must be the first"),
        ("syntax = \"proto3\";\nmessage A {\n  int32 a 1;\n}", ":3:11: expected '='"),
        ("syntax = \"proto3\"; message A { int32 a = x; }", "expected an integer"),
        (
            "syntax = \"proto3\"; message A { int32 a = 99999999999; }",
            "expected an integer in range",
        ),
        ("syntax = \"proto3\"; message A {", "the end of the file"),
        ("syntax = \"proto3\"; message A { required int32 a = 1; }", "'required' label forbidden"),
        ("message A { int32 a = 1; }", "unexpected label: int32"),
        (
            "syntax = \"proto3\"; message A { repeated map<string, string> a = 1; }",
            "cannot have label",
        ),
        ("syntax = \"proto3\"; /* a", "a comment without end"),
        ("syntax = \"proto3", "a string without end"),
        ("syntax = \"proto3\"; import 1;", "expected a string"),
        ("syntax = \"proto3\"; option a = ;", "expected a value"),
        ("syntax = \"proto3\"; service S { rpc A (B); }", "expected 'returns'"),
        ("=", "expected a declaration"),
        ("{\"type\":\"string\"}", "expected a declaration"),
        ("AAAA", "unexpected label"),
    ] {
        for strictness in [Strictness::New, Strictness::Stored] {
            let error = ProtobufSchema::parse(text, &[], strictness).unwrap_err();
            assert!(error.0.contains(problem), "{text}: {error}");
        }
    }
}

#[test]
fn what_protoc_refuses_is_refused_for_new_schemas_only() {
    let mut failures = Vec::new();
    for (text, problem) in [
        ("message A { int32 a = 1; int32 b = 1; }", "number"),
        ("message A { int32 a = 1; int32 a = 2; }", "a"),
        ("message A {} message A {}", "A"),
        ("message A { int32 a = 0; }", "0"),
        ("message A { int32 a = 19000; }", "19000"),
        ("message A { int32 a = 536870912; }", "536870911"),
        ("message A { int32 a = -1; }", ""),
        ("message A { reserved 1; int32 a = 1; }", "reserved"),
        ("message A { reserved \"a\"; int32 a = 1; }", "reserved"),
        ("enum E { reserved \"A\"; A = 0; }", "reserved"),
        ("enum E { reserved 0; A = 0; }", "reserved"),
        ("message A { oneof o { int32 a = 1; } int32 o = 2; }", "o"),
        ("message A { reserved 5 to 3; }", "5"),
        ("message A { reserved 1 to 3, 2; }", "2"),
        ("message A { reserved \"x\", \"x\"; }", "x"),
        ("message A { map<string, string> a = 1; message AEntry {} }", "AEntry"),
        ("message A { int32 foo_bar = 1; int32 fooBar = 2; }", "fooBar"),
        ("message A { int32 a = 1 [json_name = \"x\"]; int32 b = 2 [json_name = \"x\"]; }", "x"),
        ("message A { string a = 1 [packed = true]; }", "packed"),
        ("message A { group G = 1 { int32 a = 1; } }", "roup"),
        ("message A { map<string, map<string, string>> a = 1; }", ""),
        ("message A { optional int32 a = 1 [deprecated = 1]; }", ""),
        ("message A { int32 a = 1 [deprecated = true, deprecated = true]; }", "deprecated"),
        ("service S { rpc R (E) returns (E); } enum E { Z = 0; }", "E"),
        ("service S { rpc R (A) returns (A); rpc R (A) returns (A); } message A {}", "R"),
        ("message A {} enum A { Z = 0; }", "A"),
        ("enum E { Z = 0; } enum F { Z = 0; }", "Z"),
        ("message A { extend A { int32 x = 1; } }", ""),
        ("enum E { option allow_alias = true; A = 0; }", "aliases"),
        ("enum E { A = 1; }", "0"),
        ("enum E { A = 0; B = 0; }", "0"),
        ("enum E {}", "at least one value"),
        ("message A { map<float, string> a = 1; }", "map field key"),
        ("message A { google.protobuf.Any a = 1; }", "resolve"),
        ("message A { oneof o {} }", "o"),
        ("message A { int32 a = 1 [default = 1]; }", "default"),
        ("message A { extensions 100 to 200; }", "extension"),
        ("import \"google/protobuf/any.proto\"; import \"google/protobuf/any.proto\";", "twice"),
        ("message A { int32 a = 1 [nope = 1]; }", "nope"),
        ("message A { int32 a = 1 [(nope) = 1]; }", "nope"),
    ] {
        match proto3(text) {
            Ok(_) => failures.push(format!("accepted: {text}")),
            Err(error) if error.0.contains(problem) => {}
            Err(error) => failures.push(format!("{text}: {error}")),
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    let closed = reference("b.proto", "syntax = \"proto2\"; enum E { Z = 0; }");
    let user = "syntax = \"proto3\"; import \"b.proto\"; message A { E e = 1; }";
    let error = ProtobufSchema::parse(user, &[closed], Strictness::New).unwrap_err();
    assert!(error.0.contains("proto2"), "{error}");
    // What is stored already stays readable.
    for text in [
        "message A { int32 a = 1; int32 b = 1; }",
        "message A { int32 a = 0; }",
        "message A { reserved 1; int32 a = 1; }",
        "enum E { A = 1; }",
        "message A { int32 a = 1; int32 a = 2; }",
    ] {
        let text = format!("syntax = \"proto3\"; {text}");
        let stored = ProtobufSchema::parse(&text, &[], Strictness::Stored).unwrap();
        assert!(incompatibilities(&stored, &stored).is_empty(), "{text}");
        assert!(stored.canonical_text().starts_with("syntax = \"proto3\";\n\n"));
        assert!(matches!(
            stored.codec(None),
            Err(MessageError::Schema(_) | MessageError::UnknownMessage(_))
        ));
    }
}

#[test]
fn imports_are_references_or_well_known() {
    let b = reference(
        "b.proto",
        "syntax = \"proto3\"; package b; import \"c.proto\"; message B { c.C c = 1; }",
    );
    let c = reference("c.proto", "syntax = \"proto3\"; package c; message C { int32 z = 1; }");
    let nested = ResolvedReference { references: vec![c.clone()], ..b.clone() };
    let user = "syntax = \"proto3\"; import \"b.proto\"; message A { b.B x = 1; }";
    for references in [vec![nested.clone()], vec![b.clone(), c.clone()], vec![c.clone(), nested]] {
        let schema = ProtobufSchema::parse(user, &references, Strictness::New).unwrap();
        assert_eq!(
            schema.canonical_text(),
            "syntax = \"proto3\";\n\nimport \"b.proto\";\n\nmessage A {\n  b.B x = 1;\n}\n"
        );
        assert_eq!(
            schema.normalized_text(),
            "syntax = \"proto3\";\n\nimport \"b.proto\";\n\nmessage A {\n  .b.B x = 1;\n}\n"
        );
        round_trip(&schema, r#"{"x":{"c":{"z":7}}}"#);
    }
    // Missing: refused when something of it is used, else not.
    let error = ProtobufSchema::parse(user, &[], Strictness::New).unwrap_err();
    assert!(error.0.contains("Could not resolve type: b.B"), "{error}");
    let unused = proto3("import \"x.proto\"; message A { int32 a = 1; }").unwrap();
    assert_eq!(
        unused.canonical_text(),
        "syntax = \"proto3\";\n\nimport \"x.proto\";\n\nmessage A {\n  int32 a = 1;\n}\n"
    );
    round_trip(&unused, r#"{"a":1}"#);
    // A reference that is there and is not imported.
    let error = ProtobufSchema::parse(
        "syntax = \"proto3\"; message A { c.C x = 1; }",
        &[c],
        Strictness::New,
    )
    .unwrap_err();
    assert!(error.0.contains("c.C") || error.0.contains("import"), "{error}");
    // In a circle.
    let a = reference("a.proto", "syntax = \"proto3\"; import \"b.proto\"; message A {}");
    let b = reference("b.proto", "syntax = \"proto3\"; import \"a.proto\"; message B {}");
    let user = "syntax = \"proto3\"; import \"a.proto\"; message C { A a = 1; }";
    assert!(ProtobufSchema::parse(user, &[a, b], Strictness::New).is_err());
    // Nothing is read from the disk or the network.
    for path in
        ["/etc/passwd", "../../etc/passwd", "file:///etc/passwd", "http://127.0.0.1:1/x.proto"]
    {
        let text = format!("import \"{path}\"; message A {{ x.X a = 1; }}");
        assert!(proto3(&text).is_err(), "{path}");
    }
}

#[test]
fn every_well_known_type_can_be_used() {
    for (path, name) in [
        ("google/protobuf/timestamp.proto", "google.protobuf.Timestamp"),
        ("google/protobuf/struct.proto", "google.protobuf.Struct"),
        ("google/protobuf/wrappers.proto", "google.protobuf.Int64Value"),
        ("google/type/money.proto", "google.type.Money"),
        ("google/type/dayofweek.proto", "google.type.DayOfWeek"),
        ("google/type/datetime.proto", "google.type.DateTime"),
        ("google/type/color.proto", "google.type.Color"),
        ("google/type/interval.proto", "google.type.Interval"),
        ("confluent/meta.proto", "confluent.Meta"),
        ("confluent/type/decimal.proto", "confluent.type.Decimal"),
        ("confluent/type/variant.proto", "confluent.type.Variant"),
    ] {
        let schema = proto3(&format!("import \"{path}\"; message A {{ {name} a = 1; }}")).unwrap();
        assert!(schema.normalized_text().contains(&format!("  .{name} a = 1;\n")));
        schema.codec(None).unwrap();
    }
}

#[track_caller]
fn round_trip(schema: &ProtobufSchema, json: &str) {
    let codec = schema.codec(None).unwrap();
    let (mut bytes, mut again) = (Vec::new(), Vec::new());
    codec.encode_json(json.as_bytes(), &mut bytes).unwrap();
    codec.decode_json(&bytes, &mut again).unwrap();
    assert_eq!(String::from_utf8(again).unwrap(), json);
}

#[test]
fn messages_are_written_in_the_mapping_of_proto3() {
    let schema = proto3(
        "import \"google/protobuf/timestamp.proto\"; import \"google/protobuf/duration.proto\"; import \"google/protobuf/struct.proto\"; import \"google/protobuf/wrappers.proto\"; \
         enum E { Z = 0; Y = 1; } \
         message A { int64 big_number = 1; bytes data = 2; E e = 3; map<string, int32> m = 4; repeated A list = 5; \
         google.protobuf.Timestamp at = 6; google.protobuf.Duration took = 7; google.protobuf.Struct any = 8; google.protobuf.StringValue maybe = 9; \
         oneof o { string s = 10; bool b = 11; } optional int32 set = 12; double d = 13; }",
    )
    .unwrap();
    round_trip(
        &schema,
        r#"{"bigNumber":"9007199254740993","data":"/+8=","e":"Y","m":{"k":1},"list":[],"at":"2026-01-02T03:04:05.006Z","took":"1.500s","any":{"x":[1.5,null]},"maybe":"v","s":"","set":0,"d":1.5}"#,
    );
    let codec = schema.codec(None).unwrap();
    let encode = |json: &str| {
        let mut bytes = Vec::new();
        codec.encode_json(json.as_bytes(), &mut bytes).map(|()| bytes)
    };
    // What cannot tell whether it was set is written with its default.
    let mut out = Vec::new();
    codec.decode_json(&[], &mut out).unwrap();
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"{"bigNumber":"0","data":"","e":"Z","m":{},"list":[],"d":0.0}"#
    );
    // Both spellings of a name, numbers as text.
    assert_eq!(encode(r#"{"big_number":1}"#), encode(r#"{"bigNumber":"1"}"#));
    assert_eq!(encode(r#"{"e":1}"#), encode(r#"{"e":"Y"}"#));
    for json in [
        "",
        "1",
        "[]",
        "null",
        "{\"nope\":1}",
        "{\"bigNumber\":1.5}",
        "{\"bigNumber\":\"x\"}",
        "{\"e\":\"X\"}",
        "{\"data\":\"%\"}",
        "{\"s\":\"\",\"b\":true}",
        "{} {}",
        "{\"at\":\"yesterday\"}",
    ] {
        let error = encode(json).unwrap_err();
        assert!(matches!(error, MessageError::NotTheMessage { .. }), "{json}: {error}");
    }
    let deep = "{\"list\":[".repeat(100_000);
    assert!(encode(&deep).is_err());
}

#[test]
fn payloads_that_are_cut_or_garbled_are_refused() {
    let schema = proto3("message A { string s = 1; A a = 2; fixed64 f = 3; }").unwrap();
    let codec = schema.codec(None).unwrap();
    let mut bytes = Vec::new();
    codec.encode_json(br#"{"s":"abc","a":{"s":"d","f":"9"},"f":"7"}"#, &mut bytes).unwrap();
    let mut whole_fields = 0;
    for cut in 0..bytes.len() {
        let mut out = b"kept".to_vec();
        match codec.decode_json(&bytes[..cut], &mut out) {
            Ok(()) => whole_fields += 1,
            Err(error) => {
                assert!(matches!(error, MessageError::Corrupt { .. }), "{error}");
                assert_eq!(out, b"kept");
            }
        }
    }
    // Nothing, and what ends behind a field.
    assert_eq!(whole_fields, 3);
    // 50,000 messages in each other.
    let mut nested: Vec<u8> = Vec::new();
    for _ in 0..50_000 {
        let mut outer = vec![0x12];
        let mut length = nested.len();
        while length >= 0x80 {
            outer.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        outer.push(length as u8);
        if nested.len() > 100_000 {
            break;
        }
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    assert!(codec.decode_json(&nested, &mut Vec::new()).is_err());
}

#[test]
fn messages_are_found_by_name_and_by_position() {
    let schema = proto3(
        "package p; enum E { Z = 0; } message A { map<string, B> m = 1; message B { message C {} } enum F { Y = 0; } message D {} } message G {}",
    )
    .unwrap();
    assert_eq!(schema.record_name(), Some("p.A"));
    for (name, indexes) in [
        ("p.A", &[0][..]),
        ("p.A.B", &[0, 0]),
        ("p.A.B.C", &[0, 0, 0]),
        ("p.A.D", &[0, 1]),
        ("p.G", &[1]),
        (".p.G", &[1]),
    ] {
        let codec = schema.codec(Some(name)).unwrap();
        assert_eq!(codec.indexes().as_slice(), indexes, "{name}");
        let found = schema.codec_at(codec.indexes()).unwrap();
        assert_eq!(found.name(), name.trim_start_matches('.'));
    }
    for name in ["A", "p", "p.", "p.E", "p.A.F", "p.A.MEntry", "p.A.B.C.D", ""] {
        assert!(schema.codec(Some(name)).is_err(), "{name}");
    }
    for indexes in [&[2][..], &[0, 2], &[1, 0], &[0, 0, 0, 0]] {
        let indexes = MessageIndexes::new(indexes.to_vec()).unwrap();
        assert!(
            matches!(schema.codec_at(&indexes), Err(MessageError::UnknownIndexes(_))),
            "{indexes}"
        );
    }
}

#[test]
fn names_of_records_and_fields() {
    for (text, name, fields) in [
        (
            "message A { int32 a = 1; oneof o { int32 b = 2; } } message B { int32 c = 1; }",
            Some("A"),
            &["a", "b"][..],
        ),
        ("package x.y; enum E { Z = 0; }", Some("x.y.E"), &[]),
        ("", None, &[]),
        (
            "import public \"google/protobuf/duration.proto\";",
            Some("google.protobuf.Duration"),
            &["seconds", "nanos"],
        ),
        ("import \"google/protobuf/duration.proto\";", None, &[]),
    ] {
        let schema = proto3(text).unwrap();
        assert_eq!(schema.record_name(), name, "{text}");
        assert_eq!(schema.top_level_fields(), fields, "{text}");
    }
    // A file that only imports another one publicly stands for it.
    let schema = proto3("import public \"google/protobuf/duration.proto\";").unwrap();
    let codec = schema.codec(None).unwrap();
    assert_eq!((codec.name(), codec.indexes().as_slice()), ("google.protobuf.Duration", &[0][..]));
}

#[test]
fn descriptors_are_files_too() {
    for text in [
        "syntax = \"proto3\"; package p; import \"google/protobuf/timestamp.proto\"; option java_package = \"x\"; \
         message M { reserved 10 to 12, 9; reserved \"x\"; map<string, In> mp = 4; optional float f = 7; \
         google.protobuf.Timestamp ts = 8 [deprecated = true, json_name = \"TS\"]; oneof o { string s = 6; E e = 5; } \
         message In { repeated In more = 1; } enum E { option allow_alias = true; Z = 0; A = 1; AA = 1; reserved 7, 9 to max; } } \
         service S { rpc Do (M) returns (stream M) { option deprecated = true; } }",
        "syntax = \"proto2\"; message P { required int32 a = 1; optional string s = 2 [default = \"x\\ny\"]; optional bytes b = 5 [default = \"\\377\\\"\"]; \
         repeated int32 r = 3 [packed = true]; extensions 100 to 199; optional group G = 4 { optional int32 x = 1; } extend P { optional int32 e = 100; } optional E en = 6 [default = Y]; enum E { Z = -1; Y = 1; } optional double d = 7 [default = inf]; }",
        "syntax = \"proto3\"; import \"google/protobuf/descriptor.proto\"; import \"confluent/meta.proto\"; \
         extend google.protobuf.MessageOptions { Own own = 50000; } message Own { repeated string words = 1; Own inner = 2; E e = 3; enum E { Z = 0; Y = 1; } } \
         message A { option (own) = { words: [\"a\", \"b\"], inner: { e: Y } }; int32 a = 1 [(confluent.field_meta) = { doc: \"d\", params: [{ key: \"k\", value: \"v\" }] }]; }",
    ] {
        let schema = parse(text).unwrap();
        let base64 = schema.text(TextFormat::Serialized);
        let same = parse(&base64).unwrap_or_else(|error| panic!("{error}: {text}"));
        // The same file in the end: the same descriptor again, the same
        // normalised text, and nothing that tells them apart.
        assert_eq!(same.normalized_text(), schema.normalized_text(), "{text}");
        assert_eq!(same.text(TextFormat::Serialized), base64, "{text}");
        assert!(incompatibilities(&same, &schema).is_empty(), "{text}");
        assert!(incompatibilities(&schema, &same).is_empty(), "{text}");
        assert_eq!(same.record_name(), schema.record_name());
        assert_eq!(same.codec(None).is_ok(), schema.codec(None).is_ok());
    }
    for garbage in ["CgdkZWZhdWx0Ig4KAVASCQoBYRgB", "AAAA", "Cg=="] {
        assert!(parse(garbage).is_err(), "{garbage}");
    }
}

#[test]
fn hostile_files_are_refused_or_read_in_bounded_time() {
    let nested = |depth: usize| "message A {".repeat(depth) + &"}".repeat(depth);
    for depth in [1_000, 100_000] {
        assert!(proto3(&nested(depth)).unwrap_err().0.contains("nested too deep"));
    }
    let option = |open: &str| format!("option (a) = {};", open.repeat(100_000));
    for open in ["{ a: ", "[", "< a "] {
        assert!(proto3(&option(open)).unwrap_err().0.contains("nested too deep"), "{open}");
    }
    let steps = format!("option a{} = 1;", ".(b)".repeat(100_000));
    assert!(proto3(&steps).unwrap_err().0.contains("nested too deep"));
    let many = format!(
        "option (a) = {{ {} }};",
        (0..100_000).map(|at| format!("a{at}: 1 ")).collect::<String>()
    );
    assert!(proto3(&many).unwrap_err().0.contains("too many entries"));
    let comment = format!("// {}\nmessage A {{}}", "x".repeat(10 << 20));
    assert_eq!(
        proto3(&comment).unwrap().canonical_text(),
        "syntax = \"proto3\";\n\nmessage A {}\n"
    );
    // A chain of imports as long as is allowed, and longer.
    let chain = |count: usize| -> Vec<ResolvedReference> {
        (0..count)
            .map(|at| {
                reference(
                    &format!("{at}.proto"),
                    &format!(
                        "syntax = \"proto3\"; import public \"{}.proto\"; message M{at} {{}}",
                        at + 1
                    ),
                )
            })
            .chain([reference(&format!("{count}.proto"), "syntax = \"proto3\"; message Last {}")])
            .collect()
    };
    let user = "syntax = \"proto3\"; import \"0.proto\"; message A { M0 x = 1; }";
    ProtobufSchema::parse(user, &chain(1_000), Strictness::New).unwrap();
    let through_two = "syntax = \"proto3\"; import \"0.proto\"; message A { Last x = 1; }";
    ProtobufSchema::parse(through_two, &chain(2), Strictness::New).unwrap();
    let error = ProtobufSchema::parse(user, &chain(2_000), Strictness::New).unwrap_err();
    assert!(error.0.contains("imports more than"), "{error}");
}
