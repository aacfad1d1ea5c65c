//! Whole resolutions: precedence, sources, refusals with their exact texts, and the marker
//! password that no message may show.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::*;
use crate::error::{Error, Kind};
use crate::pg::target::Roots;

mod refusals;

/// Goes through every path below; holds what URLs must encode.
const MARKER: &str = "m@rk/er-9f3";
const MARKER_ENCODED: &str = "m%40rk%2Fer-9f3";

/// A home and working directory of its own, with files in it.
struct Place {
    directory: tempfile::TempDir,
    environment: Environment,
}

impl Place {
    fn new(variables: &[(&str, &str)]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let pairs = variables.iter().map(|(n, v)| ((*n).into(), (*v).into()));
        let environment = Environment {
            variables: pairs.collect::<BTreeMap<String, String>>(),
            foreign: BTreeMap::new(),
            working_directory: directory.path().to_owned(),
            home: Some(directory.path().to_owned()),
        };
        Self {
            directory,
            environment,
        }
    }

    #[expect(clippy::disallowed_methods, reason = "a test's own fixture")]
    fn file(self, name: &str, text: &str) -> Self {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn inputs(&self) -> Inputs<'_> {
        Inputs {
            url: None,
            env_file: None,
            expand_env: false,
            wait: Duration::ZERO,
            environment: &self.environment,
        }
    }

    fn resolve(&self) -> Resolved {
        resolve(&self.inputs()).unwrap()
    }

    fn with_flag(&self, url: &str) -> Result<Resolved> {
        resolve(&Inputs {
            url: Some(url.to_owned()),
            ..self.inputs()
        })
    }

    fn error(&self) -> Error {
        let error = resolve(&self.inputs()).unwrap_err();
        assert_eq!(error.kind(), Kind::Usage);
        error
    }

    /// The error's text with this place's path taken out.
    fn message(&self) -> String {
        let path = self.directory.path().display().to_string();
        self.error().to_string().replace(&path, "~")
    }
}

fn source<'a>(resolved: &'a Resolved, setting: &str) -> &'a str {
    let found = resolved.provenance.iter().find(|p| p.setting == setting);
    found.map_or("absent", |p| &p.source)
}

fn password(resolved: &Resolved) -> Option<&str> {
    let password = resolved.target.endpoints[0].password.as_ref();
    password.map(Secret::reveal)
}

#[test]
fn each_layer_yields_to_the_one_before() {
    let all = [
        ("DATABASE_URL", "postgresql://url:u@url:1/url"),
        ("DB_HOST", "component"),
        ("DB_PORT", "2"),
        ("POSTGRES_DB", "component"),
        ("POSTGRES_USER", "component"),
        ("POSTGRES_PASSWORD", "c"),
        ("PGHOST", "libpq"),
        ("PGPORT", "3"),
        ("PGDATABASE", "libpq"),
        ("PGUSER", "libpq"),
        ("PGPASSWORD", "l"),
    ];
    for (skipped, expected, from) in [
        (0, "postgresql://url:***@url:1/url", "DATABASE_URL"),
        (
            1,
            "postgresql://component:***@component:2/component",
            "POSTGRES_DB",
        ),
        (6, "postgresql://libpq:***@libpq:3/libpq", "PGDATABASE"),
    ] {
        let resolved = Place::new(&all[skipped..]).resolve();
        assert_eq!(resolved.target.masked(), expected);
        assert_eq!(source(&resolved, "database"), from);
    }
    let place = Place::new(&all);
    let resolved = place.with_flag("postgresql://flag:f@flag:9/flag").unwrap();
    assert_eq!(
        resolved.target.masked(),
        "postgresql://flag:***@flag:9/flag"
    );
    assert_eq!(source(&resolved, "host"), "--database-url");
    assert_eq!(password(&resolved), Some("f"));
    assert_eq!(resolved.warnings.len(), 1, "{:?}", resolved.warnings);
}

#[test]
fn a_layer_fills_what_the_one_before_left_open() {
    let place = Place::new(&[
        ("DATABASE_URL", "postgresql://app@db/shop"),
        ("DB_HOST", "elsewhere"),
        ("DB_PORT", "6000"),
        ("POSTGRES_PASSWORD", "p"),
        ("PGHOSTADDR", "10.0.0.1"),
        ("PGSSLMODE", "require"),
    ]);
    let resolved = place.resolve();
    assert_eq!(
        resolved.target.masked(),
        "postgresql://app:***@db:5432/shop?sslmode=require"
    );
    assert_eq!(source(&resolved, "password"), "POSTGRES_PASSWORD");
    assert_eq!(source(&resolved, "sslmode"), "PGSSLMODE");
    assert_eq!(source(&resolved, "port"), "default");
    assert_eq!(resolved.target.endpoints[0].address, None);
    assert_eq!(resolved.dialect.as_deref(), Some("postgresql"));
}

