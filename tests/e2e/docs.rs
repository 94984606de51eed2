//! What the documents say.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::harness::Setup;
use crate::harness::programs::{root, run};

/// The blocks of the README that are marked as shell commands.
fn commands_of_the_readme() -> Vec<String> {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```bash\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
#[ignore = "needs curl"]
fn what_the_readme_says_works() {
    let server = Setup::new().start();
    let path = server.setup().folder().join("bin");
    std::fs::create_dir(&path).unwrap();
    symlink(Path::new(env!("CARGO_BIN_EXE_ottla")), path.join("ottla")).unwrap();
    let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
    let on_registry = |flag| format!("--schema-registry {} {flag}", server.registry());
    let mut all = String::new();
    for block in commands_of_the_readme() {
        // The ports are others here, and answers of HTTP with an error must not pass.
        let script = block
            .replace("http://localhost:8082", server.rest())
            .replace("http://localhost:8081", server.registry())
            .replace(
                "ottla schemas",
                &format!("ottla schemas --schema-registry {}", server.registry()),
            )
            .replace("--value-schema-id", &on_registry("--value-schema-id"))
            .replace("--avro", &on_registry("--avro"))
            .replace("curl ", "curl --silent --show-error --fail-with-body ")
            .replace(" --topic", &format!(" --bootstrap-server {} --topic", server.broker()))
            .replace(
                "groups --list",
                &format!("groups --list --bootstrap-server {}", server.broker()),
            );
        let mut bash = Command::new("bash");
        let bash = bash.args(["-euo", "pipefail", "-c", &script]).env("PATH", &path);
        all += &run(bash);
    }
    for expected in [
        r#""offsets":[{"partition":0,"offset":0,"error_code":null,"error":null}]"#,
        r#"{"topic":"jsontest","key":"k","value":{"foo":"bar"},"partition":0,"offset":0}"#,
        r#"/consumers/old-readers/instances/old"#,
        r#"[{"topic":"jsontest","partition":0,"consumed":0,"committed":0}]"#,
        r#"{"id":1}"#,
        r#""subject":"users-value","version":1"#,
        r#""is_compatible":false"#,
        "READER_FIELD_MISSING_DEFAULT_VALUE",
        "Created topic orders.\n",
        "{\"name\":\"Ada\"}\n{\"name\":\"Grace\"}\n",
        "users-value\n",
        "compatible\n",
        "\n10\n",
    ] {
        assert!(all.contains(expected), "{expected} is missing in\n{all}");
    }
    assert_eq!(
        all.matches(r#""value":{"foo":"bar"}"#).count(),
        2,
        "read with v2 and with v1\n{all}"
    );
}

#[test]
fn every_path_in_the_architecture_exists() {
    let page = std::fs::read_to_string(root().join("docs/ARCHITECTURE.md")).unwrap();
    let folders =
        ["src/", "client/", "broker/", "proxy/", "examples/", "tests/", "scripts/", "docs/"];
    let mut quoted = page.split('`').skip(1).step_by(2).collect::<Vec<_>>();
    quoted.retain(|text| folders.iter().any(|folder| text.starts_with(folder)));
    assert!(quoted.len() > 50, "{quoted:?}");
    quoted.retain(|path| !root().join(path).exists());
    assert_eq!(quoted, Vec::<&str>::new(), "these do not exist");
}
