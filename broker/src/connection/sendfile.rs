//! Record sets from the page cache to a socket, without a copy in this process.
//!
//! `sendfile` never waits for a socket that is not blocking, but it does wait for
//! the disk. So each window of a file is looked at before it is sent:
//!
//! ```text
//!             ┌ in memory ──────────────────────────────────────┐
//! next window ┤                                                 ├─ sendfile, as the client reads
//!             └ not: waited for on a thread that may do that ───┘
//! ```
//!
//! A look is a sample, and memory may be taken back after it: then a window costs
//! the thread a wait, which is rare, but nothing is wrong with what is sent.

use std::fs::{File, OpenOptions};
use std::io::{self, IoSliceMut};
use std::os::fd::BorrowedFd;
use std::sync::OnceLock;

use bytes::{Buf, BytesMut};
use rustix::fs::Advice;
use rustix::io::{Errno, ReadWriteFlags};
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use super::ConnectionError;
use super::answers::accepted;
use crate::log::FileRange;

/// How much of a file is looked at, and read if it has to be, before it is sent.
const WINDOW_BYTES: usize = 256 * 1024;
/// How far apart the bytes of a window are that stand for the others.
const SAMPLE_STEP_BYTES: u64 = 32 * 1024;

/// Sends bytes that more follows on at once: the system may keep them until then.
pub(super) async fn send_more(
    socket: &TcpStream,
    bytes: &mut BytesMut,
) -> Result<(), ConnectionError> {
    while bytes.has_remaining() {
        let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
        let send = || Ok(rustix::net::send(socket, bytes, flags)?);
        match socket.try_io(Interest::WRITABLE, send) {
            Ok(sent) => bytes.advance(sent),
            Err(error) => wait_after(error, socket).await?,
        }
    }
    Ok(())
}

/// Sends a piece of a file that has a descriptor.
pub(super) async fn send_file(
    socket: &TcpStream,
    mut range: FileRange,
) -> Result<(), ConnectionError> {
    while range.length > 0 {
        let window = range.split_to(WINDOW_BYTES);
        if !is_cached(&window) {
            let window = window.clone();
            let loaded = tokio::task::spawn_blocking(move || load(&window)).await;
            let loaded = loaded.unwrap_or_else(|panicked| Err(io::Error::other(panicked)));
            loaded.map_err(ConnectionError::Log)?;
        }
        send_window(socket, &window).await?;
    }
    Ok(())
}

async fn send_window(socket: &TcpStream, window: &FileRange) -> Result<(), ConnectionError> {
    let mut position = window.position();
    let end = position + window.length as u64;
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        let mut at = position;
        let sent = socket.try_io(Interest::WRITABLE, || {
            let file = descriptor(window)?;
            Ok(rustix::fs::sendfile(socket, file, Some(&mut at), left)?)
        });
        match sent {
            Ok(0) => return Err(ConnectionError::Log(ends_early(position, end))),
            Ok(sent) => position += sent as u64,
            Err(error) if error.raw_os_error() == Some(Errno::IO.raw_os_error()) => {
                return Err(ConnectionError::Log(error));
            }
            Err(error) => wait_after(error, socket).await?,
        }
        // A client that reads as fast as it is sent to must not keep the thread.
        tokio::task::consume_budget().await;
    }
    Ok(())
}

/// Waits until the socket takes more, if that is all that is wrong.
async fn wait_after(error: io::Error, socket: &TcpStream) -> Result<(), ConnectionError> {
    match error.kind() {
        io::ErrorKind::WouldBlock => accepted(socket.writable()).await,
        io::ErrorKind::Interrupted => Ok(()),
        _ => Err(ConnectionError::Write(error)),
    }
}

/// Whether a piece of a file is in memory, as far as samples tell.
fn is_cached(window: &FileRange) -> bool {
    let Ok(file) = descriptor(window) else { return false };
    let last = window.position() + (window.length as u64).saturating_sub(1);
    let step = usize::try_from(SAMPLE_STEP_BYTES).unwrap_or(usize::MAX);
    (window.position()..last).step_by(step).chain([last]).all(|position| {
        let mut byte = [0];
        let mut slices = [IoSliceMut::new(&mut byte)];
        rustix::io::preadv2(file, &mut slices, position, ReadWriteFlags::NOWAIT) == Ok(1)
    })
}

/// Gets a piece of a file into memory: sends it where nothing comes of it, which reads
/// it without a copy.
///
/// What comes behind it is left to the system, which reads ahead of whoever reads on,
/// and does so in large pieces. To ask for it by `WILLNEED` fills memory page by page:
/// that took eight times the CPU time for each GiB, and four times as much again
/// whenever such pages were sent later.
fn load(window: &FileRange) -> io::Result<()> {
    static NOWHERE: OnceLock<Option<File>> = OnceLock::new();
    let open = || OpenOptions::new().write(true).open("/dev/null").ok();
    // Without it the thread that sends waits, and all is well but for that.
    let Some(nowhere) = NOWHERE.get_or_init(open) else { return Ok(()) };
    let file = descriptor(window)?;
    // Advice, which doubles how far the system reads ahead.
    let _ = rustix::fs::fadvise(file, 0, None, Advice::Sequential);
    let mut position = window.position();
    let end = position + window.length as u64;
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        match rustix::fs::sendfile(nowhere, file, Some(&mut position), left) {
            Ok(0) => return Err(ends_early(position, end)),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn descriptor(window: &FileRange) -> io::Result<BorrowedFd<'_>> {
    window.descriptor().ok_or_else(|| io::ErrorKind::Unsupported.into())
}

fn ends_early(position: u64, end: u64) -> io::Error {
    let text = format!("the file ends at {position}, before {end}");
    io::Error::new(io::ErrorKind::UnexpectedEof, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Disk, FileSystem};

    #[test]
    fn what_was_loaded_is_in_memory_and_what_is_not_there_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        std::fs::write(&path, vec![7; 1_000_000]).unwrap();
        let file = Disk.open(&path, false).unwrap();
        let window = FileRange::new(file.clone(), 10, 999_990);
        load(&window).unwrap();
        assert!(is_cached(&window));
        let window = FileRange::new(file, 10, 999_991);
        assert!(!is_cached(&window), "the last byte does not exist");
        assert_eq!(load(&window).unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }
}
