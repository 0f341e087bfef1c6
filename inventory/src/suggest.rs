//! The nearest match for a misspelt name.

/// The candidate a misspelt `name` most likely stands for, if any is near enough.
///
/// Near means at most a third of the longer word differs (at least two edits are always tolerated, so that short keys
/// still find theirs), or that one word starts with the other.
/// Equal distances resolve to the first candidate.
pub fn suggest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    candidates
        .into_iter()
        .filter_map(|candidate| {
            let known = fold(candidate);
            let distance = strsim::osa_distance(&wanted, &known);
            let longest = wanted.chars().count().max(known.chars().count());
            let is_prefix = wanted.len() >= 3
                && known.len() >= 3
                && (known.starts_with(&wanted) || wanted.starts_with(&known));
            let tolerated = (longest / 3).max(2);
            let is_near = distance <= tolerated && distance < longest;
            (is_near || is_prefix).then_some((distance, candidate))
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Lower case with one separator: `Rock_5B` and `rock-5b` are the same word to a person.
fn fold(word: &str) -> String {
    word.to_lowercase().replace(['_', ' ', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        let boards = ["rock-5b", "rock-5-itx", "raspberry-pi-5", "raspberry-pi-4"];
        assert_eq!(suggest("rock5b", boards), Some("rock-5b"));
        assert_eq!(suggest("Rock_5B", boards), Some("rock-5b"));
        assert_eq!(suggest("raspbery-pi-5", boards), Some("raspberry-pi-5"));
        assert_eq!(suggest("rasp", boards), Some("raspberry-pi-5"));
        assert_eq!(suggest("jetson", boards), None);
        assert_eq!(suggest("", boards), None);
    }

    #[test]
    fn short_keys_still_find_theirs() {
        assert_eq!(suggest("chanels", ["channels", "host"]), Some("channels"));
        assert_eq!(suggest("hots", ["host", "port"]), Some("host"));
        assert_eq!(suggest("xy", ["ab"]), None);
    }
}
