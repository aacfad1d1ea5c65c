//! libpq's connection keywords: which are understood, and `keyword=value` strings.
//!
//! Closed world: every keyword is ours, the child's, or refused by name. Nothing that protects a
//! connection is ever dropped silently. Troubles never quote what was given: a broken string may
//! show a password where a keyword is expected.

/// What is wrong with a URL or a keyword string, in words that hold nothing secret.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    pub reason: String,
    pub hint: Option<String>,
}

impl Trouble {
    /// A reason without advice.
    pub fn new(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            hint: None,
        }
    }

    /// Adds what to do.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// Who a keyword is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// Decides how we connect.
    Ours,
    /// Means nothing for us and is handed on to the migration in its URL.
    Child,
    /// Would change what the connection guarantees, and we could not keep it.
    Refused(&'static str),
}

/// One keyword, and libpq's environment variable for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Keyword {
    pub name: &'static str,
    pub variable: Option<&'static str>,
    pub usage: Use,
}

const fn ours(name: &'static str, variable: &'static str) -> Keyword {
    Keyword {
        name,
        variable: Some(variable),
        usage: Use::Ours,
    }
}

const fn child(name: &'static str) -> Keyword {
    Keyword {
        name,
        variable: None,
        usage: Use::Child,
    }
}

const fn refused(name: &'static str, variable: Option<&'static str>, why: &'static str) -> Keyword {
    Keyword {
        name,
        variable,
        usage: Use::Refused(why),
    }
}

/// Every keyword that is known. Variables of `Use::Child` keywords reach the child by themselves.
pub(super) const KEYWORDS: &[Keyword] = &[
    ours("host", "PGHOST"),
    ours("hostaddr", "PGHOSTADDR"),
    ours("port", "PGPORT"),
    ours("dbname", "PGDATABASE"),
    ours("user", "PGUSER"),
    ours("password", "PGPASSWORD"),
    ours("passfile", "PGPASSFILE"),
    ours("service", "PGSERVICE"),
    ours("servicefile", "PGSERVICEFILE"),
    ours("sslmode", "PGSSLMODE"),
    ours("sslrootcert", "PGSSLROOTCERT"),
    ours("sslcert", "PGSSLCERT"),
    ours("sslkey", "PGSSLKEY"),
    ours("sslnegotiation", "PGSSLNEGOTIATION"),
    ours("ssl_min_protocol_version", "PGSSLMINPROTOCOLVERSION"),
    ours("channel_binding", "PGCHANNELBINDING"),
    ours("gssencmode", "PGGSSENCMODE"),
    ours("connect_timeout", "PGCONNECT_TIMEOUT"),
    ours("application_name", "PGAPPNAME"),
    ours("options", "PGOPTIONS"),
    ours("target_session_attrs", "PGTARGETSESSIONATTRS"),
    child("client_encoding"),
    child("fallback_application_name"),
    child("keepalives"),
    child("keepalives_idle"),
    child("keepalives_interval"),
    child("keepalives_count"),
    child("tcp_user_timeout"),
    child("sslcompression"),
    child("sslsni"),
    child("krbsrvname"),
    child("gsslib"),
    child("load_balance_hosts"),
    // What SQLAlchemy hands to asyncpg.
    child("prepared_statement_cache_size"),
    child("prepared_statement_name_func"),
    child("statement_cache_size"),
    child("command_timeout"),
    child("async_fallback"),
    refused(
        "sslcrl",
        Some("PGSSLCRL"),
        "revocation lists would not be checked",
    ),
    refused(
        "sslcrldir",
        Some("PGSSLCRLDIR"),
        "revocation lists would not be checked",
    ),
    refused("sslpassword", None, "encrypted client keys cannot be read"),
    refused(
        "ssl_max_protocol_version",
        Some("PGSSLMAXPROTOCOLVERSION"),
        "the newest version is always offered",
    ),
    refused(
        "sslcertmode",
        Some("PGSSLCERTMODE"),
        "client certificates are sent when the server asks",
    ),
    refused(
        "requirepeer",
        Some("PGREQUIREPEER"),
        "the server process's owner would not be checked",
    ),
    refused(
        "require_auth",
        Some("PGREQUIREAUTH"),
        "the way of authentication would not be enforced",
    ),
    refused(
        "requiressl",
        Some("PGREQUIRESSL"),
        "it is obsolete; write sslmode=require",
    ),
    refused(
        "replication",
        None,
        "replication connections take no migrations",
    ),
    refused(
        "gssdelegation",
        Some("PGGSSDELEGATION"),
        "Kerberos is not supported",
    ),
    refused(
        "sslkeylogfile",
        None,
        "it would write the session's keys to a file",
    ),
];

