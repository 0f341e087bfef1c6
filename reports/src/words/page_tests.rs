use proptest::prelude::*;

use super::*;

fn check(html: &str, expect: &str) {
    let words = Words::new(Language::Spanish);
    assert_eq!(words.page(html, None), expect);
}

#[test]
fn says_texts_and_spoken_attributes_and_keeps_the_rest() {
    check(
        "<html lang=\"en\"><p title=\"host\">All boards</p> <pre>All boards</pre></html>",
        "<html lang=\"es\"><p title=\"equipo\">Todas las placas</p> <pre>All boards</pre></html>",
    );
    check(
        "<p>In short <span lang=\"en\">In short</span></p>",
        "<p>En resumen <span lang=\"en\">In short</span></p>",
    );
    check("<td>24.1 GB&#x2f;s</td>", "<td>24,1 GB/s</td>");
}

#[test]
fn hostile_names_come_through() {
    for name in [
        "host",
        "In short",
        "&lt;script&gt;",
        "{t} and {n}",
        "24.1 GB",
        "\u{e000}\u{e001}",
    ] {
        check(
            &format!("<p><bdi>{name}</bdi></p>"),
            &format!("<p><bdi>{name}</bdi></p>"),
        );
        let words = Words::new(Language::Spanish);
        let marked = crate::words::name(&decode(name));
        assert_eq!(words.say(&marked), decode(name));
        assert_eq!(words.missing().len(), 0, "{name}");
    }
}

#[test]
fn recorded_reasons_stay_whole() {
    let words = Words::new(Language::Spanish);
    assert_eq!(
        words.say("was not reached (stage: connect): gave up after 10 s; check the cable and `ssh 192.0.2.10`."),
        "no se pudo alcanzar (etapa: conectar): gave up after 10 s; check the cable and `ssh 192.0.2.10`."
    );
}

#[test]
fn what_is_not_known_stays_and_is_remembered() {
    let words = Words::new(Language::Spanish);
    let html = "<p>Zyx &amp; <b>wvu</b> tsr.</p>";
    assert_eq!(words.page(html, None), html);
    let missing: Vec<String> = words.missing().into_iter().collect();
    assert!(missing[0].contains("wvu"), "{missing:?}");
}

#[test]
fn one_of_two_languages_is_kept() {
    let html = format!("<p>{}</p>", crate::words::choice("a", "b"));
    assert_eq!(Words::new(Language::English).page(&html, None), "<p>a</p>");
    assert_eq!(Words::new(Language::Spanish).page(&html, None), "<p>b</p>");
}

#[test]
fn links_to_single_files_leave_the_language() {
    let pages = ["index.html", "hosts/a.html"].map(str::to_owned).into();
    let link = |path: &str, link: &str| {
        once_only(
            link,
            &Place {
                path,
                pages: &pages,
            },
        )
    };
    assert_eq!(link("index.html", "hosts/a.html"), None);
    assert_eq!(link("hosts/a.html", "..&#x2f;index.html#x"), None);
    assert_eq!(link("index.html", "#top"), None);
    assert_eq!(link("index.html", "https://example.org"), None);
    assert_eq!(
        link("index.html", "data/a.csv").as_deref(),
        Some("../data/a.csv")
    );
    assert_eq!(
        link("hosts/a.html", "../data/a.csv").as_deref(),
        Some("../../data/a.csv")
    );
}

proptest! {
    #[test]
    fn no_byte_is_lost_between_tokens(html in "[a-z<>/\"=& !\\-]{0,80}") {
        let mut rest = html.as_str();
        let mut all = String::new();
        while let Some((Token::Text(part) | Token::Tag(part) | Token::Other(part), next)) = next_token(rest) {
            prop_assert!(!part.is_empty());
            all.push_str(part);
            rest = next;
        }
        prop_assert_eq!(all, html);
    }

    #[test]
    fn tags_and_their_order_stay(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "<p>", "</p>", "<b>", "</b>", "<a href=\"x.html\">", "</a>", "<span class=\"n\">", "</span>", "<td>",
                "</td>", "<code>host</code>", "host", "In short", " and ", "24.1 GB&#x2f;s", ". ", ", ", "\n", "&lt;b&gt;",
                "unheard", "(", ")",
            ]),
            0..40,
        ),
    ) {
        let html: String = pieces.concat();
        let words = Words::new(Language::Spanish);
        let said = words.page(&html, None);
        let tags = |html: &str| -> Vec<String> {
            let mut rest = html;
            let mut found = Vec::new();
            while let Some((token, next)) = next_token(rest) {
                if let Token::Tag(tag) = token {
                    found.push(tag.to_owned());
                }
                rest = next;
            }
            found
        };
        prop_assert_eq!(tags(&said), tags(&html));
    }
}
