//! Files on a board other than the board program: uploaded once, named by their hash, and resumed where a broken
//! connection left them. Also one call of a program there, with a folder of its own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base16ct::lower;
use bench_protocol::foreign;
use bench_run_dir::Stage;
use crc::{CRC_32_CKSUM, Crc};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use super::shell::MAX_ANSWER_BYTES;
use super::ssh::{SshConnection, kib};
use super::{End, HostError, Running, STEP_DEADLINE, script};

/// Bytes of one step of an upload. Each step has the deadline of a step: a link of 70 kB/s makes it.
const CHUNK_BYTES: u64 = 4 << 20;

/// What [`script::APPEND`] says when the hash of the whole file is another.
const DAMAGED: &str = "the upload arrived damaged";

/// A file of this machine, read once to know its name on a board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size_bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// POSIX checksum, for boards without `sha256sum`.
    pub cksum: u32,
}

impl LocalFile {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> io::Result<LocalFile> {
        let mut file = File::open(path)?;
        let (mut sha256, mut crc, mut size_bytes) = (Sha256::new(), CKSUM.digest(), 0);
        let mut chunk = vec![0; 1 << 16];
        loop {
            let n = file.read(&mut chunk)?;
            if n == 0 {
                break;
            }
            sha256.update(&chunk[..n]);
            crc.update(&chunk[..n]);
            size_bytes += n as u64;
        }
        Ok(LocalFile {
            path: path.to_owned(),
            size_bytes,
            sha256: lower::encode_string(&sha256.finalize()),
            cksum: cksum(crc, size_bytes),
        })
    }
}

/// The CRC of POSIX `cksum`, which takes the number of bytes after the bytes.
///
/// Source: IEEE Std 1003.1, "cksum".
static CKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_CKSUM);

/// The checksum of `n_bytes` bytes that the CRC has taken.
fn cksum(mut crc: crc::Digest<'_, u32>, n_bytes: u64) -> u32 {
    let number = n_bytes.to_le_bytes();
    let n_digits = 8 - n_bytes.leading_zeros() as usize / 8;
    crc.update(&number[..n_digits]);
    crc.finalize()
}

/// What a board has of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stored {
    Whole(String),
    Part { folder: usize, size_bytes: u64 },
    Nothing,
}

impl Stored {
    /// Reads the last line of a script's answer; the error is the reason it gives.
    fn parse(answer: &str) -> Result<Stored, String> {
        let last = answer.lines().last().unwrap_or_default();
        let words: Vec<&str> = last.splitn(2, ' ').collect();
        let part = |rest: &str| {
            let (folder, size_bytes) = rest.split_once(' ')?;
            Some(Stored::Part {
                folder: folder.parse().ok()?,
                size_bytes: size_bytes.parse().ok()?,
            })
        };
        let parsed = match words.as_slice() {
            ["have" | "ok", path] => Some(Stored::Whole((*path).to_owned())),
            ["part", rest] => part(rest),
            ["none"] => Some(Stored::Nothing),
            ["no", reason] => return Err((*reason).to_owned()),
            _ => None,
        };
        parsed.ok_or_else(|| format!("the board answered `{last}`"))
    }
}

