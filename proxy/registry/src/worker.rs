//! The thread on which the registry reads and writes its topic.
//!
//! Its work is small and must not wait behind requests; and requests must not
//! wait behind a topic that is read anew. So it has a thread of its own, whose
//! tasks may hold what cannot move between threads.

use std::io;
use std::thread::{Builder, JoinHandle};

use futures_util::future::LocalBoxFuture;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};

use crate::error::Error;

/// Jobs that wait to be begun; further ones wait outside.
const QUEUE: usize = 1024;

type Job = Box<dyn FnOnce() -> LocalBoxFuture<'static, ()> + Send>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Worker {
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
    runtime: Handle,
}

impl Worker {
    /// Starts the thread. Its timers and sockets are those of `runtime`.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn start(runtime: Handle) -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        let handle = runtime.clone();
        let thread = Builder::new().name("registry".to_owned()).spawn(move || {
            handle.block_on(LocalSet::new().run_until(work(queue)));
        })?;
        Ok(Self { jobs: Mutex::new(Some(jobs)), thread: Mutex::new(Some(thread)), runtime })
    }

    /// Begins a job and lets it run to its end, whatever becomes of the caller.
    ///
    /// # Errors
    /// Those of the job; [`Error::Internal`] when it panicked or the worker is closed.
    pub(crate) async fn run<T, F>(
        &self,
        job: impl FnOnce() -> F + Send + 'static,
    ) -> Result<T, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + 'static,
    {
        let (sender, outcome) = oneshot::channel();
        let job: Job = Box::new(move || {
            let work = job();
            Box::pin(async move {
                // Whoever asked may be gone.
                let _ = sender.send(work.await);
            })
        });
        let jobs = self.jobs.lock().clone().ok_or(Error::Internal)?;
        jobs.send(job).await.map_err(|_| Error::Internal)?;
        drop(jobs);
        outcome.await.unwrap_or(Err(Error::Internal))
    }

    /// Begins a job that nobody waits for. It has to end when the worker is closed.
    pub(crate) fn begin<F>(&self, job: impl FnOnce() -> F + Send + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let job: Job = Box::new(move || Box::pin(job()));
        let sent = self.jobs.lock().as_ref().map(|jobs| jobs.try_send(job));
        if !matches!(sent, Some(Ok(()))) {
            tracing::error!("the registry's thread takes no more work");
        }
    }

    /// Takes no more jobs, and waits for those that were begun.
    pub(crate) async fn close(&self) {
        self.jobs.lock().take();
        let thread = self.thread.lock().take();
        let joined = self.runtime.spawn_blocking(move || thread.map(JoinHandle::join));
        if !matches!(joined.await, Ok(None | Some(Ok(())))) {
            tracing::error!("the registry's thread panicked");
        }
    }
}

async fn work(mut queue: mpsc::Receiver<Job>) {
    let mut tasks = JoinSet::new();
    loop {
        tokio::select! {
            job = queue.recv() => match job {
                Some(job) => _ = tasks.spawn_local(job()),
                None => break,
            },
            Some(ended) = tasks.join_next() => report(ended),
        }
    }
    while let Some(ended) = tasks.join_next().await {
        report(ended);
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a task of the registry panicked");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn jobs_end_although_nobody_waits_and_a_panic_is_an_error() {
        let worker = Worker::start(Handle::current()).unwrap();
        assert_eq!(worker.run(|| async { Ok(7) }).await.unwrap(), 7);
        let panicked = worker.run(|| async { panic!("as the test wants it") });
        assert!(matches!(panicked.await as Result<(), _>, Err(Error::Internal)));
        let (sender, mut ended) = mpsc::channel(1);
        worker.begin(move || async move {
            tokio::task::yield_now().await;
            sender.send(()).await.unwrap();
        });
        worker.close().await;
        assert!(ended.recv().await.is_some());
        assert!(matches!(worker.run(|| async { Ok(()) }).await, Err(Error::Internal)));
    }
}
