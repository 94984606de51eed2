//! Tests of the Schema Registry on the bundled broker.

mod browsers;
mod crash;
mod interop;
mod limits;
mod replay;
mod several;
mod tags;
mod topic;

use std::io;

use serde_json::json;

use crate::harness::{Answer, Http, Server};

/// A registry, with the requests that its tests make over and over.
#[derive(Clone, Debug)]
struct Registry {
    http: Http,
}

impl Registry {
    fn of(server: &Server) -> Self {
        Self { http: Http::new(server.registry()) }
    }

    /// Sends a request, and gives its answer or why there is none.
    fn try_send(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: Option<&str>,
    ) -> io::Result<Answer> {
        let mut request = self.http.request(method, target);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        request.try_send()
    }

    #[track_caller]
    fn send(&self, method: &str, target: &str, body: Option<&str>) -> Answer {
        self.try_send(method, target, &[], body)
            .unwrap_or_else(|error| panic!("{method} {target}: {error}"))
    }

    #[track_caller]
    fn get(&self, target: &str) -> Answer {
        self.send("GET", target, None)
    }

    #[track_caller]
    fn post(&self, target: &str, body: &str) -> Answer {
        self.send("POST", target, Some(body))
    }

    #[track_caller]
    fn put(&self, target: &str, body: &str) -> Answer {
        self.send("PUT", target, Some(body))
    }

    #[track_caller]
    fn delete(&self, target: &str) -> Answer {
        self.send("DELETE", target, None)
    }

    /// Registers a schema; gives its id.
    #[track_caller]
    fn register(&self, subject: &str, schema: &str) -> i64 {
        let body = json!({ "schema": schema }).to_string();
        let answer = self.post(&format!("/subjects/{subject}/versions"), &body);
        answer.expect(200).json()["id"].as_i64().unwrap()
    }
}
