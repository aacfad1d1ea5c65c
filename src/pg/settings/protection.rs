//! What the settings say about TLS, by libpq's rules; what cannot be kept is refused.

use std::path::{Path, PathBuf};

use super::assemble::not_one_of;
use super::keywords::Trouble;
use super::layers::{Settings, refused};
use super::variables::{Given, Variables};
use crate::error::{Error, Result};
use crate::pg::target::{ChannelBinding, Roots, Tls, TlsMode};

/// libpq's default files, below the home directory.
const DEFAULT_ROOTS: &str = ".postgresql/root.crt";
const DEFAULT_CERTIFICATE: &str = ".postgresql/postgresql.crt";
const DEFAULT_KEY: &str = ".postgresql/postgresql.key";

/// Reads the settings. With `sockets_only` TLS plays no part and no file needs to be there.
pub(super) fn read(
    settings: &Settings,
    variables: &Variables<'_>,
    sockets_only: bool,
) -> Result<Tls> {
    refuse_kerberos(settings)?;
    let mode = mode(settings)?;
    let roots = roots(settings, variables);
    let mut tls = Tls {
        mode: effective_mode(mode, &roots, settings)?,
        roots,
        client: client(settings, variables)?,
        direct: direct(settings)?,
        newest_only: newest_only(settings)?,
        channel_binding: channel_binding(settings)?,
    };
    if sockets_only {
        tls.mode = TlsMode::Disable;
        return Ok(tls);
    }
    check_roots(&tls, settings)?;
    check_direct(&tls, settings)?;
    Ok(tls)
}

fn mode(settings: &Settings) -> Result<Option<TlsMode>> {
    let Some(given) = settings.get("sslmode") else {
        return Ok(None);
    };
    let expected = "one of disable, allow, prefer, require, verify-ca and verify-full";
    TlsMode::named(given.value.trim())
        .map(Some)
        .ok_or_else(|| not_one_of("sslmode", expected, &given.source))
}

fn roots(settings: &Settings, variables: &Variables<'_>) -> Roots {
    if let Some(given) = settings.get("sslrootcert") {
        return match given.value.as_str() {
            "system" => Roots::System,
            path => Roots::File(variables.environment().working_directory.join(path)),
        };
    }
    match variables.home(DEFAULT_ROOTS).filter(|path| path.is_file()) {
        Some(path) => Roots::DefaultFile(path),
        None => Roots::Unset,
    }
}

/// With the system's roots only verify-full makes sense (any certificate of the public authorities
/// would do otherwise), so libpq makes it the default and refuses less.
fn effective_mode(mode: Option<TlsMode>, roots: &Roots, settings: &Settings) -> Result<TlsMode> {
    match (roots, mode, settings.get("sslmode")) {
        (Roots::System, None, _) => Ok(TlsMode::VerifyFull),
        (Roots::System, Some(mode), Some(given)) if mode != TlsMode::VerifyFull => {
            let reason = format!(
                "sslmode={} is too weak for sslrootcert=system: any certificate of a public authority would pass",
                mode.name()
            );
            let trouble = Trouble::new(reason).hint("write sslmode=verify-full");
            Err(refused(&given.source, trouble))
        }
        _ => Ok(mode.unwrap_or_default()),
    }
}

/// A verifying mode needs roots, and a file that was named must be there: libpq would go on
/// without verifying under `require`, we never weaken what was asked for.
fn check_roots(tls: &Tls, settings: &Settings) -> Result<()> {
    if let (Roots::File(path), Some(given)) = (&tls.roots, settings.get("sslrootcert"))
        && tls.mode > TlsMode::Disable
        && !path.is_file()
    {
        return Err(missing_file(given, path));
    }
    if tls.mode < TlsMode::VerifyCa || tls.roots != Roots::Unset {
        return Ok(());
    }
    let name = tls.mode.name();
    let reason = format!("sslmode={name} needs root certificates, and none are named");
    let hint = "name a file with sslrootcert (PGSSLROOTCERT), or sslrootcert=system for the public authorities";
    match settings.get("sslmode") {
        Some(given) => Err(refused(&given.source, Trouble::new(reason).hint(hint))),
        None => Err(Error::usage("read the connection settings")
            .because(reason)
            .hint(hint)),
    }
}

