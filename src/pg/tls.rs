//! TLS by libpq's rules, through rustls with ring.
//!
//! rustls only knows "verify everything". libpq's weaker modes are built here on the same checks:
//! `require` without root certificates takes any certificate, `verify-ca` checks the chain,
//! `verify-full` the name too. The handshake's signature is checked in every mode, or the channel
//! binding of SCRAM would prove nothing. Two things that libpq accepts and webpki does not are
//! added: a self-signed server certificate named as its own root, and a certificate without
//! alternative names whose common name is the host's.

use std::path::Path;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
    verify_tls13_signature_with_raw_key,
};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime,
};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::der::asn1::{PrintableStringRef, Utf8StringRef};
use x509_cert::der::oid::db::rfc4519::COMMON_NAME;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::{Certificate, Version};

use super::binding::{Connector, Seen};
use super::target::{Roots, Tls, TlsMode};
use crate::error::{Error, Result};

/// The protocol name that a direct handshake must offer.
const ALPN: &[u8] = b"postgresql";

/// Makes the TLS side of connections with these settings; reads the certificate files.
pub(super) fn connector(tls: &Tls) -> Result<Connector> {
    let seen = Seen::default();
    let provider = Arc::new(ring::default_provider());
    let versions: &[&rustls::SupportedProtocolVersion] = match tls.newest_only {
        true => &[&rustls::version::TLS13],
        false => rustls::DEFAULT_VERSIONS,
    };
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| Error::usage("set up TLS").because(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier::new(tls, provider, seen.clone())?));
    let mut config = match &tls.client {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let attempted = format!("use the client certificate {}", certificate.display());
            builder
                .with_client_auth_cert(certificates(certificate)?, private_key(key)?)
                .map_err(|error| Error::usage(attempted).because(error.to_string()))?
        }
    };
    if tls.direct {
        config.alpn_protocols = vec![ALPN.to_vec()];
    }
    Ok(Connector {
        inner: MakeRustlsConnect::new(config),
        seen,
    })
}

/// Whether TLS can name this host at all (`ServerName` is what the handshake needs).
pub(super) fn can_name(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let attempted = || format!("read the certificates in {}", path.display());
    let read: std::result::Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let all = read.map_err(|error| Error::usage(attempted()).because(error.to_string()))?;
    match all.is_empty() {
        true => Err(Error::usage(attempted()).because("there is no PEM certificate in it")),
        false => Ok(all),
    }
}

/// The client's key; like libpq and ssh, not one that others may read.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>> {
    use std::os::unix::fs::{MetadataExt, PermissionsExt};
    let attempted = || format!("read the client key {}", path.display());
    let metadata =
        std::fs::metadata(path).map_err(|error| Error::usage(attempted()).caused_by(error))?;
    let mode = metadata.permissions().mode() & 0o777;
    // libpq allows a key that root owns to be shared with a group.
    let forbidden = if metadata.uid() == 0 { 0o037 } else { 0o077 };
    if mode & forbidden != 0 {
        return Err(Error::usage(attempted())
            .because(format!("others may read it (mode {mode:04o})"))
            .hint(format!("chmod 600 {}", path.display())));
    }
    PrivateKeyDer::from_pem_file(path)
        .map_err(|error| Error::usage(attempted()).because(error.to_string()))
}

/// Checks a server's certificate as far as the mode asks.
#[derive(Debug)]
struct Verifier {
    trust: Option<Trust>,
    provider: Arc<CryptoProvider>,
    seen: Seen,
}

/// What is trusted, and whether the host's name must match.
#[derive(Debug)]
struct Trust {
    anchors: RootCertStore,
    certificates: Vec<CertificateDer<'static>>,
    with_name: bool,
}

impl Verifier {
    fn new(tls: &Tls, provider: Arc<CryptoProvider>, seen: Seen) -> Result<Self> {
        // libpq: with root certificates at hand, `require` means `verify-ca`.
        let trust = match tls.mode >= TlsMode::Require {
            true => Trust::read(tls)?,
            false => None,
        };
        Ok(Self {
            trust,
            provider,
            seen,
        })
    }
}

impl Trust {
    fn read(tls: &Tls) -> Result<Option<Self>> {
        let certificates = match &tls.roots {
            Roots::Unset => return Ok(None),
            Roots::System => rustls_native_certs::load_native_certs().certs,
            Roots::File(path) | Roots::DefaultFile(path) => certificates(path)?,
        };
        let mut anchors = RootCertStore::empty();
        let (added, _) = anchors.add_parsable_certificates(certificates.iter().cloned());
        if added == 0 {
            return Err(Error::usage("read the root certificates")
                .because("none of them can be used")
                .hint(
                    "name a PEM file with sslrootcert, or install the system's ca-certificates",
                ));
        }
        Ok(Some(Self {
            anchors,
            certificates,
            with_name: tls.mode == TlsMode::VerifyFull,
        }))
    }

