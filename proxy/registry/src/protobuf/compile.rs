//! Compiles a `.proto` file with its imports to descriptors.
//!
//! The compiler holds a file to the rules of protoc: numbers and names that
//! occur twice, numbers out of range or reserved, enums of proto3 that do not
//! begin with 0, types that are not imported.

use std::collections::HashMap;
use std::path::Path;
use std::thread;

use prost_reflect::DescriptorPool;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::well_known;

/// What a file is called that no import names; Confluent's registry calls it
/// the same in its descriptors.
pub(super) const ROOT_NAME: &str = "default";
/// The compiler recurses along imports; most of this is never touched.
const STACK_BYTES: usize = 64 << 20;

/// Compiles the file `root`, called `name`, which may import what `imports`
/// holds by path.
pub(super) fn compile(
    name: &str,
    root: String,
    mut imports: HashMap<String, String>,
) -> Result<DescriptorPool, String> {
    imports.insert(name.to_owned(), root);
    let compile = || {
        let mut resolver = ChainFileResolver::new();
        resolver.add(Texts(imports));
        resolver.add(GoogleFileResolver::new());
        let mut compiler = Compiler::with_file_resolver(resolver);
        compiler.include_imports(true);
        compiler.open_file(name).map_err(|error| sentence(&error))?;
        Ok(compiler.descriptor_pool())
    };
    thread::scope(|scope| {
        thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, compile)
            .map_err(|error| format!("no thread to compile it: {error}"))?
            .join()
            .unwrap_or_else(|_| Err("the compiler failed".to_owned()))
    })
}

fn sentence(error: &Error) -> String {
    // The first line says what, the rest shows where.
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

/// The files that the compiler does not know, by path.
struct Texts(HashMap<String, String>);

impl FileResolver for Texts {
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        let text = self.0.get(name).map(String::as_str);
        match text.or_else(|| well_known::bundled_text(name)) {
            Some(text) => File::from_source(name, text),
            None => Err(Error::file_not_found(name)),
        }
    }
}
