//! A target in the forms that others read: the masked URL for people, the environment for the
//! migration, and every form of the password that has to be masked in its output.

use std::collections::BTreeSet;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::secret::Secret;
use super::target::{ChannelBinding, Endpoint, Roots, SessionAttributes, Target, TlsMode};

/// Everything but RFC 3986's unreserved characters is percent-encoded in a URL's parts.
const URL_PART: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// In a query a path stays readable.
const QUERY_VALUE: &AsciiSet = &URL_PART.remove(b'/').remove(b',').remove(b':');

/// Python's `quote(password, safe=" +")`, the form in which SQLAlchemy prints a URL.
const SQLALCHEMY_PASSWORD: &AsciiSet = &URL_PART.remove(b' ').remove(b'+');

/// Variables that would beat or contradict what [`Target::child_environment`] sets; whoever
/// starts the child removes them from its environment.
pub const SHADOWING_VARIABLES: [&str; 5] = [
    "PGSERVICE",
    "PGSERVICEFILE",
    "DATABASE_URL_FILE",
    "POSTGRES_PASSWORD_FILE",
    "PGPASSWORD_FILE",
];

/// What a child must not inherit beside these variables: [`SHADOWING_VARIABLES`] when they name a
/// target, nothing when they do not and the child finds its own way.
pub fn shadowing(variables: &[(String, Secret)]) -> &'static [&'static str] {
    match variables.iter().any(|(name, _)| name == "PGHOST") {
        true => &SHADOWING_VARIABLES,
        false => &[],
    }
}

impl Target {
    /// The target as a URL whose password is `***`: the only form that messages, journal and
    /// manifest may hold.
    pub fn masked(&self) -> String {
        let password = self.endpoints.iter().any(|e| e.password.is_some());
        let query = match self.tls.mode {
            TlsMode::Prefer => Vec::new(),
            _ if self.is_local() => Vec::new(),
            mode => vec![("sslmode".to_owned(), mode.name().to_owned())],
        };
        self.url("postgresql", password.then_some("***"), query)
    }

    /// Every form in which the password could turn up in somebody's output.
    pub fn secrets(&self) -> Vec<Secret> {
        let mut forms = BTreeSet::new();
        for password in self.endpoints.iter().filter_map(|e| e.password.as_ref()) {
            let raw = password.reveal();
            forms.insert(raw.to_owned());
            forms.insert(encoded(raw));
            forms.insert(lower_escapes(&encoded(raw)));
            forms.insert(utf8_percent_encode(raw, SQLALCHEMY_PASSWORD).to_string());
            forms.insert(encoded(raw).replace("%20", "+"));
        }
        forms.retain(|form| !form.is_empty());
        forms.into_iter().map(Secret::new).collect()
    }

    /// What the migration finds in its environment: the same database in libpq's variables and in
    /// the component variables, and as `DATABASE_URL` when a `dialect` (the scheme that was given,
    /// `postgresql+psycopg2`) says in which form. Without one the migration builds its own URL,
    /// as it would without us.
    pub fn child_environment(&self, dialect: Option<&str>) -> Vec<(String, Secret)> {
        let mut variables = self.libpq_variables();
        variables.extend(self.component_variables());
        if let Some(scheme) = dialect {
            variables.push(("DATABASE_URL", self.child_url(scheme)));
        }
        variables
            .into_iter()
            .map(|(name, value)| (name.to_owned(), Secret::new(value)))
            .collect()
    }

    /// The one password, when all servers share it.
    fn password(&self) -> Option<&str> {
        let mut passwords = self.endpoints.iter().map(|e| e.password.as_ref());
        let first = passwords.next()??;
        passwords
            .all(|other| other == Some(first))
            .then(|| first.reveal())
    }

    /// Whether only Unix sockets are used, where TLS plays no part.
    fn is_local(&self) -> bool {
        self.endpoints.iter().all(Endpoint::is_socket)
    }

    fn joined(&self, part: impl Fn(&Endpoint) -> String) -> String {
        let all: Vec<_> = self.endpoints.iter().map(part).collect();
        all.join(",")
    }

