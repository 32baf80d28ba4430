//! The main task of a worker: commands from the control side, housekeeping, its own end.

use std::{
    cell::Cell,
    collections::HashMap,
    io,
    rc::Rc,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use lintel_proxy::Worker;
use lintel_upstream::Pools;
use tokio::{sync::mpsc::UnboundedReceiver, time::MissedTickBehavior};

use super::{
    Command, Core, Ended, Publication, Seed, WorkerStatus,
    accept::{self, Spot},
    listener::Listener,
};
use crate::{
    socket::{Hand, Key},
    vitals::Vitals,
};

/// Time between two rounds of housekeeping.
const TICK: Duration = Duration::from_millis(100);

struct Main {
    index: usize,
    grace: Duration,
    core: Rc<Core>,
    listeners: HashMap<u16, Rc<Listener>>,
    spots: HashMap<Key, Vec<Rc<Spot>>>,
    vitals: Arc<Vitals>,
    /// The connections of this worker that are among those of the vitals.
    counted: Cell<usize>,
    /// When to end at the latest, once draining.
    deadline: Option<Instant>,
}

pub(super) async fn serve(seed: Seed) -> Ended {
    let Seed {
        index,
        grace,
        catalogue,
        vitals,
        mut commands,
        first,
        ..
    } = seed;
    let metrics = catalogue.worker();
    let pools = Pools::new(index, metrics.clone());
    let proxy = Worker::new(Arc::clone(&first.snapshot), pools, metrics);
    let mut main = Main {
        index,
        grace,
        core: Core::new(proxy),
        listeners: HashMap::new(),
        spots: HashMap::new(),
        vitals,
        counted: Cell::new(0),
        deadline: None,
    };
    main.publish(first);
    main.run(&mut commands).await
}

impl Main {
    async fn run(mut self, commands: &mut UnboundedReceiver<Command>) -> Ended {
        let core = Rc::clone(&self.core);
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let deadline = self.deadline;
            tokio::select! {
                Some(command) = commands.recv() => self.obey(command),
                due = tick.tick() => self.housekeep(due),
                () = core.emptied.notified() => {}
                () = until(deadline) => break,
            }
            if self.deadline.is_some() && core.is_empty() {
                break;
            }
        }
        core.proxy.pools.close_idle();
        Ended {
            connections: core.connections.get(),
            requests: core.proxy.active(),
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Publish(publication) => self.publish(publication),
            // Nobody may be waiting any more.
            Command::Status(to) => drop(to.send(self.status())),
            Command::Drain {
                deadline,
                handed_over,
            } => self.drain(deadline, handed_over),
        }
    }

    fn publish(&mut self, publication: Publication) {
        let Publication {
            snapshot,
            listeners,
            places,
            sockets,
            done,
        } = publication;
        // Before the sockets: what a new listener accepts must find its rules.
        self.core.proxy.publish(snapshot);
        let mut previous = std::mem::take(&mut self.listeners);
        for (spec, gate) in listeners.iter() {
            let listener = match previous.remove(&spec.id) {
                Some(known) => {
                    known.configure(Arc::clone(spec));
                    known
                }
                None => Listener::new(&self.core, Arc::clone(spec), Arc::clone(gate)),
            };
            self.listeners.insert(spec.id, listener);
        }
        let placed = self.place(&places, sockets);
        for removed in previous.into_values() {
            tokio::task::spawn_local(removed.closing.clone().run(self.grace));
        }
        // The control side may have stopped waiting.
        let _ = done.send(placed);
    }

    /// Takes connections in these places and no others.
    fn place(&mut self, places: &[(Key, u16)], sockets: Hand) -> io::Result<()> {
        let wanted: HashMap<&Key, u16> = places
            .iter()
            .map(|(key, listener)| (key, *listener))
            .collect();
        self.spots.retain(|key, spots| {
            let listener = wanted.get(key).and_then(|id| self.listeners.get(id));
            for spot in spots.iter() {
                match listener {
                    Some(listener) => spot.give_to(Rc::clone(listener)),
                    None => spot.stop(),
                }
            }
            listener.is_some()
        });
        let mut result = Ok(());
        for (key, socket) in sockets {
            let Some(listener) = wanted.get(&key).and_then(|id| self.listeners.get(id)) else {
                continue;
            };
            match accept::start(&self.core, socket, Rc::clone(listener)) {
                Ok(spot) => self.spots.entry(key).or_default().push(spot),
                Err(error) => {
                    tracing::error!(worker = self.index, place = &*key, %error, "the worker can't take connections there");
                    result = Err(error);
                }
            }
        }
        result
    }

    fn status(&self) -> WorkerStatus {
        WorkerStatus {
            worker: self.index,
            responsive: true,
            connections: self.core.connections.get(),
            active: self.core.proxy.active(),
            generation: self.core.proxy.local().snapshot.generation,
        }
    }

    fn drain(&mut self, deadline: Instant, handed_over: bool) {
        if let Some(known) = self.deadline {
            self.deadline = Some(known.min(deadline));
            return;
        }
        self.deadline = Some(deadline);
        for spot in self.spots.drain().flat_map(|(_, spots)| spots) {
            if handed_over {
                spot.leave();
            }
            spot.stop();
        }
        for listener in self.listeners.values() {
            tokio::task::spawn_local(listener.closing.clone().run(self.grace));
        }
    }

    fn housekeep(&self, due: tokio::time::Instant) {
        let now = tokio::time::Instant::now();
        let late = now.saturating_duration_since(due);
        self.count(self.core.connections.get());
        let readings = self.vitals.readings(late);
        self.core.proxy.observe(self.index, readings);
        self.core.proxy.pools.tick(now);
        lintel_telemetry::sink::flush_due();
    }
}

impl Main {
    /// Has this many connections among those of the process.
    fn count(&self, connections: usize) {
        let more = connections.wrapping_sub(self.counted.replace(connections));
        // Wraps around for fewer.
        self.vitals.connections.fetch_add(more, Relaxed);
    }
}

impl Drop for Main {
    fn drop(&mut self) {
        self.count(0);
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
