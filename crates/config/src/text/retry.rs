use std::{fmt, str::FromStr};

use super::TextError;

/// What makes a request be tried again: `connect_failure`, `reset`, `refused_stream`, `timeout`, a
/// status (`503`), a class of statuses (`5xx`), or a gRPC status code (`grpc_unavailable`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RetryOn {
    /// No connection could be made.
    ConnectFailure,
    /// The connection broke, or what came is no valid answer.
    Reset,
    /// The upstream said that it did not look at the request.
    RefusedStream,
    /// No answer in the time for one try.
    Timeout,
    /// Exactly this status.
    Status(u16),
    /// The hundred that begins with this digit.
    Class(u8),
    /// A gRPC status code.
    Grpc(u8),
}

/// The codes of gRPC, at the index of their number
/// (<https://grpc.github.io/grpc/core/md_doc_statuscodes.html>). `ok` is no failure.
const GRPC: [&str; 17] = [
    "ok",
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

impl FromStr for RetryOn {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = TextError::new(format!("`{text}` is nothing to try again on"));
        match text {
            "connect_failure" => return Ok(Self::ConnectFailure),
            "reset" => return Ok(Self::Reset),
            "refused_stream" => return Ok(Self::RefusedStream),
            "timeout" => return Ok(Self::Timeout),
            "4xx" => return Ok(Self::Class(4)),
            "5xx" => return Ok(Self::Class(5)),
            "connect-failure" | "connect_error" | "connection_failure" => {
                return Err(error.hint("write `connect_failure`"));
            }
            "refused-stream" => return Err(error.hint("write `refused_stream`")),
            "error" => return Err(error.hint("write `connect_failure` and `reset`")),
            "gateway-error" | "gateway_error" => {
                return Err(error.hint("write `502`, `503` and `504`"));
            }
            _ => {}
        }
        let bare = text.strip_prefix("grpc_").unwrap_or(text).replace('-', "_");
        let code = GRPC.iter().skip(1).position(|name| *name == bare);
        if let Some(code) = code.and_then(|code| u8::try_from(code + 1).ok()) {
            return match text == format!("grpc_{bare}") {
                true => Ok(Self::Grpc(code)),
                false => Err(error.hint(format!("the gRPC status is written `grpc_{bare}`"))),
            };
        }
        match text.parse::<u16>() {
            Ok(status @ 400..=599) => Ok(Self::Status(status)),
            Ok(status @ 100..=399) => {
                Err(error.hint(format!("{status} is no error; errors go from 400 to 599")))
            }
            _ => Err(error.hint(
                "write `connect_failure`, `reset`, `refused_stream`, `timeout`, a status such as `503`, `5xx`, or a gRPC status such as `grpc_unavailable`",
            )),
        }
    }
}

impl fmt::Display for RetryOn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConnectFailure => f.write_str("connect_failure"),
            Self::Reset => f.write_str("reset"),
            Self::RefusedStream => f.write_str("refused_stream"),
            Self::Timeout => f.write_str("timeout"),
            Self::Status(status) => status.fmt(f),
            Self::Class(class) => write!(f, "{class}xx"),
            Self::Grpc(code) => {
                let name = GRPC.get(usize::from(*code)).copied().unwrap_or("unknown");
                write!(f, "grpc_{name}")
            }
        }
    }
}

impl RetryOn {
    /// The word for it in the JSON Schema.
    pub const FORMAT: &str = "retry-condition";
}

lintel_kernel::text_value!(
    RetryOn,
    "retry-condition",
    r"^(connect_failure|reset|refused_stream|timeout|[45]xx|[45][0-9]{2}|grpc_[a-z_]+)$",
    "connect_failure",
    "503",
    "5xx",
    "grpc_unavailable"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn reads_and_prints() {
        for text in [
            "connect_failure",
            "reset",
            "refused_stream",
            "timeout",
            "429",
            "5xx",
            "grpc_cancelled",
            "grpc_unavailable",
            "grpc_unauthenticated",
        ] {
            assert_eq!(text.parse::<RetryOn>().unwrap().to_string(), text);
        }
        assert_eq!("grpc_unavailable".parse(), Ok(RetryOn::Grpc(14)));
        for bad in [
            "",
            "grpc_ok",
            "200",
            "600",
            "3xx",
            "unavailable",
            "grpc_",
            "gateway-error",
        ] {
            assert!(bad.parse::<RetryOn>().unwrap_err().hint.is_some(), "{bad}");
        }
    }
}
