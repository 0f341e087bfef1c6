//! The few lines of POSIX shell that a board has to understand before its program is there.
//!
//! They need a shell and `cat`, `mkdir`, `chmod`, `mv`, `rm`, `uname`: what every board with an SSH server has.
//! Values travel as positional parameters, quoted by the SSH library, never inside the text.

/// Prints the architecture, then what identifies this boot.
pub const PROBE: &str = r#"uname -m; cat /proc/sys/kernel/random/boot_id 2>/dev/null || uname -n"#;

/// `$1`: SHA-256. Prints the path of a program with exactly that hash, if there is one in any candidate folder.
///
/// Only files of the same user count: anybody may have made a folder of that name in a shared one.
pub const FIND: &str = r#"
uid=$(id -u 2>/dev/null || echo user)
for base in "${XDG_CACHE_HOME:-$HOME/.cache}" /var/tmp /tmp /dev/shm; do
  path=$base/memwall-$uid/$1
  if [ -f "$path" ] && [ -O "$path" ] && [ "$("$path" self-hash 2>/dev/null)" = "$1" ]; then echo "$path"; exit 0; fi
done
"#;

/// `$1`: SHA-256, `$2`: number of the candidate folder. Stores standard input and prints `ok PATH`, or `no REASON`.
///
/// The program hashes itself: nothing else has to be installed, and a folder that may not execute shows at once.
pub const STORE: &str = r#"
umask 077
uid=$(id -u 2>/dev/null || echo user)
case $2 in
  0) base=${XDG_CACHE_HOME:-$HOME/.cache};;
  1) base=/var/tmp;;
  2) base=/tmp;;
  *) base=/dev/shm;;
esac
dir=$base/memwall-$uid
tmp=$dir/.upload-$$
fail() { rm -f "$tmp" 2>/dev/null; cat >/dev/null; echo "no $dir: $1"; exit 0; }
message=$( { mkdir -p "$dir"; } 2>&1 ) || fail "$message"
[ -O "$dir" ] || fail "it belongs to another user"
message=$( { cat > "$tmp"; } 2>&1 ) || fail "$message"
message=$( { chmod 700 "$tmp"; } 2>&1 ) || fail "$message"
hash=$("$tmp" self-hash 2>&1) || fail "the program does not run from there: $hash"
[ "$hash" = "$1" ] || fail "the upload arrived damaged"
message=$( { mv -f "$tmp" "$dir/$1"; } 2>&1 ) || fail "$message"
echo "ok $dir/$1"
"#;

/// Candidate folders of [`STORE`].
pub const N_FOLDERS: usize = 4;