    fn libpq_variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("PGHOST", self.joined(|e| e.host.clone())),
            ("PGPORT", self.joined(|e| e.port.to_string())),
            ("PGDATABASE", self.database.clone()),
            ("PGUSER", self.user.clone()),
            // Empty means absent to libpq, and an inherited address must not win.
            ("PGHOSTADDR", self.addresses()),
        ];
        let path = |path: &std::path::Path| path.display().to_string();
        let mut add = |name, value: Option<String>| variables.extend(value.map(|v| (name, v)));
        add("PGPASSWORD", self.password().map(str::to_owned));
        add("PGPASSFILE", self.password_file.as_deref().map(path));
        add("PGAPPNAME", self.application_name.clone());
        add("PGOPTIONS", self.options.clone());
        let timeout = self.connect_timeout.map(|t| t.as_secs().to_string());
        add("PGCONNECT_TIMEOUT", timeout);
        let attributes = self.session_attributes;
        let restricted = attributes != SessionAttributes::Any;
        add(
            "PGTARGETSESSIONATTRS",
            restricted.then(|| attributes.name().to_owned()),
        );
        if !self.is_local() {
            variables.extend(self.tls_variables());
        }
        variables
    }

    fn addresses(&self) -> String {
        match self.endpoints.iter().any(|e| e.address.is_some()) {
            false => String::new(),
            true => self.joined(|e| e.address.map_or(String::new(), |a| a.to_string())),
        }
    }

    fn tls_variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![("PGSSLMODE", self.tls.mode.name().to_owned())];
        let roots = match &self.tls.roots {
            Roots::Unset | Roots::DefaultFile(_) => None,
            Roots::System => Some("system".to_owned()),
            Roots::File(path) => Some(path.display().to_string()),
        };
        variables.extend(roots.map(|value| ("PGSSLROOTCERT", value)));
        if let Some((certificate, key)) = &self.tls.client {
            variables.push(("PGSSLCERT", certificate.display().to_string()));
            variables.push(("PGSSLKEY", key.display().to_string()));
        }
        if self.tls.direct {
            variables.push(("PGSSLNEGOTIATION", "direct".to_owned()));
        }
        if self.tls.newest_only {
            variables.push(("PGSSLMINPROTOCOLVERSION", "TLSv1.3".to_owned()));
        }
        match self.tls.channel_binding {
            ChannelBinding::Prefer => {}
            ChannelBinding::Disable => variables.push(("PGCHANNELBINDING", "disable".to_owned())),
            ChannelBinding::Require => variables.push(("PGCHANNELBINDING", "require".to_owned())),
        }
        variables
    }

    /// The component variables agree with the rest, or a migration that reads them would work on
    /// another database than the one that was backed up.
    fn component_variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = vec![
            ("POSTGRES_DB", self.database.clone()),
            ("POSTGRES_USER", self.user.clone()),
            ("DB_HOST", self.joined(|e| e.host.clone())),
            ("DB_PORT", self.joined(|e| e.port.to_string())),
        ];
        let password = self.password().map(str::to_owned);
        variables.extend(password.map(|value| ("POSTGRES_PASSWORD", value)));
        variables
    }

    /// The URL with its password, for the child's environment only.
    fn child_url(&self, scheme: &str) -> String {
        let mode = self.tls.mode;
        let key = match scheme {
            "postgresql+asyncpg" => Some("ssl"),
            "postgresql+pg8000" => None,
            _ => Some("sslmode"),
        };
        let weak = mode == TlsMode::Prefer || self.is_local();
        let mut query = self.child_parameters.clone();
        if let Some(key) = key.filter(|_| !weak) {
            query.push((key.to_owned(), mode.name().to_owned()));
        }
        let password = self.password().map(encoded);
        self.url(scheme, password.as_deref(), query)
    }

    /// A URL for this scheme; `password` must be encoded already. One server by name stands in the
    /// authority; sockets and several servers go into the query, which libpq and SQLAlchemy both read.
    fn url(&self, scheme: &str, password: Option<&str>, query: Vec<(String, String)>) -> String {
        let mut parameters = query;
        let authority = match self.endpoints.as_slice() {
            [only] if !only.is_socket() => server(only),
            _ => {
                parameters.insert(0, ("port".to_owned(), self.joined(|e| e.port.to_string())));
                parameters.insert(0, ("host".to_owned(), self.joined(|e| e.host.clone())));
                String::new()
            }
        };
        let password = password.map(|p| format!(":{p}")).unwrap_or_default();
        let (user, database) = (encoded(&self.user), encoded(&self.database));
        let parameters: Vec<_> = parameters.iter().map(parameter).collect();
        let query = match parameters.is_empty() {
            true => String::new(),
            false => format!("?{}", parameters.join("&")),
        };
        format!("{scheme}://{user}{password}@{authority}/{database}{query}")
    }
}

/// One server in the authority of a URL.
fn server(endpoint: &Endpoint) -> String {
    match endpoint.host.contains(':') {
        true => format!("[{}]:{}", endpoint.host, endpoint.port),
        false => format!("{}:{}", encoded(&endpoint.host), endpoint.port),
    }
}

