//! Splits: which of several services a request goes to.
//!
//! A request that sticks goes by a hash of who it is from. Each variant draws a number from the
//! hash of that key and its own name, and the least of `-ln(draw) / weight` wins: weighted
//! rendezvous hashing (Schindelhauer and Schomaker, "Weighted Distributed Hash Tables", 2005). So
//! every replica decides alike with nothing shared. A variant that gains weight only takes keys, one
//! that loses weight only gives keys away, and between two variants exactly the share moves that was
//! moved. The name of the experiment is part of every hash: the users who see a new thing in one
//! experiment are not those who see the new thing in the next.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};
use lintel_kernel::{
    Exchange,
    expr::{Expr, Scope, cookie},
    hash::{fraction, hash, mix},
};
use lintel_telemetry::metrics::family::SPLIT_REQUESTS;

use crate::{
    active::Active,
    dispatch::{Dispatched, NoAnswer},
};

/// Services and their shares of a route's requests.
pub struct Split {
    variants: Vec<Variant>,
    total: u64,
    sticky: Option<Expr>,
    cookie: Option<CohortCookie>,
    selection: Option<Selection>,
    header: Option<HeaderName>,
}

/// One of the services of a split.
struct Variant {
    service: usize,
    name: HeaderValue,
    weight: u32,
    /// Its name within the experiment.
    seed: u64,
}

/// What a split goes by.
#[derive(Default)]
pub struct Terms {
    /// The name of the experiment; part of every hash.
    pub experiment: String,
    /// Requests with the same value of this go to the same service.
    pub sticky: Option<Expr>,
    /// Requests without that value stick by a cookie of the gateway's.
    pub cookie: Option<CohortCookie>,
    /// Who may choose.
    pub selection: Option<Selection>,
    /// Tells the service and the client which service was chosen.
    pub header: Option<HeaderName>,
}

/// A cookie by which a client is known again.
pub struct CohortCookie {
    /// Its name, a token.
    pub name: String,
    /// How long the client keeps it.
    pub ttl: Duration,
}

/// How a tester chooses the service by its name.
pub struct Selection {
    /// By this header field.
    pub header: Option<HeaderName>,
    /// By this cookie.
    pub cookie: Option<String>,
    /// Who may; everybody by default.
    pub when: Option<Expr>,
}

/// Why a request goes to its variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Weight,
    Sticky,
    Cookie,
    Selection,
}

impl By {
    const fn name(self) -> &'static str {
        match self {
            Self::Weight => "weight",
            Self::Sticky => "sticky",
            Self::Cookie => "cookie",
            Self::Selection => "override",
        }
    }
}

/// What was chosen for one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Choice {
    variant: usize,
    by: By,
    /// The cohort that the client is to be told.
    cohort: Option<u64>,
}

