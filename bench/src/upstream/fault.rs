//! What goes wrong with a part of the origin, by order of the driver.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Result, ensure};

/// How it goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// There is no answer.
    Slow,
    /// The connection closes when a request comes.
    Down,
    /// The answer is not JSON.
    Wrong,
    /// The answer is 8 MiB.
    Huge,
}

impl Fault {
    pub(crate) const ALL: [Self; 4] = [Self::Slow, Self::Down, Self::Wrong, Self::Huge];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Slow => "slow",
            Self::Down => "down",
            Self::Wrong => "wrong",
            Self::Huge => "huge",
        }
    }

    /// Lets what begins with `prefix` of the upstream at this port fail, or nothing at all.
    ///
    /// # Errors
    /// The upstream is not there.
    pub(crate) fn set(port: u16, fault: Option<(Self, &str)>) -> Result<()> {
        let (kind, prefix) = fault.map_or(("none", "/"), |(fault, prefix)| (fault.name(), prefix));
        let mut upstream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        write!(
            upstream,
            "GET /fault/{kind}{prefix} HTTP/1.1\r\nhost: upstream\r\nconnection: close\r\n\r\n"
        )?;
        let mut answer = String::new();
        upstream.read_to_string(&mut answer)?;
        ensure!(answer.starts_with("HTTP/1.1 200"), "no fault set: {answer}");
        Ok(())
    }
}

/// The fault there is.
#[derive(Debug, Default)]
pub(super) struct Faults {
    now: Option<(Fault, String)>,
}

impl Faults {
    /// What is wrong with a path. A path that orders a fault has none.
    pub(super) fn of(&mut self, path: &str) -> Option<Fault> {
        if let Some(order) = path.strip_prefix("/fault/") {
            let (kind, prefix) = order.split_once('/').unwrap_or((order, ""));
            let fault = Fault::ALL.into_iter().find(|fault| fault.name() == kind);
            self.now = fault.map(|fault| (fault, format!("/{prefix}")));
            return None;
        }
        let (fault, prefix) = self.now.as_ref()?;
        path.starts_with(prefix.as_str()).then_some(*fault)
    }
}
