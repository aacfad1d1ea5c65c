//! What stands between pgbelay and the server: a TCP proxy that cuts, stalls and half-closes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Time between two looks at a proxy that stands still.
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// A port that leads to the server.
#[derive(Debug, Clone)]
pub struct Proxy {
    pub port: u16,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    stalled: AtomicBool,
    refusing: AtomicBool,
    /// Client's and server's side of every connection since the last cut.
    pairs: Mutex<Vec<(TcpStream, TcpStream)>>,
}

impl Proxy {
    pub fn to(server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let state = Arc::new(State::default());
        let shared = state.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                serve(client, server_port, &shared);
            }
        });
        Self { port, state }
    }

    /// Everything goes through again.
    pub fn heal(&self) {
        self.state.stalled.store(false, Ordering::SeqCst);
        self.state.refusing.store(false, Ordering::SeqCst);
    }

    /// Bytes are kept until it is healed.
    pub fn stall(&self) {
        self.state.stalled.store(true, Ordering::SeqCst);
    }

    /// New connections are closed at once, until it is healed.
    pub fn refuse(&self) {
        self.state.refusing.store(true, Ordering::SeqCst);
    }

    /// Ends every connection on both sides.
    pub fn cut(&self) {
        self.each(|client, server| {
            drop(client.shutdown(Shutdown::Both));
            drop(server.shutdown(Shutdown::Both));
        });
    }

    /// Ends one direction of every connection: the server hears no more, or the client.
    pub fn half_close(&self, towards_server: bool) {
        self.each(|client, server| {
            let end = if towards_server { server } else { client };
            drop(end.shutdown(Shutdown::Write));
        });
    }

    fn each(&self, act: impl Fn(&TcpStream, &TcpStream)) {
        let mut pairs = self.state.pairs.lock().expect("the list");
        for (client, server) in pairs.drain(..) {
            act(&client, &server);
        }
    }
}

fn serve(client: TcpStream, server_port: u16, state: &Arc<State>) {
    if state.refusing.load(Ordering::SeqCst) {
        return;
    }
    // A server that is down looks like one that closes at once.
    let Ok(server) = TcpStream::connect(("127.0.0.1", server_port)) else {
        return;
    };
    drop(client.set_nodelay(true));
    drop(server.set_nodelay(true));
    let copies = || Some((client.try_clone().ok()?, server.try_clone().ok()?));
    let (Some(kept), Some(there), Some(back)) = (copies(), copies(), copies()) else {
        return;
    };
    state.pairs.lock().expect("the list").push(kept);
    let (one, other) = (state.clone(), state.clone());
    std::thread::spawn(move || pump(there.0, there.1, &one));
    std::thread::spawn(move || pump(back.1, back.0, &other));
}

fn pump(mut from: TcpStream, mut to: TcpStream, state: &State) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        while state.stalled.load(Ordering::SeqCst) {
            std::thread::sleep(LOOK_EVERY);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    drop(to.shutdown(Shutdown::Write));
}
