//! What goes wrong.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context, Result};
use tokio::time;

use super::dns::Say;
use super::origin::Mode;
use super::scene::Scene;

/// One way to fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first of three endpoints does this.
    One(Mode),
    /// It is gone and back in turn.
    Flap,
    /// All three are gone.
    All,
    /// The service's name is wrong; the endpoints are well.
    Name(Lie),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lie {
    Failure,
    Silence,
    Empty,
    /// `0.0.0.0`, as name servers answer that have lost their data, and filters.
    Zero,
    /// An address where nobody is.
    Nobody,
}

const fn fault(id: &'static str, title: &'static str, kind: Kind) -> Fault {
    Fault { id, title, kind }
}

/// In the order of the table.
pub(super) const ALL: &[Fault] = &[
    fault("refuse", "refuses", Kind::One(Mode::Refuse)),
    fault("reset", "resets", Kind::One(Mode::Reset)),
    fault(
        "stall-head",
        "stalls before the head",
        Kind::One(Mode::StallHead),
    ),
    fault(
        "stall-body",
        "stalls in the body",
        Kind::One(Mode::StallBody),
    ),
    fault("garbage", "answers garbage", Kind::One(Mode::Garbage)),
    fault("503", "answers 503", Kind::One(Mode::Unavailable)),
    fault("flap", "flaps, half a second each", Kind::Flap),
    fault("gone", "service gone", Kind::All),
    fault("dns-fails", "name: SERVFAIL", Kind::Name(Lie::Failure)),
    fault("dns-silent", "name: no answer", Kind::Name(Lie::Silence)),
    fault("dns-empty", "name: no addresses", Kind::Name(Lie::Empty)),
    fault("dns-zero", "name: 0.0.0.0", Kind::Name(Lie::Zero)),
    fault(
        "dns-nobody",
        "name: a dead address",
        Kind::Name(Lie::Nobody),
    ),
];

/// Half a period of flapping.
const FLAP: Duration = Duration::from_millis(500);

/// Those that are named, or all.
///
/// # Errors
/// There is none of a name.
pub(super) fn chosen(ids: &[String]) -> Result<Vec<Fault>> {
    if ids.is_empty() {
        return Ok(ALL.to_vec());
    }
    let find = |id: &String| {
        let found = ALL.iter().find(|fault| fault.id == id);
        let known: Vec<&str> = ALL.iter().map(|fault| fault.id).collect();
        found
            .copied()
            .with_context(|| format!("no fault {id}: one of {}", known.join(", ")))
    };
    ids.iter().map(find).collect()
}

impl Fault {
    /// The path that is asked for.
    pub(super) const fn path(self) -> &'static str {
        match self.kind {
            Kind::Name(_) => "/named/1",
            _ => "/orders/1",
        }
    }

    /// The service behind it.
    pub(super) const fn service(self) -> &'static str {
        match self.kind {
            Kind::Name(_) => "named",
            _ => "orders",
        }
    }

    /// Lets it happen for so long.
    pub(super) async fn happen(self, scene: &Scene, length: Duration) {
        match self.kind {
            Kind::One(mode) => {
                scene.first().be(mode);
                time::sleep(length).await;
                scene.first().be(Mode::Well);
            }
            Kind::Flap => {
                let mut left = length;
                while !left.is_zero() {
                    scene.first().be(Mode::Refuse);
                    time::sleep(FLAP).await;
                    scene.first().be(Mode::Well);
                    time::sleep(FLAP).await;
                    left = left.saturating_sub(2 * FLAP);
                }
            }
            Kind::All => {
                scene.endpoints.iter().for_each(|one| one.be(Mode::Refuse));
                time::sleep(length).await;
                scene.endpoints.iter().for_each(|one| one.be(Mode::Well));
            }
            Kind::Name(lie) => {
                scene.names.say(match lie {
                    Lie::Failure => Say::Failure,
                    Lie::Silence => Say::Silence,
                    Lie::Empty => Say::Addresses(Vec::new()),
                    Lie::Zero => Say::Addresses(vec![Ipv4Addr::UNSPECIFIED]),
                    Lie::Nobody => Say::Addresses(vec![Ipv4Addr::new(127, 0, 1, 99)]),
                });
                time::sleep(length).await;
                scene.names.say(scene.truth());
            }
        }
    }
}
