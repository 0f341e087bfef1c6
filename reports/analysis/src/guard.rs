//! Keeps a mistake of memwall itself in one place from taking the rest of a report with it: the other hosts, the other
//! pages, the data files.
//!
//! Owns the handling of a panic: it becomes a reason that the report shows, not text on standard error. Refuses to guess
//! what the figures should have been.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind, set_hook, take_hook};
use std::path::Path;
use std::sync::Once;

thread_local! {
    /// Where panics of this thread are told; `None` outside of [`guarded`].
    static TOLD: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs a part of a report. What it began is thrown away when it panics, so nothing half-made can be seen.
///
/// # Errors
/// When it panics: what and where, for the people who mend it.
pub fn guarded<T>(part: impl FnOnce() -> T) -> Result<T, String> {
    install();
    let outer = TOLD.replace(Some(String::new()));
    let done = catch_unwind(AssertUnwindSafe(part));
    let told = TOLD.replace(outer).unwrap_or_default();
    done.map_err(|payload| match told.is_empty() {
        // A worker thread panicked in its place; its text went to standard error.
        true => message(payload.as_ref()).to_owned(),
        false => told,
    })
}

/// Unguarded panics go to the hook that was installed before.
fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let before = take_hook();
        set_hook(Box::new(move |panic| {
            let is_guarded = TOLD.with_borrow_mut(|told| match told {
                Some(told) => {
                    *told = described(panic);
                    true
                }
                None => false,
            });
            if !is_guarded {
                before(panic);
            }
        }));
    });
}

/// Message and place of a panic. Of a path that says where this machine keeps sources only the end is told: reports are
/// published.
fn described(panic: &PanicHookInfo) -> String {
    let message = bench_run_dir::format::foreign_short(message(panic.payload()), 300);
    let Some(location) = panic.location() else {
        return message;
    };
    let path = Path::new(location.file());
    let file = match path.is_absolute() {
        true => path.file_name().unwrap_or_default().display().to_string(),
        false => path.display().to_string(),
    };
    format!("{message}, `{file}` line {}", location.line())
}

fn message(payload: &(dyn Any + Send)) -> &str {
    match payload.downcast_ref::<String>() {
        Some(text) => text,
        None => payload.downcast_ref::<&str>().copied().unwrap_or("panic"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_reason_that_names_its_place() {
        let zero = std::hint::black_box(0);
        let reason = guarded(|| 1 / zero).unwrap_err();
        assert!(
            reason.starts_with("attempt to divide by zero, `reports/analysis/src/guard.rs` line "),
            "{reason}"
        );
        assert_eq!(guarded(|| 1), Ok(1));
    }

    #[test]
    fn guards_inside_guards_tell_their_own() {
        let zero = std::hint::black_box(0);
        let outer = guarded(|| {
            let inner = guarded(|| 1 / zero);
            assert!(inner.is_err());
            [0][std::hint::black_box(3)]
        });
        let reason = outer.unwrap_err();
        assert!(reason.starts_with("index out of bounds"), "{reason}");
    }
}
