//! The one script of a page, and its hash: the page's policy lets nothing else run.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

/// The script.
pub(super) const SOURCE: &str = include_str!("script.js");

/// What the policy calls it: `sha256-` and the base64 of its SHA-256.
///
/// Between the tags stands a line end, then the script.
pub(super) fn hash() -> &'static str {
    static HASH: LazyLock<String> = LazyLock::new(|| {
        let digest = Sha256::digest(format!("\n{SOURCE}"));
        format!("sha256-{}", STANDARD.encode(digest))
    });
    &HASH
}
