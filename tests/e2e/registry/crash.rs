//! Kill -9 while schemas are registered: what was answered holds.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::Registry;
use crate::harness::{Setup, until};

/// Writers that register at the same time.
const WRITERS: usize = 8;
/// Answers after which the program is killed, round by round.
const ROUNDS: [usize; 3] = [40, 90, 150];

fn schema(number: usize) -> String {
    json!({"type": "record", "name": "R", "fields": [{"name": format!("f{number}"), "type": "int", "default": 0}]})
        .to_string()
}

#[test]
fn an_id_that_was_answered_is_there_after_a_kill_and_never_means_two_schemas() {
    let mut setup = Setup::new();
    // The text of every id that was answered, over all rounds.
    let answered: Mutex<BTreeMap<i64, String>> = Mutex::default();
    let next = AtomicUsize::new(0);
    for round in ROUNDS {
        let server = setup.start();
        let http = Registry::of(&server);
        check(&http, &answered.lock().unwrap());
        let count = AtomicUsize::new(0);
        let is_over = AtomicBool::new(false);
        setup = std::thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (http, count, is_over, answered, next) =
                    (&http, &count, &is_over, &answered, &next);
                scope.spawn(move || {
                    while !is_over.load(Ordering::Relaxed) {
                        // Every schema is registered by two writers under different subjects.
                        let number = next.fetch_add(1, Ordering::Relaxed) / 2;
                        let text = schema(number);
                        let target = format!("/subjects/s{number}-{writer}/versions");
                        let body = json!({ "schema": text }).to_string();
                        let Ok(answer) = http.try_send("POST", &target, &[], Some(&body)) else {
                            return;
                        };
                        if answer.status != 200 {
                            return;
                        }
                        let id = answer.json()["id"].as_i64().unwrap();
                        let before = answered.lock().unwrap().insert(id, text.clone());
                        assert!(
                            before.is_none_or(|before| before == text),
                            "id {id} means two schemas"
                        );
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            until("answers", || (count.load(Ordering::Relaxed) >= round).then_some(()));
            let setup = server.setup().clone();
            server.kill();
            is_over.store(true, Ordering::Relaxed);
            setup
        });
    }
    let server = setup.start();
    let answered = answered.into_inner().unwrap();
    assert!(answered.len() >= ROUNDS.iter().sum::<usize>() / 2);
    let http = Registry::of(&server);
    check(&http, &answered);
    // Each schema has one id, and what is registered again keeps it.
    let ids: BTreeMap<&String, &i64> = answered.iter().map(|(id, text)| (text, id)).collect();
    assert_eq!(ids.len(), answered.len(), "a schema has two ids");
    for (text, id) in ids {
        assert_eq!(http.register("again", text), *id);
        http.delete("/subjects/again").expect(200);
    }
}

fn check(http: &Registry, answered: &BTreeMap<i64, String>) {
    for (id, text) in answered {
        let answer = http.get(&format!("/schemas/ids/{id}/schema")).expect(200);
        assert_eq!(&answer.text(), text, "id {id}");
    }
}

#[test]
fn a_stop_in_order_keeps_everything_and_ids_go_on() {
    let server = Setup::new().start();
    let http = Registry::of(&server);
    assert_eq!(http.register("a", "\"string\""), 1);
    assert_eq!(http.register("a", "\"bytes\""), 2);
    http.delete("/subjects/a/versions/1").expect(200);
    http.put("/config/a", r#"{"compatibility":"FULL"}"#).expect(200);
    let server = server.restart();
    let http = Registry::of(&server);
    assert_eq!(http.get("/subjects/a/versions?deletedAsNegative=true").text(), "[-1,2]");
    assert_eq!(http.get("/config/a").text(), r#"{"compatibilityLevel":"FULL"}"#);
    assert_eq!(http.register("b", "\"int\""), 3);
}