impl Split {
    /// A split between services, each with its index, name and weight. Names must be valid field
    /// values, which names of services are.
    pub fn new(services: impl IntoIterator<Item = (usize, String, u32)>, terms: Terms) -> Self {
        let variants: Vec<Variant> = services
            .into_iter()
            .map(|(service, name, weight)| Variant {
                service,
                seed: hash(format!("{}\0{name}", terms.experiment).as_bytes()),
                name: HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("")),
                weight,
            })
            .collect();
        Self {
            total: variants
                .iter()
                .map(|variant| u64::from(variant.weight))
                .sum(),
            variants,
            sticky: terms.sticky,
            cookie: terms.cookie,
            selection: terms.selection,
            header: terms.header,
        }
    }

    /// The services with their weights.
    pub fn shares(&self) -> impl Iterator<Item = (usize, u32)> {
        self.variants
            .iter()
            .map(|variant| (variant.service, variant.weight))
    }

    /// The expression that requests stick by.
    pub const fn sticky(&self) -> Option<&Expr> {
        self.sticky.as_ref()
    }

    /// The cookie that requests stick by which have no value of the expression.
    pub fn cookie(&self) -> Option<&str> {
        self.cookie.as_ref().map(|cookie| &*cookie.name)
    }

    /// How testers choose.
    pub const fn selection(&self) -> Option<&Selection> {
        self.selection.as_ref()
    }

    /// Chooses the service for a request, notes it, and tells the service.
    pub(crate) fn send(&self, active: &mut Active) -> Option<(usize, Choice)> {
        let choice = self.choose(&active.exchange, fastrand::u64(..))?;
        let variant = self.variants.get(choice.variant)?;
        let service = u32::try_from(variant.service).ok()?;
        active.exchange.detour.variant = Some(service);
        if let Some(name) = &self.header {
            let headers = &mut active.exchange.request.headers;
            headers.insert(name, variant.name.clone());
        }
        let exchange = &active.exchange;
        active.local.count(
            &SPLIT_REQUESTS,
            [
                exchange.route.unwrap_or(u32::MAX),
                service,
                choice.by as u32,
            ],
            &[
                exchange.route_name(),
                exchange.variant_name(),
                choice.by.name(),
            ],
        );
        Some((variant.service, choice))
    }

    /// Tells the client what was chosen, whatever became of the request.
    pub(crate) fn answer(
        &self,
        exchange: &Exchange,
        choice: Choice,
        result: Result<Dispatched, Box<NoAnswer>>,
    ) -> Result<Dispatched, Box<NoAnswer>> {
        let mut fields = HeaderMap::new();
        if let (Some(name), Some(variant)) = (&self.header, self.variants.get(choice.variant)) {
            fields.insert(name, variant.name.clone());
        }
        if let (Some(cookie), Some(cohort)) = (&self.cookie, choice.cohort)
            && let Some(value) = cookie.value(cohort, exchange.secure)
        {
            fields.append(header::SET_COOKIE, value);
        }
        match result {
            Ok(mut dispatched) => {
                tell(&mut dispatched.response, fields);
                Ok(dispatched)
            }
            Err(mut lost) => {
                if !fields.is_empty() {
                    lost.rejection
                        .headers
                        .get_or_insert_default()
                        .extend(fields);
                }
                Err(lost)
            }
        }
    }

    fn choose(&self, exchange: &Exchange, random: u64) -> Option<Choice> {
        let selected = self.selection.as_ref();
        if let Some(variant) = selected.and_then(|selection| self.selected(selection, exchange)) {
            return Some(Choice {
                variant,
                by: By::Selection,
                cohort: None,
            });
        }
        let scope = Scope::request(exchange);
        if let Some(key) = self.sticky.as_ref().and_then(|sticky| sticky.text(scope)) {
            return Some(Choice {
                variant: self.of_key(hash(key.as_bytes()))?,
                by: By::Sticky,
                cohort: None,
            });
        }
        let Some(by_cookie) = &self.cookie else {
            return Some(Choice {
                variant: self.of_ticket(random)?,
                by: By::Weight,
                cohort: None,
            });
        };
        let known = by_cookie.cohort(&exchange.request.headers);
        Some(Choice {
            variant: self.of_key(mix(known.unwrap_or(random)))?,
            by: By::Cookie,
            cohort: known.is_none().then_some(random),
        })
    }

    /// The variant that a tester names, even one of weight 0.
    fn selected(&self, selection: &Selection, exchange: &Exchange) -> Option<usize> {
        let headers = &exchange.request.headers;
        let by_header = selection
            .header
            .as_ref()
            .and_then(|name| headers.get(name)?.to_str().ok());
        let by_cookie = || cookie(headers, selection.cookie.as_deref()?);
        let wanted = by_header.or_else(by_cookie)?;
        let allowed = selection
            .when
            .as_ref()
            .is_none_or(|when| when.holds(Scope::request(exchange)));
        let mut variants = self.variants.iter();
        variants.position(|variant| allowed && variant.name.as_bytes() == wanted.as_bytes())
    }

    /// The variant of a key's hash.
    fn of_key(&self, key: u64) -> Option<usize> {
        let scored = self.variants.iter().enumerate();
        let scored = scored
            .filter(|(_, variant)| variant.weight > 0)
            .map(|(place, variant)| {
                let draw = fraction(mix(key ^ variant.seed));
                (place, -draw.ln() / f64::from(variant.weight))
            });
        scored
            .min_by(|(_, a), (_, b)| a.total_cmp(b))
            .map(|(place, _)| place)
    }

    /// The variant of a random number.
    fn of_ticket(&self, random: u64) -> Option<usize> {
        let mut ticket = random % self.total.max(1);
        self.variants.iter().position(|variant| {
            let weight = u64::from(variant.weight);
            let hit = ticket < weight;
            ticket = ticket.saturating_sub(weight);
            hit
        })
    }
}

impl CohortCookie {
    /// The cohort that a client says it is in.
    fn cohort(&self, headers: &HeaderMap) -> Option<u64> {
        let text = cookie(headers, &self.name)?;
        (text.len() == 16)
            .then(|| u64::from_str_radix(text, 16).ok())
            .flatten()
    }

    /// `Set-Cookie` (RFC 6265 §4.1).
    fn value(&self, cohort: u64, secure: bool) -> Option<HeaderValue> {
        let secure = if secure { "; Secure" } else { "" };
        let text = format!(
            "{}={cohort:016x}; Path=/; Max-Age={}; HttpOnly; SameSite=Lax{secure}",
            self.name,
            self.ttl.as_secs(),
        );
        HeaderValue::try_from(text).ok()
    }
}

