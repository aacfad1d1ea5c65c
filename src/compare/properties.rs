//! Properties of a database in a form that compares.
//!
//! Grants mean a set, and no grants at all mean the default ones. The collation's version is a
//! fact about the machine, not about the database.

use std::collections::BTreeMap;

/// Copies the properties that make two databases differ, each in its normal form.
pub(super) fn normal(
    properties: &BTreeMap<String, String>,
    encoding: &str,
) -> BTreeMap<String, String> {
    let mut normal = properties.clone();
    normal.insert("encoding".to_owned(), encoding.to_owned());
    normal.remove("collation_version");
    // Whoever reads a database may connect to it; archives of before this was recorded say nothing.
    normal.retain(|name, value| name != "allow_connections" || value != "t");
    let owner = properties.get("owner").map_or("", String::as_str);
    if let Some(text) = normal.remove("acl") {
        let mut items = array_elements(&text);
        items.sort_unstable();
        if items != default_grants(owner) {
            normal.insert("acl".to_owned(), items.join(", "));
        }
    }
    normal
}

/// What `acldefault('d', owner)` gives, sorted.
fn default_grants(owner: &str) -> Vec<String> {
    let name = acl_name(owner);
    vec![format!("{name}=CTc/{name}"), format!("=Tc/{name}")]
        .into_iter()
        .collect::<std::collections::BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// A role's name as `aclitem` prints it.
fn acl_name(role: &str) -> String {
    if role
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    {
        role.to_owned()
    } else {
        format!("\"{}\"", role.replace('"', "\"\""))
    }
}

/// The elements of a one-dimensional array's text: `{a,"b\"c"}`.
fn array_elements(text: &str) -> Vec<String> {
    let inner = text.trim().trim_start_matches('{').trim_end_matches('}');
    let (mut elements, mut element, mut quoted) = (Vec::new(), String::new(), false);
    let mut characters = inner.chars();
    while let Some(character) = characters.next() {
        match character {
            '\\' => element.extend(characters.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => elements.push(std::mem::take(&mut element)),
            other => element.push(other),
        }
    }
    if !inner.is_empty() {
        elements.push(element);
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(acl: &str) -> BTreeMap<String, String> {
        let pairs = [
            ("owner", "app"),
            ("acl", acl),
            ("collation_version", "2.36"),
        ];
        normal(
            &pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
            "UTF8",
        )
    }

    #[test]
    fn default_grants_are_no_grants_and_order_is_free() {
        assert_eq!(with("{=Tc/app,app=CTc/app}"), with("{app=CTc/app,=Tc/app}"));
        assert!(!with("{app=CTc/app,=Tc/app}").contains_key("acl"));
        assert_eq!(
            with("{app=CTc/app,reader=c/app}"),
            with("{reader=c/app,app=CTc/app}")
        );
        assert_ne!(with("{app=CTc/app}"), with("{app=CTc/app,=Tc/app}"));
        assert!(!with("{}").contains_key("collation_version"));
    }

    #[test]
    fn quoted_elements_are_read() {
        assert_eq!(
            array_elements(r#"{=Tc/app,"\"my, role\"=c/app"}"#),
            ["=Tc/app", "\"my, role\"=c/app"]
        );
        assert!(array_elements("{}").is_empty());
    }
}
