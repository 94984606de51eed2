//! Several registries on one cluster.

use std::collections::BTreeSet;

use serde_json::json;

use super::Registry;
use crate::harness::{Setup, until};

/// Waits until a registry shows what another one has written.
fn await_body(http: &Registry, target: &str, expected: &str) {
    until(&format!("{target} to be {expected}"), || {
        (http.get(target).text() == expected).then_some(())
    });
}

#[test]
fn two_registries_on_one_broker_agree_whoever_is_asked() {
    let first = Setup::new().start();
    assert_eq!(Registry::of(&first).register("a", "\"string\""), 1);
    let second = Setup::proxy_of(first.broker()).start();
    let (one, two) = (Registry::of(&first), Registry::of(&second));
    // What was there before is there; writes through either are seen by both.
    assert_eq!(two.get("/subjects").text(), r#"["a"]"#);
    assert_eq!(two.register("b", "\"int\""), 2);
    await_body(&one, "/schemas/ids/2/schema", "\"int\"");
    assert_eq!(one.register("c", "\"long\""), 3);
    await_body(&two, "/schemas/ids/3/schema", "\"long\"");
    two.put("/config/c", r#"{"compatibility":"NONE"}"#).expect(200);
    await_body(&one, "/config/c", r#"{"compatibilityLevel":"NONE"}"#);
    one.delete("/subjects/b").expect(200);
    await_body(&two, "/subjects", r#"["a","c"]"#);
    // A refusal is passed on as it is.
    for http in [&one, &two] {
        let body = json!({ "schema": "\"string\"" }).to_string();
        let answer = http.send("POST", "/subjects/none", Some(&body)).expect(404);
        assert_eq!(answer.json()["error_code"], 40401);
        let answer =
            http.send("POST", "/subjects/a/versions", Some(r#"{"schema":"nope"}"#)).expect(422);
        assert_eq!(answer.json()["error_code"], 42201);
    }
    // Many at once, through both: one id for each schema, no gaps in versions.
    for http in [&one, &two] {
        http.put("/config/d", r#"{"compatibility":"NONE"}"#).expect(200);
    }
    std::thread::scope(|scope| {
        for writer in 0..4 {
            let http = if writer % 2 == 0 { &one } else { &two };
            scope.spawn(move || {
                for number in 0..10 {
                    http.register("d", &schema(number));
                }
            });
        }
    });
    let expected: Vec<i32> = (1..=10).collect();
    let expected = serde_json::to_string(&expected).unwrap();
    for http in [&one, &two] {
        await_body(http, "/subjects/d/versions", &expected);
    }
    let ids = |http: &Registry| -> Vec<i64> {
        (0..10).map(|number| http.register("e", &schema(number))).collect()
    };
    one.put("/config/e", r#"{"compatibility":"NONE"}"#).expect(200);
    await_body(&two, "/config/e", r#"{"compatibilityLevel":"NONE"}"#);
    let of_one = ids(&one);
    assert_eq!(of_one.iter().collect::<BTreeSet<_>>().len(), 10);
    assert_eq!(of_one, ids(&two));
    for http in [&one, &two] {
        assert_eq!(http.get("/master_available").text(), r#"{"master_available":true}"#);
    }
}

fn schema(number: i32) -> String {
    json!({"type": "fixed", "name": "F", "size": number + 1}).to_string()
}

#[test]
fn when_the_leader_is_killed_another_registry_takes_over() {
    let broker = Setup::new().start();
    let leader = Setup::proxy_of(broker.broker()).start();
    assert_eq!(Registry::of(&leader).register("a", "\"string\""), 1);
    let other = Setup::proxy_of(broker.broker()).start();
    assert_eq!(Registry::of(&other).register("b", "\"int\""), 2);
    leader.kill();
    // Until the session of the dead one is over, nobody may write.
    let body = json!({ "schema": "\"long\"" }).to_string();
    let id = until("the new leader", || {
        let answer = Registry::of(&other).send("POST", "/subjects/c/versions", Some(&body));
        (answer.status == 200).then(|| answer.json()["id"].as_i64().unwrap())
    });
    assert_eq!(id, 3);
    assert_eq!(Registry::of(&other).get("/schemas/ids/1/schema").text(), "\"string\"");
}

#[test]
fn a_registry_that_may_not_lead_says_so_when_nobody_can() {
    let server = Setup::new().set("leader.eligibility", "false").start();
    let body = json!({ "schema": "\"long\"" }).to_string();
    let answer =
        Registry::of(&server).send("POST", "/subjects/c/versions", Some(&body)).expect(500);
    assert_eq!(answer.json()["error_code"], 50004);
    assert_eq!(Registry::of(&server).get("/subjects").text(), "[]");
    assert_eq!(
        Registry::of(&server).get("/master_available").text(),
        r#"{"master_available":false}"#
    );
}
