//! A server that means ill, or only stands still: bytes that are no messages, lengths that lie, notices without end,
//! silence at any moment. Nothing of it makes the program crash or wait for ever, and a signal is heard all the
//! same. Names and rows that mean ill are in `hostile.rs`.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use crate::support::{Call, Output, Shop, Workplace, server_that_freezes_at};

/// What the server does with a connection.
type Manners = fn(TcpStream);

/// A port with such a server, as long as the test process lives.
fn server(manners: Manners) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            std::thread::spawn(move || manners(client));
        }
    });
    port
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

/// Takes the startup message and lets everybody in.
fn welcome(client: &mut TcpStream) {
    let mut startup = [0; 4096];
    drop(client.read(&mut startup));
    // TLS is asked for first: no.
    if startup[4..8] == [4, 210, 22, 47] {
        drop(client.write_all(b"N"));
        drop(client.read(&mut startup));
    }
    let mut hello = message(b'R', &[0; 4]);
    for (name, value) in [
        ("server_version", "18.0"),
        ("client_encoding", "UTF8"),
        ("standard_conforming_strings", "on"),
    ] {
        hello.extend(message(b'S', format!("{name}\0{value}\0").as_bytes()));
    }
    hello.extend(message(b'K', &[0, 0, 0, 7, 0, 0, 0, 9]));
    hello.extend(message(b'Z', b"I"));
    drop(client.write_all(&hello));
}

/// Answers the first query with these bytes, then keeps still.
fn answer(mut client: TcpStream, bytes: &[u8]) {
    welcome(&mut client);
    let mut query = [0; 65536];
    drop(client.read(&mut query));
    drop(client.write_all(bytes));
    still(client);
}

fn still(mut client: TcpStream) {
    drop(std::io::copy(&mut client, &mut std::io::sink()));
}

/// Sends the same bytes until the other side is gone.
fn for_ever(mut client: TcpStream, bytes: &[u8]) {
    while client.write_all(bytes).is_ok() {}
}

const RUDE: [(&str, Manners); 14] = [
    ("says nothing", still),
    ("hangs up", |client| drop(client)),
    ("sends noise", |client| for_ever(client, &[0xa5; 4096])),
    ("a length below its own", |mut client| {
        drop(client.write_all(b"R\0\0\0\x01"));
        still(client)
    }),
    ("a length below zero", |mut client| {
        drop(client.write_all(b"R\xff\xff\xff\xff"));
        still(client)
    }),
    ("a length of 2 GiB", |mut client| {
        drop(client.write_all(b"R\x7f\xff\xff\xff"));
        still(client)
    }),
    ("an unknown authentication", |mut client| {
        drop(client.write_all(&message(b'R', &[0, 0, 0, 99])));
        still(client)
    }),
    ("a cut authentication", |mut client| {
        drop(client.write_all(&message(b'R', &[0])));
        still(client)
    }),
    ("notices without end", |mut client| {
        drop(client.write_all(&message(b'R', &[0; 4])));
        for_ever(client, &message(b'N', b"SNOTICE\0Mx\0\0"));
    }),
    ("an error without fields", |mut client| {
        drop(client.write_all(&message(b'E', b"")));
        still(client)
    }),
    ("rows before their description", |client| {
        answer(client, &message(b'D', &[0, 1, 0, 0, 0, 9, b'1']))
    }),
    ("a row that lies about its values", |client| {
        let mut bytes = column_of_text();
        bytes.extend(message(b'D', &[0xff, 0xff, 0x7f, 0xff, 0xff, 0xff]));
        answer(client, &bytes);
    }),
    ("a tag that lies about its rows", |client| {
        let mut bytes = column_of_text();
        bytes.extend(message(b'C', b"SELECT 18446744073709551616\0"));
        bytes.extend(message(b'Z', b"I"));
        answer(client, &bytes);
    }),
    ("rows without end", |mut client| {
        welcome(&mut client);
        drop(client.read(&mut [0; 65536]));
        drop(client.write_all(&column_of_text()));
        let value = [b'x'; 1 << 20];
        let length = u32::try_from(value.len()).unwrap().to_be_bytes();
        let row = message(b'D', &[&[0, 1][..], &length, &value].concat());
        for_ever(client, &row);
    }),
];

