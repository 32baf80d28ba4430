//! Calls without sockets: each is answered when the test says so, in any order.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    future::poll_fn,
    rc::Rc,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use lintel_kernel::{
    Exchange,
    expr::{Expr, Template},
    testing,
};

use crate::{
    Ask, Body, Caller, Calling, Does, Leg, Missed, Plan, Reads, Reason, Reply, Results, run, value,
};

pub(super) fn exchange(target: &str) -> Exchange {
    testing::exchange(Request::get(target))
}

/// A leg that gets a path.
pub(super) fn get(name: &str, target: &str) -> Leg {
    Leg {
        name: name.into(),
        does: Does::Ask(Box::new(Ask {
            method: Method::GET,
            target: Template::parse_among(target).unwrap(),
            query: Vec::new(),
            headers: Vec::new(),
            sends: None,
            harmless: true,
            reads: Reads::Json,
            expect: Vec::new(),
            each: None,
        })),
        after: Vec::new(),
        when: None,
        fallback: None,
        last_good: false,
        kin: None,
    }
}

pub(super) fn fixed(name: &str, value: &'static str) -> Leg {
    Leg {
        does: Does::Value(Bytes::from_static(value.as_bytes())),
        ..get(name, "/")
    }
}

impl Leg {
    pub(super) fn after(mut self, legs: &[usize]) -> Self {
        self.after = legs.to_vec();
        self
    }

    pub(super) fn or_else(mut self, value: &'static str) -> Self {
        self.fallback = Some(Bytes::from_static(value.as_bytes()));
        self
    }

    pub(super) fn when(mut self, condition: &str) -> Self {
        self.when = Some(Expr::parse_among(condition).unwrap());
        self
    }
}

/// A plan whose answer is made by a filter; without one, of all legs.
pub(super) fn plan(legs: Vec<Leg>, filter: Option<&str>) -> Plan {
    let body = {
        let names: Vec<&str> = legs.iter().map(|leg| &*leg.name).collect();
        match filter {
            Some(filter) => Body::parse(filter, &names).unwrap(),
            None => Body::all(names.into_iter()),
        }
    };
    Plan::new(legs, body, 1 << 20).unwrap()
}

/// What a call comes to.
#[derive(Clone, Debug)]
pub(super) enum Comes {
    Answer(u16, &'static str),
    /// Its own target.
    Echo,
    /// Its own body.
    Body,
    Lost(Reason),
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    Called(usize, String),
    Done(usize),
    Dropped(usize),
}

/// Answers calls in the order of a schedule: at each wake the next place among the open ones.
#[derive(Default)]
pub(super) struct Fake {
    pub(super) comes: Vec<Comes>,
    /// What the client has sent; nothing is `null`.
    pub(super) sent: Bytes,
    pub(super) events: Rc<RefCell<Vec<Event>>>,
    ready: Rc<RefCell<Vec<usize>>>,
    pub(super) open: Rc<RefCell<Vec<usize>>>,
    /// Last good answers, by what they depend on: they are 42 seconds old.
    pub(super) kept: Option<RefCell<HashMap<Vec<u8>, Bytes>>>,
}

/// Notes that a call was given up, unless it was done.
struct Guard {
    leg: usize,
    done: Cell<bool>,
    events: Rc<RefCell<Vec<Event>>>,
    open: Rc<RefCell<Vec<usize>>>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.open.borrow_mut().retain(|leg| *leg != self.leg);
        let event = match self.done.get() {
            true => Event::Done(self.leg),
            false => Event::Dropped(self.leg),
        };
        self.events.borrow_mut().push(event);
    }
}

impl Caller for Fake {
    fn sent(&self) -> Bytes {
        match self.sent.is_empty() {
            true => Bytes::from_static(value::NULL),
            false => self.sent.clone(),
        }
    }

