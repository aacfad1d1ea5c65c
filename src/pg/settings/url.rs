//! Connection URLs: libpq's and SQLAlchemy's, read by one parser.
//!
//! Where the two disagree, what is unambiguous is accepted (a raw `/` or `?` in a password whose
//! start cannot be a port) and what is not is refused. Troubles never quote the URL: in a URL that
//! was split at the wrong place any part may be a piece of the password.

use percent_encoding::percent_decode_str;

use super::keywords::{Pairs, Trouble, add};

/// The schemes that are understood: libpq's and SQLAlchemy's with a driver.
const SCHEMES: [&str; 6] = [
    "postgresql",
    "postgres",
    "postgresql+psycopg2",
    "postgresql+psycopg",
    "postgresql+asyncpg",
    "postgresql+pg8000",
];

const ENCODE: &str = "percent-encode what is special in a user name or password: % as %25, @ as %40, / as %2F, : as %3A, ? as %3F, # as %23";

/// A URL taken apart. No `Debug`: it holds the password.
pub(super) struct Parsed {
    /// The scheme as given.
    pub scheme: &'static str,
    /// What the parts say, as libpq keywords.
    pub pairs: Pairs,
}

/// Whether the text is meant as a URL.
pub(super) fn is_url(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'))
    })
}

/// Reads a URL.
pub(super) fn parse(text: &str) -> Result<Parsed, Trouble> {
    let (scheme, rest) = text.split_once("://").unwrap_or((text, ""));
    let scheme = known_scheme(scheme)?;
    let pieces = split(rest)?;
    let mut pairs = Pairs::new();
    if let Some(credentials) = pieces.credentials {
        let (user, password) = match credentials.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (credentials, None),
        };
        add_part(&mut pairs, "user", user)?;
        add_part(&mut pairs, "password", password.unwrap_or_default())?;
    }
    add_servers(&mut pairs, pieces.servers)?;
    add_part(&mut pairs, "dbname", pieces.database)?;
    add_query(&mut pairs, pieces.query)?;
    Ok(Parsed { scheme, pairs })
}

fn known_scheme(scheme: &str) -> Result<&'static str, Trouble> {
    if let Some(known) = SCHEMES.iter().find(|known| **known == scheme) {
        return Ok(known);
    }
    let (base, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
    let reason = match base {
        "postgresql" => format!("the SQLAlchemy driver `{driver}` is not known"),
        "postgres" if !driver.is_empty() => {
            "SQLAlchemy's dialect is called `postgresql`, not `postgres`".to_owned()
        }
        _ => format!("`{scheme}` is not a scheme of PostgreSQL"),
    };
    Err(Trouble::new(reason).hint(
        "write postgresql://user:password@host:5432/database, with +psycopg2, +psycopg, +asyncpg or +pg8000 after postgresql if the migration needs it",
    ))
}

struct Pieces<'a> {
    credentials: Option<&'a str>,
    servers: &'a str,
    database: &'a str,
    query: &'a str,
}

fn split(rest: &str) -> Result<Pieces<'_>, Trouble> {
    let (credentials, after) = split_credentials(rest);
    let end = after.find(['/', '?']).unwrap_or(after.len());
    let (servers, tail) = after.split_at(end);
    let (path, query) = tail.split_once('?').unwrap_or((tail, ""));
    if after.contains('@') {
        return Err(Trouble::new("it holds an @ too many").hint(ENCODE));
    }
    let database = path.strip_prefix('/').unwrap_or(path);
    if database.contains('/') {
        return Err(Trouble::new("the database name holds a /").hint(ENCODE));
    }
    Ok(Pieces {
        credentials,
        servers,
        database,
        query,
    })
}

/// Splits off `user:password`. libpq ends it at the first `/`, SQLAlchemy at the first `@`; the
/// first `@` counts unless what stands before the `/` can only be servers.
fn split_credentials(rest: &str) -> (Option<&str>, &str) {
    let Some(at) = rest.find('@') else {
        return (None, rest);
    };
    let before = &rest[..at];
    let servers_only = before
        .find(['/', '?'])
        .is_some_and(|end| before[..end].split(',').all(could_be_server));
    match servers_only {
        true => (None, rest),
        false => (Some(before), &rest[at + 1..]),
    }
}

fn could_be_server(text: &str) -> bool {
    if text.starts_with('[') {
        return true;
    }
    match text.split_once(':') {
        None => true,
        Some((_, port)) => port.chars().all(|c| c.is_ascii_digit()),
    }
}

/// `host:port,host:port` becomes libpq's two lists.
fn add_servers(pairs: &mut Pairs, servers: &str) -> Result<(), Trouble> {
    if servers.is_empty() {
        return Ok(());
    }
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for server in servers.split(',') {
        let (host, port) = server_parts(server)?;
        hosts.push(decoded(host, "host")?);
        ports.push(port.to_owned());
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        add(pairs, "host", hosts.join(","))?;
    }
    if ports.iter().any(|port| !port.is_empty()) {
        add(pairs, "port", ports.join(","))?;
    }
    Ok(())
}

