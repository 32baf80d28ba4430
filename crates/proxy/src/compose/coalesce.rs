//! Requests that are the same and come at the same time are answered by one run of the legs.
//!
//! Each worker does so for its own requests: nothing is locked, and nothing is shared with others. The
//! first of them runs the legs in its own task. If it goes away, one of those that wait runs them anew:
//! no client fails because another one has left.

use std::{
    cell::{Cell, RefCell},
    collections::{HashMap, hash_map::Entry},
    future::poll_fn,
    mem,
    rc::Rc,
    task::{Poll, Waker},
};

use http::{HeaderName, Method, header};
use lintel_kernel::{
    Exchange,
    expr::{Expr, Scope},
};

use super::answer::Answered;

/// Which requests of a route are the same.
pub struct Coalesce {
    /// Expressions whose values are alike.
    pub by: Vec<Expr>,
    /// Fields whose values are alike: those that go along to legs.
    pub fields: Vec<HeaderName>,
    /// Host, path and query are alike.
    pub target: bool,
    /// All that the client sent is alike, but what tells of its way.
    pub whole: bool,
    /// They are of the same caller.
    pub caller: bool,
    /// How many requests may wait for another one. Those beyond run their own legs.
    pub max_waiting: usize,
}

/// A part of a key that can't be taken for another one.
pub(super) fn add(key: &mut Vec<u8>, part: &[u8]) {
    key.extend_from_slice(&part.len().to_le_bytes());
    key.extend_from_slice(part);
}

impl Coalesce {
    /// What requests have in common that are the same; nothing for one that is like no other.
    pub(super) fn key(&self, exchange: &Exchange, bodiless: bool) -> Option<Vec<u8>> {
        let method = &exchange.request.method;
        if !bodiless || !matches!(*method, Method::GET | Method::HEAD) {
            return None;
        }
        let mut key = Vec::with_capacity(256);
        key.extend_from_slice(&exchange.route?.to_le_bytes());
        add(&mut key, method.as_str().as_bytes());
        if self.target {
            add(&mut key, &exchange.host);
            add(&mut key, exchange.request.uri.to_string().as_bytes());
            add(&mut key, exchange.target.as_str().as_bytes());
        }
        let scope = Scope::request(exchange);
        for expr in &self.by {
            // Told apart by itself: a value may begin as its length does.
            match expr.text(scope) {
                Some(value) => {
                    key.push(1);
                    add(&mut key, value.as_bytes());
                }
                None => key.push(0),
            }
        }
        let headers = &exchange.request.headers;
        for name in &self.fields {
            // A value may be called like the next field.
            for value in headers.get_all(name) {
                key.push(1);
                add(&mut key, value.as_bytes());
            }
            key.push(0);
        }
        if self.whole {
            add(&mut key, exchange.client.to_string().as_bytes());
            let told = headers
                .iter()
                .filter(|(name, _)| !super::call::OF_THE_WAY.contains(name));
            for (name, value) in told.filter(|(name, _)| *name != header::CONNECTION) {
                add(&mut key, name.as_str().as_bytes());
                add(&mut key, value.as_bytes());
            }
        }
        if self.caller {
            add_caller(exchange, &mut key);
        }
        Some(key)
    }
}

fn add_caller(exchange: &Exchange, key: &mut Vec<u8>) {
    let Some(identity) = &exchange.identity else {
        return key.push(0);
    };
    key.push(1);
    add(key, identity.method.as_bytes());
    let consumer = identity.consumer.as_ref();
    add(
        key,
        consumer.map_or("", |consumer| &consumer.name).as_bytes(),
    );
    add(
        key,
        identity
            .credential
            .as_deref()
            .unwrap_or_default()
            .as_bytes(),
    );
    for (name, claim) in &identity.claims {
        add(key, name.as_bytes());
        add(key, claim.to_string().as_bytes());
    }
    for scope in &identity.scopes {
        add(key, scope.as_bytes());
    }
}

/// The runs of a worker that others may wait for.
#[derive(Default)]
pub(crate) struct Flights(RefCell<HashMap<Vec<u8>, Rc<Flight>>>);

/// A run that others may wait for.
struct Flight {
    state: RefCell<State>,
    waiting: Cell<usize>,
}

enum State {
    /// Somebody runs it; those are told when it ends.
    Runs(Vec<Waker>),
    /// Who ran it has left, and nobody does now.
    Left,
    Landed(Rc<Answered>),
}