    fn call(&self, leg: usize, request: crate::Request) -> Calling<'_> {
        let event = Event::Called(leg, request.target.to_string());
        self.events.borrow_mut().push(event);
        self.open.borrow_mut().push(leg);
        let guard = Guard {
            leg,
            done: Cell::new(false),
            events: Rc::clone(&self.events),
            open: Rc::clone(&self.open),
        };
        let ready = Rc::clone(&self.ready);
        let answer = |status: u16, body: Bytes| {
            Ok(Reply {
                status: StatusCode::from_u16(status).unwrap(),
                headers: HeaderMap::new(),
                call: None,
                body,
                endpoint: None,
                attempts: 1,
            })
        };
        let comes = match self.comes[leg] {
            Comes::Answer(status, body) => answer(status, Bytes::from_static(body.as_bytes())),
            Comes::Echo => answer(200, format!("\"{}\"", request.target).into()),
            Comes::Body => answer(200, request.body),
            Comes::Lost(reason) => Err(Missed {
                reason,
                cause: "as told".to_owned(),
                endpoint: None,
                attempts: 1,
            }),
        };
        Box::pin(async move {
            poll_fn(|_| match ready.borrow().contains(&leg) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            })
            .await;
            guard.done.set(true);
            comes
        })
    }

    fn add_key(&self, _: usize, request: &crate::Request, key: &mut Vec<u8>) {
        key.extend_from_slice(request.target.to_string().as_bytes());
    }

    fn keep(&self, _: usize, key: &[u8], value: &Bytes) {
        self.with_kept(|kept| kept.insert(key.to_vec(), value.clone()));
    }

    fn last_good(&self, _: usize, key: &[u8]) -> Option<(Bytes, Duration)> {
        let value = self.with_kept(|kept| kept.get(key).cloned())??;
        Some((value, Duration::from_secs(42)))
    }

    fn forget(&self, _: usize, key: &[u8]) {
        self.with_kept(|kept| kept.remove(key));
    }
}

impl Fake {
    fn with_kept<R>(&self, work: impl FnOnce(&mut HashMap<Vec<u8>, Bytes>) -> R) -> Option<R> {
        self.kept.as_ref().map(|kept| work(&mut kept.borrow_mut()))
    }

    pub(super) fn new(comes: Vec<Comes>) -> Self {
        Self {
            comes,
            ..Self::default()
        }
    }

    /// Lets the open call at a place, counted around, be answered next.
    pub(super) fn answer(&self, place: usize) {
        let open = self.open.borrow();
        if !open.is_empty() {
            self.ready.borrow_mut().push(open[place % open.len()]);
        }
    }

    /// Runs a plan; `order` says which of the open calls is answered at each step. Gives up after
    /// that many steps.
    pub(super) fn run<'p>(
        &self,
        plan: &'p Plan,
        exchange: &Exchange,
        order: &[usize],
    ) -> Option<Results<'p>> {
        let mut running = Box::pin(run(plan, exchange, self));
        let mut cx = Context::from_waker(Waker::noop());
        for place in order {
            if let Poll::Ready(results) = running.as_mut().poll(&mut cx) {
                return Some(results);
            }
            self.answer(*place);
        }
        match running.as_mut().poll(&mut cx) {
            Poll::Ready(results) => Some(results),
            Poll::Pending => None,
        }
    }

    /// The same to its end, first come first served.
    pub(super) fn finish<'p>(&self, plan: &'p Plan, target: &str) -> Results<'p> {
        let results = self.run(plan, &exchange(target), &[0; 64]);
        results.unwrap_or_else(|| panic!("it hangs"))
    }

    pub(super) fn called(&self, leg: usize) -> Option<String> {
        let events = self.events.borrow();
        events.iter().find_map(|event| match event {
            Event::Called(called, target) if *called == leg => Some(target.clone()),
            _ => None,
        })
    }
}

/// The answer as text.
pub(super) fn text(results: &Results<'_>) -> String {
    String::from_utf8(results.body().unwrap()).unwrap()
}
