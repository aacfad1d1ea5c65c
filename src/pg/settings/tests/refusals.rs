//! References that are not expanded, and settings that make no sense: refused with the whole sentence.

use super::*;

#[test]
fn an_unexpanded_reference_is_refused_with_file_and_line() {
    let text = format!(
        "{}DATABASE_URL=postgresql://privexbot:${{POSTGRES_PASSWORD}}@postgres:5432/privexbot\nPOSTGRES_PASSWORD={MARKER}\n",
        "\n".repeat(12)
    );
    let place = Place::new(&[]).file(".env", &text);
    let error = place.error();
    assert_eq!(
        error.to_string(),
        "read the connection settings: .env line 13: DATABASE_URL still contains ${POSTGRES_PASSWORD}: nothing has expanded it, and the literal text would be sent to the server"
    );
    assert!(error.hints()[0].starts_with("--expand-env expands it"));
    let expanded = resolve(&Inputs {
        expand_env: true,
        ..place.inputs()
    })
    .unwrap();
    assert_eq!(password(&expanded), Some(MARKER));
    let child = expanded
        .target
        .child_environment(expanded.dialect.as_deref());
    let url = child
        .iter()
        .find(|(name, _)| name == "DATABASE_URL")
        .unwrap();
    assert_eq!(
        url.1.reveal(),
        format!("postgresql://privexbot:{MARKER_ENCODED}@postgres:5432/privexbot")
    );
}

#[test]
fn references_are_refused_wherever_they_are_used() {
    for (variables, expected) in [
        (
            vec![("DATABASE_URL", "postgresql://a:${PW}@h/d")],
            "DATABASE_URL still contains ${PW}",
        ),
        (
            vec![("DATABASE_URL", "${URL:-postgresql://x}")],
            "DATABASE_URL still contains ${URL}",
        ),
        (
            vec![("DB_HOST", "h"), ("POSTGRES_PASSWORD", "$DB_PASSWORD")],
            "POSTGRES_PASSWORD still contains ${DB_PASSWORD}",
        ),
        (vec![("PGHOST", "${H}")], "PGHOST still contains ${H}"),
        (
            vec![("PGHOST", "h"), ("PGPASSWORD_FILE", "${F}")],
            "PGPASSWORD_FILE still contains ${F}",
        ),
    ] {
        let message = Place::new(&variables).error().to_string();
        assert!(message.contains(expected), "{message}");
    }
    let place = Place::new(&[]);
    let error = place.with_flag("host=${H}").unwrap_err();
    assert!(
        error
            .to_string()
            .contains("--database-url still contains ${H}")
    );
    // A setting that is not used may hold what it likes.
    let place = Place::new(&[
        ("DATABASE_URL", "postgresql://a:b@h/d"),
        ("PGPASSWORD", "${X}"),
    ]);
    assert_eq!(password(&place.resolve()), Some("b"));
}

#[test]
fn expansion_that_fails_says_why() {
    let place = Place::new(&[("DATABASE_URL", "postgresql://a:${NONE}@h/d")]);
    let inputs = Inputs {
        expand_env: true,
        ..place.inputs()
    };
    assert_eq!(
        resolve(&inputs).unwrap_err().to_string(),
        "expand the connection settings: DATABASE_URL refers to ${NONE}, which is set nowhere"
    );
    let place = Place::new(&[]).file(".env", "DATABASE_URL='postgresql://a:${PW}@h/d'\nPW=x");
    let inputs = Inputs {
        expand_env: true,
        ..place.inputs()
    };
    let error = resolve(&inputs).unwrap_err();
    assert!(error.hints()[0].starts_with("single quotes forbid expansion"));
}

/// What stands in DATABASE_URL, and the whole refusal.
const REFUSED_URLS: [(&str, &str); 20] = [
    (
        "postgresql://h:x/d",
        "read DATABASE_URL: the port is not a number between 1 and 65535",
    ),
    (
        "postgresql+foo://h/d",
        "read DATABASE_URL: the SQLAlchemy driver `foo` is not known",
    ),
    (
        "mysql://h/d",
        "read DATABASE_URL: `mysql` is not a scheme of PostgreSQL",
    ),
    (
        "shop",
        "read DATABASE_URL: it is neither a URL nor `keyword=value` pairs",
    ),
    (
        "postgresql://h/d?foo=1",
        "read DATABASE_URL: the parameter `foo` is not understood",
    ),
    (
        "host=h foo=1",
        "read DATABASE_URL: the parameter `foo` is not understood",
    ),
    (
        "postgresql://h/d?sslmode=on",
        "read DATABASE_URL: `sslmode` is not one of disable, allow, prefer, require, verify-ca and verify-full",
    ),
    (
        "postgresql://h/d?sslmode=verify-full",
        "read DATABASE_URL: sslmode=verify-full needs root certificates, and none are named",
    ),
    (
        "postgresql://h/d?sslmode=require&sslrootcert=nope.crt",
        "read DATABASE_URL: the file ~/nope.crt is not there",
    ),
    (
        "postgresql://h/d?sslmode=require&sslrootcert=system",
        "read DATABASE_URL: sslmode=require is too weak for sslrootcert=system: any certificate of a public authority would pass",
    ),
    (
        "postgresql://h/d?sslcert=x",
        "read DATABASE_URL: `sslcert` is given without `sslkey`",
    ),
    (
        "postgresql://h/d?sslnegotiation=direct",
        "read DATABASE_URL: sslnegotiation=direct cannot be used with sslmode=prefer",
    ),
    (
        "postgresql://h/d?connect_timeout=x",
        "read DATABASE_URL: `connect_timeout` is not a number of seconds",
    ),
    (
        "postgresql://h/d?hostaddr=x",
        "read DATABASE_URL: `hostaddr` is not an IP address",
    ),
    (
        "host=a,b port=1,2,3 dbname=d",
        "read DATABASE_URL: `port` lists 3 for 2 servers",
    ),
    (
        "host=a,b hostaddr=127.0.0.1 dbname=d",
        "read DATABASE_URL: `host` lists 2 for 1 addresses",
    ),
    (
        "host=@x dbname=d",
        "read DATABASE_URL: sockets in the abstract namespace (@name) are not supported",
    ),
    (
        "service=none",
        "read DATABASE_URL: no service file defines the service \"none\"",
    ),
    (
        "postgresql://h/d?target_session_attrs=x",
        "read DATABASE_URL: `target_session_attrs` is not any, read-write, read-only, primary or standby",
    ),
    (
        "postgresql://h/d?gssencmode=require",
        "read DATABASE_URL: `gssencmode` is not disable or prefer, and Kerberos is not supported",
    ),
];

#[test]
fn exact_refusals_of_urls() {
    for (url, expected) in REFUSED_URLS {
        assert_eq!(
            Place::new(&[("DATABASE_URL", url)]).message(),
            expected,
            "{url}"
        );
    }
}

#[test]
fn exact_refusals_of_parts() {
    assert_eq!(
        Place::new(&[("PGPASSWORD", "x")]).message(),
        "find out which database to work on: no setting names one"
    );
    assert_eq!(
        Place::new(&[("DB_HOST", "h"), ("PGREQUIREAUTH", "scram-sha-256")]).message(),
        "read PGREQUIREAUTH: it is not supported: the way of authentication would not be enforced"
    );
    assert_eq!(
        Place::new(&[("DB_HOST", "h"), ("DB_PORT", "x")]).message(),
        "read DB_PORT: the port is not a number between 1 and 65535"
    );
}
