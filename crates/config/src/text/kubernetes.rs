use std::{fmt, str::FromStr};

use super::{TextError, text_type};

/// The name of a service or a namespace in Kubernetes: a label of DNS (RFC 1123 §2.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubernetesName(String);

/// Longest name, in characters.
const LONGEST: usize = 63;

impl KubernetesName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KubernetesName {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        let error = || TextError::new(format!("`{text}` can't be a name in Kubernetes"));
        let fit = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if let Some((service, rest)) = text.split_once('.') {
            let namespace = rest.split('.').next().unwrap_or_default();
            return Err(error().hint(format!(
                "write names by themselves: `service: {service}`, `namespace: {namespace}`"
            )));
        }
        if let Some((at, _)) = text.char_indices().find(|(_, c)| !fit(*c)) {
            return Err(error()
                .at(at)
                .hint("use lower-case letters, digits and `-`"));
        }
        let ends = text.starts_with('-') || text.ends_with('-');
        if text.is_empty() || text.len() > LONGEST || ends {
            return Err(error()
                .hint("it has 1 to 63 characters, and begins and ends with a letter or digit"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KubernetesName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

text_type!(KubernetesName, "kubernetes-name", pattern: r"^[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?$"; "orders");

/// A port, by name or by number: `http`, `8080`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PortRef {
    /// By name (an `IANA_SVC_NAME` of Kubernetes, or a label).
    Name(KubernetesName),
    /// By number.
    Number(u16),
}

impl PortRef {
    /// The word for it in the JSON Schema.
    pub const FORMAT: &str = "port-reference";
}

impl FromStr for PortRef {
    type Err = TextError;

    fn from_str(text: &str) -> Result<Self, TextError> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let number = text.parse().ok().filter(|number| *number > 0);
            return number.map(Self::Number).ok_or_else(|| {
                TextError::new(format!("`{text}` is no port")).hint("ports go from 1 to 65535")
            });
        }
        let name = text.parse().map_err(|_| {
            TextError::new(format!(
                "`{text}` is neither the name nor the number of a port"
            ))
            .hint("write a name such as `http`, or a number such as `8080`")
        });
        name.map(Self::Name)
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Number(number) => number.fmt(f),
        }
    }
}

// A port alone is a number to YAML.
lintel_kernel::text_value!(
    PortRef,
    "port-reference",
    r"^[0-9a-z]([0-9a-z-]{0,61}[0-9a-z])?$",
    "http",
    "8080"
);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn names_are_labels() {
        for good in ["orders", "a", "orders-v2", "0", &"a".repeat(63)] {
            assert_eq!(good.parse::<KubernetesName>().unwrap().as_str(), good);
        }
        for bad in ["", "Orders", "-a", "a-", "a_b", "a/b", &"a".repeat(64)] {
            assert!(bad.parse::<KubernetesName>().is_err(), "{bad}");
        }
        let error = "orders.shop.svc".parse::<KubernetesName>().unwrap_err();
        assert_eq!(
            error.hint.unwrap(),
            "write names by themselves: `service: orders`, `namespace: shop`"
        );
    }

    #[test]
    fn ports_are_names_or_numbers() {
        let name = |text: &str| PortRef::Name(text.parse().unwrap());
        for (text, port) in [
            ("8080", PortRef::Number(8080)),
            ("http", name("http")),
            ("8080-tcp", name("8080-tcp")),
        ] {
            assert_eq!(text.parse::<PortRef>().unwrap(), port);
            assert_eq!(port.to_string(), text);
        }
        for bad in ["", "0", "65536", "HTTP", "a:b"] {
            assert!(bad.parse::<PortRef>().is_err(), "{bad}");
        }
    }
}