impl SshConnection {
    /// Brings a file to the board unless it is there; returns its path there. `progress` hears how many bytes are there
    /// whenever that is known. After a lost connection, another call on a new one goes on where this one ended.
    ///
    /// # Errors
    /// When no folder takes it, with the reasons of all; or when the connection is lost.
    pub async fn store_file(
        &self,
        file: &LocalFile,
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<String, HostError> {
        let (size, cksum) = (file.size_bytes.to_string(), file.cksum.to_string());
        let find = script::with_file_store(script::FIND_FILE);
        let identity = [file.sha256.as_str(), &size, &cksum];
        let answer = self.answer(Stage::Deploy, &find, &identity, None).await?;
        let cannot = |reason| HostError::failed(Stage::Deploy, reason);
        let (mut folder, mut offset) = match Stored::parse(&answer).map_err(cannot)? {
            Stored::Whole(path) => return Ok(path),
            // A part that is too long is none: it is begun again.
            Stored::Part { folder, size_bytes } if size_bytes <= file.size_bytes => {
                (folder, size_bytes)
            }
            Stored::Part { .. } | Stored::Nothing => (0, 0),
        };
        let mut reasons = Vec::new();
        let mut is_anew = offset == 0;
        while folder < script::N_FOLDERS {
            progress(offset);
            match self.append(file, &identity, folder, offset).await? {
                Ok(Stored::Whole(path)) => return Ok(path),
                Ok(Stored::Part { size_bytes, .. }) if size_bytes <= file.size_bytes => {
                    offset = size_bytes;
                }
                Ok(_) => offset = 0,
                // Something else wrote into the part that was resumed, such as the end of the broken connection
                // itself: it is begun again, once.
                Err(reason) if reason.ends_with(DAMAGED) && !is_anew => {
                    (is_anew, offset) = (true, 0);
                }
                Err(reason) => {
                    reasons.push(reason);
                    (folder, offset) = (folder + 1, 0);
                }
            }
        }
        Err(cannot(format!(
            "no folder of the board takes `{}`; {}",
            file.path.display(),
            reasons.join("; ")
        )))
    }

    /// One step of an upload; the inner error is why this folder does not take it.
    async fn append(
        &self,
        file: &LocalFile,
        identity: &[&str; 3],
        folder: usize,
        offset: u64,
    ) -> Result<Result<Stored, String>, HostError> {
        let left = file.size_bytes - offset;
        let mut chunk = vec![0; left.min(CHUNK_BYTES) as usize];
        let read = File::open(&file.path).and_then(|open| open.read_exact_at(&mut chunk, offset));
        read.map_err(|error| {
            let path = file.path.display();
            HostError::failed(Stage::Deploy, format!("cannot read `{path}`: {error}"))
        })?;
        let (folder, offset) = (folder.to_string(), offset.to_string());
        let needed_kib = kib(left).to_string();
        let [sha256, size, cksum] = *identity;
        let args = [sha256, size, cksum, &folder, &offset, &needed_kib];
        let append = script::with_file_store(script::APPEND);
        let answer = self
            .answer(Stage::Deploy, &append, &args, Some(&chunk))
            .await?;
        Ok(Stored::parse(&answer))
    }

    /// Makes a folder for one call of a program, beside the stored file given.
    ///
    /// # Errors
    /// When the board does not make it.
    pub async fn open_call(&self, stored: &str) -> Result<Call, HostError> {
        let store = stored.rsplit_once('/').map_or(".", |(folder, _)| folder);
        let running = self.start(Stage::Deploy, script::GUARD, &[store]).await?;
        Call::opened(running).await
    }
}

/// One call of a program on a board. Dropping it, or losing it with the process or the connection, ends the program there
/// and removes its folder.
pub struct Call {
    folder: String,
    stdin: std::pin::Pin<Box<dyn tokio::io::AsyncWrite + Send>>,
    rest: Box<dyn tokio::io::AsyncRead + Send + Sync + Unpin>,
    end: std::pin::Pin<Box<dyn Future<Output = End> + Send>>,
}

impl Call {
    /// Takes the answer of [`script::GUARD`].
    async fn opened(running: Running) -> Result<Call, HostError> {
        let Running {
            stdin, stdout, end, ..
        } = running;
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        let mut limited = (&mut reader).take(MAX_ANSWER_BYTES);
        let reading = tokio::time::timeout(STEP_DEADLINE, limited.read_line(&mut line)).await;
        let line = foreign(line.trim_end());
        let reason = match (reading, line.split_once(' ')) {
            (Ok(Ok(_)), Some(("run", folder))) => {
                return Ok(Call {
                    folder: folder.to_owned(),
                    stdin,
                    rest: Box::new(reader),
                    end,
                });
            }
            (Ok(Ok(_)), Some(("no", reason))) => reason,
            _ => "it does not answer",
        };
        Err(HostError::failed(
            Stage::Deploy,
            format!("the board makes no folder for the call: {reason}"),
        ))
    }

    /// Path of the call's program, under its own name.
    pub fn program(&self, name: &str) -> String {
        format!("{}/program/{name}", self.folder)
    }

    /// Links stored files into the folder: pairs of a path of the board and a relative name.
    ///
    /// # Errors
    /// When the board cannot.
    pub async fn place(
        &self,
        ssh: &SshConnection,
        files: &[(String, String)],
    ) -> Result<(), HostError> {
        let mut args = vec![self.folder.as_str()];
        args.extend(files.iter().flat_map(|(path, name)| [path.as_str(), name]));
        let answer = ssh
            .answer(Stage::Deploy, script::PLACE, &args, None)
            .await?;
        match answer.lines().last() {
            Some("placed") => Ok(()),
            _ => Err(HostError::failed(
                Stage::Deploy,
                "the board cannot link the files into the folder of the call",
            )),
        }
    }

