//! Finding the name somebody meant.

/// The candidate most like `word`, unless none is alike at all.
pub(super) fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    candidates
        .into_iter()
        .map(|candidate| (likeness(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.65)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, candidate)| candidate)
}

/// From 0 to 1. The first measure forgives missing endings, the second swapped letters in short words.
fn likeness(word: &str, candidate: &str) -> f64 {
    strsim::jaro_winkler(word, candidate).max(strsim::normalized_damerau_levenshtein(word, candidate))
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn a_slip_of_the_keys_is_recognised_and_nonsense_is_not() {
        let keys = ["listen", "data_dir", "tls.cert", "tls.key"];
        assert_eq!(nearest("lisen", keys), Some("listen"));
        assert_eq!(nearest("tls.certificate", keys), Some("tls.cert"));
        assert_eq!(nearest("datadir", keys), Some("data_dir"));
        assert_eq!(nearest("tsl", ["tls", "log"]), Some("tls"));
        assert_eq!(nearest("zzzz", keys), None);
    }
}
