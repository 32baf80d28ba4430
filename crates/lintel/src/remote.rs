//! `lintel status` and `lintel reload`: a running gateway, by its admin API.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::Duration,
};

use serde_json::Value;

use crate::{FAILED, FINE, cli, print};

const TIMEOUT: Duration = Duration::from_secs(30);

pub(crate) fn status(args: &cli::Remote) -> u8 {
    match call(args, "GET", "/config/status", "") {
        Ok((200, body)) => {
            print::out(&if args.json { body } else { describe(&body) });
            FINE
        }
        other => failed(args, other),
    }
}

pub(crate) fn reload(args: &cli::Remote) -> u8 {
    match call(args, "POST", "/config/reload", "") {
        Ok((200, body)) => {
            let outcome: Value = serde_json::from_str(&body).unwrap_or_default();
            let text = match (
                outcome.get("outcome").and_then(Value::as_str),
                outcome.get("generation"),
            ) {
                (Some("applied"), Some(generation)) => {
                    format!("applied: generation {generation} serves")
                }
                _ => "unchanged: the configuration that serves is the newest".to_owned(),
            };
            print::out(&if args.json { body } else { text });
            FINE
        }
        Ok((422, body)) => {
            let outcome: Value = serde_json::from_str(&body).unwrap_or_default();
            if args.json {
                print::out(&body);
            } else {
                print::err(
                    outcome
                        .get("report")
                        .and_then(Value::as_str)
                        .unwrap_or(&body),
                );
                print::err("refused: the last good configuration serves on");
            }
            FAILED
        }
        other => failed(args, other),
    }
}

/// A JSON document of the admin API.
///
/// # Errors
/// It could not be had; the text says why.
pub(crate) fn fetch(args: &cli::Remote, path: &str) -> Result<Value, String> {
    let body = match call(args, "GET", path, "") {
        Ok((200, body)) => body,
        other => return Err(reason(args, other)),
    };
    serde_json::from_str(&body).map_err(|error| format!("error: {path} is no JSON: {error}"))
}

pub(crate) fn failed(args: &cli::Remote, outcome: io::Result<(u16, String)>) -> u8 {
    print::err(&reason(args, outcome));
    FAILED
}

fn reason(args: &cli::Remote, outcome: io::Result<(u16, String)>) -> String {
    match outcome {
        Ok((401, _)) => {
            "error: the admin API asks for a token; pass --token or set LINTEL_ADMIN_TOKEN"
                .to_owned()
        }
        Ok((status, body)) => format!("error: the admin API answered {status}: {body}"),
        Err(error) => format!(
            "error: no gateway answers at {}: {error}; pass --admin with the address under `admin: {{ bind: … }}`",
            args.admin
        ),
    }
}

fn describe(body: &str) -> String {
    let status: Value = serde_json::from_str(body).unwrap_or_default();
    let text = |pointer: &str| match status.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let mut out = format!(
        "generation {} (version {}) serves, up {} s, {} reloads applied, {} refused\nread from {}\n",
        text("/serving/generation"),
        text("/serving/version"),
        text("/uptime"),
        text("/reloads/applied"),
        text("/reloads/refused"),
        text("/path"),
    );
    for warning in status
        .pointer("/serving/warnings")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        out.push_str(&format!("warning: {}\n", warning.as_str().unwrap_or("")));
    }
    if let Some(report) = status.pointer("/refused/report").and_then(Value::as_str) {
        out.push_str(&format!("a newer configuration is refused:\n{report}\n"));
    }
    out
}

trait Wire: Read + Write {}
impl<T: Read + Write> Wire for T {}

fn connect(address: &str) -> io::Result<Box<dyn Wire>> {
    if let Some(path) = address.strip_prefix("unix:") {
        let stream = UnixStream::connect(path)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        return Ok(Box::new(stream));
    }
    let stream = TcpStream::connect(address.trim_start_matches("http://"))?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(Box::new(stream))
}

/// One request with `Connection: close`: the answer is everything until the end.
pub(crate) fn call(
    args: &cli::Remote,
    method: &str,
    path: &str,
    body: &str,
) -> io::Result<(u16, String)> {
    let mut stream = connect(&args.admin)?;
    let token = args
        .token
        .clone()
        .or_else(|| std::env::var("LINTEL_ADMIN_TOKEN").ok());
    let authorization = token.map_or_else(String::new, |token| {
        format!("Authorization: Bearer {token}\r\n")
    });
    write!(
        stream,
        "{method} {path} HTTP/1.0\r\nHost: admin\r\nAccept: application/json\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let malformed = || io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(malformed)?;
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .ok_or_else(malformed)?;
    Ok((status, body.to_owned()))
}