#[test]
fn pgport_fills_in_as_libpq_does() {
    let place = Place::new(&[
        ("DATABASE_URL", "postgresql://app@db/shop"),
        ("PGPORT", "7"),
    ]);
    assert_eq!(place.resolve().target.endpoints[0].port, 7);
}

#[test]
fn the_environment_beats_the_env_file() {
    let place = Place::new(&[("POSTGRES_USER", "env"), ("POSTGRES_PASSWORD", "")]).file(
        ".env",
        "# settings\nPOSTGRES_USER=file\nDB_HOST=db\nPOSTGRES_DB=\"shop\"\nPOSTGRES_PASSWORD=x\nOTHER=1\n",
    );
    let resolved = place.resolve();
    assert_eq!(resolved.target.user(), "env");
    assert_eq!(source(&resolved, "user"), "POSTGRES_USER");
    assert_eq!(source(&resolved, "host"), "DB_HOST in .env, line 3");
    assert_eq!(
        source(&resolved, "password"),
        "POSTGRES_PASSWORD in .env, line 5"
    );
    let child: Vec<_> = resolved
        .env_file_variables
        .iter()
        .map(|(n, _)| n.as_str())
        .collect();
    assert_eq!(
        child,
        ["DB_HOST", "OTHER", "POSTGRES_DB", "POSTGRES_PASSWORD"]
    );
    assert_eq!(resolved.dialect, None);
}

#[test]
fn the_environment_beats_the_env_file_for_libpq_variables_and_references() {
    let place = Place::new(&[
        ("PGHOST", "env"),
        ("PGDATABASE", "${NAME}"),
        ("NAME", "env"),
    ])
    .file(".env", "PGHOST=file\nPGPORT=7\nNAME=file\n");
    let resolved = resolve(&Inputs {
        expand_env: true,
        ..place.inputs()
    });
    let resolved = resolved.unwrap();
    assert_eq!(source(&resolved, "host"), "PGHOST");
    assert_eq!(source(&resolved, "port"), "PGPORT in .env, line 2");
    assert_eq!(resolved.target.database(), "env");
}

#[test]
fn an_env_file_may_be_named() {
    let place = Place::new(&[]).file("conf/prod.env", "DATABASE_URL=postgresql://a@h/d");
    let resolved = resolve(&Inputs {
        env_file: Some("conf/prod.env".into()),
        ..place.inputs()
    })
    .unwrap();
    assert_eq!(
        source(&resolved, "host"),
        "DATABASE_URL in conf/prod.env, line 1"
    );
    let missing = resolve(&Inputs {
        env_file: Some("nope.env".into()),
        ..place.inputs()
    });
    let error = missing.unwrap_err();
    assert_eq!(
        error.to_string(),
        "read the env file nope.env: No such file or directory (os error 2)"
    );
}

#[test]
fn secrets_come_from_files() {
    for name in ["POSTGRES_PASSWORD", "PGPASSWORD"] {
        let place = Place::new(&[("DB_HOST", "db"), (&format!("{name}_FILE"), "pw")])
            .file("pw", &format!("{MARKER}\r\n"));
        let resolved = place.resolve();
        assert_eq!(password(&resolved), Some(MARKER), "{name}");
        assert_eq!(source(&resolved, "password"), format!("{name}_FILE (pw)"));
    }
    let place = Place::new(&[("DATABASE_URL_FILE", "url")]).file("url", "postgres://a:b@h/d\n");
    let resolved = place.resolve();
    assert_eq!(resolved.target.masked(), "postgresql://a:***@h:5432/d");
    assert_eq!(resolved.dialect.as_deref(), Some("postgres"));
}

#[test]
fn a_secret_file_and_its_variable() {
    let both = [
        ("DB_HOST", "db"),
        ("PGPASSWORD", "direct"),
        ("PGPASSWORD_FILE", "pw"),
    ];
    let resolved = Place::new(&both).resolve();
    assert_eq!(password(&resolved), Some("direct"));
    assert_eq!(
        resolved.warnings,
        ["PGPASSWORD and PGPASSWORD_FILE are both set; PGPASSWORD is used"]
    );
    let place = Place::new(&[("DB_HOST", "db"), ("PGPASSWORD_FILE", "pw")]);
    assert_eq!(
        place.message(),
        "read the file that PGPASSWORD_FILE names, ~/pw: No such file or directory (os error 2)"
    );
    let place = place.file("pw", "\n");
    assert_eq!(
        place.message(),
        "read the file that PGPASSWORD_FILE names, ~/pw: it is empty"
    );
}

