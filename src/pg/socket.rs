//! Opening the socket of one server: TCP to each address of its name in turn, or a socket file.
//!
//! Small packets go out at once, and the network sees a sign of life every minute: a connection
//! that is idle while a long migration runs must not be forgotten by a firewall or a balancer.

use std::io;
use std::path::Path;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};

use super::target::Endpoint;

/// Idle time after which the other side is asked whether it still lives, and between two
/// questions; below the usual limits of firewalls and balancers (from 4 minutes).
const KEEPALIVE: Duration = Duration::from_secs(60);

/// A connected socket of either kind.
pub(super) type Socket = Box<dyn Transport>;

/// What bytes go over.
pub(super) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// Connects to the server; the error of the last address if several were tried.
pub(super) async fn open(endpoint: &Endpoint) -> io::Result<Socket> {
    if endpoint.is_socket() {
        let file = Path::new(&endpoint.host).join(format!(".s.PGSQL.{}", endpoint.port));
        return Ok(Box::new(UnixStream::connect(file).await?));
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
    Ok(Box::new(stream))
}