/// What a request has to do.
pub(super) enum Turn<'f> {
    /// Run the legs, and tell the others.
    Lead(Lead<'f>),
    /// Wait for another one.
    Wait(Wait<'f>),
    /// Run the legs for itself.
    Alone,
}

impl Flights {
    pub(super) fn turn(&self, key: Vec<u8>, max_waiting: usize) -> Turn<'_> {
        match self.0.borrow_mut().entry(key) {
            Entry::Occupied(entry) => {
                let flight = Rc::clone(entry.get());
                if flight.waiting.get() >= max_waiting {
                    return Turn::Alone;
                }
                flight.waiting.set(flight.waiting.get() + 1);
                Turn::Wait(Wait {
                    flights: self,
                    flight,
                    key: entry.key().clone(),
                })
            }
            Entry::Vacant(entry) => {
                let key = entry.key().clone();
                let flight = entry.insert(Rc::new(Flight {
                    state: RefCell::new(State::Runs(Vec::new())),
                    waiting: Cell::new(0),
                }));
                Turn::Lead(Lead {
                    flights: self,
                    flight: Rc::clone(flight),
                    key,
                })
            }
        }
    }
}

/// A request that waits for the run of another one.
pub(super) struct Wait<'f> {
    flights: &'f Flights,
    flight: Rc<Flight>,
    key: Vec<u8>,
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let waiting = self.flight.waiting.get().saturating_sub(1);
        self.flight.waiting.set(waiting);
        if waiting == 0 && matches!(&*self.flight.state.borrow(), State::Left) {
            self.flights.0.borrow_mut().remove(&self.key);
        }
    }
}

impl<'f> Wait<'f> {
    /// The answer of the other one, or its place where it has left.
    ///
    /// # Cancel safety
    /// Nothing is lost.
    pub(super) async fn landed(&self) -> Result<Rc<Answered>, Lead<'f>> {
        poll_fn(|cx| {
            let mut state = self.flight.state.borrow_mut();
            match &mut *state {
                State::Landed(answered) => Poll::Ready(Ok(Rc::clone(answered))),
                State::Left => {
                    *state = State::Runs(Vec::new());
                    Poll::Ready(Err(Lead {
                        flights: self.flights,
                        flight: Rc::clone(&self.flight),
                        key: self.key.clone(),
                    }))
                }
                State::Runs(wakers) => {
                    if !wakers.iter().any(|waker| waker.will_wake(cx.waker())) {
                        wakers.push(cx.waker().clone());
                    }
                    Poll::Pending
                }
            }
        })
        .await
    }
}

/// A request that runs the legs for others as well.
pub(super) struct Lead<'f> {
    flights: &'f Flights,
    flight: Rc<Flight>,
    key: Vec<u8>,
}

impl Lead<'_> {
    /// Gives the others what came of it.
    pub(super) fn land(self, answered: &Rc<Answered>) {
        self.end(State::Landed(Rc::clone(answered)));
    }

    fn end(&self, end: State) {
        let before = mem::replace(&mut *self.flight.state.borrow_mut(), end);
        if let State::Runs(wakers) = before {
            wakers.into_iter().for_each(Waker::wake);
        }
    }
}