#[test]
fn libpq_variables_all_arrive() {
    let place = Place::new(&[
        ("PGHOST", "a,b"),
        ("PGHOSTADDR", "10.0.0.1,10.0.0.2"),
        ("PGPORT", "1,2"),
        ("PGDATABASE", "d"),
        ("PGUSER", "u"),
        ("PGSSLMODE", "verify-ca"),
        ("PGSSLROOTCERT", "root.crt"),
        ("PGSSLCERT", "c.crt"),
        ("PGSSLKEY", "c.key"),
        ("PGCONNECT_TIMEOUT", "7"),
        ("PGAPPNAME", "app"),
        ("PGOPTIONS", "-c role=x"),
        ("PGTARGETSESSIONATTRS", "primary"),
        ("PGCHANNELBINDING", "require"),
    ])
    .file("root.crt", "");
    let target = place.resolve().target;
    assert_eq!(target.endpoints.len(), 2);
    assert_eq!(
        target.endpoints[1].address,
        Some("10.0.0.2".parse().unwrap())
    );
    assert_eq!(target.endpoints[1].port, 2);
    assert_eq!(target.tls.mode, TlsMode::VerifyCa);
    assert_eq!(target.tls.roots, Roots::File(place.path("root.crt")));
    assert_eq!(
        target.tls.client,
        Some((place.path("c.crt"), place.path("c.key")))
    );
    assert_eq!(target.connect_timeout, Some(Duration::from_secs(7)));
    assert_eq!(target.application_name.as_deref(), Some("app"));
    assert_eq!(target.options(), Some("-c role=x"));
    assert_eq!(target.session_attributes.name(), "primary");
}

#[test]
fn tls_follows_libpq() {
    let mode = |url: &str| {
        let place = Place::new(&[("DATABASE_URL", url)]).file(".postgresql/root.crt", "");
        place.resolve().target.tls
    };
    assert_eq!(mode("postgresql://h/d").mode, TlsMode::Prefer);
    assert_eq!(
        mode("postgresql://h/d?sslrootcert=system").mode,
        TlsMode::VerifyFull
    );
    assert_eq!(
        mode("postgresql:///d?host=/run/x&sslmode=verify-full").mode,
        TlsMode::Disable
    );
    assert!(matches!(
        mode("postgresql://h/d?sslmode=require").roots,
        Roots::DefaultFile(_)
    ));
    assert!(mode("postgresql://h/d?sslmode=require&sslnegotiation=direct").direct);
}

#[test]
fn services_fill_in_before_variables() {
    let text = "[shop]\nhost=db\nport=5433\nuser=svc\npassword=m@rk/er-9f3\n";
    let variables = [
        ("PGSERVICE", "shop"),
        ("PGUSER", "env"),
        ("PGDATABASE", "d"),
    ];
    let place = Place::new(&variables).file(".pg_service.conf", text);
    let resolved = place.resolve();
    assert_eq!(resolved.target.masked(), "postgresql://svc:***@db:5433/d");
    let path = place.path(".pg_service.conf").display().to_string();
    assert_eq!(
        source(&resolved, "user"),
        format!("service shop in {path}, line 4")
    );
    let flagged = place.with_flag("service=shop user=flag").unwrap();
    assert_eq!(flagged.target.user(), "flag");
    let named =
        Place::new(&[("PGSERVICE", "a"), ("PGSERVICEFILE", "svc")]).file("svc", "[a]\nhost=x\n");
    assert_eq!(named.resolve().target.endpoints[0].host, "x");
    let unknown = Place::new(&[("PGSERVICE", "a")]).file(".pg_service.conf", "[a]\nfoo=x\n");
    assert_eq!(
        unknown.message(),
        "read service a in ~/.pg_service.conf, line 2: the parameter `foo` is not understood"
    );
}

#[test]
fn the_password_file_is_the_last_resort() {
    let entry = format!("db:*:shop:app:{MARKER}\n");
    let url = [("DATABASE_URL", "postgresql://app@db/shop")];
    let place = Place::new(&url).file(".pgpass", &entry);
    let resolved = place.resolve();
    assert_eq!(password(&resolved), Some(MARKER));
    assert!(source(&resolved, "password").ends_with("/.pgpass, line 1"));
    let beaten = Place::new(&[url[0], ("PGPASSWORD", "p")]).file(".pgpass", &entry);
    assert_eq!(password(&beaten.resolve()), Some("p"));
    let named = Place::new(&[url[0], ("PGPASSFILE", "pass")]).file("pass", &entry);
    assert_eq!(password(&named.resolve()), Some(MARKER));
}