    /// Starts the program in the folder: `stored` is its file, `program` its path there ([`Call::program`]), which
    /// `command` begins with or names after `env`. `loader` is what its file asks for, if it is dynamic.
    ///
    /// # Errors
    /// When the connection opens no channel for it.
    pub async fn run(
        &self,
        ssh: &SshConnection,
        loader: Option<&str>,
        (stored, program): (&str, &str),
        command: &[&OsStr],
    ) -> Result<Running, HostError> {
        let own = [&self.folder, loader.unwrap_or_default(), stored, program];
        let own = own.map(OsStr::new);
        ssh.start(Stage::Measure, script::RUN, &[&own[..], command].concat())
            .await
    }

    /// Ends what is left of the program and waits until its folder is gone.
    pub async fn close(self) {
        let Call {
            mut stdin,
            rest,
            end,
            ..
        } = self;
        let mut said = Vec::new();
        let mut rest = rest.take(MAX_ANSWER_BYTES);
        let gone = async {
            let _ = stdin.shutdown().await;
            drop(stdin);
            let _ = rest.read_to_end(&mut said).await;
            end.await
        };
        let _ = tokio::time::timeout(STEP_DEADLINE, gone).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_is_that_of_posix() {
        let check = |text: &str, expect: u32| {
            let mut crc = CKSUM.digest();
            crc.update(text.as_bytes());
            assert_eq!(cksum(crc, text.len() as u64), expect, "{text}");
        };
        // As `printf ... | cksum` prints it.
        check("", 4_294_967_295);
        check("123456789", 930_766_865);
    }

    /// Answers by chance, from pieces of real ones: `MEMWALL_FUZZ_INPUTS` of them.
    #[tokio::test(start_paused = true)]
    async fn any_answer_is_read_or_refused() {
        const PIECES: [&[u8]; 14] = [
            b"run ",
            b"no ",
            b"have ",
            b"ok ",
            b"part ",
            b"none",
            b"0 ",
            b"18446744073709551616",
            b"/",
            b"\n",
            b"\r\n",
            b"\x1b[2K",
            b"\xff\xfe",
            "\u{202e}".as_bytes(),
        ];
        let n_inputs = std::env::var("MEMWALL_FUZZ_INPUTS").ok();
        let n_inputs: u64 = n_inputs.map_or(2000, |text| text.parse().unwrap());
        for seed in 0..n_inputs {
            let mut rng = fastrand::Rng::with_seed(seed);
            let n_pieces = rng.usize(0..12);
            let said: Vec<u8> = (0..n_pieces)
                .flat_map(|_| PIECES[rng.usize(0..PIECES.len())])
                .copied()
                .collect();
            let running = || Running {
                stdin: Box::pin(tokio::io::sink()),
                stdout: Box::pin(io::Cursor::new(said.clone())),
                stderr: Box::pin(io::Cursor::new(said.clone())),
                end: Box::pin(std::future::ready(End::Status((seed % 3) as i32))),
            };
            let mut shown = Vec::new();
            match super::super::shell::answer(Stage::Deploy, running(), None).await {
                Ok(answer) => {
                    shown.extend(answer.lines().map(str::to_owned));
                    if let Ok(Stored::Whole(path)) | Err(path) = Stored::parse(&answer) {
                        shown.push(path);
                    }
                }
                Err(error) => {
                    shown.push(error.reason);
                    shown.extend(error.stderr_tail);
                }
            }
            match Call::opened(running()).await {
                Ok(call) => shown.push(call.folder),
                Err(error) => shown.push(error.reason),
            }
            for text in shown {
                let evil = |c: char| c.is_control() || c == '\u{202e}';
                assert!(!text.contains(evil), "seed {seed}: {text:?}");
            }
        }
    }

    #[test]
    fn reads_what_the_board_has() {
        let check = |answer: &str, expect: Result<Stored, &str>| {
            assert_eq!(Stored::parse(answer), expect.map_err(str::to_owned));
        };
        check(
            "welcome\nhave /a b/file-1\n",
            Ok(Stored::Whole("/a b/file-1".into())),
        );
        let part = Stored::Part {
            folder: 2,
            size_bytes: 4096,
        };
        check("part 2 4096", Ok(part));
        check("none\n", Ok(Stored::Nothing));
        check("no /tmp: it is read-only", Err("/tmp: it is read-only"));
        check("part x", Err("the board answered `part x`"));
        check("", Err("the board answered ``"));
    }
}
