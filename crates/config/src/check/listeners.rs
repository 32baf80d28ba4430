//! Listeners and the admin API: addresses, versions of HTTP, limits.

use std::net::{IpAddr, SocketAddr};

use super::Check;
use crate::{
    diagnostic::code,
    model::{LARGEST_HEAD, Listener, Model, OneOrMany, Protocol, SMALLEST_HEAD},
    text::Bind,
};

pub(super) fn check(check: &mut Check<'_>) {
    binds(check);
    let model = &check.loaded.model;
    for (name, listener) in &model.listeners {
        protocols(check, name.as_str(), listener);
        limits(check, name.as_str(), listener);
        socket_mode(check, name.as_str(), listener);
        if let Some(tls) = &listener.tls {
            let path = ["listeners", name.as_str(), "tls", "handshake_timeout"];
            check.positive(&path, tls.handshake_timeout);
        }
    }
    check.positive(&["drain_timeout"], model.drain_timeout);
}

/// An address, and where it is written.
struct Bound<'a> {
    path: Vec<String>,
    owner: String,
    bind: &'a Bind,
}

fn bound(model: &Model) -> Vec<Bound<'_>> {
    let mut all = Vec::new();
    for (name, listener) in &model.listeners {
        for (at, bind) in listener.bind.as_slice().iter().enumerate() {
            let mut path = vec!["listeners".to_owned(), name.to_string(), "bind".to_owned()];
            if matches!(listener.bind, OneOrMany::Many(_)) {
                path.push(at.to_string());
            }
            all.push(Bound {
                path,
                owner: format!("listener `{name}`"),
                bind,
            });
        }
    }
    if let Some(admin) = &model.admin {
        all.push(Bound {
            path: vec!["admin".to_owned(), "bind".to_owned()],
            owner: "`admin`".to_owned(),
            bind: &admin.bind,
        });
    }
    all
}

fn binds(check: &mut Check<'_>) {
    let all = bound(&check.loaded.model);
    for (at, second) in all.iter().enumerate() {
        let clash = all
            .iter()
            .take(at)
            .find_map(|first| Some((first, clash(first.bind, second.bind)?)));
        let Some((first, why)) = clash else { continue };
        let path: Vec<&str> = second.path.iter().map(String::as_str).collect();
        let diagnostic = check
            .error(
                code::DUPLICATE_BIND,
                &path,
                format!(
                    "{} and {} listen on the same address",
                    first.owner, second.owner
                ),
            )
            .at(check.loaded.locate(&path), why)
            .also(check.loaded.locate(&first.path), "taken here")
            .help("give one of them another port");
        check.push(diagnostic);
    }
}

/// Why two addresses can't both be listened on.
fn clash(first: &Bind, second: &Bind) -> Option<&'static str> {
    match (first, second) {
        (Bind::Unix(a), Bind::Unix(b)) => (a == b).then_some("the same socket"),
        (Bind::Tcp(a), Bind::Tcp(b)) if a.port() == b.port() && a.port() != 0 => {
            if a == b {
                Some("the same address and port")
            } else if dual(a, b) || dual(b, a) {
                Some("`[::]` takes IPv4 as well")
            } else {
                None
            }
        }
        _ => None,
    }
}

/// Whether the first, being the IPv6 wildcard, takes the second's IPv4 wildcard too.
fn dual(wide: &SocketAddr, other: &SocketAddr) -> bool {
    matches!(wide.ip(), IpAddr::V6(ip) if ip.is_unspecified())
        && matches!(other.ip(), IpAddr::V4(ip) if ip.is_unspecified())
}

fn protocols(check: &mut Check<'_>, name: &str, listener: &Listener) {
    for (at, protocol) in listener.protocols.iter().flatten().enumerate() {
        let at = at.to_string();
        let path = ["listeners", name, "protocols", &at];
        let (message, help) = match (protocol, &listener.tls) {
            (Protocol::H2c, Some(_)) => (
                "`h2c` is HTTP/2 in plaintext, and this listener has TLS",
                "write `h2`",
            ),
            (Protocol::H2, None) => (
                "`h2` is chosen in the TLS handshake, and this listener has no `tls`",
                "write `h2c` for HTTP/2 in plaintext, or add `tls`",
            ),
            _ => continue,
        };
        check.push(check.error(code::CONFLICT, &path, message).help(help));
    }
}

fn socket_mode(check: &mut Check<'_>, name: &str, listener: &Listener) {
    let mut binds = listener.bind.as_slice().iter();
    if listener.socket_mode.is_some() && !binds.any(|bind| matches!(bind, Bind::Unix(_))) {
        let path = ["listeners", name, "socket_mode"];
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                "`socket_mode` is for Unix sockets, and this listener has none",
            )
            .help("remove it, or bind a socket like `unix:/run/lintel.sock`");
        check.push(diagnostic);
    }
}

fn limits(check: &mut Check<'_>, name: &str, listener: &Listener) {
    let limits = &listener.limits;
    let base = ["listeners", name, "limits"];
    let at = |key| [base[0], base[1], base[2], key];
    for (key, value) in [
        ("header_timeout", limits.header_timeout),
        ("body_idle", limits.body_idle),
        ("idle", limits.idle),
        ("tunnel_idle", limits.tunnel_idle),
    ] {
        check.positive(&at(key), value);
    }
    let range = SMALLEST_HEAD..=LARGEST_HEAD;
    let list: &[&str] = &[base[0], base[1], base[2], "h2", "header_list"];
    for (path, key, value) in [
        (&at("header_bytes")[..], "header_bytes", limits.header_bytes),
        (list, "header_list", limits.h2.header_list),
    ] {
        if !range.contains(&value) {
            let message = format!(
                "`{key}`: {} is out of range",
                check.loaded.shown(path, &value.to_string())
            );
            let diagnostic = check
                .error(code::OUT_OF_RANGE, path, message)
                .expected(format!("a size from `{SMALLEST_HEAD}` to `{LARGEST_HEAD}`"));
            check.push(diagnostic);
        }
    }
    if limits.uri_bytes > limits.header_bytes {
        let path = at("uri_bytes");
        let diagnostic = check
            .error(
                code::CONFLICT,
                &path,
                "`uri_bytes` is more than `header_bytes`, which counts the target too",
            )
            .at(check.loaded.locate(&path), "more than that")
            .also(
                check.loaded.locate(&at("header_bytes")),
                "the room for the whole head",
            )
            .help("raise `header_bytes` or lower `uri_bytes`");
        check.push(diagnostic);
    }
}
