//! A line as it stands in bash, in words. bash itself breaks words at colons, which names are full of.

use std::ffi::OsString;

/// The most words of a line.
const MOST_WORDS: usize = 1000;

/// The words up to the cursor; the last one is the one being typed, empty after a blank. Quotes and backslashes are taken
/// away as far as they have been typed; what a shell would substitute stays as it is.
pub(super) fn split(line: &str) -> Vec<OsString> {
    let mut words = vec![String::new()];
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        let Some(word) = words.last_mut() else { break };
        match (quote, letter) {
            (Some(open), _) if letter == open => quote = None,
            (None, '\'' | '"') => quote = Some(letter),
            (None | Some('"'), '\\') => word.extend(letters.next()),
            (None, _) if letter.is_whitespace() => {
                // Several blanks are one.
                if !word.is_empty() && words.len() < MOST_WORDS {
                    words.push(String::new());
                }
            }
            _ => word.push(letter),
        }
    }
    words.into_iter().map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_are_those_of_a_shell() {
        for (line, words) in [
            ("hythe pull lab/app:v", vec!["hythe", "pull", "lab/app:v"]),
            ("hythe  pull ", vec!["hythe", "pull", ""]),
            ("", vec![""]),
            ("hythe 'two words' \"an\\\"other", vec!["hythe", "two words", "an\"other"]),
            ("hythe a\\ b\\", vec!["hythe", "a b"]),
        ] {
            assert_eq!(split(line), words, "{line}");
        }
    }

    proptest! {
        #[test]
        fn any_line_has_words(line in ".{0,300}") {
            let words = split(&line);
            prop_assert!(!words.is_empty() && words.len() <= MOST_WORDS);
        }
    }
}
