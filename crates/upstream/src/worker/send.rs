//! Sending one request to a service.

use std::{fmt, net::SocketAddr, rc::Rc, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Version, header, request::Parts};
use lintel_http::{Body, body::Lease};
use lintel_http1::{Timer, Upgraded};
use lintel_tls::Stream;
use tokio::time::Instant;

use super::{
    acquire::{Need, Ready, Route},
    exchange::{Attempt, Lost},
    failure::{Cause, Failure, code},
    observe,
    patience::Late,
    pools::Pools,
    race::{Hedged, Race},
    service::{View, WorkerService},
    trial::Trial,
};
use crate::{
    deadline::Deadline,
    guard::{Entered, Guarded},
    health::Verdict,
    retry::Retry,
    service::{Endpoint, HostRule, Protocol, Service},
};

/// A request on its way to a service.
pub struct Call<'a> {
    /// The head, with its target in origin-form. `Host` is replaced by the service's rule.
    pub head: &'a mut Parts,
    /// The body. Read as the upstream takes it.
    pub body: Body,
    /// Asks to switch to this protocol (RFC 9110 §7.8).
    pub upgrade: Option<&'a HeaderValue>,
    /// The client waits to be told to send its body: the upstream is asked first, if it speaks
    /// HTTP/1.1 (RFC 9110 §10.1.1).
    pub expect_continue: bool,
    /// The caller keeps trailers (`TE: trailers`, RFC 9110 §10.1.4). Always said for gRPC.
    pub te_trailers: bool,
    /// When the head of the answer must be there, whatever the service allows.
    pub deadline: Option<Instant>,
    /// The timer of the task that this runs in, and that polls the answer's body.
    pub timer: &'a Timer,
    /// Told of interim answers (1xx but 100 and 101).
    pub interim: &'a dyn Fn(StatusCode, HeaderMap),
    /// The hash that requests share which should meet the same endpoint.
    pub key: Option<u64>,
    /// Endpoints that are not to be tried while there are others.
    pub tried: Tried,
    /// Whose rules for trying again hold.
    pub retry: Rules<'a>,
    /// The route's own limits and breaker, beside the service's.
    pub guard: Option<&'a Arc<Guarded>>,
    /// The deadline is the client's own, so that missing it says nothing about the service.
    pub hurried: bool,
    /// What the caller said of how long it waits, to be told to the service.
    pub told: Option<Deadline>,
}

/// Whose rules for trying again hold.
#[derive(Clone, Copy, Debug, Default)]
pub enum Rules<'a> {
    /// Those of the service.
    #[default]
    Service,
    /// Those of the route.
    Route(&'a Retry),
    /// Nobody's: it is sent once.
    Nobody,
}

/// The head of an answer; its body is read from the upstream as it is polled.
#[derive(Debug)]
pub struct Answer {
    /// Head and body. The request counts as in flight until the body is dropped.
    pub response: Response<Body>,
    /// The connection after a 101.
    pub upgraded: Option<Tunnel>,
    /// Who answered; none for Unix sockets.
    pub endpoint: Option<SocketAddr>,
    /// Endpoints that took part, the one that answered among them.
    pub tried: Tried,
    /// How many tries there were.
    pub attempts: u8,
    /// When the head was complete.
    pub head_at: Instant,
    /// The request's place in the service's limit of requests: keep it as long as the answer.
    pub place: Option<Entered>,
    /// The session that this answer begins: what the gateway's cookie is to say from now on.
    pub session: Option<u64>,
    /// Whether the request was hedged, and which try was answered.
    pub hedged: Option<Hedged>,
}

/// A connection after the switch to another protocol.
pub struct Tunnel {
    /// The bytes in both directions.
    pub io: Upgraded<Stream>,
    /// The connection counts as in flight while this lives: keep it as long as `io`.
    pub lease: Lease,
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("io", self.io.io())
            .finish_non_exhaustive()
    }
}

