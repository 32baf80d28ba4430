use http::{HeaderName, HeaderValue, Method};
use lintel_kernel::{Duration, Fault, config};

use super::{Cors, origins::Origins};

/// Which pages of other origins may read the answers of a route, and what they may send.
#[config]
#[schemars(rename = "Cors")]
pub struct Config {
    /// Their origins: `https://app.example.com`, `https://*.example.com` for all hosts below, or `*` for all
    /// pages there are.
    #[schemars(length(min = 1), example = ["https://app.example.com"])]
    pub origins: Vec<String>,
    /// Methods that they may use. Default: those that they ask for, as far as the route takes them.
    #[serde(default)]
    pub methods: Vec<String>,
    /// Header fields that they may send. Default: those that they ask for.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Header fields of answers that they may read, beside the few that all may.
    #[serde(default)]
    pub expose: Vec<String>,
    /// Whether browsers may send cookies and client certificates along. Not for all pages there are.
    #[serde(default)]
    pub credentials: bool,
    /// How long browsers need not ask again. They have limits of their own.
    #[serde(default = "ten_minutes")]
    pub max_age: Duration,
}

const fn ten_minutes() -> Duration {
    Duration::from_secs(600)
}

impl Config {
    pub(super) fn build(&self) -> Result<Cors, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut origins = Origins::default();
        if self.origins.is_empty() {
            let hint = "name the pages: `origins: [https://app.example.com]`";
            faults.push(
                Fault::new("no page would be welcome")
                    .with_hint(hint)
                    .under("origins"),
            );
        }
        for (at, origin) in self.origins.iter().enumerate() {
            if origins.add(origin).is_err() {
                let hint = "write scheme and host, without a path: `https://app.example.com`";
                let fault = Fault::new(format!("`{origin}` is not an origin")).with_hint(hint);
                faults.push(fault.under(at.to_string()).under("origins"));
            }
        }
        if origins.is_any() && self.credentials {
            faults.push(
                Fault::new("every page there is could use the cookies of its readers here")
                    .with_hint("name the origins, or remove `credentials`")
                    .under("credentials"),
            );
        }
        let names = |key, names: &[String], faults: &mut Vec<Fault>| {
            list(
                key,
                names,
                |name| HeaderName::try_from(name).is_ok(),
                faults,
            )
        };
        let is_method = |name: &str| Method::from_bytes(name.as_bytes()).is_ok();
        let methods = list("methods", &self.methods, is_method, &mut faults);
        let headers = names("headers", &self.headers, &mut faults);
        let expose = names("expose", &self.expose, &mut faults);
        match faults.is_empty() {
            false => Err(faults),
            true => Ok(Cors {
                origins,
                methods,
                headers,
                expose,
                credentials: self.credentials,
                max_age: HeaderValue::from(self.max_age.to_std().as_secs()),
            }),
        }
    }
}

/// A field of several names.
fn list(
    key: &'static str,
    names: &[String],
    is_name: impl Fn(&str) -> bool,
    faults: &mut Vec<Fault>,
) -> Option<HeaderValue> {
    for (at, name) in names.iter().enumerate().filter(|(_, name)| !is_name(name)) {
        let fault = Fault::new(format!("`{name}` is not a name"))
            .with_hint("write one of letters, digits and `-`");
        faults.push(fault.under(at.to_string()).under(key));
    }
    let all = HeaderValue::try_from(names.join(", ")).ok();
    all.filter(|_| !names.is_empty())
}