fn server_parts(server: &str) -> Result<(&str, &str), Trouble> {
    let (host, port) = match server.strip_prefix('[') {
        Some(address) => {
            let (host, after) = address
                .split_once(']')
                .ok_or_else(|| Trouble::new("the [ of an IPv6 address is not closed"))?;
            (host, after.strip_prefix(':').unwrap_or(after))
        }
        None => server.split_once(':').unwrap_or((server, "")),
    };
    // `${…}` is refused with file and line before a URL is parsed; here it can only be a mistake.
    let sound = port.is_empty() || port.parse::<u16>().is_ok_and(|number| number > 0);
    match sound {
        true => Ok((host, port)),
        false => Err(
            Trouble::new("the port is not a number between 1 and 65535").hint(format!(
                "check the part between host and database; {ENCODE}"
            )),
        ),
    }
}

fn add_query(pairs: &mut Pairs, query: &str) -> Result<(), Trouble> {
    let mut hosts = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter
            .split_once('=')
            .ok_or_else(|| Trouble::new("a parameter after the ? has no `=`").hint(ENCODE))?;
        let name = decoded(name, "parameter")?;
        let value = decoded(value, "parameter")?;
        match name.as_str() {
            // SQLAlchemy repeats `host` for several servers.
            "host" => hosts.push(value),
            "ssl" => add(pairs, "sslmode", translated_ssl(&value)?)?,
            _ => add(pairs, &name, value)?,
        }
    }
    match hosts.is_empty() {
        true => Ok(()),
        false => add_query_hosts(pairs, &hosts.join(",")),
    }
}

/// asyncpg's `ssl` takes libpq's modes; libpq itself takes `ssl=true` from JDBC URLs.
fn translated_ssl(value: &str) -> Result<String, Trouble> {
    if value == "true" {
        return Ok("require".to_owned());
    }
    crate::pg::target::TlsMode::named(value)
        .map(|mode| mode.name().to_owned())
        .ok_or_else(|| {
            Trouble::new("the parameter `ssl` is not one of libpq's modes").hint(
                "write ssl=require, ssl=verify-ca or ssl=verify-full; ssl=disable to go without",
            )
        })
}

/// `host=a:1,b:2` as SQLAlchemy allows it; libpq's own form has the ports apart.
fn add_query_hosts(pairs: &mut Pairs, hosts: &str) -> Result<(), Trouble> {
    let with_ports = hosts.split(',').any(|host| {
        host.split_once(':')
            .is_some_and(|(_, port)| !port.is_empty() && port.chars().all(|c| c.is_ascii_digit()))
    });
    match with_ports {
        false => add(pairs, "host", hosts.to_owned()),
        true => add_servers(pairs, hosts),
    }
}

fn add_part(pairs: &mut Pairs, name: &str, raw: &str) -> Result<(), Trouble> {
    if raw.is_empty() {
        return Ok(());
    }
    let what = match name {
        "dbname" => "database name",
        "user" => "user name",
        other => other,
    };
    let value = decoded(raw, what)?;
    add(pairs, name, value)
}

