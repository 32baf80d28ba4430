//! Texts with a form of their own: addresses, URLs, patterns, templates.
//!
//! Each is a type that is read by `FromStr`, and has a *format*: the word in the JSON Schema by
//! which the shape check finds the parser, so that a mistake is shown at the very character before
//! anything is deserialised.

mod address;
mod cause;
mod cookie;
mod endpoint;
mod error;
mod file;
mod format;
mod header;
mod hedge;
mod kubernetes;
mod legs;
mod mode;
mod name;
mod origin;
mod pattern;
mod retry;
mod rpc;
mod server;
mod status;
mod store;
mod target;
mod template;

pub use address::{Bind, Cidr, IpAddress};
pub use cause::Cause;
pub use cookie::{CookieName, HostSuffix};
pub use endpoint::{Endpoint, HostRule, Scheme};
pub use error::TextError;
pub use file::{FilePath, LogTarget};
pub(crate) use format::{check, noun};
pub use header::{FieldName, FieldValue, MethodName};
pub use hedge::HedgeAfter;
pub use kubernetes::{KubernetesName, PortRef};
pub use legs::{Filter, LegExpr, LegName, LegTemplate, LegValue, QueryText};
pub use mode::FileMode;
pub use name::{Name, StatusPattern};
pub use origin::Origin;
pub use pattern::{Host, Path, Regex};
pub use retry::RetryOn;
pub use rpc::{RpcCode, RpcMethod, RpcName, RpcPath};
pub use server::ServerAddress;
pub use status::{LegStatus, StatusRange};
pub use store::StoreAddress;
pub use target::{RequestPath, TestUrl};
pub use template::{ExprText, TemplateText};

/// Implements `Deserialize`, `Serialize` and `JsonSchema` for a type that is read by `FromStr`
/// and written by `Display`.
macro_rules! text_type {
    ($type:ty, $format:literal $(, pattern: $pattern:expr)? ; $($example:literal),+) => {
        impl $type {
            /// The word for it in the JSON Schema.
            pub const FORMAT: &str = $format;
        }

        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <::std::borrow::Cow<'de, str> as ::serde::Deserialize<'de>>::deserialize(deserializer)?
                    .parse()
                    .map_err(::serde::de::Error::custom)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({
                    "type": "string",
                    "format": $format,
                    $("pattern": $pattern,)?
                    "examples": [$($example),+],
                })
            }
        }
    };
}
pub(crate) use text_type;

#[cfg(test)]
mod tests;
