use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{TextError, text_type};

/// The path of a file. In the configuration it is relative to the file it is written in; here it
/// is resolved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FilePath(PathBuf);

impl FilePath {
    /// The path.
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl FromStr for FilePath {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "" => Err(TextError::new("the path is empty")),
            text if text.contains("-----BEGIN") => Err(TextError::new(
                "this is the content of a file, not its path",
            )
            .hint("write the path of the file that holds it")),
            text => Ok(Self(text.into())),
        }
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

text_type!(FilePath, "file"; "certs/api.pem");

/// Where lines go: `stdout`, `stderr`, or the path of a file with a `/` in it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// A file, appended to; resolved like every path.
    File(PathBuf),
}

impl FromStr for LogTarget {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        match text {
            "stdout" => Ok(Self::Stdout),
            "stderr" => Ok(Self::Stderr),
            path if path.contains('/') => Ok(Self::File(path.into())),
            other => Err(TextError::new(format!(
                "`{other}` is neither `stdout`, `stderr` nor a path"
            ))
            .hint(format!(
                "for a file beside the configuration, write `./{other}`"
            ))),
        }
    }
}

impl fmt::Display for LogTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdout => f.write_str("stdout"),
            Self::Stderr => f.write_str("stderr"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

text_type!(LogTarget, "log-target"; "stdout", "/var/log/lintel/access.log");
