//! Endpoints from etcd (v3): the values of all keys under a prefix.
//!
//! Over the JSON gateway that every etcd server has beside gRPC
//! (<https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/>).

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{Method, header::AUTHORIZATION};
use lintel_kernel::Secret;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time;

use super::{
    Readers,
    found::{Entries, Found},
    watcher::Session,
};
use crate::client::{Connection, Server};

/// A watch with `progress_notify` says something at least every ten minutes.
const SILENCE: Duration = Duration::from_secs(660);

/// A prefix in etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdSource {
    /// The members, any of which is asked.
    pub servers: Vec<Server>,
    /// The prefix of the keys.
    pub prefix: Arc<str>,
    /// User and password.
    pub user: Option<(Arc<str>, Secret)>,
}

impl fmt::Display for EtcdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "etcd {} at ", self.prefix)?;
        let servers: Vec<String> = self.servers.iter().map(Server::to_string).collect();
        f.write_str(&servers.join(", "))
    }
}

/// Lists the keys, then watches from the revision after. Returns when the watch ends, also because
/// the revision was compacted: the next session lists again.
pub(super) async fn follow(source: &EtcdSource, session: &Session) -> Result<(), String> {
    let server = any_of(&source.servers).ok_or("no server is configured")?;
    let mut connection = server.connect().await?;
    if let Some((user, password)) = &source.user {
        authenticate(&mut connection, user, password).await?;
    }
    let range =
        json!({ "key": encoded(source.prefix.as_bytes()), "range_end": range_end(&source.prefix) });
    let listed: Listed = connection.post("/v3/kv/range", &range).await?.json()?;
    let mut values = BTreeMap::new();
    for pair in listed.kvs {
        values.insert(pair.key, decoded(&pair.value));
    }
    session.found(entries(&values, session.readers));
    let revision = number(&listed.header.revision)?;
    let request = watch_request(range, revision + 1);
    let mut lines = connection
        .lines(Method::POST, "/v3/watch", Some(&request))
        .await?;
    loop {
        let line = time::timeout(SILENCE, lines.next())
            .await
            .map_err(|_| "the watch has fallen silent".to_owned())??;
        let Some(line) = line else { return Ok(()) };
        let line: Line = serde_json::from_slice(&line)
            .map_err(|error| format!("the watch can't be read: {error}"))?;
        match line {
            Line {
                error: Some(error), ..
            } => return Err(error.to_string()),
            Line {
                result: Some(watched),
                ..
            } => {
                if watched.canceled {
                    // Compacted: what happened in between is known by listing only.
                    return if watched.compact_revision.trim_start_matches('0').is_empty() {
                        Err(watched.cancel_reason)
                    } else {
                        Ok(())
                    };
                }
                if watched.events.is_empty() {
                    session.alive();
                } else {
                    apply(&mut values, watched.events);
                    session.found(entries(&values, session.readers));
                }
            }
            Line { .. } => {}
        }
    }
}

/// Asks for every change of `range` from a revision on.
fn watch_request(mut range: Value, from: u64) -> Value {
    if let Some(create) = range.as_object_mut() {
        create.insert("start_revision".to_owned(), from.to_string().into());
        create.insert("progress_notify".to_owned(), true.into());
    }
    json!({ "create_request": range })
}

fn any_of(servers: &[Server]) -> Option<&Server> {
    servers.get(fastrand::usize(..servers.len().max(1)))
}

async fn authenticate(
    connection: &mut Connection,
    user: &str,
    password: &Secret,
) -> Result<(), String> {
    let request = json!({ "name": user, "password": password.expose() });
    let answer = connection.post("/v3/auth/authenticate", &request).await?;
    let Authenticated { token } = answer
        .json()
        .map_err(|refusal| format!("user `{user}` is refused: {}", refusal.text))?;
    connection.secret(AUTHORIZATION, &token)
}

fn apply(values: &mut BTreeMap<String, Vec<u8>>, events: Vec<Event>) {
    for event in events {
        // A lease that expires deletes its keys.
        if event.kind == "DELETE" {
            values.remove(&event.kv.key);
        } else {
            values.insert(event.kv.key, decoded(&event.kv.value));
        }
    }
}

/// Values are written like endpoints in the configuration: a URL, or `{"url": …, "weight": …}`.
fn entries(values: &BTreeMap<String, Vec<u8>>, readers: Readers) -> Entries {
    let mut all = Entries::default();
    for (key, value) in values {
        let key = String::from_utf8_lossy(&decoded(key)).into_owned();
        match one(&key, value, readers) {
            Ok(found) => all.found.extend(found),
            Err(error) => all.unusable.push(error),
        }
    }
    all
}

fn one(key: &str, value: &[u8], readers: Readers) -> Result<Vec<Found>, String> {
    let text = std::str::from_utf8(value).map_err(|_| format!("{key}: this is no text"))?;
    let text = text.trim();
    let item = match serde_json::from_str::<Value>(text) {
        Ok(value) => value,
        Err(_) => Value::String(text.to_owned()),
    };
    let list = Value::Array(vec![item]).to_string();
    let entries = (readers.endpoints)(std::path::Path::new(key), &list)?;
    Ok(entries.found)
}

/// The key after the last one that begins with the prefix. No prefix at all means every key.
fn range_end(prefix: &str) -> String {
    let mut end = prefix.as_bytes().to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return encoded(&end);
        }
    }
    encoded(&[0])
}

fn encoded(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

fn decoded(text: &str) -> Vec<u8> {
    STANDARD.decode(text).unwrap_or_default()
}

fn number(text: &str) -> Result<u64, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is no revision; is this etcd?"))
}

#[derive(Deserialize)]
struct Authenticated {
    token: String,
}

#[derive(Deserialize)]
struct Listed {
    header: Header,
    #[serde(default)]
    kvs: Vec<Pair>,
}

#[derive(Deserialize)]
struct Header {
    revision: String,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
struct Line {
    result: Option<Watched>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Watched {
    #[serde(default)]
    canceled: bool,
    #[serde(default)]
    cancel_reason: String,
    #[serde(default)]
    compact_revision: String,
    #[serde(default)]
    events: Vec<Event>,
}

#[derive(Deserialize)]
struct Event {
    /// Left out for a value that was put.
    #[serde(rename = "type", default)]
    kind: String,
    kv: Pair,
}
