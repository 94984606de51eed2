//! How many files and connections the program may have open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit of open files as far as the system lets everybody do it.
/// Shells start programs with a low one for the sake of `select`, which is not
/// used here; partitions and connections take a file each.
pub(crate) fn allow_as_many_as_possible() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}
