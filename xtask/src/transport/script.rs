//! The few lines of POSIX shell that a board has to understand before its program is there.
//!
//! They need a shell and `cat`, `mkdir`, `chmod`, `mv`, `rm`, `uname`: what every board with an SSH server has. What
//! keeps the folder tidy or explains a failure also asks `df`, `find`, `ls` and `touch`, and does without where they are
//! missing. Values travel as positional parameters ([`super::shell`]), never inside the text.

/// Becomes the program that its arguments name.
pub const EXEC: &str = r#"exec "$@""#;

/// Prints the architecture, then what identifies this boot.
pub const PROBE: &str = r#"uname -m; cat /proc/sys/kernel/random/boot_id 2>/dev/null || uname -n"#;

/// Candidate folders for what memwall stores, by number.
///
/// None of them is emptied when the user's last session ends, as systemd does with `/dev/shm`: results may have to wait.
pub const N_FOLDERS: usize = 3;

/// Functions that the scripts below share; [`with_store`] puts them in front.
///
/// - `folder N` sets `base` and `dir` to a candidate folder; `dir` is empty where there is none.
/// - `is_ours` is true of a `dir` that no other user can write to or replace: a folder and not a link, owned
///   by this user, closed to others, in a folder in which others can replace nothing. The program checks all of its
///   path again.
/// - `fail REASON` prints `no FOLDER: REASON` and ends; `tmp` is removed.
/// - `short KIB` names what the folder has too little of for that much more: room or inodes.
/// - `enter KIB` makes the folder fit for that much more, or fails.
/// - `tidy` deletes what nobody used for 30 days, and all but the seven programs and seven files used last: the one to
///   come is the eighth. What runs now stays, and what is left of broken calls and uploads goes after a day. Only names that memwall gives to programs, files and its own left-overs
///   count: whatever else lies there (results that wait to be fetched, a journal) is never touched.
const STORE_FUNCTIONS: &str = r#"
umask 077
uid=$(id -u 2>/dev/null || echo user)
tmp=
folder() {
  case $1 in
    0) base=${XDG_CACHE_HOME:-${HOME:+$HOME/.cache}};;
    1) base=/var/tmp;;
    *) base=/tmp;;
  esac
  dir=
  case $base in /?*) dir=$base/memwall-$uid;; esac
}
is_ours() {
  [ -n "$dir" ] && [ ! -L "$dir" ] && [ -d "$dir" ] && [ -O "$dir" ] || return 1
  [ -k "$base" ] || [ -O "$base" ] || return 1
  chmod 700 "$dir" 2>/dev/null || [ ! -w "$dir" ]
}
fail() {
  [ -z "$tmp" ] || rm -f "$tmp" 2>/dev/null
  cat >/dev/null
  echo "no ${dir:-a folder in the home, which is not set}: $1"
  exit 0
}
is_number() { case $1 in ''|*[!0-9]*) return 1;; esac; }
short() {
  at=$dir
  while [ ! -d "$at" ] && [ -n "$at" ]; do at=${at%/*}; done
  free=$(df -P -k "${at:-/}" 2>/dev/null | { read -r head; read -r name total used free rest; echo "$free"; })
  if is_number "$free" && [ "$free" -lt "$1" ]; then echo "$free KiB are free and $1 KiB are needed"; return 0; fi
  free=$(df -P -i "${at:-/}" 2>/dev/null | { read -r head; read -r name total used free rest; [ "$total" = 0 ] || echo "$free"; })
  if is_number "$free" && [ "$free" -lt 4 ]; then echo "$free inodes are free"; return 0; fi
  return 1
}
fail_write() {
  what=$(short "$2") && fail "$1 ($what)"
  fail "$1"
}
in_use() {
  for exe in /proc/[0-9]*/exe; do [ "$exe" -ef "$1" ] && return 0; done
  return 1
}
is_old() { [ -n "$(find "$1" -prune -mtime "$2" 2>/dev/null)" ]; }
tidy() {
  n_programs=0
  n_files=0
  for name in $(ls -t "$dir" 2>/dev/null); do
    path=$dir/$name
    hash=${name#file-}
    hash=${hash%.part}
    case $name in run-*)
      if is_old "$path" +0; then
        guard=$(cat "$path/guard" 2>/dev/null)
        is_number "$guard" && [ -d "/proc/$guard" ] || rm -rf "$path"
      fi
      continue;;
    esac
    case $hash in *[!0-9a-f]*) continue;; esac
    [ ${#hash} -eq 64 ] || continue
    case $name in
      file-*) n_files=$((n_files + 1)); n=$n_files;;
      *) n_programs=$((n_programs + 1)); n=$n_programs;;
    esac
    if [ "$n" -gt 7 ] || is_old "$path" +30; then in_use "$path" || rm -f "$path"; fi
  done
  for path in "$dir"/.upload-*; do is_old "$path" +0 && rm -f "$path"; done
}
enter() {
  [ -n "$dir" ] || fail "set HOME"
  message=$( { mkdir -p "$dir"; } 2>&1 ) || fail_write "$message" "$1"
  is_ours || fail "it is a link, belongs to another user, or lies where others can replace it"
  [ -w "$dir" ] || fail "it is read-only"
  tidy
  what=$(short "$1") && fail "No space left on device: $what"
}
"#;

