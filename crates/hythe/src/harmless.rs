//! Text from outside as a person may see it.
//!
//! Invariant: nothing that is printed steers a terminal: names, labels and sentences of registries and archives are
//! data, and a control character in them is shown by its number.

use std::borrow::Cow;

/// Text of one or more lines.
pub(crate) fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |c| steers(c) && c != '\n' && c != '\t', |c| c.escape_unicode().to_string())
}

/// Text that is to stay on its line, such as a cell of a table.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    shown(text, steers, |c| match c {
        '\n' | '\t' => " ".to_owned(),
        _ => c.escape_unicode().to_string(),
    })
}

/// Whether text of several lines may be shown as it is.
pub(crate) fn is_harmless(text: &str) -> bool {
    matches!(lines(text), Cow::Borrowed(_))
}

/// A JSON document: what its writer left as it is, although terminals heed it, is written as JSON writes it. Outside of
/// strings there is no such character but the ends of lines.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    shown(text, |c| steers(c) && c != '\n', |c| format!("\\u{:04x}", u32::from(c)))
}

/// Whether a terminal would do something else than show it, or show what follows in another order.
fn steers(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn shown(text: &str, hides: impl Fn(char) -> bool, write: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if hides(c) { shown.push_str(&write(c)) } else { shown.push(c) }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_steers_a_terminal_is_shown_by_its_number() {
        assert_eq!(lines("a\u{1b}[2J\tb\nc\r"), "a\\u{1b}[2J\tb\nc\\u{d}");
        assert_eq!(one_line("a\nb\u{9b}31m"), "a b\\u{9b}31m");
        assert_eq!(one_line("exe\u{202e}gpj"), "exe\\u{202e}gpj");
        assert!(matches!(lines("plain – text"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_stays_the_same_document() {
        let value = serde_json::json!({"a": "x\u{1b}\u{7f}\u{9b}\u{202e}\n"});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let shown = json(&text);
        assert!(!shown.chars().any(|c| steers(c) && c != '\n'), "{shown}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), value);
    }
}
