//! Quoting of hostile text in error sentences: escaped, and never longer than a line.

use crate::limits::QUOTED_CHARS;

/// `text` in backquotes, control characters escaped, clipped to [`QUOTED_CHARS`] characters.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown = String::from("`");
    let mut characters = text.chars();
    for character in characters.by_ref().take(QUOTED_CHARS) {
        match character {
            // Quotation marks need no escape between backquotes, and a backquote would end them.
            '"' | '\'' => shown.push(character),
            '`' => shown.push_str("\\`"),
            _ => shown.extend(character.escape_debug()),
        }
    }
    if characters.next().is_some() {
        shown.push('…');
    }
    shown.push('`');
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_clipped() {
        assert_eq!(quoted("lab/x"), "`lab/x`");
        assert_eq!(quoted("a\r\nb`\u{7}\""), "`a\\r\\nb\\`\\u{7}\"`");
        let long = quoted(&"x".repeat(QUOTED_CHARS + 1));
        assert_eq!(long.chars().count(), QUOTED_CHARS + 3);
        assert!(long.ends_with("…`"), "{long}");
        assert!(!quoted(&"x".repeat(QUOTED_CHARS)).contains('…'));
    }
}