/// A script with the functions of the store in front of it.
pub fn with_store(script: &str) -> String {
    format!("{STORE_FUNCTIONS}{script}")
}

/// `$1`: SHA-256. Prints the path of a program with exactly that hash, if there is one in any candidate folder.
///
/// Only folders and files of the same user count: anybody may have made one of that name in a shared folder.
pub const FIND: &str = r#"
for number in 0 1 2; do
  folder "$number"
  is_ours || continue
  path=$dir/$1
  if [ -f "$path" ] && [ ! -L "$path" ] && [ -O "$path" ] && [ "$("$path" self-hash 2>/dev/null)" = "$1" ]; then
    touch "$path" 2>/dev/null
    echo "$path"
    exit 0
  fi
done
"#;

/// `$1`: SHA-256, `$2`: number of the candidate folder, `$3`: KiB. Stores standard input and prints `ok PATH`, or
/// `no REASON`.
///
/// The program hashes itself: nothing else has to be installed, and a folder that may not execute shows at once.
pub const STORE: &str = r#"
folder "$2"
enter "$3"
tmp=$dir/.upload-$$
message=$( { cat > "$tmp"; } 2>&1 ) || fail_write "$message" "$3"
message=$( { chmod 700 "$tmp"; } 2>&1 ) || fail "$message"
hash=$("$tmp" self-hash 2>&1) || fail "the program does not run from there: $hash"
[ "$hash" = "$1" ] || fail "the upload arrived damaged"
message=$( { mv -f "$tmp" "$dir/$1"; } 2>&1 ) || fail "$message"
echo "ok $dir/$1"
"#;

/// Functions for files that cannot hash themselves, in front of [`FIND_FILE`] and [`APPEND`]: `is_whole PATH` compares
/// with the SHA-256 `$sha`, or with the POSIX checksum `$crc` on a board without `sha256sum`.
const FILE_FUNCTIONS: &str = r#"
is_whole() {
  [ "$(($(wc -c < "$1")))" -eq "$size" ] || return 1
  if found=$(sha256sum < "$1" 2>/dev/null); then
    [ "${found%% *}" = "$sha" ]
  else
    found=$(cksum < "$1") && [ "${found%% *}" = "$crc" ]
  fi
}
"#;

/// A script about a stored file, with all functions it needs in front of it.
pub fn with_file_store(script: &str) -> String {
    format!("{STORE_FUNCTIONS}{FILE_FUNCTIONS}{script}")
}

/// `$1`: SHA-256, `$2`: bytes, `$3`: POSIX checksum. Prints `have PATH` for a whole file, `part FOLDER BYTES` for the
/// beginning of one, or `none`.
pub const FIND_FILE: &str = r#"
sha=$1 size=$2 crc=$3
answer=none
for number in 0 1 2; do
  folder "$number"
  file=$dir/file-$sha
  is_ours || continue
  if [ -f "$file" ]; then
    if is_whole "$file"; then touch "$file" 2>/dev/null; echo "have $file"; exit 0; fi
    rm -f "$file"
  fi
  if [ "$answer" = none ] && [ -f "$file.part" ]; then answer="part $number $(($(wc -c < "$file.part")))"; fi
done
echo "$answer"
"#;

/// `$1`: SHA-256, `$2`: bytes, `$3`: POSIX checksum, `$4`: number of the candidate folder, `$5`: bytes that are there
/// already, `$6`: KiB still to come. Appends standard input and prints `part FOLDER BYTES` while bytes are missing,
/// `ok PATH` once the file is whole, or `no REASON`.
pub const APPEND: &str = r#"
sha=$1 size=$2 crc=$3 offset=$5
folder "$4"
file=$dir/file-$sha
[ "$offset" -eq 0 ] || is_ours || fail "it is no longer this user's own"
if [ "$offset" -eq 0 ]; then
  enter "$6"
  tmp=$dir/.upload-$$
  message=$( { printf '#!/bin/sh\n' > "$tmp" && chmod 700 "$tmp"; } 2>&1 ) || fail_write "$message" "$6"
  message=$("$tmp" 2>&1) || fail "programs do not run from there: $message"
  message=$( { mv -f "$tmp" "$file.part" && : > "$file.part"; } 2>&1 ) || fail "$message"
fi
have=$(($(wc -c < "$file.part")))
[ "$have" -eq "$offset" ] || { cat >/dev/null; echo "part $4 $have"; exit 0; }
message=$( { cat >> "$file.part"; } 2>&1 ) || fail_write "$message" "$6"
have=$(($(wc -c < "$file.part")))
if [ "$have" -lt "$size" ]; then echo "part $4 $have"; exit 0; fi
is_whole "$file.part" || { rm -f "$file.part"; fail "the upload arrived damaged"; }
message=$( { chmod 500 "$file.part" && mv -f "$file.part" "$file"; } 2>&1 ) || fail "$message"
echo "ok $file"
"#;

