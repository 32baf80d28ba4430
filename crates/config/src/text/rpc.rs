use std::{fmt, str::FromStr};

use lintel_grpc::{status, template::Template};
use lintel_kernel::GrpcCode;

use super::{TextError, text_type};
use crate::shape::nearest;

/// The full name of a service or method in its `.proto` file: `acme.users.v1.Users.GetUser`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RpcName(String);

impl RpcName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RpcName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let is_name = |part: &str| {
            let mut chars = part.chars();
            let first = chars.next();
            first.is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if text.split('.').all(is_name) {
            return Ok(Self(text.to_owned()));
        }
        let error = TextError::new(format!("`{text}` is not a name of a `.proto` file"));
        let dotted = text.trim_matches('/').replace('/', ".");
        Err(match dotted.split('.').all(is_name) {
            true => error.hint(format!("write `{dotted}`")),
            false => error.hint("write it with its package, such as `acme.users.v1.Users`"),
        })
    }
}

impl fmt::Display for RpcName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(RpcName, "rpc-name"; "acme.users.v1.Users");

/// A method of a gRPC service: `wallet.v1.Wallet/GetBalance`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcMethod(String);

impl RpcMethod {
    /// The full name of the service.
    pub fn service(&self) -> &str {
        self.0.split_once('/').map_or("", |(service, _)| service)
    }

    /// The path of a call.
    pub fn path(&self) -> String {
        format!("/{}", self.0)
    }
}

impl FromStr for RpcMethod {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let fits = |text: &str| {
            let named = text.split_once('/');
            named.is_some_and(|(service, method)| {
                let method: Result<RpcName, _> = method.parse();
                let simple = method.is_ok_and(|method| !method.0.contains('.'));
                service.parse::<RpcName>().is_ok() && simple
            })
        };
        if fits(text) {
            return Ok(Self(text.to_owned()));
        }
        let error = TextError::new(format!("`{text}` is not a method of a service"));
        let bare = text.trim_start_matches('/');
        let slashed = bare.rsplit_once('.');
        let slashed = slashed.map(|(service, method)| format!("{service}/{method}"));
        Err(match slashed {
            _ if fits(bare) => error.hint(format!("write `{bare}`")),
            Some(better) if fits(&better) => error.hint(format!("write `{better}`")),
            _ => error.hint(
                "write the service with its package, and the method: `wallet.v1.Wallet/GetBalance`",
            ),
        })
    }
}

impl fmt::Display for RpcMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(RpcMethod, "rpc-method"; "wallet.v1.Wallet/GetBalance");

/// A path with fields of a message in it, as `google.api.http` has it:
/// `/v1/{name=shelves/*/books/*}:archive`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RpcPath(Template);

impl FromStr for RpcPath {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        Template::parse(text).map(Self).map_err(|error| {
            TextError::new(format!("`{text}` is not a path of this form: {error}"))
                .at(error.offset)
                .hint("write it like `/v1/users/{id}` or `/v1/{name=shelves/*/books/**}`")
        })
    }
}

impl fmt::Display for RpcPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

text_type!(RpcPath, "rpc-path", pattern: "^/"; "/v1/users/{id}");

/// How a call ends, by the name of its code in snake_case: `not_found`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcCode(pub GrpcCode);

impl FromStr for RpcCode {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if let Some(code) = status::codes().find(|code| status::name(*code) == text) {
            return Ok(Self(code));
        }
        let error = TextError::new(format!("`{text}` is not a status of gRPC"));
        let small = text.to_ascii_lowercase();
        Err(match nearest(&small, status::codes().map(status::name)) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error.hint("write its name in small letters, such as `not_found`"),
        })
    }
}

impl fmt::Display for RpcCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(status::name(self.0))
    }
}

text_type!(RpcCode, "rpc-code"; "not_found", "unavailable");
