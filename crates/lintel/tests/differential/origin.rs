//! An origin that records the requests it gets whole, by a reader of its own that takes nothing but
//! what RFC 9112 allows a sender to generate.

use std::{
    io::{self, BufRead, BufReader, Read, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A request as it arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) host: String,
    pub(crate) body: Vec<u8>,
    /// How many request ids it bears.
    pub(crate) ids: usize,
}

impl Request {
    /// What must be the same by way of every proxy.
    pub(crate) fn essence(&self) -> (&str, &str, &str, &[u8]) {
        (&self.method, &self.target, &self.host, &self.body)
    }
}

pub(crate) struct Recorder {
    pub(crate) address: SocketAddr,
    records: Arc<Mutex<Records>>,
}

#[derive(Default)]
struct Records {
    requests: Vec<Request>,
    broken: Vec<String>,
}

/// The connection ended, or what came is no request.
enum End {
    Closed,
    Broken(String),
}

impl From<io::Error> for End {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

impl Recorder {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let records = Arc::new(Mutex::new(Records::default()));
        let into = Arc::clone(&records);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let into = Arc::clone(&into);
                thread::spawn(move || converse(stream, &into));
            }
        });
        Self { address, records }
    }

    /// The requests since the last call.
    pub(crate) fn take(&self) -> Vec<Request> {
        std::mem::take(&mut self.records.lock().unwrap().requests)
    }

    /// What arrived and was no request.
    pub(crate) fn broken(&self) -> Vec<String> {
        self.records.lock().unwrap().broken.clone()
    }
}

fn converse(mut stream: TcpStream, records: &Mutex<Records>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        match request(&mut reader) {
            Ok(request) => {
                let bodiless = request.method == "HEAD";
                records.lock().unwrap().requests.push(request);
                let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
                let sent = if bodiless {
                    &answer[..answer.len() - 2]
                } else {
                    answer
                };
                if stream.write_all(sent.as_bytes()).is_err() {
                    return;
                }
            }
            Err(End::Closed) => return,
            Err(End::Broken(what)) => {
                records.lock().unwrap().broken.push(what);
                return;
            }
        }
    }
}

fn request(reader: &mut impl BufRead) -> Result<Request, End> {
    let start = line(reader)?;
    let words: Vec<&str> = start.split(' ').collect();
    let [method, target, "HTTP/1.1" | "HTTP/1.0"] = words[..] else {
        return Err(End::Broken(start));
    };
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?;
        if line.is_empty() {
            break;
        }
        let field = line.split_once(':').filter(|(name, _)| is_token(name));
        let (name, value) = field.ok_or_else(|| End::Broken(line.clone()))?;
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let all = |name: &str| -> Vec<&str> {
        let found = fields.iter().filter(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).collect()
    };
    let body = match (&all("transfer-encoding")[..], &all("content-length")[..]) {
        ([], []) => Vec::new(),
        ([], [length]) => exactly(reader, number(length, 10)?)?,
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => chunks(reader)?,
        framing => return Err(End::Broken(format!("{start}: {framing:?}"))),
    };
    Ok(Request {
        method: method.to_owned(),
        target: target.to_owned(),
        host: all("host").join(" and "),
        body,
        ids: all("x-request-id").len(),
    })
}

fn chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, End> {
    let mut body = Vec::new();
    loop {
        let size = line(reader)?;
        match number(size.split(';').next().unwrap(), 16)? {
            0 => {
                while !line(reader)?.is_empty() {}
                return Ok(body);
            }
            size => body.extend(exactly(reader, size)?),
        }
        if !line(reader)?.is_empty() {
            return Err(End::Broken("no line's end after a chunk".to_owned()));
        }
    }
}

fn number(digits: &str, radix: u32) -> Result<usize, End> {
    let digits = digits.trim_end();
    let plain = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    let value = usize::from_str_radix(digits, radix).ok().filter(|_| plain);
    value.ok_or_else(|| End::Broken(format!("the number {digits:?}")))
}

fn exactly(reader: &mut impl BufRead, length: usize) -> Result<Vec<u8>, End> {
    let mut bytes = Vec::new();
    reader.take(length as u64).read_to_end(&mut bytes)?;
    if bytes.len() == length {
        Ok(bytes)
    } else {
        Err(End::Closed)
    }
}

/// A line that ends with CRLF, without it.
fn line(reader: &mut impl BufRead) -> Result<String, End> {
    let mut bytes = Vec::new();
    reader.read_until(b'\n', &mut bytes)?;
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    if !text.ends_with('\n') {
        return Err(End::Closed);
    }
    let line = text
        .strip_suffix("\r\n")
        .filter(|line| !line.contains(['\r', '\0']));
    line.map(str::to_owned).ok_or(End::Broken(text))
}

fn is_token(name: &str) -> bool {
    let token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(token)
}