impl Drop for Lead<'_> {
    fn drop(&mut self) {
        let landed = matches!(&*self.flight.state.borrow(), State::Landed(_));
        // Who comes from now on asks anew; and where somebody waits, one of them takes over.
        if landed || self.flight.waiting.get() == 0 {
            self.flights.0.borrow_mut().remove(&self.key);
        }
        if !landed {
            self.end(State::Left);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::panic, clippy::unwrap_used, clippy::indexing_slicing)]

    use std::{future::Future, pin::pin, task::Context};

    use proptest::prelude::*;

    use super::*;

    fn lead<'f>(flights: &'f Flights, key: &[u8]) -> Lead<'f> {
        match flights.turn(key.to_vec(), 9) {
            Turn::Lead(lead) => lead,
            _ => panic!("somebody else leads"),
        }
    }

    fn wait<'f>(flights: &'f Flights, key: &[u8], most: usize) -> Option<Wait<'f>> {
        match flights.turn(key.to_vec(), most) {
            Turn::Wait(wait) => Some(wait),
            Turn::Alone => None,
            Turn::Lead(_) => panic!("nobody leads"),
        }
    }

    fn ready<F: Future>(future: F) -> Option<F::Output> {
        let mut cx = Context::from_waker(Waker::noop());
        match pin!(future).poll(&mut cx) {
            Poll::Ready(output) => Some(output),
            Poll::Pending => None,
        }
    }

    #[test]
    fn no_request_is_taken_for_another_one() {
        let coalesce = Coalesce {
            by: ["a", "b"]
                .map(|name| Expr::parse(&format!("request.query[\"{name}\"]")).unwrap())
                .into(),
            fields: ["x-tenant", "x-role"].map(HeaderName::from_static).into(),
            target: false,
            whole: false,
            caller: false,
            max_waiting: 9,
        };
        let key = |target: &str, fields: &[(&str, &str)]| {
            let request = http::Request::get(target);
            let request = fields.iter().fold(request, |request, (name, value)| {
                request.header(*name, *value)
            });
            let mut exchange = lintel_kernel::testing::exchange(request);
            exchange.route = Some(0);
            coalesce.key(&exchange, true).unwrap()
        };
        // Values that are called like the next field.
        let one = [("x-tenant", "x-role"), ("x-tenant", "admin")];
        assert_ne!(
            key("/", &one),
            key("/", &[("x-role", "admin"), ("x-role", "x-role")])
        );
        assert_ne!(
            key("/", &one),
            key("/", &[("x-role", "x-role"), ("x-role", "admin")])
        );
        // An absent value, and one that begins as a length does.
        let long = format!("/?a=%00{}", "x".repeat(510));
        let other = format!("/?b={}", "x".repeat(2));
        assert_ne!(key(&long, &[])[..20], key(&other, &[])[..20]);
        assert_ne!(key("/?a=", &[]), key("/?b=", &[]));
        assert_ne!(key("/?a=1", &[]), key("/?b=1", &[]));
    }

    #[test]
    fn those_that_wait_get_the_answer() {
        let flights = Flights::default();
        let first = lead(&flights, b"a");
        let other = lead(&flights, b"b");
        let [one, two] = [wait(&flights, b"a", 2), wait(&flights, b"a", 2)].map(Option::unwrap);
        assert!(wait(&flights, b"a", 2).is_none());
        assert!(ready(one.landed()).is_none());
        let answered = Rc::new(Answered::Unwritten("it".to_owned()));
        first.land(&answered);
        for waiting in [&one, &two] {
            let Some(Ok(got)) = ready(waiting.landed()) else {
                panic!("not there");
            };
            assert!(Rc::ptr_eq(&got, &answered));
        }
        // Who comes now asks anew.
        drop((lead(&flights, b"a"), other));
        assert!(flights.0.borrow().is_empty());
    }

    #[test]
    fn one_of_those_that_wait_takes_over() {
        let flights = Flights::default();
        let first = lead(&flights, b"a");
        let [one, two] = [wait(&flights, b"a", 2), wait(&flights, b"a", 2)].map(Option::unwrap);
        drop(first);
        let Some(Err(second)) = ready(one.landed()) else {
            panic!("nobody leads");
        };
        drop(one);
        assert!(ready(two.landed()).is_none());
        drop(second);
        let Some(Err(third)) = ready(two.landed()) else {
            panic!("nobody leads");
        };
        drop((two, third));
        assert!(flights.0.borrow().is_empty());
    }

    proptest! {
        /// Whoever comes, leaves and lands: there is one lead while somebody is there, nobody waits
        /// for ever, and nothing is left behind.
        #[test]
        fn somebody_leads(steps in prop::collection::vec((0u8..4, 0usize..8), 0..64)) {
            let flights = Flights::default();
            let (mut leads, mut waits) = (Vec::new(), Vec::new());
            for (step, place) in steps {
                match step {
                    0 | 1 => match flights.turn(b"a".to_vec(), 4) {
                        Turn::Lead(lead) => leads.push(lead),
                        Turn::Wait(wait) => waits.push(wait),
                        Turn::Alone => prop_assert!(waits.len() >= 4),
                    },
                    2 if !waits.is_empty() => drop(waits.swap_remove(place % waits.len())),
                    3 => match leads.pop() {
                        Some(lead) if place % 2 == 0 => {
                            lead.land(&Rc::new(Answered::Unwritten(String::new())));
                            for wait in waits.drain(..) {
                                prop_assert!(matches!(ready(wait.landed()), Some(Ok(_))));
                            }
                        }
                        lead => drop(lead),
                    },
                    _ => {}
                }
                // Those that wait are woken, and one of them leads where nobody does.
                let mut at = 0;
                while at < waits.len() {
                    match ready(waits[at].landed()) {
                        Some(Err(lead)) => { leads.push(lead); drop(waits.swap_remove(at)); }
                        Some(Ok(_)) => prop_assert!(false, "landed unasked"),
                        None => at += 1,
                    }
                }
                prop_assert!(leads.len() <= 1);
                prop_assert!(waits.is_empty() || leads.len() == 1);
            }
            drop((leads, waits));
            prop_assert!(flights.0.borrow().is_empty());
        }
    }
}
