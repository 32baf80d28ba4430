//! A gateway as a process of its own, load on it, and the tools that ask it.

mod certificates;
mod load;
mod peer;
mod process;
pub(crate) mod servers;
mod tools;

pub(crate) use certificates::Authority;
pub(crate) use load::Load;
pub(crate) use peer::{Peer, text};
pub(crate) use process::{Gateway, lintel};
pub(crate) use servers::{Balancer, TlsServer};
pub(crate) use tools::{curl, h2load, key_pair, openssl};

use lintel_testkit::Origin;

/// A configuration with an admin API and one listener, `public`, whose every request goes to one
/// service; `more` is added to the route.
pub(crate) fn to_origin(origin: &Origin, more: &str) -> String {
    to_url(&origin.url(), more)
}

/// The same with the endpoint's URL.
pub(crate) fn to_url(url: &str, more: &str) -> String {
    with_routes(&format!(
        "services: {{ origin: {{ endpoints: [\"{url}\"] }} }}\n\
         routes: {{ all: {{ match: {{ path: \"/*\" }}, to: origin, {more} }} }}"
    ))
}

/// A configuration of one listener and the admin API, and this.
pub(crate) fn with_routes(rest: &str) -> String {
    format!(
        "version: 1\nworkers: 2\nlisteners: {{ public: {{ bind: 127.0.0.1:0 }} }}\n\
         admin: {{ bind: 127.0.0.1:0 }}\n{rest}\n"
    )
}

/// The same configuration with another setting of the listener.
pub(crate) fn on_listener(yaml: &str, setting: &str) -> String {
    let plain = "public: { bind: 127.0.0.1:0";
    assert!(yaml.contains(plain), "{yaml}");
    yaml.replace(plain, &format!("{plain}, {setting}"))
}
