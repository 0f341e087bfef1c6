//! The controller's disk behind a task of its own for each file.
//!
//! A disk that hangs for a minute must not stop the signs of life that boards wait for, nor other hosts: a writer hands
//! the bytes over and continues. The number of bytes that wait is bounded.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::{Notify, Semaphore, oneshot};
use tokio::time::timeout;

/// Bytes of a host that may wait for its disk: half an hour of an ordinary stream.
const MAX_WAITING_BYTES: usize = 16 << 20;

/// Jobs that are done in one go.
const MAX_BATCH: usize = 1024;

/// How long bytes wait for more, so that 200 hosts do not start a thread and a write for each of their lines. A controller
/// that is killed meanwhile loses nothing: the board keeps what it sent until the controller has brought it to the disk.
const GATHERING: Duration = Duration::from_millis(20);

/// One job of the disk; jobs are done in order.
enum Job {
    Append(Vec<u8>),
    Sync(oneshot::Sender<io::Result<()>>),
    Call(Box<dyn FnOnce() + Send>),
}

/// A file that is only appended to.
#[derive(Clone)]
pub struct Disk {
    jobs: UnboundedSender<Job>,
    /// Told of every job that someone waits for.
    is_awaited: Arc<Notify>,
    room: Arc<Semaphore>,
    /// The first error of the disk: nothing is written after it.
    error: Arc<Mutex<Option<String>>>,
}

/// Where bytes go: a file, or what stands for one in a test.
pub trait Durable: Write + Send + 'static {
    /// Brings everything to the disk itself.
    ///
    /// # Errors
    /// When the disk does not take it.
    fn sync(&mut self) -> io::Result<()>;
}

impl Durable for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Disk {
    /// Starts the task, which ends with the last handle. Within a runtime.
    pub fn new(file: impl Durable) -> Disk {
        let (jobs, inbox) = unbounded_channel();
        let disk = Disk {
            jobs,
            is_awaited: Arc::default(),
            room: Arc::new(Semaphore::new(MAX_WAITING_BYTES)),
            error: Arc::default(),
        };
        let (room, error) = (Arc::clone(&disk.room), Arc::clone(&disk.error));
        let is_awaited = Arc::clone(&disk.is_awaited);
        tokio::spawn(work(file, inbox, is_awaited, room, error));
        disk
    }

    /// Hands over bytes to append; waits only while too many wait already.
    ///
    /// # Errors
    /// When the disk did not take what came before.
    pub async fn append(&self, bytes: Vec<u8>) -> io::Result<()> {
        if let Some(error) = &*self.error.lock().unwrap_or_else(PoisonError::into_inner) {
            return Err(io::Error::other(error.clone()));
        }
        let n_bytes = u32::try_from(bytes.len().min(MAX_WAITING_BYTES)).unwrap_or(u32::MAX);
        if let Ok(room) = self.room.acquire_many(n_bytes).await {
            // Given back once they are written.
            room.forget();
        }
        let _ = self.jobs.send(Job::Append(bytes));
        Ok(())
    }

    /// Waits until everything that was handed over is on the disk itself.
    ///
    /// # Errors
    /// When the disk does not take it.
    pub async fn sync(&self) -> io::Result<()> {
        let (done, outcome) = oneshot::channel();
        self.send_awaited(Job::Sync(done));
        outcome.await.unwrap_or_else(|_| Err(gone()))
    }

    /// Does something to other files of the same disk, after what was handed over before.
    ///
    /// # Errors
    /// As `action` does, or when it ends badly.
    pub async fn call<T: Send + 'static>(
        &self,
        action: impl FnOnce() -> anyhow::Result<T> + Send + 'static,
    ) -> anyhow::Result<T> {
        let (done, outcome) = oneshot::channel();
        let call = Box::new(move || drop(done.send(action())));
        self.send_awaited(Job::Call(call));
        outcome.await.map_err(|_| gone())?
    }

    fn send_awaited(&self, job: Job) {
        let _ = self.jobs.send(job);
        self.is_awaited.notify_one();
    }
}