/// Endpoints that a request has been to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    slots: [u32; 6],
    len: u8,
}

impl Tried {
    /// Adds an endpoint; the first six are remembered.
    pub(crate) fn add(&mut self, slot: usize) {
        let slot = u32::try_from(slot).unwrap_or(u32::MAX);
        if self.contains(slot as usize) {
            return;
        }
        if let Some(place) = self.slots.get_mut(usize::from(self.len)) {
            *place = slot;
            self.len += 1;
        }
    }

    pub(crate) fn contains(&self, slot: usize) -> bool {
        self.slots
            .iter()
            .take(usize::from(self.len))
            .any(|known| *known as usize == slot)
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl Pools {
    /// One try, up to `call.deadline`, with what is safe for every request. It may be one of
    /// several in a race.
    pub(crate) fn send_once<'a>(
        &'a self,
        service: &'a Arc<Service>,
        call: Call<'a>,
        trial: &'a Trial<'a>,
        race: Option<&'a Race>,
    ) -> impl Future<Output = Result<Answer, Failure>> + use<'a> {
        let mut sending = Sending::new(self, service, call, trial, race);
        async move {
            loop {
                match sending.attempt().await {
                    Ok(Some(sent)) => return Ok(sending.answer(sent)),
                    Ok(None) => {}
                    Err(cause) => return Err(sending.failure(cause)),
                }
            }
        }
    }
}

/// A request and what has happened to it so far.
struct Sending<'a> {
    pools: &'a Pools,
    service: &'a Arc<Service>,
    local: Rc<WorkerService>,
    view: Rc<View>,
    head: &'a mut Parts,
    body: Option<Body>,
    upgrade: Option<&'a HeaderValue>,
    expect_continue: bool,
    te_trailers: bool,
    deadline: Option<Instant>,
    timer: &'a Timer,
    interim: &'a dyn Fn(StatusCode, HeaderMap),
    key: Option<u64>,
    tried: Tried,
    attempts: u8,
    endpoint: Option<SocketAddr>,
    session: Option<u64>,
    hurried: bool,
    again: Again,
    trial: &'a Trial<'a>,
    race: Option<&'a Race>,
}

impl<'a> Sending<'a> {
    fn new(
        pools: &'a Pools,
        service: &'a Arc<Service>,
        call: Call<'a>,
        trial: &'a Trial<'a>,
        race: Option<&'a Race>,
    ) -> Self {
        let local = pools.service(service);
        Self {
            view: local.view(service, pools),
            pools,
            service,
            local,
            head: call.head,
            body: Some(call.body),
            upgrade: call.upgrade,
            expect_continue: call.expect_continue,
            te_trailers: call.te_trailers,
            deadline: call.deadline,
            timer: call.timer,
            interim: call.interim,
            key: call.key,
            tried: call.tried,
            attempts: 0,
            endpoint: None,
            session: None,
            hurried: call.hurried,
            again: Again::default(),
            trial,
            race,
        }
    }

