//! Legs that are made once for every element of a list, or once for a batch of them.

use std::{
    cell::RefCell,
    collections::{HashMap, HashSet},
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use lintel_kernel::{
    Exchange,
    expr::{Legs, Scope},
};
use serde_json::Value;

use crate::{Ask, Body, Caller, Calling, Missed, Reason, Reply, Request, Results};

/// What a leg is made for.
pub struct Each {
    /// Makes the list.
    pub over: Body,
    /// Most elements; a longer list lets the leg fail.
    pub max: usize,
    /// How many calls are under way at a time.
    pub parallel: usize,
    /// How many elements go into one call. With it, elements that are `null` or come twice are left
    /// out, and what the calls bring is put together: arrays are joined, objects merged.
    pub batch: Option<usize>,
    /// What stands in the place of an element whose call fails. Without it the leg fails.
    pub missing: Option<Bytes>,
}

/// How much the calls for all elements may send, in bytes: they are made before the first is sent.
const LARGEST: usize = 64 << 20;

/// What expressions have read besides the elements: it is the same for all of them, and may be long to
/// look through.
#[derive(Default)]
struct Known(RefCell<HashMap<Place, Option<Value>>>);

/// A leg, or else what the client sent, and the way into it.
type Place = (Option<String>, Vec<String>);

impl Known {
    fn read(
        &self,
        leg: Option<&str>,
        path: &[String],
        look: impl FnOnce() -> Option<Value>,
    ) -> Option<Value> {
        let mut known = self.0.borrow_mut();
        let place = (leg.map(str::to_owned), path.to_vec());
        known.entry(place).or_insert_with(look).clone()
    }
}

/// What an expression sees for one element.
struct Within<'a> {
    results: &'a Results<'a>,
    known: &'a Known,
    item: &'a Value,
}

impl Legs for Within<'_> {
    fn status(&self, leg: &str) -> Option<u16> {
        self.results.status(leg)
    }

    fn error(&self, leg: &str) -> Option<&'static str> {
        self.results.error(leg)
    }

    fn header(&self, leg: &str, name: &HeaderName) -> Option<&HeaderValue> {
        self.results.header(leg, name)
    }

    fn sent(&self, path: &[String]) -> Option<Value> {
        self.known.read(None, path, || self.results.sent(path))
    }

    fn member(&self, leg: &str, path: &[String]) -> Option<Value> {
        let look = || self.results.member(leg, path);
        self.known.read(Some(leg), path, look)
    }

    fn item(&self, path: &[String]) -> Option<Value> {
        let mut value = self.item;
        for name in path {
            value = value.get(name)?;
        }
        Some(value.clone())
    }
}

/// The calls of a leg, and which of them brings each element: none where it can't be asked for.
pub(crate) struct Planned {
    requests: Vec<Request>,
    places: Vec<Option<usize>>,
}

impl Planned {
    /// The calls, those for the same elements in the same order.
    pub(crate) fn requests(&self) -> impl Iterator<Item = &Request> {
        let places = self.places.iter().flatten();
        places.filter_map(|place| self.requests.get(*place))
    }
}

impl Each {
    /// The calls to be made.
    ///
    /// # Errors
    /// There is no list, it is too long, or an element can't be asked for.
    pub(crate) fn plan(
        &self,
        ask: &Ask,
        exchange: &Exchange,
        results: &Results<'_>,
    ) -> Result<Planned, (Reason, String)> {
        let mut planned = Planned {
            requests: Vec::new(),
            places: Vec::new(),
        };
        let mut known: HashMap<(String, Bytes), usize> = HashMap::new();
        let (read, mut sends) = (Known::default(), 0_usize);
        for item in self.items(results)? {
            let within = Within {
                results,
                known: &read,
                item: &item,
            };
            let text = item.to_string();
            let scope = Scope::among(exchange, &within);
            let request = match ask.request(scope, results, text.as_bytes()) {
                Ok(request) => request,
                Err(_) if self.missing.is_some() => {
                    planned.places.push(None);
                    continue;
                }
                Err(lost) => return Err(lost),
            };
            // What is asked twice is asked once, where asking changes nothing.
            let key = (request.target.to_string(), request.body.clone());
            let again = request.harmless && ask.headers.is_empty();
            let place = match known.get(&key).filter(|_| again) {
                Some(place) => *place,
                None => {
                    sends = sends.saturating_add(request.body.len());
                    if sends > LARGEST {
                        let cause = "the calls for all elements send more than 64 MiB";
                        return Err((Reason::TooMany, cause.to_owned()));
                    }
                    planned.requests.push(request);
                    planned.requests.len() - 1
                }
            };
            known.insert(key, place);
            planned.places.push(Some(place));
        }
        Ok(planned)
    }

