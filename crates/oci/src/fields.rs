//! Typed access to the members of a JSON object, with faults that name the member's place.
//!
//! A key that differs from a known one in case alone is refused: Go's parser, which most clients are
//! built on, takes `Layers` for `layers`, and would read a manifest that was not the one checked here.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::quote::quoted;

/// What is wrong with one member of a manifest; its text is most of a sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{place}` {fault}")]
pub struct FieldFault {
    place: String,
    fault: String,
}

/// The members of one object.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    place: String,
}

impl<'a> Fields<'a> {
    /// The members of `value`, which stands at `place` (empty for the document itself).
    pub(crate) fn of(value: &'a Value, place: &str, known: &[&str]) -> Result<Self, FieldFault> {
        let Value::Object(object) = value else {
            let place = if place.is_empty() { "the document" } else { place };
            return Err(FieldFault { place: place.to_owned(), fault: "must be an object".to_owned() });
        };
        let fields = Self { object, place: place.to_owned() };
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let folded = case_folded(key);
            if let Some(meant) = known.iter().find(|known| case_folded(known) == folded) {
                let fault = format!("must be written `{meant}`; parsers disagree on other spellings");
                return Err(FieldFault { place: fields.place_of(key), fault });
            }
        }
        Ok(fields)
    }

    /// Where the member `key` stands, such as `layers[3].size`.
    pub(crate) fn place_of(&self, key: &str) -> String {
        let key = quoted(key);
        let key = key.trim_matches('`');
        if self.place.is_empty() { key.to_owned() } else { format!("{}.{key}", self.place) }
    }

    /// A fault of the member `key`.
    pub(crate) fn fault(&self, key: &str, fault: impl Into<String>) -> FieldFault {
        FieldFault { place: self.place_of(key), fault: fault.into() }
    }

    /// A fault of the member `key` that another parser found and tells in a sentence.
    pub(crate) fn wrong(&self, key: &str, error: &impl std::error::Error) -> FieldFault {
        let sentence = error.to_string();
        self.fault(key, format!("is wrong: {}", sentence.trim_end_matches('.')))
    }

    /// The member, unless it is missing or null.
    pub(crate) fn value(&self, key: &str) -> Option<&'a Value> {
        self.object.get(key).filter(|value| !value.is_null())
    }

    /// Whether the member is there, be it null.
    pub(crate) fn has_key(&self, key: &str) -> bool {
        self.object.contains_key(key)
    }

    /// The member as text; `None` when it is missing, null or empty.
    pub(crate) fn text(&self, key: &str) -> Result<Option<&'a str>, FieldFault> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(self.fault(key, "must be a string")),
        }
    }

    /// The member as an array; `None` when it is missing or null.
    pub(crate) fn array(&self, key: &str) -> Result<Option<&'a [Value]>, FieldFault> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Array(array)) => Ok(Some(array)),
            Some(_) => Err(self.fault(key, "must be an array")),
        }
    }

    /// The member as a list of strings; empty when it is missing or null.
    pub(crate) fn texts(&self, key: &str) -> Result<Vec<String>, FieldFault> {
        let array = self.array(key)?.unwrap_or_default();
        let texts = array.iter().map(|value| value.as_str().map(str::to_owned)).collect::<Option<_>>();
        texts.ok_or_else(|| self.fault(key, "must hold strings only"))
    }

    /// The member as a map of strings, as annotations are; empty when it is missing or null.
    pub(crate) fn text_map(&self, key: &str) -> Result<BTreeMap<String, String>, FieldFault> {
        let Some(value) = self.value(key) else { return Ok(BTreeMap::new()) };
        let Value::Object(object) = value else {
            return Err(self.fault(key, "must be an object of strings"));
        };
        let text = |(name, value): (&String, &Value)| Some((name.clone(), value.as_str()?.to_owned()));
        let map = object.iter().map(text).collect::<Option<_>>();
        map.ok_or_else(|| self.fault(key, "must hold strings only"))
    }
}

/// `key` with the distinctions dropped that Go's `encoding/json` does not make: case, and the two
/// characters outside ASCII that fold to an ASCII letter.
fn case_folded(key: &str) -> String {
    let fold = |character| match character {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        other => other.to_ascii_lowercase(),
    };
    key.chars().map(fold).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn keys_in_another_case_are_refused() {
        let known = ["layers", "os.version", "task"];
        for key in ["Layers", "LAYERS", "layer\u{17f}", "OS.Version", "tas\u{212a}", "ta\u{17f}\u{212a}"] {
            let value = json!({ key: 1 });
            let fault = Fields::of(&value, "x[1]", &known).map(|_| ()).expect_err(key).to_string();
            assert!(fault.starts_with("`x[1].") && fault.contains("must be written"), "{fault}");
        }
        for key in ["layers", "layer", "org.example.Layers", "läyers", ""] {
            assert!(Fields::of(&json!({ key: 1 }), "", &known).is_ok(), "{key}");
        }
    }

    #[test]
    fn faults_name_the_place() {
        let value = json!({"a": 1, "b": [1], "c": {"d": null}, "e": {"f": 1}, "g": null, "h": ""});
        let fields = Fields::of(&value, "layers[3]", &[]).unwrap();
        for (fault, sentence) in [
            (fields.text("a").unwrap_err(), "`layers[3].a` must be a string"),
            (fields.array("a").unwrap_err(), "`layers[3].a` must be an array"),
            (fields.texts("b").unwrap_err(), "`layers[3].b` must hold strings only"),
            (fields.text_map("b").unwrap_err(), "`layers[3].b` must be an object of strings"),
            (fields.text_map("c").unwrap_err(), "`layers[3].c` must hold strings only"),
            (fields.text_map("e").unwrap_err(), "`layers[3].e` must hold strings only"),
        ] {
            assert_eq!(fault.to_string(), sentence);
        }
        assert_eq!((fields.text("g"), fields.text("h"), fields.text("z")), (Ok(None), Ok(None), Ok(None)));
        assert_eq!(fields.text_map("g"), Ok(BTreeMap::new()));
        let fault = Fields::of(&json!([]), "", &[]).map(|_| ()).unwrap_err();
        assert_eq!(fault.to_string(), "`the document` must be an object");
    }
}
