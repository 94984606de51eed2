//! Where the figures come from.

use std::path::Path;
use std::process::Command;

/// Processor, cores, memory, system, and the file system of the data.
pub(crate) fn describe(folder: &Path) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
    };
    let processor = field(&read("/proc/cpuinfo"), "model name")
        .unwrap_or_else(|| "unknown processor".to_owned());
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let memory: u64 = memory.trim_end_matches(" kB").parse().unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = read("/proc/sys/kernel/osrelease");
    format!(
        "{processor}, {cores} cores, {} GiB of memory, Linux {}, data on {}",
        memory >> 20,
        system.trim(),
        file_system(folder)
    )
}

/// The type of the file system that holds the folder.
pub(crate) fn file_system(folder: &Path) -> String {
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    let folder = folder.canonicalize().unwrap();
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ').skip(1);
        Some((fields.next()?, fields.next()?))
    });
    // The innermost, and of several in one place the last.
    let holding = mounts.filter(|(place, _)| folder.starts_with(place));
    holding.max_by_key(|(place, _)| place.len()).map_or("an unknown file system", |it| it.1).into()
}

/// Today, as 2026-01-31.
pub(crate) fn date() -> String {
    let output = Command::new("date").arg("+%F").output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