    /// One try: its answer, or nothing where another try is in order.
    async fn attempt(&mut self) -> Result<Option<Sent>, Cause> {
        let Some(index) = self.choose() else {
            return Box::pin(self.wait_for_endpoint()).await.map(|()| None);
        };
        let view = Rc::clone(&self.view);
        let (Some(endpoint), Some(pool)) = (view.set.endpoints().get(index), view.pools.get(index))
        else {
            return Err(Cause::no_endpoint("the endpoint is gone"));
        };
        self.begin(endpoint);
        let route = Route {
            service: self.service,
            view: &view,
            endpoint,
            pool,
        };
        let begun = self.pools.clock().now();
        let ready = match self.connection(route).await {
            Ok(ready) => ready,
            Err(cause) => return self.unconnected(cause, route, begun).map(|()| None),
        };
        let body = self.body.take().unwrap_or_else(Body::empty);
        let attempt = Attempt {
            service: self.service,
            endpoint,
            pool,
            metrics: &self.local.metrics,
            timer: self.timer,
            deadline: self.deadline,
            hurried: self.hurried,
            upgrade: self.upgrade,
            expect_continue: self.expect_continue,
            te_trailers: self.te_trailers,
            interim: self.interim,
            view: &view,
            trial: self.trial,
            race: self.race,
        };
        let sent = match ready {
            Ready::Http1(conn, lease, source) => {
                join_cookies(self.head);
                attempt
                    .over_http1(self.head, body, conn, lease, source)
                    .await
            }
            Ready::Http2(connection, lease, place) => {
                Box::pin(attempt.over_http2(self.head, body, connection, lease, place)).await
            }
        };
        match sent {
            Ok(sent) => {
                self.session = self.local.session(&view, index, self.key);
                Ok(Some(sent))
            }
            Err(lost) => self.lost(lost, index).map(|()| None),
        }
    }

    /// The endpoint of the next try. A request that has been elsewhere takes nobody's turn. Where
    /// it has been everywhere, it begins anew.
    fn choose(&mut self) -> Option<usize> {
        if let Some(index) = self.again.same.take() {
            return Some(index);
        }
        if let Some(race) = self.race {
            self.tried = race.tried.get();
        }
        if !self.tried.is_empty() {
            let other = self
                .local
                .pick_other(&self.view, &self.tried, self.key, self.pools);
            if other.is_some() || self.attempts > 0 {
                return other;
            }
            self.tried = Tried::default();
        }
        self.local
            .pick(&self.view, &self.tried, self.key, self.pools)
    }

    fn begin(&mut self, endpoint: &Endpoint) {
        self.attempts = self.attempts.saturating_add(1);
        self.endpoint = endpoint.address();
        self.tried.add(endpoint.slot());
        if let Some(race) = self.race {
            race.add(endpoint.slot());
        }
        let host = match &self.service.spec().host {
            HostRule::Preserve => return,
            HostRule::Endpoint => endpoint.host(),
            HostRule::Fixed(host) => host,
        };
        self.head.headers.insert(header::HOST, host.clone());
    }

    /// A pooled connection or else, boxed to keep the usual way small, a new one.
    async fn connection(&self, route: Route<'_>) -> Result<Ready, Cause> {
        let need = Need {
            upgrade: self.upgrade.is_some(),
            fresh: self.again.replayed,
        };
        if need.upgrade && self.service.spec().protocol == Protocol::Http2 {
            return Err(Cause::no_upgrade());
        }
        if let Some(ready) = route.ready(need) {
            return ready;
        }
        let acquired = Box::pin(async {
            match self.deadline {
                Some(deadline) => self.timer.timeout_at(deadline, route.acquire(need)).await,
                None => Ok(route.acquire(need).await),
            }
        })
        .await;
        self.pools.clock().refresh();
        acquired.unwrap_or_else(|_elapsed| Err(Cause::late(Late::Deadline)))
    }

    /// Nothing was sent: another endpoint may be better.
    fn unconnected(&mut self, cause: Cause, route: Route<'_>, begun: Instant) -> Result<(), Cause> {
        self.local.metrics.attempt(cause.outcome());
        let failed = matches!(cause.code, code::CONNECT_FAILED | code::CONNECT_TIMEOUT);
        if failed {
            let now = self.pools.clock().now();
            let seen = (route.view, &*route.pool.load);
            let took = now.saturating_duration_since(begun);
            observe::observe(
                self.service,
                route.endpoint,
                seen,
                Verdict::Failure,
                took,
                now,
            );
        }
        if failed && !std::mem::replace(&mut self.again.moved, true) {
            let other = self
                .local
                .pick_other(&self.view, &self.tried, self.key, self.pools);
            // Where nobody answered there either, that is no better: beyond this it is for the rules
            // for trying again, and their budget.
            self.again.same = other.filter(|index| !self.is_in_doubt(*index));
            if self.again.same.is_some() {
                return Ok(());
            }
        }
        Err(cause)
    }

