//! The `Link` header (RFC 8288): where the next page of a list is. Hostile until parsed.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

/// The target of the first link of one header line that is related as `next`, as it is written.
///
/// Never fails: a line that breaks off or makes no sense has no such link.
pub(crate) fn next(line: &str) -> Option<&str> {
    let mut rest = line;
    loop {
        let (_, after) = rest.split_once('<')?;
        let (target, after) = after.split_once('>')?;
        let (parameters, others) = parameters(after);
        if is_next(parameters) {
            return Some(target.trim());
        }
        rest = others;
    }
}

/// Splits at the comma before the next link; one within quotes belongs to the parameters.
fn parameters(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ',' if !quoted => return text.split_at(at),
            _ => {}
        }
    }
    (text, "")
}

/// Whether `; rel=next` is among the parameters: quoted or not, in any case, alone or among other relations.
/// A link without any `rel` is taken for one too, because some registries leave it out and have only this
/// one.
fn is_next(parameters: &str) -> bool {
    let mut related = parameters.split(';').filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("rel").then(|| value.trim().trim_matches('"'))
    });
    related
        .next()
        .is_none_or(|value| value.split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_forms_in_use_are_read() {
        for (line, target) in [
            (r#"</v2/a/tags/list?n=2&last=b>; rel="next""#, "/v2/a/tags/list?n=2&last=b"),
            ("</v2/a>; rel=next", "/v2/a"),
            ("</v2/a>;REL=\"prefetch NEXT\"", "/v2/a"),
            (r#"</x>; rel="prev", </y>; title="a, <b>; rel=next"; rel="next""#, "/y"),
            ("</v2/a>", "/v2/a"),
            ("<https://r.example/v2/a?x=1,2>; rel=\"next\"", "https://r.example/v2/a?x=1,2"),
        ] {
            assert_eq!(next(line), Some(target), "{line}");
        }
    }

    #[test]
    fn other_links_and_rubbish_are_no_next_page() {
        for line in ["", "<", "<a", "next", r#"</x>; rel="prev""#, r#"</x>; rel="nextish""#, "rel=next"] {
            assert_eq!(next(line), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in "\\PC*", tail in "[<>;,=\"\\\\ arelnxt]*") {
            next(&line);
            next(&tail);
        }

        #[test]
        fn what_is_written_is_read(target in "[a-z/?=&,;%0-9]{1,40}") {
            let line = format!("<{target}>; rel=\"next\"");
            prop_assert_eq!(next(&line), Some(target.as_str()));
        }
    }
}
