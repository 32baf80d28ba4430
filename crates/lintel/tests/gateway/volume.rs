//! Bodies far larger than the memory that they may take.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use lintel_testkit::{Client, until};

use crate::support::{Gateway, curl, on_listener, text, to_url, with_routes};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// What a transfer may take, whatever its size.
const ALLOWED_KIB: u64 = 32 * 1024;

#[test]
fn a_gibibyte_down_by_http_1() {
    assert_downloads("--http1.1");
}

#[test]
fn a_gibibyte_down_by_http_2() {
    assert_downloads("--http2-prior-knowledge");
}

#[test]
fn a_gibibyte_of_a_leg() {
    let origin = Volume::start();
    let gateway = composing(&origin);
    for version in ["--http1.1", "--http2-prior-knowledge"] {
        downloads(&gateway, version);
    }
}

#[test]
fn readers_that_stand_still_hold_a_leg_back() {
    let origin = Volume::start();
    let gateway = composing(&origin);
    let mut clients: Vec<_> = (0..16).map(|_| gateway.client()).collect();
    bounded(&gateway, || {
        for client in &mut clients {
            client.request("GET", "/");
        }
        origin.until_held_back(16);
    });
}

#[test]
fn a_gibibyte_up_by_http_1() {
    assert_uploads("--http1.1");
}

#[test]
fn a_gibibyte_up_by_http_2() {
    assert_uploads("--http2-prior-knowledge");
}

#[test]
fn readers_that_stand_still_hold_the_origin_back_by_http_1() {
    let origin = Volume::start();
    let gateway = gateway(&origin);
    let mut clients: Vec<_> = (0..16).map(|_| gateway.client()).collect();
    bounded(&gateway, || {
        for client in &mut clients {
            client.request("GET", "/");
        }
        origin.until_held_back(16);
    });
    // Whoever reads on gets everything.
    let reader = clients.swap_remove(0);
    drop(clients);
    assert_eq!(drained(reader), GIB);
}

#[test]
fn readers_that_stand_still_hold_the_origin_back_by_http_2() {
    // The window is what holds back, and then, the window being larger than the bodies, TCP.
    for window in [1 << 16, (1 << 31) - 1] {
        let origin = Volume::start();
        let gateway = gateway(&origin);
        bounded(&gateway, || {
            let unread = streams(gateway.public(), 16, window);
            origin.until_held_back(16);
            drop(unread);
        });
    }
}

#[test]
fn an_origin_that_reads_nothing_holds_its_clients_back() {
    let origin = Volume::start();
    let gateway = gateway(&origin);
    let held_back = Arc::new(AtomicUsize::new(0));
    bounded(&gateway, || {
        for _ in 0..16 {
            let (address, held_back) = (gateway.public(), Arc::clone(&held_back));
            thread::spawn(move || {
                let mut stream = TcpStream::connect(address).unwrap();
                let head = "POST / HTTP/1.1\r\nHost: test\r\nContent-Length: 1073741824\r\n\r\n";
                stream.write_all(head.as_bytes()).unwrap();
                // It ends with the gateway.
                let _ = pour(&mut stream, &held_back);
            });
        }
        until("all clients are held back", || {
            (held_back.load(Ordering::SeqCst) == 16).then_some(())
        });
    });
}

/// A connection of HTTP/2 with so many streams, on each of which `/` is asked for and nothing read;
/// the windows of the connection and of each stream are given (RFC 9113 §6.5.2, §6.9).
fn streams(address: SocketAddr, count: u32, window: u32) -> TcpStream {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    let mut frame = |kind: u8, flags: u8, stream: u32, payload: &[u8]| {
        bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
        bytes.extend([kind, flags]);
        bytes.extend(stream.to_be_bytes());
        bytes.extend(payload);
    };
    frame(4, 0, 0, &[&[0, 4][..], &window.to_be_bytes()].concat());
    frame(8, 0, 0, &(window - 0xffff).to_be_bytes());
    for number in 0..count {
        // `:method: GET`, `:path: /`, `:scheme: http`, and `:authority: test` (RFC 7541 appendix A).
        frame(1, 5, 2 * number + 1, b"\x82\x84\x86\x41\x04test");
    }
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(&bytes).unwrap();
    stream
}

fn assert_downloads(version: &str) {
    let origin = Volume::start();
    downloads(&gateway(&origin), version);
}

fn downloads(gateway: &Gateway, version: &str) {
    let url = format!("http://{}/", gateway.public());
    let show = "%{http_code} %{size_download}";
    let said = bounded(gateway, || {
        curl(&[
            version,
            "--max-time",
            "600",
            "-o",
            "/dev/null",
            "-w",
            show,
            &url,
        ])
    });
    assert_eq!(said, format!("200 {GIB}"));
}

