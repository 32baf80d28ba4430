//! Nodes of a cluster.

use std::{cell::RefCell, rc::Rc, time::Duration};

use redis::cmd;
use rustc_hash::FxHashMap;
use tokio::{
    sync::watch,
    task::{JoinSet, spawn_local},
    time::Instant,
};

use super::{
    Address,
    dial::{Dialer, Failure, query},
    node::Node,
    slots::Slots,
};

/// What one worker knows of a cluster.
#[derive(Default)]
pub(super) struct Cluster {
    slots: RefCell<Slots>,
    nodes: RefCell<FxHashMap<Address, Rc<Node>>>,
    learning: RefCell<Option<watch::Receiver<Option<Failure>>>>,
    learned_at: RefCell<Option<Instant>>,
}

/// How often the nodes are asked who has what, at most, while what is known serves.
const LEARN: Duration = Duration::from_millis(100);

impl Cluster {
    /// The node that has a slot, if that is known.
    pub(super) fn node(&self, slot: u16) -> Option<(Address, Rc<Node>)> {
        let address = self.slots.borrow().master(slot)?.clone();
        let node = self.at(&address);
        Some((address, node))
    }

    /// The node at an address.
    pub(super) fn at(&self, address: &Address) -> Rc<Node> {
        let mut nodes = self.nodes.borrow_mut();
        Rc::clone(nodes.entry(address.clone()).or_default())
    }

    /// A node has said that another has a slot now. What else has changed is asked in passing.
    pub(super) fn moved(
        self: &Rc<Self>,
        slot: u16,
        to: Address,
        seeds: &[Address],
        dialer: &Dialer,
    ) {
        self.slots.borrow_mut().assign(slot, to);
        self.learn_soon(seeds, dialer);
    }

    /// Asks who has what, in passing.
    pub(super) fn learn_soon(self: &Rc<Self>, seeds: &[Address], dialer: &Dialer) {
        let learned_at = *self.learned_at.borrow();
        if learned_at.is_none_or(|at| at.elapsed() >= LEARN) {
            drop(self.begin(seeds, dialer));
        }
    }

    /// Waits until it is known who has what, or nobody says so.
    pub(super) async fn learn(
        self: &Rc<Self>,
        seeds: &[Address],
        dialer: &Dialer,
    ) -> Result<(), Failure> {
        let mut learning = self.begin(seeds, dialer);
        match learning.changed().await {
            Ok(()) => {
                let failure = learning.borrow().clone();
                failure.map_or(Ok(()), Err)
            }
            // The sender is gone: it is known.
            Err(_) => Ok(()),
        }
    }

    /// One question at a time. It goes on when nobody waits for the answer.
    fn begin(
        self: &Rc<Self>,
        seeds: &[Address],
        dialer: &Dialer,
    ) -> watch::Receiver<Option<Failure>> {
        if let Some(learning) = &*self.learning.borrow() {
            return learning.clone();
        }
        let (failed, learning) = watch::channel(None);
        *self.learning.borrow_mut() = Some(learning.clone());
        let mut asked: Vec<Address> = self.slots.borrow().nodes().to_vec();
        asked.extend(seeds.iter().cloned());
        asked.sort_unstable_by_key(ToString::to_string);
        asked.dedup();
        let (cluster, dialer) = (Rc::clone(self), dialer.clone());
        spawn_local(async move {
            let outcome = ask(asked, dialer).await;
            *cluster.learning.borrow_mut() = None;
            *cluster.learned_at.borrow_mut() = Some(Instant::now());
            match outcome {
                Ok(slots) => *cluster.slots.borrow_mut() = slots,
                Err(failure) => drop(failed.send_replace(Some(failure))),
            }
        });
        learning
    }

    /// Forgets nodes that are masters no more; those that were not asked for a while because they did
    /// not answer.
    pub(super) fn forget(&self) -> Vec<Rc<Node>> {
        let slots = self.slots.borrow();
        let mut nodes = self.nodes.borrow_mut();
        let gone = nodes.extract_if(|address, _| !slots.nodes().contains(address));
        gone.map(|(_, node)| node)
            .filter(|node| node.breaker.has_opened())
            .collect()
    }
}

/// Asks all of them at once; the first that knows is believed.
async fn ask(nodes: Vec<Address>, dialer: Dialer) -> Result<Slots, Failure> {
    let mut asking = JoinSet::new();
    for address in nodes {
        let dialer = dialer.clone();
        asking.spawn(async move {
            let mut connection = dialer.dial(&address).await?;
            let mut command = cmd("CLUSTER");
            command.arg("SLOTS");
            let answer: redis::Value = query(&mut connection, &command).await?;
            Slots::read(&answer, &address)
                .ok_or_else(|| Failure::of(&format!("{address} knows no slots of a cluster")))
        });
    }
    let mut last = Failure::of("there is no node");
    while let Some(asked) = asking.join_next().await {
        match asked {
            Ok(Ok(slots)) => return Ok(slots),
            Ok(Err(failure)) => last = failure,
            Err(_) => {}
        }
    }
    Err(last)
}
