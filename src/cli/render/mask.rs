//! The last net: known secrets are replaced in everything that leaves the process.
//!
//! Layers below keep secrets in types that cannot be printed; this catches what a server, a
//! migration tool or a mistake of ours puts into a text all the same. Data on stdout that comes
//! from the database (`schema`) does not pass here: changing it would corrupt it.

use std::borrow::Cow;
use std::sync::{Arc, PoisonError, RwLock};

use crate::pg::Secret;

/// Shorter secrets would turn ordinary text into stars without protecting anything.
const SHORTEST: usize = 4;

/// Shared by everything that writes; secrets become known while settings are resolved.
#[derive(Clone, Default)]
pub(crate) struct Mask {
    secrets: Arc<RwLock<Vec<String>>>,
}

impl Mask {
    /// Learns secrets. One that is part of a public word (the password `postgres` of a
    /// development machine, in `postgresql://postgres@…`) is left out: masking it would hide
    /// everything and protect nothing.
    pub(crate) fn learn(&self, secrets: &[Secret], public: &[&str]) {
        let mut known = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        let new = secrets.iter().map(Secret::reveal).filter(|secret| {
            secret.len() >= SHORTEST && !public.iter().any(|word| word.contains(secret))
        });
        known.extend(new.map(str::to_owned));
        // The longest first: a secret that contains another one must go as a whole.
        known.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        known.dedup();
    }

    /// The text with every known secret replaced.
    pub(crate) fn apply<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let known = self.secrets.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().fold(Cow::Borrowed(text), |text, secret| {
            if text.contains(secret.as_str()) {
                Cow::Owned(text.replace(secret.as_str(), "***"))
            } else {
                text
            }
        })
    }

    /// The value with every string in it masked; keys are ours.
    pub(crate) fn apply_json(&self, value: serde_json::Value) -> serde_json::Value {
        use serde_json::Value;
        match value {
            Value::String(text) => Value::String(self.apply(&text).into_owned()),
            Value::Array(items) => items
                .into_iter()
                .map(|item| self.apply_json(item))
                .collect(),
            Value::Object(members) => members
                .into_iter()
                .map(|(key, member)| (key, self.apply_json(member)))
                .collect(),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_what_it_knows_longest_first() {
        let mask = Mask::default();
        mask.learn(&[Secret::new("hunter2"), Secret::new("hunter2%21")], &[]);
        assert_eq!(mask.apply("a hunter2%21 b hunter2 c"), "a *** b *** c");
        let value = mask.apply_json(serde_json::json!({"a": ["x hunter2"], "n": 1}));
        assert_eq!(value, serde_json::json!({"a": ["x ***"], "n": 1}));
    }

    #[test]
    fn leaves_public_words_alone() {
        let mask = Mask::default();
        mask.learn(
            &[Secret::new("postgres"), Secret::new("abc")],
            &["postgresql", "shop"],
        );
        assert_eq!(
            mask.apply("postgresql://postgres:abc@db"),
            "postgresql://postgres:abc@db"
        );
    }
}