fn missing_file(given: &Given, path: &Path) -> Error {
    Error::usage(format!("read {}", given.source))
        .because(format!("the file {} is not there", path.display()))
        .hint("correct the path; it counts from the working directory")
}

/// The client's certificate and key: named, or libpq's default files when both are there.
fn client(settings: &Settings, variables: &Variables<'_>) -> Result<Option<(PathBuf, PathBuf)>> {
    let directory = &variables.environment().working_directory;
    let named = |keyword| {
        settings
            .get(keyword)
            .map(|given| directory.join(&given.value))
    };
    let default = |path| variables.home(path).filter(|path| path.is_file());
    let certificate = named("sslcert").or_else(|| default(DEFAULT_CERTIFICATE));
    let key = named("sslkey").or_else(|| default(DEFAULT_KEY));
    match (
        certificate,
        key,
        settings.get("sslcert"),
        settings.get("sslkey"),
    ) {
        (Some(certificate), Some(key), _, _) => Ok(Some((certificate, key))),
        (_, None, Some(given), _) => Err(half_given(given, "sslcert", "sslkey")),
        (None, _, _, Some(given)) => Err(half_given(given, "sslkey", "sslcert")),
        _ => Ok(None),
    }
}

fn half_given(given: &Given, present: &str, absent: &str) -> Error {
    let reason = format!("`{present}` is given without `{absent}`");
    let hint = "a client certificate needs its file and its key's file";
    refused(&given.source, Trouble::new(reason).hint(hint))
}

fn direct(settings: &Settings) -> Result<bool> {
    let Some(given) = settings.get("sslnegotiation") else {
        return Ok(false);
    };
    match given.value.trim() {
        "postgres" => Ok(false),
        "direct" => Ok(true),
        _ => Err(not_one_of(
            "sslnegotiation",
            "postgres or direct",
            &given.source,
        )),
    }
}

/// libpq's rule: a direct handshake cannot fall back, so it is not for the weak modes.
fn check_direct(tls: &Tls, settings: &Settings) -> Result<()> {
    match settings.get("sslnegotiation") {
        Some(given) if tls.direct && tls.mode < TlsMode::Require => Err(refused(
            &given.source,
            Trouble::new(format!(
                "sslnegotiation=direct cannot be used with sslmode={}",
                tls.mode.name()
            ))
            .hint("write sslmode=require or stronger"),
        )),
        _ => Ok(()),
    }
}

/// rustls speaks TLS 1.2 and 1.3 only, so every older minimum is kept anyway.
fn newest_only(settings: &Settings) -> Result<bool> {
    let Some(given) = settings.get("ssl_min_protocol_version") else {
        return Ok(false);
    };
    match given.value.trim() {
        "" | "TLSv1" | "TLSv1.1" | "TLSv1.2" => Ok(false),
        "TLSv1.3" => Ok(true),
        _ => Err(not_one_of(
            "ssl_min_protocol_version",
            "one of TLSv1, TLSv1.1, TLSv1.2 and TLSv1.3",
            &given.source,
        )),
    }
}

fn channel_binding(settings: &Settings) -> Result<ChannelBinding> {
    let Some(given) = settings.get("channel_binding") else {
        return Ok(ChannelBinding::Prefer);
    };
    match given.value.trim() {
        "disable" => Ok(ChannelBinding::Disable),
        "prefer" => Ok(ChannelBinding::Prefer),
        "require" => Ok(ChannelBinding::Require),
        _ => Err(not_one_of(
            "channel_binding",
            "disable, prefer or require",
            &given.source,
        )),
    }
}

/// Kerberos encryption is not spoken; only demanding it is a trouble.
fn refuse_kerberos(settings: &Settings) -> Result<()> {
    match settings.get("gssencmode") {
        Some(given) if !matches!(given.value.trim(), "disable" | "prefer") => Err(refused(
            &given.source,
            Trouble::new("`gssencmode` is not disable or prefer, and Kerberos is not supported")
                .hint("use sslmode to encrypt the connection"),
        )),
        _ => Ok(()),
    }
}