fn parameter((name, value): &(String, String)) -> String {
    format!("{name}={}", utf8_percent_encode(value, QUERY_VALUE))
}

/// The same encoding with lower-case escapes, as some clients write them.
fn lower_escapes(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (escape, rest) = part.split_at(part.len().min(2));
        text.push('%');
        text.push_str(&escape.to_lowercase());
        text.push_str(rest);
    }
    text
}

/// Percent-encodes one part of a URL.
pub(super) fn encoded(part: &str) -> String {
    utf8_percent_encode(part, URL_PART).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::new("db", 5432, "shop", "app").with_password(&Secret::new("p@ss/w +"))
    }

    fn value(target: &Target, dialect: Option<&str>, name: &str) -> Option<String> {
        let variables = target.child_environment(dialect);
        let found = variables.into_iter().find(|(n, _)| n == name);
        found.map(|(_, secret)| secret.reveal().to_owned())
    }

    #[test]
    fn masked_forms() {
        let mut target = target();
        assert_eq!(target.masked(), "postgresql://app:***@db:5432/shop");
        target.tls.mode = TlsMode::Require;
        assert_eq!(
            target.masked(),
            "postgresql://app:***@db:5432/shop?sslmode=require"
        );
        assert!(!format!("{target:?}").contains("ss/w"));
        let socket = Target::new("/run/pg", 5433, "shop", "app");
        assert_eq!(
            socket.masked(),
            "postgresql://app@/shop?host=/run/pg&port=5433"
        );
        let mut several = socket;
        several.endpoints = vec![Endpoint::new("a", 1), Endpoint::new("b", 2)];
        assert_eq!(several.masked(), "postgresql://app@/shop?host=a,b&port=1,2");
        let six = Target::new("::1", 5432, "a b", "ü");
        assert_eq!(six.masked(), "postgresql://%C3%BC@[::1]:5432/a%20b");
    }

    #[test]
    fn the_child_gets_its_own_dialect() {
        let mut target = target();
        target.tls.mode = TlsMode::VerifyFull;
        for (dialect, url) in [
            (
                "postgresql",
                "postgresql://app:p%40ss%2Fw%20%2B@db:5432/shop?sslmode=verify-full",
            ),
            (
                "postgresql+psycopg2",
                "postgresql+psycopg2://app:p%40ss%2Fw%20%2B@db:5432/shop?sslmode=verify-full",
            ),
            (
                "postgresql+asyncpg",
                "postgresql+asyncpg://app:p%40ss%2Fw%20%2B@db:5432/shop?ssl=verify-full",
            ),
            (
                "postgresql+pg8000",
                "postgresql+pg8000://app:p%40ss%2Fw%20%2B@db:5432/shop",
            ),
        ] {
            assert_eq!(value(&target, Some(dialect), "DATABASE_URL").unwrap(), url);
        }
        assert_eq!(value(&target, None, "DATABASE_URL"), None);
    }

    #[test]
    fn variables_agree_with_the_target() {
        let target = target();
        for (name, expected) in [
            ("PGHOST", Some("db")),
            ("PGPORT", Some("5432")),
            ("PGDATABASE", Some("shop")),
            ("PGUSER", Some("app")),
            ("PGPASSWORD", Some("p@ss/w +")),
            ("PGSSLMODE", Some("prefer")),
            ("PGHOSTADDR", Some("")),
            ("DB_HOST", Some("db")),
            ("POSTGRES_PASSWORD", Some("p@ss/w +")),
            ("PGOPTIONS", None),
        ] {
            assert_eq!(value(&target, None, name).as_deref(), expected, "{name}");
        }
        let socket = target.with_database("x");
        assert_eq!(value(&socket, None, "POSTGRES_DB").unwrap(), "x");
    }

    #[test]
    fn different_passwords_stay_in_the_password_file() {
        let mut target = target();
        let mut other = Endpoint::new("b", 2);
        other.password = Some(Secret::new("other"));
        target.endpoints.push(other);
        target.password_file = Some("/home/a/.pgpass".into());
        assert_eq!(value(&target, None, "PGPASSWORD"), None);
        assert_eq!(
            value(&target, None, "PGPASSFILE").unwrap(),
            "/home/a/.pgpass"
        );
    }

    #[test]
    fn every_form_of_the_password_is_known() {
        let secrets = target().secrets();
        let forms: Vec<_> = secrets.iter().map(Secret::reveal).collect();
        for form in [
            "p@ss/w +",
            "p%40ss%2Fw%20%2B",
            "p%40ss%2Fw +",
            "p%40ss%2fw%20%2b",
        ] {
            assert!(forms.contains(&form), "{form}");
        }
    }
}