/// Describes rows of one text column.
fn column_of_text() -> Vec<u8> {
    message(
        b'T',
        b"\0\x01x\0\0\0\0\0\0\0\0\0\0\x19\xff\xff\xff\xff\xff\xff\0\0",
    )
}

fn call<'w>(workplace: &'w Workplace, port: u16) -> Call<'w> {
    let url = format!("postgresql://app@127.0.0.1:{port}/shop?connect_timeout=2&sslmode=disable");
    Call::new(workplace).env("DATABASE_URL", url)
}

#[track_caller]
fn assert_refused(what: &str, output: Output) {
    assert!([3, 130, 143].contains(&output.code), "{what}: {output}");
    assert!(
        !output.stderr.contains("panicked") && !output.stderr.contains("defect"),
        "{what}: {output}"
    );
}

#[test]
fn what_a_rude_server_says_ends_in_a_refusal_soon() {
    let workplace = Workplace::new();
    for (what, manners) in RUDE {
        let port = server(manners);
        let begun = Instant::now();
        let running = call(&workplace, port)
            .start(&["run", "--json", "--wait", "3s", "--", "touch", "started"]);
        // One that answers queries may take its time for them; then a signal must be heard.
        let process = nix::unistd::Pid::from_raw(i32::try_from(running.id()).unwrap());
        let ended = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
        let until = ended.clone();
        let watch = std::thread::spawn(move || {
            for _ in 0..120 {
                std::thread::sleep(Duration::from_millis(100));
                if until.load(std::sync::atomic::Ordering::Relaxed) {
                    return;
                }
            }
            let _ = nix::sys::signal::kill(process, Signal::SIGTERM);
        });
        let output = running.finish();
        ended.store(true, std::sync::atomic::Ordering::Relaxed);
        watch.join().unwrap();
        assert!(
            begun.elapsed() < Duration::from_secs(18),
            "{what}: {:?}\n{output}",
            begun.elapsed()
        );
        assert_refused(what, output);
    }
    assert!(!workplace.directory().join("started").exists());
}

/// Lets us in, then never answers a query: a person or an orchestrator can end the wait.
#[test]
fn a_signal_is_heard_while_a_server_does_not_answer() {
    let workplace = Workplace::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let port = server(|mut client| {
            welcome(&mut client);
            still(client)
        });
        for command in [
            &["run", "--json", "--", "true"][..],
            &["recover"],
            &["backup"],
            &["doctor"],
            &["list"],
        ] {
            let running = call(&workplace, port).start(command);
            std::thread::sleep(Duration::from_millis(700));
            let asked = Instant::now();
            if command[0] != "list" {
                running.signal(signal);
            }
            let output = running.finish();
            assert!(
                asked.elapsed() < Duration::from_secs(6),
                "{command:?}: {:?}\n{output}",
                asked.elapsed()
            );
            let expected = if command[0] == "list" { 0 } else { code };
            output.assert_code(expected);
        }
    }
}

on_servers! {
    /// The real server stands still at the first look, while settings are pinned, in preflight: nothing was touched yet.
    fn a_signal_is_heard_while_a_server_stands_still(server) {
        let shop = Shop::at_head(server);
        let before = shop.database.dump();
        for (number, text) in ["asked once per run", "Sets what every session", "likely to block the migration"].into_iter().enumerate() {
            let port = server_that_freezes_at(server, text);
            let url = shop.database.url().replace(&format!(":{}/", server.port), &format!(":{port}/"));
            let (signal, code) = [(Signal::SIGTERM, 143), (Signal::SIGINT, 130)][number % 2];
            let running = shop.call().env("DATABASE_URL", url).start(&["run", "--json", "--", "true"]);
            std::thread::sleep(Duration::from_millis(1500));
            let asked = Instant::now();
            running.signal(signal);
            let output = running.finish();
            assert!(asked.elapsed() < Duration::from_secs(8), "{text}: {:?}\n{output}", asked.elapsed());
            output.assert_code(code);
        }
        shop.database.assert_is(&before);
    }
}
