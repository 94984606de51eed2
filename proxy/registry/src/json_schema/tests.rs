//! What is a schema, and what is valid under it.

use super::*;

fn reference(name: &str, text: &str) -> ResolvedReference {
    ResolvedReference { name: name.to_owned(), text: text.to_owned(), references: Vec::new() }
}

fn parse(text: &str) -> Result<JsonSchema, InvalidSchema> {
    JsonSchema::parse(text, &[], Strictness::New)
}

#[test]
fn texts_are_the_references() {
    let text = r##"{ "type": "object",
 "title": "T", "properties": { "b": {"type":"number","minimum":1.0}, "a": {"type":["string","null"],"description":"\u00fc/\/"} }, "required":["b","a"], "$schema":"http://json-schema.org/draft-07/schema#", "additionalProperties": false, "x-own": {"z":1,"y":[3,1]} }"##;
    let schema = parse(text).unwrap();
    assert_eq!(
        schema.canonical_text(),
        r##"{"type":"object","title":"T","properties":{"b":{"type":"number","minimum":1.0},"a":{"type":["string","null"],"description":"ü//"}},"required":["b","a"],"$schema":"http://json-schema.org/draft-07/schema#","additionalProperties":false,"x-own":{"z":1,"y":[3,1]}}"##
    );
    assert_eq!(
        schema.normalized_text(),
        r##"{"$schema":"http://json-schema.org/draft-07/schema#","additionalProperties":false,"properties":{"a":{"description":"ü//","type":["string","null"]},"b":{"minimum":1.0,"type":"number"}},"required":["b","a"],"title":"T","type":"object","x-own":{"y":[3,1],"z":1}}"##
    );
    assert_eq!(schema.record_name(), Some("T"));
    assert_eq!(schema.top_level_fields(), ["b", "a"]);
}