    fn items(&self, results: &Results<'_>) -> Result<Vec<Value>, (Reason, String)> {
        let mut text = Vec::new();
        let written = self.over.write(results, b"null", &mut text);
        written.map_err(|cause| (Reason::Filter, cause))?;
        let list = serde_json::from_slice::<Value>(&text);
        let mut items = match list.unwrap_or_default() {
            Value::Array(items) => items,
            Value::Null => Vec::new(),
            _ => return Err((Reason::Filter, "`for_each` makes no list".to_owned())),
        };
        if items.len() > self.max {
            let cause = format!(
                "the list has {} elements, {} at most",
                items.len(),
                self.max
            );
            return Err((Reason::TooMany, cause));
        }
        let Some(batch) = self.batch else {
            return Ok(items);
        };
        let mut seen = HashSet::with_capacity(items.len());
        items.retain(|item| !item.is_null() && seen.insert(item.clone()));
        let batches = items.chunks(batch.max(1));
        Ok(batches.map(|batch| Value::Array(batch.to_vec())).collect())
    }

    /// Makes the calls. The answer has what they bring, put together.
    pub(crate) fn run<'c>(
        &'c self,
        caller: &'c impl Caller,
        (leg, ask): (usize, &'c Ask),
        planned: Planned,
        max_body: usize,
    ) -> Calling<'c> {
        let values = planned.requests.iter().map(|_| None).collect();
        let mut waiting = planned.requests;
        waiting.reverse();
        Box::pin(async move {
            let mut running = Running {
                each: self,
                caller,
                ask,
                leg,
                total: waiting.len(),
                waiting,
                open: Vec::new(),
                values,
                left: max_body,
                attempts: 0,
            };
            poll_fn(|cx| running.poll(cx)).await?;
            Ok(Reply {
                status: StatusCode::OK,
                headers: HeaderMap::new(),
                call: None,
                body: self.together(&planned.places, &running.values),
                endpoint: None,
                attempts: running.attempts,
            })
        })
    }

    fn together(&self, places: &[Option<usize>], values: &[Option<Bytes>]) -> Bytes {
        let missing = self.missing.as_deref().unwrap_or(crate::value::NULL);
        let values = places.iter().map(|place| {
            let value = place.and_then(|place| values.get(place)?.as_deref());
            value.unwrap_or(missing)
        });
        if self.batch.is_some() {
            return merged(values).into();
        }
        let mut text = vec![b'['];
        for (place, value) in values.enumerate() {
            if place > 0 {
                text.push(b',');
            }
            text.extend_from_slice(value);
        }
        text.push(b']');
        text.into()
    }
}

/// Arrays joined, or objects merged; what is neither is left out.
fn merged<'v>(values: impl Iterator<Item = &'v [u8]>) -> Vec<u8> {
    let mut texts = values.peekable();
    let (open, close) = match texts
        .peek()
        .and_then(|text| text.trim_ascii_start().first())
    {
        Some(b'{') => (b'{', b'}'),
        _ => (b'[', b']'),
    };
    let mut all = vec![open];
    for text in texts {
        let inside = text.trim_ascii().strip_prefix(&[open]);
        let inside = inside.and_then(|text| text.strip_suffix(&[close]));
        let inside = inside.unwrap_or_default().trim_ascii();
        if inside.is_empty() {
            continue;
        }
        if all.len() > 1 {
            all.push(b',');
        }
        all.extend_from_slice(inside);
    }
    all.push(close);
    all
}

/// The calls of a leg that are under way.
struct Running<'c, C> {
    each: &'c Each,
    caller: &'c C,
    ask: &'c Ask,
    leg: usize,
    total: usize,
    /// The last one is next.
    waiting: Vec<Request>,
    open: Vec<(usize, Calling<'c>)>,
    values: Vec<Option<Bytes>>,
    /// Bytes that they may still bring.
    left: usize,
    attempts: u8,
}

impl<C: Caller> Running<'_, C> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Missed>> {
        loop {
            while self.open.len() < self.each.parallel.max(1) {
                let place = self.total - self.waiting.len();
                let Some(request) = self.waiting.pop() else {
                    break;
                };
                self.open.push((place, self.caller.call(self.leg, request)));
            }
            if self.open.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut done = Vec::new();
            self.open
                .retain_mut(|(place, call)| match Pin::new(call).poll(cx) {
                    Poll::Ready(answer) => {
                        done.push((*place, answer));
                        false
                    }
                    Poll::Pending => true,
                });
            if done.is_empty() {
                return Poll::Pending;
            }
            for (place, answer) in done {
                self.take(place, answer)?;
            }
        }
    }

    fn take(&mut self, place: usize, answer: Result<Reply, Missed>) -> Result<(), Missed> {
        let judged = answer.and_then(|reply| {
            self.attempts = self.attempts.saturating_add(reply.attempts);
            let missed = |(reason, cause)| Missed {
                reason,
                cause,
                endpoint: reply.endpoint,
                attempts: 0,
            };
            let Some(left) = self.left.checked_sub(reply.body.len()) else {
                let cause = "all elements together are too large".to_owned();
                return Err(missed((Reason::TooLarge, cause)));
            };
            self.left = left;
            self.ask.judge(&reply).map_err(missed)
        });
        let value = match judged {
            Ok(value) => Some(value),
            Err(missed) if self.each.missing.is_none() || missed.reason == Reason::TooLarge => {
                return Err(missed);
            }
            Err(_) => None,
        };
        if let Some(slot) = self.values.get_mut(place) {
            *slot = value;
        }
        Ok(())
    }
}
