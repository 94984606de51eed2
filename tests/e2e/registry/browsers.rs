//! Calls from browsers, which ask first whether they may.

use super::Registry;
use crate::harness::{Answer, Setup};

fn ask(http: &Registry, method: &str, headers: &[(&str, &str)]) -> Answer {
    http.try_send(method, "/subjects", headers, None).unwrap().expect(200)
}

#[test]
fn origins_that_may_call_are_told_so() {
    const ORIGIN: &str = "https://console.example";
    let asks = [("Origin", ORIGIN), ("Access-Control-Request-Method", "POST")];
    let server = Setup::new()
        .set("registry.access.control.allow.origin", &format!("https://a.example, {ORIGIN}"))
        .set("registry.access.control.allow.methods", "GET,POST")
        .set("registry.access.control.allow.headers", "Content-Type")
        .set("registry.access.control.expose.headers", "X-Request-ID")
        .start();
    let http = Registry::of(&server);
    let answer = ask(&http, "OPTIONS", &asks);
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("Content-Type"));
    assert_eq!(answer.header("vary"), Some("Origin"));
    let answer = ask(&http, "GET", &asks[..1]);
    assert_eq!(answer.header("access-control-allow-origin"), Some(ORIGIN));
    assert_eq!(answer.header("access-control-expose-headers"), Some("X-Request-ID"));
    for headers in [&[][..], &[("Origin", "https://b.example")]] {
        let answer = ask(&http, "GET", headers);
        assert_eq!(answer.header("access-control-allow-origin"), None, "{headers:?}");
    }
    // Without the setting nobody may.
    let server = Setup::new().start();
    let answer = ask(&Registry::of(&server), "OPTIONS", &asks);
    assert_eq!(answer.header("access-control-allow-origin"), None);
}
