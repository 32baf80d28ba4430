//! Descriptors from the service itself: the questions and answers of gRPC Server Reflection
//! (grpc/doc/server-reflection.md), `v1` and `v1alpha`, whose messages are the same.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::{
    descriptors::{self, Pool},
    frame::{self, Encoding, Messages},
    wire::{self, Fields, Raw},
};

/// The paths of the method, the newer first.
pub const PATHS: [&str; 2] = [
    "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
];

/// Bytes of descriptors that are taken of a service.
pub const MAX_BYTES: usize = 16 * 1024 * 1024;
/// Files that are taken of a service.
const MAX_FILES: usize = 2_000;
/// How often it is asked before it is given up; each time for all that is known to be missing.
const MAX_ROUNDS: usize = 64;

// Fields of `ServerReflectionRequest`.
const FILE_BY_FILENAME: u32 = 3;
const FILE_CONTAINING_SYMBOL: u32 = 4;
const LIST_SERVICES: u32 = 7;

/// What has been learned of a service.
#[derive(Debug, Default)]
pub struct Gathering {
    /// Names of services whose files are not yet asked for.
    symbols: BTreeSet<String>,
    /// Whether the service was asked, or needs not be asked, what its services are.
    listed: bool,
    /// By name, in the wire format.
    files: BTreeMap<String, Vec<u8>>,
    /// Files that others import.
    imported: BTreeSet<String>,
    /// Files that the service does not have: those that everybody has are at hand here.
    missing: BTreeSet<String>,
    bytes: usize,
    rounds: usize,
}

impl Gathering {
    /// Asks for these services, or for all that are listed.
    pub fn new(services: &[&str]) -> Self {
        Self {
            symbols: services.iter().map(|name| (*name).to_owned()).collect(),
            listed: !services.is_empty(),
            ..Self::default()
        }
    }

    /// The body of the next call; none when all is there.
    ///
    /// # Errors
    /// The service has been asked too often.
    pub fn question(&mut self) -> Result<Option<Bytes>, String> {
        let mut out = Vec::new();
        if !self.listed {
            self.listed = true;
            ask(&mut out, LIST_SERVICES, "*");
        }
        for name in std::mem::take(&mut self.symbols) {
            ask(&mut out, FILE_CONTAINING_SYMBOL, &name);
        }
        let known = |name: &&String| self.files.contains_key(*name) || self.missing.contains(*name);
        for name in self.imported.iter().filter(|name| !known(name)) {
            ask(&mut out, FILE_BY_FILENAME, name);
        }
        if out.is_empty() {
            return Ok(None);
        }
        self.rounds += 1;
        if self.rounds > MAX_ROUNDS {
            return Err("its files import each other without an end".to_owned());
        }
        Ok(Some(Bytes::from(out)))
    }

    /// Takes the body of an answer.
    ///
    /// # Errors
    /// It is not one, or says that something is not there.
    pub fn answer(&mut self, body: &Bytes) -> Result<(), String> {
        let mut reader = Messages::new(Encoding::Identity, MAX_BYTES);
        reader.push(body);
        while let Some(message) = reader.take().map_err(|error| error.to_string())? {
            self.response(&message).ok_or(GARBLED)??;
        }
        reader.end().map_err(|error| error.to_string())
    }

    /// None where the bytes are no `ServerReflectionResponse`.
    fn response(&mut self, message: &[u8]) -> Option<Result<(), String>> {
        let (mut asked, mut files, mut services, mut error) = (None, None, None, None);
        let mut fields = Fields(message);
        while let Some((number, raw)) = fields.next().ok()? {
            match (number, raw) {
                (2, Raw::Bytes(request)) => asked = Some(request),
                (4, Raw::Bytes(found)) => files = Some(found),
                (6, Raw::Bytes(found)) => services = Some(found),
                (7, Raw::Bytes(found)) => error = Some(found),
                _ => {}
            }
        }
        if let Some(error) = error {
            return Some(self.refused(asked.unwrap_or_default(), error));
        }
        for file in texts(files.unwrap_or_default(), 1)? {
            if let Err(why) = self.file(file)? {
                return Some(Err(why));
            }
        }
        for service in texts(services.unwrap_or_default(), 1)? {
            let name = text(texts(service, 1)?.first()?)?;
            if !name.starts_with("grpc.reflection.") {
                self.symbols.insert(name);
            }
        }
        Some(Ok(()))
    }

    fn file(&mut self, file: &[u8]) -> Option<Result<(), String>> {
        let name = text(texts(file, 1)?.first()?)?;
        for import in texts(file, 3)? {
            self.imported.insert(text(import)?);
        }
        let before = self.files.insert(name, file.to_vec());
        self.bytes += file.len() - before.map_or(0, |before| before.len().min(file.len()));
        let fits = self.bytes <= MAX_BYTES && self.files.len() <= MAX_FILES;
        Some(match fits {
            true => Ok(()),
            false => Err("its descriptors are larger than the limit".to_owned()),
        })
    }

    /// A file that is missing may be one that everybody has.
    fn refused(&mut self, request: &[u8], error: &[u8]) -> Result<(), String> {
        let name = |number| {
            let found = texts(request, number)?;
            text(found.last()?)
        };
        if let Some(file) = name(FILE_BY_FILENAME) {
            self.missing.insert(file);
            return Ok(());
        }
        let said = texts(error, 2).and_then(|found| text(found.first()?));
        let said = said.unwrap_or_default();
        Err(match name(FILE_CONTAINING_SYMBOL) {
            Some(symbol) => format!("it does not know `{symbol}`: {said}"),
            None => format!("it does not say what its services are: {said}"),
        })
    }

    /// The descriptors of all that was gathered.
    ///
    /// # Errors
    /// They don't fit together, or nothing was gathered.
    pub fn finish(self) -> Result<Pool, String> {
        if self.files.is_empty() {
            return Err("it has no services".to_owned());
        }
        let mut set = Vec::new();
        for file in self.files.values() {
            wire::tag(&mut set, 1, wire::BYTES);
            wire::bytes(&mut set, file);
        }
        let missing: Vec<&str> = self.missing.iter().map(String::as_str).collect();
        descriptors::completed(&set, &missing).map_err(|fault| fault.message)
    }
}

const GARBLED: &str = "its answer is not one of reflection";

/// Writes a `ServerReflectionRequest` with one text.
fn ask(out: &mut Vec<u8>, number: u32, value: &str) {
    let written: Result<(), ()> = frame::framed(out, |out| {
        wire::tag(out, number, wire::BYTES);
        wire::bytes(out, value.as_bytes());
        Ok(())
    });
    debug_assert!(written.is_ok());
}

/// All values of a field that are texts, bytes or messages.
fn texts(message: &[u8], wanted: u32) -> Option<Vec<&[u8]>> {
    let mut found = Vec::new();
    let mut fields = Fields(message);
    while let Some((number, raw)) = fields.next().ok()? {
        if let (true, Raw::Bytes(bytes)) = (number == wanted, raw) {
            found.push(bytes);
        }
    }
    Some(found)
}

fn text(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).ok().map(str::to_owned)
}
