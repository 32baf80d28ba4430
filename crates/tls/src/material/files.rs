use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};

use crate::error::TlsError;
use crate::info::Fingerprint;

/// The contents of a set of files, read once, so that the decision whether anything has changed
/// and what is made of it rest on the same bytes.
pub(crate) struct Files(BTreeMap<PathBuf, io::Result<Content>>);

struct Content {
    bytes: Vec<u8>,
    mode: u32,
}

/// More than any certificate bundle or revocation list of use; keeps a path like `/dev/zero` from
/// filling the memory.
const MAX_FILE: u64 = 64 * 1024 * 1024;

impl Files {
    /// Reads all of them. A file that cannot be read is remembered as such.
    pub(crate) fn read_all<'p>(paths: impl IntoIterator<Item = &'p Path>) -> Self {
        Self(
            paths
                .into_iter()
                .map(|path| (path.to_owned(), Content::read(path)))
                .collect(),
        )
    }

    /// Adds contents that are in no file.
    pub(crate) fn with<'c>(
        mut self,
        given: impl IntoIterator<Item = (&'c Path, &'c [u8])>,
    ) -> Self {
        for (path, bytes) in given {
            let content = Content {
                bytes: bytes.to_vec(),
                mode: 0,
            };
            self.0.insert(path.to_owned(), Ok(content));
        }
        self
    }

    /// A digest over names, contents and what could not be read.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let mut context = Context::new(&SHA256);
        let mut add = |bytes: &[u8]| {
            context.update(&(bytes.len() as u64).to_be_bytes());
            context.update(bytes);
        };
        for (path, content) in &self.0 {
            add(path.as_os_str().as_encoded_bytes());
            match content {
                Ok(content) => {
                    add(&content.mode.to_be_bytes());
                    add(&content.bytes);
                }
                Err(error) => add(error.to_string().as_bytes()),
            }
        }
        Fingerprint::from_digest(&context.finish())
    }

    pub(crate) fn read(&self, path: &Path) -> Result<&[u8], TlsError> {
        match self.0.get(path) {
            Some(Ok(content)) if content.bytes.is_empty() => Err(TlsError::of_file(
                path,
                "the file is empty",
                "write the key material to it, or correct the path",
            )),
            Some(Ok(content)) => Ok(&content.bytes),
            Some(Err(error)) => Err(unreadable(path, error)),
            None => Err(unreadable(path, &io::ErrorKind::NotFound.into())),
        }
    }

    /// Permission bits; 0 for a file that could not be read, and for what is in none.
    pub(crate) fn mode(&self, path: &Path) -> u32 {
        match self.0.get(path) {
            Some(Ok(content)) => content.mode,
            _ => 0,
        }
    }
}

impl Content {
    fn read(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let mut bytes = Vec::new();
        file.take(MAX_FILE + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Self {
            bytes,
            mode: metadata.permissions().mode(),
        })
    }
}

fn unreadable(path: &Path, error: &io::Error) -> TlsError {
    let (problem, help) = match error.kind() {
        io::ErrorKind::NotFound => (
            "the file does not exist".to_owned(),
            "correct the path, or write the file",
        ),
        io::ErrorKind::PermissionDenied => (
            "the file cannot be read: permission denied".to_owned(),
            "let the user that runs the gateway read it",
        ),
        io::ErrorKind::IsADirectory => (
            "this is a directory, not a file".to_owned(),
            "name the file inside it",
        ),
        io::ErrorKind::FileTooLarge => (
            "the file is larger than 64 MiB".to_owned(),
            "correct the path",
        ),
        _ => (
            format!("the file cannot be read: {error}"),
            "correct the path",
        ),
    };
    TlsError::of_file(path, problem, help)
}