/// `$1`: folder of the store. Makes a folder for one call, prints `run PATH`, and waits until its standard input ends:
/// the controller is done, or gone. Then it kills the call's program with its children and removes the folder.
///
/// `shell` holds the process and the group of the shell that [`RUN`] is. The group is killed only where it is not this script's own: an SSH server that gives its sessions no group of their
/// own would be killed with it.
pub const GUARD: &str = r#"
umask 077
trap '' HUP INT TERM
run=$1/run-$$
message=$( { mkdir "$run" "$run/files" && echo $$ > "$run/guard"; } 2>&1 ) || { echo "no $message"; exit 0; }
group_of() { read -r stat < "/proc/$1/stat" || return; stat=${stat##*) }; set -- $stat; echo "$3"; }
parent_of() { read -r stat < "/proc/$1/stat" || return; stat=${stat##*) }; set -- $stat; echo "$2"; }
echo "run $run"
cat >/dev/null
if { read -r shell group < "$run/shell"; } 2>/dev/null; then
  if [ -n "$group" ] && [ "$group" != "$(group_of $$)" ]; then
    kill -KILL "-$group" 2>/dev/null
  else
    for process in /proc/[0-9]*; do
      [ "$(parent_of "${process#/proc/}" 2>/dev/null)" = "$shell" ] && kill -KILL "${process#/proc/}" 2>/dev/null
    done
  fi
fi
rm -rf "$run"
echo gone
"#;

/// `$1`: the call's folder, then pairs of a stored file and its name there, relative. Links the files into the folder.
pub const PLACE: &str = r#"
cd "$1/files" || exit 1
shift
while [ $# -ge 2 ]; do
  case $2 in */*) mkdir -p "${2%/*}" || exit 1;; esac
  ln -s "$1" "$2" || exit 1
  shift 2
done
echo placed
"#;

/// `$1`: the call's folder, `$2`: loader that the program asks for, empty for a static one, `$3`: the stored program, `$4`:
/// its path in the call's folder; then the words of the command. Runs it in the folder and returns its status, 128 + n
/// when signal n ended it.
///
/// The program runs under its own name: some are several programs in one and look which one is asked for. The shell
/// stays: it turns a death by signal into a status, which the SSH library cannot tell from a lost connection.
pub const RUN: &str = r#"
cd "$1/files" || exit 126
read -r group < /proc/$$/stat
group=${group##*) } && group=${group#* } && group=${group#* }
echo "$$ ${group%% *}" > "$1/shell" || exit 126
if [ -n "$2" ] && [ ! -e "$2" ]; then
  echo "memwall: the program asks for the loader $2, which this board does not have; build it for a musl target" >&2
  exit 127
fi
mkdir -p "${4%/*}" && ln -s "$3" "$4" || exit 126
shift 4
"$@"
exit $?
"#;

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// Runs a script in a shell that finds only these programs.
    fn answer(script: &str, args: &[&str], programs: &[&str]) -> String {
        let bin = tempfile::tempdir().unwrap();
        for name in programs {
            let found = std::env::split_paths(&std::env::var_os("PATH").unwrap())
                .map(|folder| folder.join(name))
                .find(|path| path.is_file())
                .unwrap();
            std::os::unix::fs::symlink(found, bin.path().join(name)).unwrap();
        }
        let output = Command::new("/bin/sh")
            .args(["-c", script, "memwall"])
            .args(args)
            .env("PATH", bin.path())
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn compares_files_with_and_without_sha256sum() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "123456789").unwrap();
        let path = file.path().to_str().unwrap();
        let script = with_file_store("size=$2 sha=$3 crc=$4; is_whole \"$1\" && echo whole");
        let sha = "15e2b0d3c33891ebb0f1ef609ec419420c20e320ce94c65fbc8c3312448eb225";
        let both = ["sha256sum", "cksum", "wc"];
        let without = ["cksum", "wc"];
        let is_whole = |args: [&str; 3], programs: &[&str]| {
            !answer(&script, &[&[path], &args[..]].concat(), programs).is_empty()
        };
        assert!(is_whole(["9", sha, "0"], &both));
        assert!(!is_whole(["9", "other", "930766865"], &both));
        assert!(is_whole(["9", sha, "930766865"], &without));
        assert!(!is_whole(["9", sha, "930766866"], &without));
        assert!(!is_whole(["8", sha, "930766865"], &without));
    }

    #[test]
    fn a_folder_without_the_programs_that_explain_is_taken() {
        let script = with_store(
            "dir=$1; what=$(short 1); [ -n \"$what\" ] || echo unknown; tidy; echo tidy",
        );
        assert_eq!(answer(&script, &["/tmp"], &[]), "unknown\ntidy\n");
        let impossible = u64::MAX >> 10;
        let script = with_store("dir=$1; short \"$2\"");
        let said = answer(
            &script,
            &["/tmp/not there", &impossible.to_string()],
            &["df"],
        );
        assert!(said.contains("KiB are needed"), "{said}");
    }
}