    fn verify(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        now: UnixTime,
        provider: &CryptoProvider,
    ) -> std::result::Result<(), rustls::Error> {
        let parsed = ParsedCertificate::try_from(certificate)?;
        // A self-signed certificate that was named as a root is trusted as such; webpki would
        // refuse it because it is an authority's.
        if self
            .certificates
            .iter()
            .any(|root| root.as_ref() == certificate.as_ref())
        {
            check_dates(certificate, now)?;
        } else {
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(
                &parsed,
                &self.anchors,
                intermediates,
                now,
                algorithms,
            )?;
        }
        if !self.with_name {
            return Ok(());
        }
        verify_server_name(&parsed, host).or_else(|error| {
            match common_name_matches(certificate, &host.to_str()) {
                true => Ok(()),
                false => Err(error),
            }
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        if let Some(trust) = &self.trust {
            trust.verify(certificate, intermediates, host, now, &self.provider)?;
        }
        self.seen.keep(certificate);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        match key_of_version_1(certificate) {
            Some(key) => verify_tls13_signature_with_raw_key(message, &key, signature, algorithms),
            None => verify_tls13_signature(message, certificate, signature, algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The public key of an X.509 certificate of version 1, as `openssl x509 -req` makes them where nothing else is said. webpki does not
/// read those; where nobody asked whose they are, the key is all that is needed.
fn key_of_version_1(certificate: &CertificateDer<'_>) -> Option<SubjectPublicKeyInfoDer<'static>> {
    let parsed = Certificate::from_der(certificate.as_ref())
        .ok()?
        .tbs_certificate;
    if parsed.version != Version::V1 {
        return None;
    }
    let key = parsed.subject_public_key_info.to_der().ok()?;
    Some(SubjectPublicKeyInfoDer::from(key))
}

fn check_dates(
    certificate: &CertificateDer<'_>,
    now: UnixTime,
) -> std::result::Result<(), rustls::Error> {
    let parsed = Certificate::from_der(certificate.as_ref())
        .map_err(|_| rustls::Error::InvalidCertificate(CertificateError::BadEncoding))?;
    let validity = parsed.tbs_certificate.validity;
    let now = now.as_secs();
    if now < validity.not_before.to_unix_duration().as_secs() {
        return Err(rustls::Error::InvalidCertificate(
            CertificateError::NotValidYet,
        ));
    }
    if now > validity.not_after.to_unix_duration().as_secs() {
        return Err(rustls::Error::InvalidCertificate(CertificateError::Expired));
    }
    Ok(())
}

/// libpq's rule: without alternative names for hosts the common name counts.
fn common_name_matches(certificate: &CertificateDer<'_>, host: &str) -> bool {
    let Ok(parsed) = Certificate::from_der(certificate.as_ref()) else {
        return false;
    };
    let names = match parsed.tbs_certificate.get::<SubjectAltName>() {
        Ok(Some((_, names))) => names.0,
        Ok(None) => Vec::new(),
        Err(_) => return false,
    };
    let host_names =
        |name: &GeneralName| matches!(name, GeneralName::DnsName(_) | GeneralName::IpAddress(_));
    if names.iter().any(host_names) {
        return false;
    }
    let subject = &parsed.tbs_certificate.subject;
    let attributes = subject.0.iter().flat_map(|relative| relative.0.iter());
    let mut common_names = attributes.filter(|attribute| attribute.oid == COMMON_NAME);
    common_names.any(|attribute| {
        let value = &attribute.value;
        let utf8 = value
            .decode_as::<Utf8StringRef<'_>>()
            .map(|s| name_matches(s.as_str(), host));
        let printable = || value.decode_as::<PrintableStringRef<'_>>();
        utf8.or_else(|_| printable().map(|s| name_matches(s.as_str(), host)))
            .unwrap_or(false)
    })
}

/// Whether a name, perhaps with `*` for its first label, is the host's.
fn name_matches(name: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match name.strip_prefix("*.") {
        None => name.eq_ignore_ascii_case(host),
        Some(rest) => host
            .split_once('.')
            .is_some_and(|(label, domain)| !label.is_empty() && domain.eq_ignore_ascii_case(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_stand_for_one_label() {
        for (name, host, expected) in [
            ("db.example.com", "db.example.com", true),
            ("DB.example.com", "db.EXAMPLE.com", true),
            ("*.example.com", "db.example.com", true),
            ("*.example.com", "a.db.example.com", false),
            ("*.example.com", "example.com", false),
            ("example.com", "db.example.com", false),
            ("10.0.0.1", "10.0.0.1", true),
        ] {
            assert_eq!(name_matches(name, host), expected, "{name} {host}");
        }
    }

    #[test]
    fn weak_modes_need_no_roots_and_missing_files_are_named() {
        assert!(connector(&Tls::default()).is_ok());
        let tls = Tls {
            mode: TlsMode::VerifyFull,
            roots: Roots::File("nowhere.crt".into()),
            ..Tls::default()
        };
        let error = connector(&tls).err().unwrap();
        assert!(
            error
                .to_string()
                .starts_with("read the certificates in nowhere.crt")
        );
    }
}