fn assert_uploads(version: &str) {
    let origin = Volume::start();
    let gateway = gateway(&origin);
    let url = format!("http://{}/", gateway.public());
    // All holes: it takes no space on the disk.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("body");
    fs::File::create(&path).unwrap().set_len(GIB).unwrap();
    let show = " %{http_code} %{size_upload}";
    let said = bounded(&gateway, || {
        curl(&[
            version,
            "--max-time",
            "600",
            "-T",
            &text(&path),
            "-w",
            show,
            &url,
        ])
    });
    assert_eq!(said, format!("{GIB} 200 {GIB}"));
}

/// Fails when the gateway takes much more memory meanwhile than before.
fn bounded<T>(gateway: &Gateway, work: impl FnOnce() -> T) -> T {
    // Code is loaded and buffers are made before anything is measured.
    let mut client = gateway.client();
    client.request("HEAD", "/").reply_to_head();
    gateway.forget_peak();
    let before = gateway.kib("VmRSS");
    let done = work();
    let grown = gateway.kib("VmHWM").saturating_sub(before);
    assert!(grown < ALLOWED_KIB, "{before} KiB grew by {grown} KiB");
    done
}

fn gateway(origin: &Volume) -> Gateway {
    let yaml = to_url(&format!("http://{}", origin.address), "timeout: 10m");
    let patient = "timeout: { idle: 10m }, endpoints:";
    let yaml = yaml.replace("endpoints:", patient);
    Gateway::start(&on_listener(
        &yaml,
        "limits: { body: unlimited, body_idle: 10m }",
    ))
}

/// A gateway whose answer is a leg of a composition, as it is.
fn composing(origin: &Volume) -> Gateway {
    let yaml = with_routes(&format!(
        "services: {{ origin: {{ timeout: {{ idle: 10m }}, endpoints: [\"http://{}\"] }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, timeout: 10m, to: {{ compose: {{ \
         legs: {{ first: {{ value: 1 }}, file: {{ service: origin, get: / }} }}, body: .file }} }} }} }}",
        origin.address
    ));
    Gateway::start(&on_listener(
        &yaml,
        "limits: { body: unlimited, body_idle: 10m }",
    ))
}

/// Reads an answer to its end, and returns the length of its body.
fn drained(mut client: Client) -> u64 {
    let (status, fields) = client.head().unwrap();
    assert_eq!(status, 200);
    let length: u64 = fields.first("content-length").unwrap().parse().unwrap();
    for _ in 0..length / MIB {
        client.bytes(MIB as usize);
    }
    length
}

/// An origin that answers GET with a gibibyte and PUT with the number of bytes it got, and reads
/// nothing of a POST's body.
struct Volume {
    address: SocketAddr,
    held_back: Arc<AtomicUsize>,
}

impl Volume {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let held_back = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&held_back);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let counter = Arc::clone(&counter);
                thread::spawn(move || converse(stream, &counter));
            }
        });
        Self { address, held_back }
    }

    /// Waits until so many answers could not be written on, and fails when one could be written
    /// much further than it was read.
    fn until_held_back(&self, count: usize) {
        until("the origin is held back", || {
            (self.held_back.load(Ordering::SeqCst) >= count).then_some(())
        });
    }
}

fn converse(mut stream: TcpStream, held_back: &AtomicUsize) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match reader.read_until(b'\n', &mut head) {
                Ok(1..) => {}
                _ => return,
            }
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let ended = match head.split(' ').next().unwrap() {
            "put" => receive(&head, &mut reader, &mut stream),
            "post" => loop {
                thread::park();
            },
            "head" => answer(&mut stream, GIB),
            _ => answer(&mut stream, GIB).and_then(|()| pour(&mut stream, held_back)),
        };
        if ended.is_err() {
            return;
        }
    }
}

fn answer(stream: &mut TcpStream, length: u64) -> io::Result<()> {
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// Counts a body with a length.
fn receive(
    head: &str,
    reader: &mut BufReader<TcpStream>,
    stream: &mut TcpStream,
) -> io::Result<()> {
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"));
    let length = length.expect("a length").trim().parse().unwrap();
    let counted = io::copy(&mut reader.take(length), &mut io::sink())?.to_string();
    answer(stream, counted.len() as u64)?;
    stream.write_all(counted.as_bytes())
}

/// Writes a gibibyte. A peer that takes nothing for half a second holds it back.
fn pour(stream: &mut TcpStream, held_back: &AtomicUsize) -> io::Result<()> {
    const PATIENCE: Duration = Duration::from_millis(500);
    let block = vec![0; MIB as usize];
    let mut written = 0;
    stream.set_write_timeout(Some(PATIENCE))?;
    while written < GIB {
        let left = usize::try_from(GIB - written).unwrap().min(block.len());
        match stream.write(&block[..left]) {
            Ok(count) => written += count as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                // What the sockets on the way hold, and no more.
                assert!(written < 64 * MIB, "held back only after {written} bytes");
                held_back.fetch_add(1, Ordering::SeqCst);
                stream.set_write_timeout(None)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
