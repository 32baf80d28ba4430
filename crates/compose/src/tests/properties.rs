//! Whatever the legs are and whatever comes when: the order holds, what is the same is asked once, no
//! more calls are under way than may be, and none is left behind.

use bytes::Bytes;
use proptest::prelude::*;

use super::fake::{Comes, Event, Fake, exchange, fixed, get, plan};
use crate::{Body, Does, Each, Leg, Plan};

const NAMES: [&str; 7] = ["list", "a", "b", "c", "d", "e", "f"];
const PARALLEL: usize = 2;

#[derive(Clone, Debug)]
struct Made {
    after: Vec<usize>,
    optional: bool,
    /// Asks for the same as the others that do.
    same: bool,
    each: bool,
    last_good: bool,
    comes: Comes,
}

fn made() -> impl Strategy<Value = Made> {
    let comes = prop_oneof![
        4 => Just(Comes::Answer(200, "{\"n\":1}")),
        1 => Just(Comes::Answer(500, "{}")),
        1 => Just(Comes::Answer(200, "no")),
        1 => Just(Comes::Lost(crate::Reason::Timeout)),
    ];
    let after = prop::collection::vec(0usize..7, 0..3);
    let flags = prop::array::uniform4(any::<bool>());
    (after, flags, comes).prop_map(|(after, [optional, same, each, last_good], comes)| Made {
        after,
        optional,
        same: same && !each,
        each,
        last_good,
        comes,
    })
}

fn leg(index: usize, made: &Made) -> Leg {
    let target = match (made.same, made.each) {
        (true, _) => "/same".to_owned(),
        (_, true) => format!("/{index}/${{item}}"),
        _ => format!("/{index}"),
    };
    // Those before it only: never a circle.
    let mut after: Vec<usize> = made
        .after
        .iter()
        .copied()
        .filter(|leg| *leg < index)
        .collect();
    let mut leg = get(NAMES[index], &target);
    leg.kin = made.same.then_some(0);
    leg.last_good = made.last_good;
    if made.each {
        after.push(0);
        if let Does::Ask(ask) = &mut leg.does {
            ask.each = Some(Each {
                over: Body::parse(".list", &NAMES).unwrap(),
                max: 9,
                parallel: PARALLEL,
                batch: None,
                missing: None,
            });
        }
    }
    if made.optional {
        leg.fallback = Some(Bytes::from_static(b"null"));
    }
    leg.after(&after)
}

/// What happened, and what of it is under way.
struct Story<'a> {
    plan: &'a Plan,
    all: &'a [Made],
    open: [usize; 7],
    called: [usize; 7],
    done: [bool; 7],
}

impl Story<'_> {
    /// Who makes the call that a leg waits for: itself, or one that asks for the same.
    fn caller(&self, leg: usize) -> usize {
        let same = |other: usize| other > 0 && self.all[other - 1].same && self.called[other] > 0;
        match leg > 0 && self.all[leg - 1].same {
            true => (1..7).find(|other| same(*other)).unwrap_or(leg),
            false => leg,
        }
    }

    fn call(&mut self, leg: usize) -> Result<(), TestCaseError> {
        for other in &self.plan.legs()[leg].after {
            let other = self.caller(*other);
            prop_assert!(other == 0 || self.done[other], "{leg} before {other}");
        }
        let most = if self.all[leg - 1].each { PARALLEL } else { 1 };
        self.open[leg] += 1;
        self.called[leg] += 1;
        prop_assert!(
            self.open[leg] <= most,
            "{leg}: {} under way",
            self.open[leg]
        );
        let calls = if self.all[leg - 1].each { 3 } else { 1 };
        prop_assert!(self.called[leg] <= calls, "{leg} is called again");
        if self.all[leg - 1].same {
            prop_assert_eq!(self.caller(leg), leg, "the same is asked twice");
        }
        Ok(())
    }

    fn end(&mut self, leg: usize, whole: bool) {
        self.open[leg] -= 1;
        let calls = if self.all[leg - 1].each { 3 } else { 1 };
        let lost = !matches!(self.all[leg - 1].comes, Comes::Answer(200, body) if body != "no");
        let whole = lost || (whole && self.called[leg] == calls);
        self.done[leg] |= whole && self.open[leg] == 0;
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn order_holds_for_all_kinds_of_legs(
        all in prop::collection::vec(made(), 6),
        order in prop::collection::vec(0usize..6, 0..24),
    ) {
        let legs = all.iter().enumerate().map(|(index, made)| leg(index + 1, made));
        let legs = std::iter::once(fixed("list", "[1,2,3,2]")).chain(legs);
        let plan = plan(legs.collect(), None);
        let mut comes: Vec<Comes> = vec![Comes::Echo];
        // What is the same is answered in the same way.
        let same = all.iter().find(|made| made.same).map(|made| made.comes.clone());
        let all: Vec<Made> = all.iter().map(|made| match (&same, made.same) {
            (Some(same), true) => Made { comes: same.clone(), ..made.clone() },
            _ => made.clone(),
        }).collect();
        comes.extend(all.iter().map(|made| made.comes.clone()));
        let mut fake = Fake::new(comes);
        fake.kept = Some(Default::default());
        let results = fake.run(&plan, &exchange("/"), &order);
        let events = fake.events.borrow();
        let mut story = Story { plan: &plan, all: &all, open: [0; 7], called: [0; 7], done: [false; 7] };
        let mut failed_at = None;
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Called(leg, _) => {
                    prop_assert!(failed_at.is_none(), "called after the end");
                    story.call(*leg)?;
                }
                Event::Done(leg) => {
                    story.end(*leg, true);
                    let failed = results.as_ref().and_then(|results| results.failed());
                    // One that gets the answer to another may do so, and fail, later than that.
                    if failed == Some(*leg) && story.done[*leg] {
                        failed_at = Some(at);
                    }
                }
                Event::Dropped(leg) => story.end(*leg, false),
            }
        }
        prop_assert_eq!(story.open, [0; 7], "left behind");
        let Some(results) = results else { return Ok(()) };
        match results.failed() {
            Some(leg) => prop_assert!(plan.legs()[leg].is_required()),
            None => {
                for leg in 0..7 {
                    prop_assert!(results.outcome(leg).is_some(), "{leg} has no outcome");
                }
                prop_assert!(results.body().is_ok());
            }
        }
    }
}
