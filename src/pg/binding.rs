//! A TLS stream that knows its server's certificate, so that SCRAM is bound to the channel.
//!
//! tokio-postgres-rustls 0.13 decodes the certificate as its inner part and then offers no
//! binding at all. Here the verifier keeps the certificate it saw, and the stream answers with its
//! hash (`tls-server-end-point`, RFC 5929 §4.1). Without it a stranger between us and the server
//! could pass SCRAM on wherever certificates are not verified.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use rustls::crypto::ring::cipher_suite::{TLS13_AES_128_GCM_SHA256, TLS13_AES_256_GCM_SHA384};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_postgres::tls::{ChannelBinding, MakeTlsConnect, TlsConnect, TlsStream};
use tokio_postgres_rustls::MakeRustlsConnect;
use x509_cert::Certificate;
use x509_cert::der::Decode;
use x509_cert::der::oid::db::rfc5912;

use super::socket::Socket;
use super::wire::Wire;

/// What TLS runs over.
type Plain = Wire<Socket>;
type Inner = <MakeRustlsConnect as MakeTlsConnect<Plain>>::TlsConnect;
type InnerStream = <MakeRustlsConnect as MakeTlsConnect<Plain>>::Stream;

/// The certificate of the latest handshake, as the hash that binds to it.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Vec<u8>>>>);

impl Seen {
    /// Keeps the certificate that the server showed.
    pub(super) fn keep(&self, certificate: &CertificateDer<'_>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = end_point(certificate);
    }

    fn binding(&self) -> ChannelBinding {
        let kept = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        kept.map_or_else(ChannelBinding::none, ChannelBinding::tls_server_end_point)
    }
}

/// The certificate's hash under the hash of its own signature, SHA-256 standing in for what is
/// older; `None` where that hash is not at hand (SHA-512, Ed25519, PSS): then nothing is bound.
fn end_point(certificate: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(certificate.as_ref()).ok()?;
    let suite = match parsed.signature_algorithm.oid {
        rfc5912::MD_5_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_1_WITH_RSA_ENCRYPTION
        | rfc5912::SHA_256_WITH_RSA_ENCRYPTION
        | rfc5912::ECDSA_WITH_SHA_256 => TLS13_AES_128_GCM_SHA256,
        rfc5912::SHA_384_WITH_RSA_ENCRYPTION | rfc5912::ECDSA_WITH_SHA_384 => {
            TLS13_AES_256_GCM_SHA384
        }
        _ => return None,
    };
    let hash = suite
        .tls13()?
        .common
        .hash_provider
        .hash(certificate.as_ref());
    Some(hash.as_ref().to_vec())
}

/// Makes TLS connections whose streams know their certificate.
#[derive(Clone)]
pub(super) struct Connector {
    pub inner: MakeRustlsConnect,
    pub seen: Seen,
}

impl MakeTlsConnect<Plain> for Connector {
    type Stream = Bound;
    type TlsConnect = Handshake;
    type Error = <MakeRustlsConnect as MakeTlsConnect<Plain>>::Error;

    fn make_tls_connect(&mut self, host: &str) -> Result<Handshake, Self::Error> {
        let inner = MakeTlsConnect::<Plain>::make_tls_connect(&mut self.inner, host)?;
        Ok(Handshake {
            inner,
            seen: self.seen.clone(),
        })
    }
}

/// One handshake to come.
pub(super) struct Handshake {
    inner: Inner,
    seen: Seen,
}

impl TlsConnect<Plain> for Handshake {
    type Stream = Bound;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Bound>> + Send>>;

    fn connect(self, stream: Plain) -> Self::Future {
        let handshake = self.inner.connect(stream);
        let seen = self.seen;
        Box::pin(async move {
            let inner = handshake.await?;
            let inner = Wire::of_messages(inner);
            Ok(Bound { inner, seen })
        })
    }
}

/// An encrypted stream and what binds to it.
pub(super) struct Bound {
    inner: Wire<InnerStream>,
    seen: Seen,
}

impl TlsStream for Bound {
    fn channel_binding(&self) -> ChannelBinding {
        self.seen.binding()
    }
}

impl AsyncRead for Bound {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Bound {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
