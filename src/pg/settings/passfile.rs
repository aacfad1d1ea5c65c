//! libpq's password file: `host:port:database:user:password`, `*` for anything, `\` escapes.
//!
//! As in libpq a file that group or others may read is not used; unlike libpq that is a warning
//! a person sees.

use std::path::Path;

use crate::pg::secret::Secret;

/// What to look up.
pub(super) struct Wanted<'a> {
    pub host: &'a str,
    pub port: u16,
    pub database: &'a str,
    pub user: &'a str,
}

/// The first entry that fits, with its 1-based line.
pub(super) fn find(text: &str, wanted: &Wanted<'_>) -> Option<(Secret, usize)> {
    let port = wanted.port.to_string();
    let keys = [wanted.host, &port, wanted.database, wanted.user];
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let fields = fields(line.trim_end_matches('\r'));
        let Some((password, patterns)) = fields.split_last() else {
            continue;
        };
        let fits = patterns.len() == keys.len()
            && patterns
                .iter()
                .zip(keys)
                .all(|(field, key)| field.fits(key));
        if fits {
            return Some((Secret::new(&password.text), index + 1));
        }
    }
    None
}

/// Why the file at `path` is not used, if it must not be.
#[cfg(unix)]
pub(super) fn objection(path: &Path, metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::PermissionsExt;
    let path = path.display();
    if !metadata.is_file() {
        return Some(format!(
            "the password file {path} is not a plain file; it is not used"
        ));
    }
    let mode = metadata.permissions().mode() & 0o777;
    (mode & 0o077 != 0).then(|| {
        format!(
            "the password file {path} may be read by others (mode {mode:04o}); it is not used until `chmod 600 {path}`"
        )
    })
}

/// One unescaped field; `*` is a wildcard only when it was written bare.
struct Field {
    text: String,
    wildcard: bool,
}

impl Field {
    fn fits(&self, key: &str) -> bool {
        self.wildcard || self.text == key
    }
}

/// Splits at unescaped colons into at most five fields; the password keeps its own colons.
fn fields(line: &str) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut text = String::new();
    let mut raw_length = 0;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => text.extend(characters.next().or(Some('\\'))),
            ':' if fields.len() < 4 => {
                let wildcard = text == "*" && raw_length == 1;
                fields.push(Field {
                    text: std::mem::take(&mut text),
                    wildcard,
                });
                raw_length = 0;
                continue;
            }
            _ => text.push(c),
        }
        raw_length += if c == '\\' { 2 } else { 1 };
    }
    fields.push(Field {
        text,
        wildcard: false,
    });
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const WANTED: Wanted<'_> = Wanted {
        host: "db",
        port: 5432,
        database: "shop",
        user: "app",
    };

    fn found(text: &str) -> Option<(String, usize)> {
        find(text, &WANTED).map(|(secret, line)| (secret.reveal().to_owned(), line))
    }

    #[test]
    fn the_first_fitting_entry_wins() {
        for (text, password) in [
            ("db:5432:shop:app:one", Some(("one", 1))),
            (
                "# c\n\nother:5432:shop:app:no\n*:*:*:app:two",
                Some(("two", 4)),
            ),
            ("db:5433:shop:app:no", None),
            ("db:5432:shop:App:no", None),
            ("db:*:shop:app:a\\:b\\\\c", Some(("a:b\\c", 1))),
            ("db:*:shop:app:a:b", Some(("a:b", 1))),
            ("db:*:shop:app:crlf\r\n", Some(("crlf", 1))),
            ("\\*:*:*:*:no", None),
            ("db:5432:shop", None),
            ("*:*:*:*:", Some(("", 1))),
        ] {
            let expected = password.map(|(p, line): (&str, usize)| (p.to_owned(), line));
            assert_eq!(found(text), expected, "{text:?}");
        }
    }

    #[test]
    fn escapes_in_keys_are_undone() {
        let wanted = Wanted {
            host: "fe80::1",
            ..WANTED
        };
        let entry = find("fe80\\:\\:1:5432:*:*:x", &wanted).unwrap();
        assert_eq!(entry.0.reveal(), "x");
    }
}