/// Undoes percent-encoding, strictly: a stray `%` means that encoding was forgotten.
fn decoded(raw: &str, what: &str) -> Result<String, Trouble> {
    let broken = raw.split('%').skip(1).any(|after| {
        let digits = after.as_bytes().get(..2);
        !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit))
    });
    if broken {
        let reason = format!("the {what} holds a % that two hexadecimal digits do not follow");
        return Err(Trouble::new(reason).hint(ENCODE));
    }
    let text = percent_decode_str(raw)
        .decode_utf8()
        .map_err(|_| Trouble::new(format!("the {what} is not UTF-8 after percent-decoding")))?;
    if text.contains('\0') {
        return Err(Trouble::new(format!("the {what} holds a zero byte")));
    }
    Ok(text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Vec<(&'static str, String)> {
        let parsed = parse(url).map_err(|t| t.reason).unwrap();
        parsed.pairs.into_iter().map(|(k, v)| (k.name, v)).collect()
    }

    fn shown(url: &str) -> String {
        let pairs = read(url);
        let all: Vec<_> = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect();
        all.join(" ")
    }

    fn reason(url: &str) -> String {
        parse(url).err().unwrap_or_else(|| panic!("{url}")).reason
    }

    #[test]
    fn accepted_urls() {
        for (url, expected) in [
            ("postgresql://", ""),
            ("postgres://db", "host=db"),
            ("postgresql://db:5433/shop", "host=db port=5433 dbname=shop"),
            ("postgresql://app@db/shop", "user=app host=db dbname=shop"),
            (
                "postgresql+psycopg2://app:pw@db/shop",
                "user=app password=pw host=db dbname=shop",
            ),
            (
                "postgresql+psycopg://a:p%40%3a%2Fw@db/s",
                "user=a password=p@:/w host=db dbname=s",
            ),
            (
                "postgresql://a:p:q@db/s",
                "user=a password=p:q host=db dbname=s",
            ),
            (
                "postgresql+pg8000://a:p/w?x#y@db/s",
                "user=a password=p/w?x#y host=db dbname=s",
            ),
            ("postgresql:///shop", "dbname=shop"),
            (
                "postgresql:///s?host=/run/pg&port=5433",
                "dbname=s port=5433 host=/run/pg",
            ),
            (
                "postgresql://%2Frun%2Fpg:5433/s",
                "host=/run/pg port=5433 dbname=s",
            ),
            ("postgresql://a,b:2,c/s", "host=a,b,c port=,2, dbname=s"),
            (
                "postgresql+psycopg2://u@/s?host=a:1&host=b:2",
                "user=u dbname=s host=a,b port=1,2",
            ),
            (
                "postgresql://[::1]:5433,[fe80::2]/s",
                "host=::1,fe80::2 port=5433, dbname=s",
            ),
            (
                "postgresql+asyncpg://h/s?ssl=verify-full",
                "host=h dbname=s sslmode=verify-full",
            ),
            (
                "postgresql://h/s?ssl=true",
                "host=h dbname=s sslmode=require",
            ),
            (
                "postgresql://h/s?options=-c%20a%3Db",
                "host=h dbname=s options=-c a=b",
            ),
            ("postgresql://h?service=x", "host=h service=x"),
            ("postgresql://h/%C3%BC", "host=h dbname=ü"),
        ] {
            assert_eq!(shown(url), expected, "{url}");
        }
    }

    #[test]
    fn refused_urls() {
        for (url, expected) in [
            ("mysql://h/s", "`mysql` is not a scheme of PostgreSQL"),
            (
                "postgresql+foo://h/s",
                "the SQLAlchemy driver `foo` is not known",
            ),
            (
                "postgres+asyncpg://h/s",
                "SQLAlchemy's dialect is called `postgresql`, not `postgres`",
            ),
            (
                "postgresql://h:x/s",
                "the port is not a number between 1 and 65535",
            ),
            (
                "postgresql://h:0/s",
                "the port is not a number between 1 and 65535",
            ),
            (
                "postgresql://h:65536/s",
                "the port is not a number between 1 and 65535",
            ),
            (
                "postgresql://h:1:2/s",
                "the port is not a number between 1 and 65535",
            ),
            ("postgresql://a:p@q@h/s", "it holds an @ too many"),
            ("postgresql://a:12/x@h/s", "it holds an @ too many"),
            ("postgresql://a:12?x=y@h/s", "it holds an @ too many"),
            ("postgresql://h/a/b", "the database name holds a /"),
            (
                "postgresql://a:50%off@h/s",
                "the password holds a % that two hexadecimal digits do not follow",
            ),
            (
                "postgresql://a:%ff@h/s",
                "the password is not UTF-8 after percent-decoding",
            ),
            ("postgresql://a:%00@h/s", "the password holds a zero byte"),
            (
                "postgresql://[::1/s",
                "the [ of an IPv6 address is not closed",
            ),
            ("postgresql://h/s?x", "a parameter after the ? has no `=`"),
            (
                "postgresql://h/s?pgbouncer=true",
                "the parameter `pgbouncer` is not understood",
            ),
            (
                "postgresql://h/s?ssl=1",
                "the parameter `ssl` is not one of libpq's modes",
            ),
            (
                "postgresql://h/s?sslmode=require&ssl=true",
                "`sslmode` is given twice",
            ),
            ("postgresql://h/s?host=i", "`host` is given twice"),
        ] {
            assert_eq!(reason(url), expected, "{url}");
        }
    }

    #[test]
    fn no_trouble_repeats_the_url() {
        for url in [
            "postgresql://app:hun@ter2@db/shop",
            "postgresql://app:1/hunter2@db/shop",
            "postgresql://app:1?hunter2=x@db/shop",
            "postgresql://app:hunter2%@db/shop",
            "postgresql://app:hunter2/shop",
            "postgresql://db:5432/shop?password=hunter2&password=hunter2",
        ] {
            let trouble = parse(url).err().unwrap_or_else(|| panic!("{url}"));
            let all = format!("{} {:?}", trouble.reason, trouble.hint);
            assert!(!all.contains("hunter2") && !all.contains("ter2"), "{all}");
        }
    }

    #[test]
    fn urls_are_told_from_keywords() {
        assert!(is_url("postgresql+psycopg2://x"));
        assert!(!is_url("host=x options=a://b"));
        assert!(!is_url("://x"));
    }
}