/// Replaces a file whole or not at all, and waits for the disk: after a power cut the old content is there or the new. A
/// link in its place is replaced, and what it points to stays as it is.
///
/// # Errors
/// When the disk does not take it.
pub fn replace(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    // Readers of the folder ignore files with this ending.
    beside.push(".tmp");
    let replacing = || {
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = File::create_new(&beside)?;
        if let Ok(metadata) = fs::symlink_metadata(path)
            && metadata.is_file()
        {
            file.set_permissions(metadata.permissions())?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    replacing().with_context(|| format!("cannot write `{}`", path.display()))
}

fn gone() -> io::Error {
    io::Error::other("the task that writes it ended")
}

/// Never two jobs of a file at the same time, and none of them on a thread that others need.
async fn work(
    mut file: impl Durable,
    mut inbox: UnboundedReceiver<Job>,
    is_awaited: Arc<Notify>,
    room: Arc<Semaphore>,
    error: Arc<Mutex<Option<String>>>,
) {
    let mut batch = Vec::new();
    while inbox.recv_many(&mut batch, MAX_BATCH).await > 0 {
        if batch.iter().all(|job| matches!(job, Job::Append(_))) {
            let _ = timeout(GATHERING, is_awaited.notified()).await;
            batch.extend(std::iter::from_fn(|| inbox.try_recv().ok()));
        }
        let jobs = std::mem::take(&mut batch);
        let (room, error) = (Arc::clone(&room), Arc::clone(&error));
        let doing = tokio::task::spawn_blocking(move || {
            for job in merged(jobs) {
                carry_out(job, &mut file, &room, &error);
            }
            file
        });
        match doing.await {
            Ok(again) => file = again,
            // The runtime ends, or a job panicked: the waiting side gets an error.
            Err(_) => return,
        }
    }
}

/// The same jobs with what is appended one after the other in one.
fn merged(jobs: Vec<Job>) -> Vec<Job> {
    let mut merged: Vec<Job> = Vec::new();
    for job in jobs {
        match (merged.last_mut(), job) {
            (Some(Job::Append(bytes)), Job::Append(more)) => bytes.extend(more),
            (_, job) => merged.push(job),
        }
    }
    merged
}

fn carry_out(
    job: Job,
    file: &mut impl Durable,
    room: &Semaphore,
    first_error: &Mutex<Option<String>>,
) {
    // Never held while the disk works: others look at it.
    let lock = || first_error.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = lock().clone();
    match (job, failed) {
        (Job::Append(bytes), failed) => {
            if failed.is_none()
                && let Err(error) = file.write_all(&bytes)
            {
                *lock() = Some(error.to_string());
            }
            room.add_permits(bytes.len().min(MAX_WAITING_BYTES));
        }
        (Job::Sync(done), Some(error)) => drop(done.send(Err(io::Error::other(error)))),
        (Job::Sync(done), None) => drop(done.send(file.sync())),
        (Job::Call(call), _) => call(),
    }
}

/// Writes a file as [`replace`] does.
///
/// # Errors
/// When the disk does not take it.
pub fn write_json(path: &Path, value: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(value)?;
    text.push('\n');
    replace(path, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

    use super::*;

    /// A disk that does nothing before it is told to, and keeps each write.
    struct Hanging {
        told: Receiver<()>,
        written: Written,
        is_full: bool,
    }

    type Written = Arc<Mutex<Vec<Vec<u8>>>>;

    impl Write for Hanging {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.told.recv();
            if self.is_full {
                return Err(io::Error::other("no room"));
            }
            self.written.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Durable for Hanging {
        fn sync(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn hanging(is_full: bool) -> (Disk, SyncSender<()>, Written) {
        let (tell, told) = sync_channel(1 << 20);
        let written = Arc::default();
        let disk = Hanging {
            told,
            written: Arc::clone(&written),
            is_full,
        };
        (Disk::new(disk), tell, written)
    }

    #[tokio::test]
    async fn a_disk_that_hangs_delays_no_task_and_takes_what_waits_in_one_write() {
        let (disk, tell, written) = hanging(false);
        for line in ["a", "b", "c"] {
            disk.append(line.into()).await.unwrap();
        }
        let sync = disk.sync();
        tokio::pin!(sync);
        // The runtime goes on: this one thread is not blocked.
        assert!(futures_are_pending(sync.as_mut()).await);
        assert!(written.lock().unwrap().is_empty());
        drop(tell);
        sync.await.unwrap();
        assert_eq!(*written.lock().unwrap(), [b"abc"]);
    }

    #[tokio::test]
    async fn what_waits_for_the_disk_is_bounded() {
        let (disk, tell, written) = hanging(false);
        disk.append(vec![0; MAX_WAITING_BYTES]).await.unwrap();
        let more = disk.append(b"x".to_vec());
        tokio::pin!(more);
        assert!(futures_are_pending(more.as_mut()).await);
        drop(tell);
        more.await.unwrap();
        disk.sync().await.unwrap();
        assert_eq!(
            written.lock().unwrap().concat().len(),
            MAX_WAITING_BYTES + 1
        );
    }

    #[tokio::test]
    async fn a_full_disk_is_told_and_nothing_is_written_after_it() {
        let (disk, tell, _) = hanging(true);
        drop(tell);
        disk.append(b"a".to_vec()).await.unwrap();
        assert_eq!(disk.sync().await.unwrap_err().to_string(), "no room");
        assert_eq!(
            disk.append(b"b".to_vec()).await.unwrap_err().to_string(),
            "no room"
        );
        // Other files still get their chance.
        assert_eq!(disk.call(|| Ok(7)).await.unwrap(), 7);
    }

    async fn futures_are_pending<F: Future + Unpin>(mut future: F) -> bool {
        use std::task::Poll;
        std::future::poll_fn(|context| {
            Poll::Ready(std::pin::Pin::new(&mut future).poll(context).is_pending())
        })
        .await
    }
}