#[test]
fn what_is_no_schema_is_refused_with_its_keyword() {
    for (text, problem) in [
        ("nope", "not a value at byte 0"),
        ("[]", "object or a boolean"),
        ("1", "object or a boolean"),
        ("null", "object or a boolean"),
        (r#"{"type":"nope"}"#, "unknown type \"nope\""),
        (r#"{"type":7}"#, "type is 7"),
        (r#"{"type":["string",1]}"#, "type names something"),
        (r#"{"properties":{"a":1}}"#, "1 is not a schema"),
        (r#"{"properties":[]}"#, "properties is not an object"),
        (r#"{"items":"a"}"#, "is not a schema"),
        (r#"{"required":"a"}"#, "required is not an array"),
        (r#"{"required":[1]}"#, "required is not an array of names"),
        (r#"{"enum":1}"#, "enum is not an array"),
        (r#"{"anyOf":{}}"#, "anyOf is not an array"),
        (r#"{"maxLength":"a"}"#, "maxLength is not a number"),
        (r#"{"multipleOf":0}"#, "multipleOf is 0"),
        (r#"{"pattern":"("}"#, "is not a regular expression"),
        (r#"{"patternProperties":{"[":{}}}"#, "is not a regular expression"),
        (r#"{"uniqueItems":1}"#, "uniqueItems is not a boolean"),
        (r#"{"$ref":1}"#, "$ref is not a string"),
        (r##"{"$ref":"#/nope"}"##, "leads nowhere"),
        (r##"{"$ref":"#nope"}"##, "leads nowhere"),
        (r#"{"$ref":"other.json"}"#, "leads nowhere"),
        (r#"{"$ref":"http://127.0.0.1:1/never-fetched.json"}"#, "leads nowhere"),
        (r#"{"$ref":"file:///etc/passwd"}"#, "leads nowhere"),
        (r##"{"$ref":"#"}"##, "leads back to itself"),
        (r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}}}"##, ""),
        (
            r##"{"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"$ref":"#/$defs/a"}},"$ref":"#/$defs/a"}"##,
            "leads back to itself",
        ),
    ] {
        match parse(text) {
            // Definitions that nothing uses are not read.
            Ok(_) => assert_eq!(problem, "", "{text}"),
            Err(error) => {
                assert!(!problem.is_empty() && error.0.contains(problem), "{text}: {error}");
                assert!(error.0.contains("Invalid JSON"), "{error}");
            }
        }
    }
}

#[test]
fn values_out_of_range_and_unknown_keywords_are_accepted() {
    for text in [
        r#"{"type":"string","minLength":-1}"#,
        r#"{"x":{"type":"nope"}}"#,
        r#"{"$schema":"http://example.org/own","type":"string"}"#,
        r#"{"anyOf":[]}"#,
        r#"{"enum":[]}"#,
        r#"{"pattern":"^(?=a)(?<!b)\\d\\/$"}"#,
        "{}",
        "true",
        "false",
    ] {
        parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    }
}

#[test]
fn a_stored_schema_only_has_to_be_json() {
    let stored = |text| JsonSchema::parse(text, &[], Strictness::Stored);
    let odd = stored(r#"{"type":"nope","title":"t"}"#).unwrap();
    assert_eq!(odd.record_name(), Some("t"));
    let other = parse(r#"{"type":"string"}"#).unwrap();
    assert_eq!(incompatibilities(&other, &odd, CompatibilityPolicy::Strict).len(), 1);
    assert!(matches!(odd.validate(b"1"), Err(InvalidPayload::Schema(_))));
    assert!(stored("nope").is_err());
}

#[test]
fn a_reference_is_found_in_every_notation() {
    let number = r#"{"$defs":{"d":{"$anchor":"x","type":"number"}},"type":"integer"}"#;
    for (name, id, reference_text) in [
        ("base.json", "", "base.json"),
        ("base.json", "", "./base.json"),
        ("base.json", "http://e/dir/a.json", "base.json"),
        ("base.json", "http://e/dir/a.json", "http://e/dir/base.json"),
        ("./base.json", "", "./base.json"),
        ("http://e/b", "", "http://e/b"),
        ("http://e/b", "http://e/a", "b"),
        ("http://e/b", "http://e/a", "/b#"),
        ("urn:b", "", "urn:b#/$defs/d"),
        ("base.json", "", "base.json#/$defs/d"),
        ("dir/base.json", "", "dir/base.json"),
        ("base name.json", "", "base name.json"),
    ] {
        let text = format!(
            "{{\"$id\":\"{id}\",\"properties\":{{\"a\":{{\"$ref\":\"{reference_text}\"}}}}}}"
        );
        let schema = JsonSchema::parse(&text, &[reference(name, number)], Strictness::New)
            .unwrap_or_else(|error| panic!("{name} {id} {reference_text}: {error}"));
        if !name.contains(' ') {
            assert_eq!(schema.validate(br#"{"a":1}"#), Ok(()), "{name} {id} {reference_text}");
            assert!(schema.validate(br#"{"a":"x"}"#).is_err(), "{name} {id} {reference_text}");
        }
    }
}

#[test]
fn payloads_are_judged_by_the_draft_of_their_schema() {
    for (schema, good, bad) in [
        (r#"{"type":"string","maxLength":2}"#, r#""ab""#, r#""abc""#),
        (r#"{"type":"integer"}"#, "1", "1.5"),
        (
            r##"{"$schema":"http://json-schema.org/draft-04/schema#","minimum":1,"exclusiveMinimum":true}"##,
            "2",
            "1",
        ),
        (r##"{"$schema":"http://json-schema.org/draft-06/schema#","const":1}"##, "1", "2"),
        (r#"{"if":{"type":"string"},"then":{"maxLength":1}}"#, r#""a""#, r#""ab""#),
        (
            r#"{"$schema":"https://json-schema.org/draft/2019-09/schema","dependentRequired":{"a":["b"]}}"#,
            r#"{"a":1,"b":1}"#,
            r#"{"a":1}"#,
        ),
        (
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","prefixItems":[{"type":"null"}],"items":false}"#,
            "[null]",
            "[null,1]",
        ),
        (
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{}},"unevaluatedProperties":false}"#,
            r#"{"a":1}"#,
            r#"{"b":1}"#,
        ),
        (
            r##"{"properties":{"n":{"$ref":"#"}},"required":["v"]}"##,
            r#"{"v":1,"n":{"v":2}}"#,
            r#"{"v":1,"n":{}}"#,
        ),
        ("true", "{}", ""),
        (r#"{"pattern":"^(?!x)"}"#, r#""a""#, r#""x""#),
    ] {
        let schema = parse(schema).unwrap();
        assert_eq!(schema.validate(good.as_bytes()), Ok(()), "{good}");
        assert!(schema.validate(bad.as_bytes()).is_err(), "{bad}");
    }
    let schema = parse(r#"{"properties":{"a":{"items":{"type":"string"}}}}"#).unwrap();
    let error = schema.validate(br#"{"a":["x",{"secret":1}]}"#).unwrap_err().to_string();
    assert!(error.contains("'#/a/1'") && !error.contains("secret"), "{error}");
    assert!(matches!(schema.validate(b"{\"a\""), Err(InvalidPayload::NotJson(_))));
    let deep = "[".repeat(100_000);
    assert!(matches!(schema.validate(deep.as_bytes()), Err(InvalidPayload::NotJson(_))));
}

#[test]
fn a_schema_that_cannot_be_applied_says_why() {
    let chain = |steps: usize, step: &dyn Fn(usize) -> String| {
        let definitions: Vec<_> =
            (0..steps).map(|at| format!("\"d{at}\":{}", step(at + 1))).collect();
        format!(
            "{{\"definitions\":{{{},\"d{steps}\":{{}}}},\"properties\":{{\"a\":{{\"$ref\":\"#/definitions/d0\"}}}}}}",
            definitions.join(",")
        )
    };
    let to = |at: usize| format!("{{\"$ref\":\"#/definitions/d{at}\"}}");
    let below = |at: usize| format!("{{\"properties\":{{\"p\":{}}}}}", to(at));
    for (case, schema, problem) in [
        ("out of range", r#"{"minLength":-1}"#.to_owned(), "minLength"),
        (
            "endless recursion",
            r##"{"properties":{"a":{"$ref":"#/definitions/r"}},"definitions":{"r":{"allOf":[{"$ref":"#/definitions/r"}]}}}"##.to_owned(),
            "leads back to itself",
        ),
        ("a chain in place", chain(1_000, &to), "apply to one value"),
        ("too many references", chain(5_000, &below), "references"),
    ] {
        match parse(&schema).unwrap().validate(br#"{"a":{}}"#) {
            Err(InvalidPayload::Schema(found)) => assert!(found.contains(problem), "{case}: {found}"),
            other => panic!("{case}: {other:?}"),
        }
    }
    // As many as are allowed do not overflow the compiler's stack.
    assert_eq!(parse(&chain(4_000, &below)).unwrap().validate(br#"{"a":{}}"#), Ok(()));
}

#[test]
fn hostile_schemas_are_refused_or_read_in_bounded_time() {
    let nested =
        |open: &str, close: &str, depth: usize| open.repeat(depth) + "{}" + &close.repeat(depth);
    for depth in [200, 100_000] {
        assert!(parse(&nested("{\"not\":", "}", depth)).is_ok() == (depth == 200));
        assert!(parse(&nested("{\"allOf\":[", "]}", depth)).is_err());
    }
    let large = format!("{{\"description\":\"{}\"}}", "x".repeat(10 << 20));
    assert!(parse(&large).is_ok());
    let many = format!("{{\"allOf\":[{}{{}}]}}", "{},".repeat(1 << 20));
    assert!(parse(&many).unwrap_err().0.contains("more than a million values"));
    let many = format!("{{\"allOf\":[{}{{}}]}}", "{},".repeat(300_000));
    assert!(parse(&many).unwrap_err().0.contains("parts"));
}

#[test]
fn references_may_name_each_other_in_a_circle() {
    // As the registry resolves them: the circle is cut where it closes.
    let a = reference("a.json", r#"{"properties":{"b":{"$ref":"b.json"}}}"#);
    let b = ResolvedReference {
        references: vec![a.clone()],
        ..reference("b.json", r#"{"properties":{"a":{"$ref":"a.json"}}}"#)
    };
    let schema = JsonSchema::parse(r#"{"$ref":"b.json"}"#, &[b, a], Strictness::New).unwrap();
    assert_eq!(schema.validate(br#"{"a":{"b":{"a":{}}}}"#), Ok(()));
    assert!(incompatibilities(&schema, &schema, CompatibilityPolicy::Strict).is_empty());
}
