//! Opening the socket of one server: TCP to each address of its name in turn, or a socket file.
//!
//! Small packets go out at once, and the network sees a sign of life every minute: a connection
//! that is idle while a long migration runs must not be forgotten by a firewall or a balancer.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::target::Endpoint;

/// Idle time after which the other side is asked whether it still lives, and between two
/// questions; below the usual limits of firewalls and balancers (from 4 minutes).
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connected socket of either kind. A type of its own, so that what connects can be spawned.
pub(super) struct Socket(Box<dyn Transport>);

impl Socket {
    fn of(transport: impl Transport + 'static) -> Self {
        Self(Box::new(transport))
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, parts)
    }
}

/// What bytes go over.
trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Connects to the server; the error of the last address if several were tried.
pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Socket> {
    if endpoint.is_socket() {
        let file = Path::new(&endpoint.host).join(format!(".s.PGSQL.{}", endpoint.port));
        return Ok(Socket::of(UnixStream::connect(file).await?));
    }
    if let Some(address) = endpoint.address {
        return open_tcp((address, endpoint.port).into()).await;
    }
    let mut failed = io::Error::new(
        io::ErrorKind::InvalidInput,
        "could not resolve any addresses",
    );
    for address in lookup_host((endpoint.host.as_str(), endpoint.port)).await? {
        match open_tcp(address).await {
            Ok(socket) => return Ok(socket),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

async fn open_tcp(address: std::net::SocketAddr) -> io::Result<Socket> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE)
        .with_interval(KEEPALIVE);
    SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
    Ok(Socket::of(stream))
}