    fn is_in_doubt(&self, index: usize) -> bool {
        let endpoint = self.view.set.endpoints().get(index);
        endpoint.is_some_and(|endpoint| endpoint.health.is_in_doubt())
    }

    fn lost(&mut self, lost: Lost, index: usize) -> Result<(), Cause> {
        self.body = lost.body;
        let allowed = lost.replay.allows(&self.head.method) && self.body.is_some();
        if !allowed || std::mem::replace(&mut self.again.replayed, true) {
            return Err(lost.cause);
        }
        self.again.same = Some(index);
        self.pools.clock().refresh();
        Ok(())
    }

    /// Where there is nothing to choose from: waits for the first answer about a name, if that is
    /// what is missing.
    async fn wait_for_endpoint(&mut self) -> Result<(), Cause> {
        let members = &self.service.members;
        if self.view.set.endpoints().is_empty() && members.is_settling() {
            let _too_long =
                tokio::time::timeout(self.service.spec().timeouts.connect, members.settled()).await;
        }
        let fresh = self.local.view(self.service, self.pools);
        if Rc::ptr_eq(&fresh, &self.view) {
            return Err(Cause::no_endpoint(
                if self.view.set.endpoints().is_empty() {
                    "no name of the service resolves to an address"
                } else if self.tried.is_empty() {
                    "every endpoint is drained or unhealthy"
                } else {
                    "every endpoint was tried"
                },
            ));
        }
        self.view = fresh;
        Ok(())
    }

    fn failure(self, cause: Cause) -> Failure {
        Failure {
            facts: cause.facts,
            code: cause.code,
            cause: cause.text,
            endpoint: self.endpoint,
            tried: self.tried,
            attempts: self.attempts,
            body: self.body,
            retry_after: cause.retry_after,
        }
    }

    fn answer(self, sent: Sent) -> Answer {
        Answer {
            response: sent.response,
            upgraded: sent.upgraded,
            endpoint: self.endpoint,
            tried: self.tried,
            attempts: self.attempts,
            head_at: sent.head_at,
            place: None,
            session: self.session,
            hedged: None,
        }
    }
}

/// An answer without the story of the request.
pub(crate) struct Sent {
    pub(crate) response: Response<Body>,
    pub(crate) upgraded: Option<Tunnel>,
    pub(crate) head_at: Instant,
}

/// Which of the safe tries are used up.
#[derive(Default)]
struct Again {
    replayed: bool,
    moved: bool,
    /// The endpoint of the next try.
    same: Option<usize>,
}

/// What a lost try leaves open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replay {
    /// The upstream may have acted on it.
    Never,
    /// It may have, and would do so again without harm if the method is idempotent.
    IfIdempotent,
    /// It has not.
    Always,
}

/// HTTP/2 may split `Cookie` into several fields; HTTP/1 has one (RFC 9113 §8.2.3).
fn join_cookies(head: &mut Parts) {
    if head.version != Version::HTTP_2 {
        return;
    }
    let mut crumbs = head.headers.get_all(header::COOKIE).iter();
    let (Some(first), Some(second)) = (crumbs.next(), crumbs.next()) else {
        return;
    };
    let mut joined = first.as_bytes().to_vec();
    for crumb in std::iter::once(second).chain(crumbs) {
        joined.extend_from_slice(b"; ");
        joined.extend_from_slice(crumb.as_bytes());
    }
    if let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(joined)) {
        head.headers.insert(header::COOKIE, value);
    }
}

impl Replay {
    fn allows(self, method: &Method) -> bool {
        match self {
            Self::Never => false,
            Self::IfIdempotent => method.is_idempotent(),
            Self::Always => true,
        }
    }
}