/// Adds fields to an answer: cookies beside those there are, others in their place.
fn tell<B>(response: &mut Response<B>, fields: HeaderMap) {
    for (name, value) in &fields {
        if name == header::SET_COOKIE {
            response.headers_mut().append(name, value.clone());
        } else {
            response.headers_mut().insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn split(experiment: &str, weights: &[u32]) -> Split {
        let services = weights
            .iter()
            .enumerate()
            .map(|(place, weight)| (place, format!("v{place}"), *weight));
        Split::new(
            services,
            Terms {
                experiment: experiment.to_owned(),
                ..Terms::default()
            },
        )
    }

    fn of(split: &Split, user: u32) -> usize {
        split
            .of_key(hash(format!("user-{user}").as_bytes()))
            .unwrap()
    }

    /// Shares of the first 20,000 users.
    fn shares(split: &Split) -> Vec<f64> {
        let mut counts = vec![0.0; split.variants.len()];
        (0..20_000).for_each(|user| counts[of(split, user)] += 1.0 / 20_000.0);
        counts
    }

    #[test]
    fn random_requests_are_spread_exactly() {
        let split = split("x", &[95, 0, 5]);
        let mut counts = [0; 3];
        (0..1_000).for_each(|random| counts[split.of_ticket(random).unwrap()] += 1);
        assert_eq!(counts, [950, 0, 50]);
    }

    #[test]
    fn nobody_is_sent_where_nothing_has_weight() {
        let split = split("x", &[0, 0]);
        assert_eq!((split.of_ticket(7), split.of_key(7)), (None, None));
    }

    /// The draws are fixed by hash and experiment, so these are exact figures and not estimates.
    #[test]
    fn users_are_spread_by_weight() {
        for weights in [
            [50, 50, 0],
            [95, 5, 0],
            [1, 1, 1],
            [70, 20, 10],
            [1, 0, 999],
        ] {
            let total: u32 = weights.iter().sum();
            for (share, weight) in shares(&split("checkout", &weights)).iter().zip(weights) {
                let wanted = f64::from(weight) / f64::from(total);
                assert!(
                    (share - wanted).abs() < 0.01,
                    "{weights:?}: {share} for {wanted}"
                );
            }
        }
    }

    #[test]
    fn experiments_are_independent() {
        let (one, two) = (split("one", &[1, 1]), split("two", &[1, 1]));
        let both = (0..20_000).filter(|user| of(&one, *user) == 1 && of(&two, *user) == 1);
        let share = both.count() as f64 / 20_000.0;
        assert!((share - 0.25).abs() < 0.01, "{share}");
    }

    #[test]
    fn a_variant_is_known_by_its_name_and_not_by_its_place() {
        let ours = split("x", &[30, 70]);
        let turned = [(0, "v1".to_owned(), 70), (1, "v0".to_owned(), 30)];
        let terms = Terms {
            experiment: "x".to_owned(),
            ..Terms::default()
        };
        let theirs = Split::new(turned, terms);
        assert!((0..1_000).all(|user| of(&ours, user) == 1 - of(&theirs, user)));
    }

    #[test]
    fn a_cohort_survives_its_cookie() {
        let cookie = CohortCookie {
            name: "cohort".to_owned(),
            ttl: Duration::from_secs(60),
        };
        let set = cookie.value(0xab, true).unwrap();
        assert_eq!(
            set,
            "cohort=00000000000000ab; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            "a=1; cohort=00000000000000ab".parse().unwrap(),
        );
        assert_eq!(cookie.cohort(&headers), Some(0xab));
        headers.insert(header::COOKIE, "cohort=v2".parse().unwrap());
        assert_eq!(cookie.cohort(&headers), None);
    }

    proptest! {
        #[test]
        fn a_moved_weight_moves_nobody_between_the_others(
            weights in proptest::collection::vec(0u32..100, 2..5),
            place in 0usize..5,
            weight in 0u32..100,
            users in proptest::collection::vec(any::<u32>(), 50),
        ) {
            let place = place % weights.len();
            let mut moved = weights.clone();
            moved[place] = weight;
            prop_assume!(weights.iter().sum::<u32>() > 0 && moved.iter().sum::<u32>() > 0);
            let (before, after) = (split("x", &weights), split("x", &moved));
            for user in users {
                let (was, is) = (of(&before, user), of(&after, user));
                if weight >= weights[place] {
                    prop_assert!(is == was || is == place);
                } else {
                    prop_assert!(is == was || was == place);
                }
            }
        }

        #[test]
        fn scaling_all_weights_moves_nobody(
            weights in proptest::collection::vec(1u32..100, 2..5),
            users in proptest::collection::vec(any::<u32>(), 50),
        ) {
            let doubled: Vec<u32> = weights.iter().map(|weight| weight * 2).collect();
            let (before, after) = (split("x", &weights), split("x", &doubled));
            for user in users {
                prop_assert_eq!(of(&before, user), of(&after, user));
            }
        }

    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn of_two_variants_exactly_the_moved_share_moves(from in 1u32..99, to in 1u32..99) {
            let (before, after) = (split("x", &[100 - from, from]), split("x", &[100 - to, to]));
            let moved = (0..20_000).filter(|user| of(&before, *user) != of(&after, *user));
            let share = moved.count() as f64 / 20_000.0;
            let wanted = f64::from(from.abs_diff(to)) / 100.0;
            prop_assert!((share - wanted).abs() < 0.015, "{} for {}", share, wanted);
        }
    }
}
