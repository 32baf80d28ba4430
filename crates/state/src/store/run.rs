//! A script on the server that has its keys.

use std::{cell::RefCell, rc::Rc, time::Duration};

use redis::{FromRedisValue, RedisError, aio::MultiplexedConnection, cmd};
use tokio::time::{Instant, sleep};

use super::{
    Address,
    dial::{Failure, query},
    node::Node,
    redis::{At, Link, Missed, Redis},
    script::Call,
    sentinel,
    slots::slot,
};

/// The most redirections that one question follows.
const REDIRECTIONS: usize = 5;
/// How long a cluster that is being changed is left alone before it is asked again.
const CHANGING: Duration = Duration::from_millis(5);

/// Why a node of a cluster has not run a script.
enum Astray {
    /// Another has the slot.
    Moved(Address),
    /// Another is just getting it, and may have the keys already.
    Ask(Address),
    /// It is neither here nor there.
    Changing,
    Failed(Failure),
}

impl Redis {
    /// Runs a script where its keys are. `asked` is told which server that is.
    pub(super) async fn run<T: FromRedisValue>(
        &self,
        link: &Link,
        call: &Call<'_>,
        asked: &RefCell<Rc<Node>>,
    ) -> Result<T, Missed> {
        match &self.settings.at {
            At::Cluster(seeds) => self.run_in_cluster(link, seeds, call, asked).await,
            At::Server(address) => {
                let dial = || {
                    let (dialer, address) = (self.dialer.clone(), address.clone());
                    async move { dialer.dial(&address).await }
                };
                admitted(&link.server)?;
                let connection = self.counting(link.server.connection(dial).await)?;
                self.counting(eval(connection, call, false).await.map_err(Failure::from))
            }
            At::Sentinel {
                sentinels, master, ..
            } => {
                let dial = || {
                    let (sentinels, master) = (sentinels.clone(), master.clone());
                    sentinel::dial(
                        sentinels,
                        master,
                        self.to_sentinels.clone(),
                        self.dialer.clone(),
                    )
                };
                admitted(&link.server)?;
                let connection = self.counting(link.server.connection(dial).await)?;
                self.counting(eval(connection, call, false).await.map_err(Failure::from))
            }
        }
    }

    /// Asks the node that has the slot of the keys, and follows where that one points.
    async fn run_in_cluster<T: FromRedisValue>(
        &self,
        link: &Link,
        seeds: &[Address],
        call: &Call<'_>,
        asked: &RefCell<Rc<Node>>,
    ) -> Result<T, Missed> {
        let slot = slot(call.first_key());
        let mut asking: Option<Address> = None;
        for _ in 0..=REDIRECTIONS {
            self.learnt(link, seeds, slot).await?;
            let (address, node) = match &asking {
                Some(address) => (address.clone(), link.cluster.at(address)),
                None => link.cluster.node(slot).ok_or_else(|| {
                    Missed::Failed(Failure::of(&format!("no node has the slot {slot}")))
                })?,
            };
            *asked.borrow_mut() = Rc::clone(&node);
            if let Err(skipped) = admitted(&node) {
                link.cluster.learn_soon(seeds, &self.dialer);
                self.forget(link);
                return Err(skipped);
            }
            let dial = || {
                let (dialer, address) = (self.dialer.clone(), address.clone());
                async move { dialer.dial(&address).await }
            };
            let connected = node.connection(dial).await;
            let answer = match connected {
                Ok(connection) => eval(connection, call, asking.take().is_some()).await,
                Err(failure) => {
                    link.cluster.learn_soon(seeds, &self.dialer);
                    return self.counting(Err(failure));
                }
            };
            match answer.map_err(|error| Astray::of(error, &address)) {
                Ok(answer) => return Ok(answer),
                Err(Astray::Moved(to)) => link.cluster.moved(slot, to, seeds, &self.dialer),
                Err(Astray::Ask(to)) => asking = Some(to),
                Err(Astray::Changing) => {
                    link.cluster.learn_soon(seeds, &self.dialer);
                    sleep(CHANGING).await;
                }
                Err(Astray::Failed(failure)) => {
                    if failure.broken {
                        link.cluster.learn_soon(seeds, &self.dialer);
                    }
                    return self.counting(Err(failure));
                }
            }
            self.succeeded(&node);
        }
        self.counting(Err(Failure::of("redirected again and again")))
    }

    /// Waits until it is known who has a slot.
    async fn learnt(&self, link: &Link, seeds: &[Address], slot: u16) -> Result<(), Missed> {
        if link.cluster.node(slot).is_none() {
            admitted(&link.server)?;
            self.counting(link.cluster.learn(seeds, &self.dialer).await)?;
            self.succeeded(&link.server);
        }
        Ok(())
    }

    /// Servers that are masters no more are not away either.
    fn forget(&self, link: &Link) {
        for node in link.cluster.forget() {
            self.succeeded(&node);
        }
    }
}

fn admitted(node: &Node) -> Result<(), Missed> {
    match node.breaker.admits(Instant::now()) {
        true => Ok(()),
        false => Err(Missed::Skipped),
    }
}

/// Runs a script by its name, and by its text where the server does not know it; by its text at once on
/// a node that is just getting its keys (`ASKING`).
async fn eval<T: FromRedisValue>(
    mut connection: MultiplexedConnection,
    call: &Call<'_>,
    asking: bool,
) -> Result<T, RedisError> {
    if asking {
        let mut both = redis::pipe();
        both.add_command(cmd("ASKING")).ignore();
        both.add_command(call.by_text());
        let (answer,): (T,) = both.query_async(&mut connection).await?;
        return Ok(answer);
    }
    match query(&mut connection, &call.by_name()).await {
        Err(error) if error.code() == Some("NOSCRIPT") => {
            query(&mut connection, &call.by_text()).await
        }
        answer => answer,
    }
}

impl Astray {
    fn of(error: RedisError, by: &Address) -> Self {
        let to = error.redirect_node().and_then(|(to, _)| pointed(to, by));
        match (error.code(), to) {
            (Some("MOVED"), Some(to)) => Self::Moved(to),
            (Some("ASK"), Some(to)) => Self::Ask(to),
            (Some("TRYAGAIN" | "CLUSTERDOWN"), _) => Self::Changing,
            _ => Self::Failed(error.into()),
        }
    }
}

/// The address that a node points to; one without a host is a port of its own.
fn pointed(to: &str, by: &Address) -> Option<Address> {
    let (host, port) = to.rsplit_once(':')?;
    let port = port.parse().ok()?;
    match (host, by) {
        ("", Address::Tcp(host, _)) => Some(Address::Tcp(host.clone(), port)),
        ("", Address::Unix(_)) => None,
        (host, _) => Some(Address::Tcp(host.to_owned(), port)),
    }
}
