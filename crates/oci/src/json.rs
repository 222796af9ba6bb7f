//! JSON, read strictly: what two parsers could understand differently is refused.
//!
//! Duplicate keys are an error at any depth, and so is anything deeper than [`JSON_DEPTH`] or with
//! more values than [`JSON_VALUES`]: the stack and the memory that a document takes are bounded.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::limits::{JSON_DEPTH, JSON_VALUES};
use crate::quote::quoted;

/// Reads one JSON document.
pub(crate) fn parse(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut left = JSON_VALUES;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict { depth: 0, left: &mut left }.deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(value)
}

/// A document that is not JSON, or not unambiguous.
#[derive(Debug, thiserror::Error)]
#[error("It cannot be read as JSON: {0}.")]
pub struct JsonError(#[from] serde_json::Error);

/// Reads one value that lies inside `depth` arrays and objects; `left` counts down the values.
struct Strict<'a> {
    depth: usize,
    left: &'a mut usize,
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self.left.checked_sub(1) {
            Some(left) => *self.left = left,
            None => return Err(D::Error::custom(format_args!("more than {JSON_VALUES} values"))),
        }
        deserializer.deserialize_any(self)
    }
}

impl Strict<'_> {
    /// The same for a value one level deeper.
    fn inner(&mut self) -> Strict<'_> {
        Strict { depth: self.depth + 1, left: self.left }
    }

    fn enter<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth >= JSON_DEPTH {
            return Err(E::custom(format_args!("nested deeper than {JSON_DEPTH} levels")));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(self.inner())? {
            array.push(element);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut members: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key {} appears twice", quoted(&key))));
            }
            let value = members.next_value_seed(self.inner())?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refusal(text: &str) -> String {
        parse(text.as_bytes()).expect_err(text).to_string()
    }

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"a":1,"b":2,"a":1}"#,
            r#"{"a":{"b":[{"c":1,"c":1}]}}"#,
            r#"[[{"a":1,"\u0061":2}]]"#,
            r#"{"":1,"":2}"#,
        ] {
            assert!(refusal(text).contains("appears twice"), "{text}");
        }
        assert!(parse(br#"{"a":{"a":[{"a":1},{"a":2}]},"A":1}"#).is_ok());
    }

    #[test]
    fn depth_is_bounded() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(JSON_DEPTH).as_bytes()).is_ok());
        let objects = format!("{}1{}", r#"{"a":"#.repeat(10_000), "}".repeat(10_000));
        for text in [nested(JSON_DEPTH + 1), nested(10_000), "[".repeat(10_000), objects] {
            assert!(refusal(&text).contains("nested deeper than 64 levels"));
        }
    }

    #[test]
    fn values_are_bounded() {
        // The array itself is a value as well.
        let array = |count: usize| format!("[{}0]", "0,".repeat(count - 1));
        assert!(parse(array(JSON_VALUES - 1).as_bytes()).is_ok());
        assert!(refusal(&array(JSON_VALUES)).contains("more than 262144 values"));
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for bytes in [
            &b""[..],
            b"{",
            b"{} {}",
            b"{}x",
            b"nul",
            b"{'a':1}",
            b"{\"a\":1,}",
            b"\"\xff\"",
            b"\xef\xbb\xbf{}",
            br#""\ud800""#,
            b"1e999",
            b"NaN",
            b"01",
        ] {
            let error = parse(bytes).expect_err(&String::from_utf8_lossy(bytes)).to_string();
            assert!(error.starts_with("It cannot be read as JSON: "), "{error}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(5, 64, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|members| Value::Object(members.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn unambiguous_documents_are_read_as_serde_json_does(value in value()) {
            let pretty = serde_json::to_string_pretty(&value).unwrap();
            prop_assert_eq!(&parse(value.to_string().as_bytes()).unwrap(), &value);
            prop_assert_eq!(&parse(pretty.as_bytes()).unwrap(), &value);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in "[\\[\\]{}\":,0-9a-b\\\\ ]{0,40}|.*") {
            if let Ok(value) = parse(bytes.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&bytes).unwrap(), value);
            }
        }
    }
}
