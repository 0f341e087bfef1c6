//! Where a page lies.

use bench_analysis::stats;

/// File name of a page about something with a foreign name: safe on every file system and in every URL.
pub(crate) fn page_name(name: &str) -> String {
    let safe: String = name
        .chars()
        .take(60)
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') {
                c
            } else {
                '-'
            }
        })
        .collect();
    match safe == name && !name.starts_with('.') && !name.is_empty() {
        true => format!("{name}.html"),
        // Two names may become the same safe one: the hash keeps them apart.
        false => format!(
            "{}-{:016x}.html",
            safe.trim_start_matches('.'),
            stats::seed_of(&[name])
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn page_names_cannot_leave_their_folder() {
        assert_eq!(page_name("rock-5b"), "rock-5b.html");
        for name in [
            "../../etc/passwd",
            "..",
            "",
            "<script>",
            "a/b",
            "a\\b",
            &"x".repeat(300),
        ] {
            let page = page_name(name);
            assert!(
                !page.contains('/') && !page.contains('\\') && !page.starts_with('.'),
                "{page}"
            );
            assert!(page.len() < 100, "{page}");
        }
        assert_ne!(page_name("a/b"), page_name("a\\b"));
    }
}