/// The keyword of that name if it may be given, else the trouble, by name.
pub(super) fn known(name: &str) -> Result<&'static Keyword, Trouble> {
    let Some(keyword) = KEYWORDS.iter().find(|keyword| keyword.name == name) else {
        let shown = match is_word(name) {
            true => format!("the parameter `{name}` is not understood"),
            false => "it holds a parameter that is not understood".to_owned(),
        };
        return Err(Trouble::new(shown).hint(
            "remove it or write it as libpq does: nothing is dropped silently, least of all what protects the connection",
        ));
    };
    match keyword.usage {
        Use::Refused(why) => Err(Trouble::new(format!(
            "the parameter `{name}` is not supported: {why}"
        ))),
        _ => Ok(keyword),
    }
}

/// Whether a name is plainly a keyword and may be repeated to a person.
fn is_word(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && name
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Values by keyword, in the order given. No `Debug`: one may be the password.
pub(super) type Pairs = Vec<(&'static Keyword, String)>;

/// Adds a value, refusing a second one for the same keyword.
pub(super) fn add(pairs: &mut Pairs, name: &str, value: String) -> Result<(), Trouble> {
    let keyword = known(name)?;
    if pairs.iter().any(|(other, _)| other.name == keyword.name) {
        return Err(Trouble::new(format!("`{}` is given twice", keyword.name)));
    }
    pairs.push((keyword, value));
    Ok(())
}

/// Reads `host=db dbname='my shop'`.
pub(super) fn parse(text: &str) -> Result<Pairs, Trouble> {
    let mut pairs = Pairs::new();
    let mut rest = text.trim_start();
    // After a bare password a stray word may be its second half, so it is not repeated.
    let mut after_password = false;
    while !rest.is_empty() {
        let (name, after) = rest
            .split_once('=')
            .ok_or_else(|| Trouble::new("a keyword is not followed by `=`").hint(QUOTING))?;
        let name = name.trim_end();
        if after_password && known(name).is_err() {
            return Err(Trouble::new("what follows the password is not understood").hint(QUOTING));
        }
        if name.contains(char::is_whitespace) {
            return Err(Trouble::new("a keyword is not followed by `=`").hint(QUOTING));
        }
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let (value, remaining) = match quoted {
            true => quoted_value(after)?,
            false => bare_value(after),
        };
        add(&mut pairs, name, value)?;
        after_password = name == "password" && !quoted;
        rest = remaining.trim_start();
    }
    Ok(pairs)
}

const QUOTING: &str = "put a value with blanks in single quotes, as in password='a b'";

/// A value up to the next blank, with backslash escapes.
fn bare_value(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ if c.is_whitespace() => return (value, &text[at..]),
            _ => value.push(c),
        }
    }
    (value, "")
}

/// A value in single quotes, with backslash escapes.
fn quoted_value(text: &str) -> Result<(String, &str), Trouble> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\'' => return Ok((value, &text[at + 1..])),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => value.push(c),
        }
    }
    Err(Trouble::new("a quoted value is not closed").hint(QUOTING))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(&'static str, String)> {
        let pairs = parse(text).unwrap();
        pairs.into_iter().map(|(k, v)| (k.name, v)).collect()
    }

    fn reason(text: &str) -> String {
        parse(text).err().unwrap().reason
    }

    #[test]
    fn values_as_libpq_reads_them() {
        for (text, expected) in [
            ("host=db", vec![("host", "db")]),
            ("  host = db  port=1 ", vec![("host", "db"), ("port", "1")]),
            (
                "dbname='a b' user='it\\'s'",
                vec![("dbname", "a b"), ("user", "it's")],
            ),
            ("password='' host=x", vec![("password", ""), ("host", "x")]),
            ("password=a\\ b\\\\c", vec![("password", "a b\\c")]),
            ("user=ü", vec![("user", "ü")]),
            ("", vec![]),
        ] {
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(k, v)| (k, v.to_owned()))
                .collect();
            assert_eq!(read(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        for (text, expected) in [
            (
                "pgbouncer=true",
                "the parameter `pgbouncer` is not understood",
            ),
            ("host=a host=b", "`host` is given twice"),
            ("host", "a keyword is not followed by `=`"),
            ("host=a x y=z", "a keyword is not followed by `=`"),
            ("host='a", "a quoted value is not closed"),
            (
                "sslcrl=x",
                "the parameter `sslcrl` is not supported: revocation lists would not be checked",
            ),
        ] {
            assert_eq!(reason(text), expected, "{text}");
        }
    }

    #[test]
    fn a_password_with_a_blank_is_not_repeated() {
        for text in [
            "password=hunter two=x host=a",
            "password=hunter two host=a",
            "PassWord+=x",
        ] {
            let trouble = parse(text).err().unwrap();
            assert!(!trouble.reason.contains("two"), "{}", trouble.reason);
            assert!(!trouble.reason.contains("PassWord"), "{}", trouble.reason);
        }
    }
}