#[test]
fn an_open_password_file_is_not_used_and_that_is_said() {
    let url = [("DATABASE_URL", "postgresql://app@db/shop")];
    let place = Place::new(&url).file(".pgpass", "*:*:*:*:x");
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(place.path(".pgpass"), open).unwrap();
    let resolved = place.resolve();
    assert_eq!(password(&resolved), None);
    assert!(resolved.warnings[0].contains("may be read by others (mode 0644)"));
}

#[test]
fn each_server_has_its_own_password() {
    let url = [("DATABASE_URL", "postgresql://app@a,b/shop")];
    let place = Place::new(&url).file(".pgpass", "b:*:*:*:two\na:*:*:*:one\n");
    let endpoints = place.resolve().target.endpoints;
    let passwords: Vec<_> = endpoints
        .iter()
        .map(|e| e.password.as_ref().unwrap().reveal())
        .collect();
    assert_eq!(passwords, ["one", "two"]);
}

#[test]
fn parameters_for_the_driver_are_handed_on() {
    let url = "postgresql+asyncpg://a@h/d?ssl=require&prepared_statement_cache_size=0";
    let resolved = Place::new(&[("DATABASE_URL", url)]).resolve();
    let child = resolved
        .target
        .child_environment(resolved.dialect.as_deref());
    let found = child.iter().find(|(n, _)| n == "DATABASE_URL").unwrap();
    assert_eq!(
        found.1.reveal(),
        "postgresql+asyncpg://a@h:5432/d?prepared_statement_cache_size=0&ssl=require"
    );
}

#[test]
fn pg8000_is_told_about_tls() {
    let url = "postgresql+pg8000://a@h/d?sslmode=require";
    let resolved = Place::new(&[("DATABASE_URL", url)]).resolve();
    assert!(resolved.warnings[0].starts_with("pg8000 does not know sslmode=require"));
}

/// Everything a person could see of a resolution.
fn visible(result: &Result<Resolved>) -> String {
    match result {
        Ok(resolved) => format!("{resolved:?}"),
        Err(error) => format!("{error} {error:?} {:?}", error.hints()),
    }
}

#[test]
fn the_marker_password_is_never_shown() {
    let encoded = MARKER_ENCODED;
    let urls = [
        format!("postgresql://app:{encoded}@db/shop"),
        format!("postgresql://app:{encoded}@db:x/shop"),
        format!("postgresql://app:{encoded}@db/shop?foo=1"),
        format!("postgresql://app:{encoded}@db/a/b"),
        format!("postgresql://app:{MARKER}@db/shop"),
        format!("postgresql://app:{MARKER}/shop"),
        format!("postgresql://app:1{MARKER}@db/shop"),
        format!("postgresql://app:%{MARKER}@db/shop"),
        format!("postgresql+foo://app:{encoded}@db/shop"),
        format!("foo://app:{encoded}@db/shop"),
        format!("postgresql://db/shop?password={encoded}&password={encoded}"),
        format!("postgresql://db/shop?sslmode={encoded}"),
        format!("host=db password={MARKER}"),
        format!("host=db password={MARKER} foo=1"),
        format!("host=db password='{MARKER}"),
        format!("host=db password=a {MARKER}"),
        format!("host=db password=a {MARKER}=b"),
        format!("host=db port={MARKER}"),
        format!("host=db connect_timeout={MARKER}"),
        MARKER.to_string(),
        format!("postgresql://app:${{PW:-{MARKER}}}@db/shop"),
    ];
    for url in urls {
        let place = Place::new(&[("DATABASE_URL", &url)]).file(".env", &format!("X=\"{MARKER}"));
        assert_unseen(&visible(&resolve(&place.inputs())), &url);
        let place = Place::new(&[("DATABASE_URL", &url)]);
        assert_unseen(&visible(&resolve(&place.inputs())), &url);
        assert_unseen(&visible(&place.with_flag(&url)), &url);
        let dotenv = format!("{MARKER}\nDATABASE_URL='{url}'\n");
        let place = Place::new(&[]).file(".env", &dotenv);
        assert_unseen(&visible(&resolve(&place.inputs())), &url);
    }
}

fn assert_unseen(text: &str, case: &str) {
    for form in [MARKER, MARKER_ENCODED, "rk/er-9f3", "rk%2Fer-9f3", "er-9f3"] {
        assert!(!text.contains(form), "{case}: {text}");
    }
}

#[test]
fn inputs_are_not_printed_with_their_url() {
    let place = Place::new(&[]);
    let inputs = Inputs {
        url: Some(format!("postgresql://a:{MARKER}@h/d")),
        env_file: Some(Path::new("x").into()),
        ..place.inputs()
    };
    assert_unseen(&format!("{inputs:?}"), "Inputs");
}
