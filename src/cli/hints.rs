//! Trouble-shooting hints that fit the failure found; never a generic list.
//!
//! An error's own hints come first; these add what only the whole picture shows: which source the
//! setting came from, and what this kind of failure usually is in containers and clouds.

use crate::error::Error;
use crate::pg::settings::Provenance;

/// More would not be read.
const MOST: usize = 7;

/// A failure that people know, recognised by SQLSTATE or, where no server gave one, by words of the reason: a server's
/// words hold names of users, which may be anything.
struct Known {
    codes: &'static [&'static str],
    words: &'static [&'static str],
    hints: &'static [&'static str],
}

const KNOWN: &[Known] = &[
    Known {
        codes: &["28P01"],
        words: &["password authentication failed"],
        hints: &[
            "the server was reached and said no to this password: host and port are right",
            "in a URL, characters such as @ : / % # must be percent-encoded; in POSTGRES_PASSWORD they must not",
            "a database volume keeps the password of its first start: changing POSTGRES_PASSWORD later changes nothing",
            "try it by hand: psql with the same host, port, database and user",
        ],
    },
    Known {
        codes: &["28000"],
        words: &["no pg_hba.conf entry"],
        hints: &[
            "pg_hba.conf decides by address, user, database and encryption: the server's log names the line that matched",
            "managed servers often insist on TLS: add sslmode=require",
        ],
    },
    Known {
        codes: &["3D000"],
        words: &[],
        hints: &[
            "the server was reached and the password was right: only the database's name is not",
            "names are case-sensitive here; `psql -l` lists them",
            "a missing name in a URL means the user's name",
        ],
    },
    Known {
        codes: &[],
        words: &["Connection refused", "connection refused"],
        hints: &[
            "the host answered but nothing listens on that port: is the server still starting, or is the port another one?",
            "inside a container, localhost is the container itself: use the service's name (db, postgres)",
            "listen_addresses of the server may allow only local connections",
        ],
    },
    Known {
        codes: &[],
        words: &[
            "lookup",
            "Name or service not known",
            "nodename nor servname",
            "No address associated",
            "resolve",
        ],
        hints: &[
            "the host's name cannot be resolved from here: check its spelling",
            "Compose service names resolve only inside the same network: is this container on it?",
            "a password with an unencoded @ or / moves the host's place in the URL: percent-encode it",
        ],
    },
    Known {
        codes: &[],
        words: &[
            "timed out",
            "No route to host",
            "Network is unreachable",
            "did not answer",
        ],
        hints: &[
            "packets vanish: a firewall or security group between here and the server",
            "managed servers often admit only their private network",
        ],
    },
    Known {
        codes: &[],
        words: &["No such file or directory (os error 2)", "socket"],
        hints: &[
            "a host that begins with / is a socket directory: does the server use another one?",
            "in a container, the socket directory must be mounted, or use TCP",
        ],
    },
    Known {
        codes: &[],
        words: &["certificate", "TLS", "handshake", "UnknownIssuer"],
        hints: &[
            "sslmode=verify-ca and verify-full need the server's root certificate: sslrootcert=FILE",
            "verify-full also compares the host's name with the certificate's",
        ],
    },
    Known {
        codes: &[],
        words: &[
            "not PostgreSQL",
            "unexpected response",
            "unexpected message",
        ],
        hints: &[
            "something else listens on that port: HTTP servers and poolers' admin ports are common",
        ],
    },
    Known {
        codes: &["53300"],
        words: &["too many clients"],
        hints: &["all connection slots are taken: stop a pool, or raise max_connections"],
    },
    Known {
        codes: &[],
        words: &["No module named"],
        hints: &[
            "Alembic needs a synchronous driver; asyncpg alone will not do: pip install psycopg2-binary or psycopg[binary]",
            "the driver must be in the same environment as the alembic that is started",
        ],
    },
    Known {
        codes: &[],
        words: &["Permission denied", "Read-only file system"],
        hints: &[
            "in a container, mount a volume for the store that this user may write: --store DIR or PGBELAY_STORE",
        ],
    },
];

/// Hints for a failure, the error's own first.
pub(crate) fn for_error(error: &Error, provenance: &[Provenance]) -> Vec<String> {
    let mut hints: Vec<String> = error.hints().to_vec();
    let reason = error.reason().unwrap_or_default();
    let fits = |known: &&Known| match error.sqlstate() {
        Some(code) => known.codes.contains(&code),
        None => known.words.iter().any(|words| reason.contains(words)),
    };
    if let Some(known) = KNOWN.iter().find(fits) {
        let told = hints.iter().any(|hint| hint.contains(" came from "));
        hints.extend(source_hint(known, provenance).filter(|_| !told));
        hints.extend(known.hints.iter().map(ToString::to_string));
    }
    hints.dedup();
    hints.truncate(MOST);
    hints
}

/// Where the setting that failed came from: the first thing to look at.
fn source_hint(known: &Known, provenance: &[Provenance]) -> Option<String> {
    let setting = match known.codes.first() {
        Some(&"28P01") => "password",
        Some(&"3D000") => "database",
        None if known.words.contains(&"lookup") => "host",
        _ => return None,
    };
    let found = provenance.iter().find(|part| part.setting == setting)?;
    Some(format!("the {setting} came from {}", found.source))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_password_names_its_source_first() {
        let error = Error::refused("connect to db")
            .because("no")
            .with_sqlstate("28P01");
        let provenance = [Provenance {
            setting: "password",
            shown: "***".into(),
            source: "DATABASE_URL in .env, line 13".into(),
        }];
        let hints = for_error(&error, &provenance);
        assert_eq!(
            hints[0],
            "the password came from DATABASE_URL in .env, line 13"
        );
        assert!(hints.len() > 2 && hints.len() <= MOST);
    }

    #[test]
    fn names_of_users_earn_no_hints() {
        let error = Error::operation("read it")
            .because("permission denied for table tls_certificates")
            .with_sqlstate("42501");
        assert!(for_error(&error, &[]).is_empty());
    }

    #[test]
    fn an_unknown_failure_gets_no_generic_list() {
        let error = Error::operation("do it")
            .because("something strange")
            .hint("its own");
        assert_eq!(for_error(&error, &[]), ["its own"]);
    }
}
