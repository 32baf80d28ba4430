#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod hashing;
mod plan;
mod random;

use lintel_kernel::hash::{hash, mix};
use proptest::prelude::*;

use super::*;

struct Fixed {
    plan: Plan,
    loads: Vec<u32>,
    usable: Vec<bool>,
    latencies: Vec<f64>,
    table: Option<Table>,
}

impl Fixed {
    fn new(weights: &[u32]) -> Self {
        Self {
            plan: Plan::flat(weights),
            loads: vec![0; weights.len()],
            usable: vec![true; weights.len()],
            latencies: vec![0.0; weights.len()],
            table: None,
        }
    }
}

impl Candidates for Fixed {
    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn latency(&self, index: usize) -> f64 {
        self.latencies[index]
    }

    fn table(&self) -> Option<&Table> {
        self.table.as_ref()
    }

    fn session(&self, session: u64) -> Option<usize> {
        usize::try_from(session)
            .ok()
            .filter(|index| self.usable[*index])
    }

    fn load(&self, index: usize) -> u32 {
        self.loads[index]
    }

    fn usable(&self, index: usize) -> bool {
        self.usable[index]
    }
}

fn picks(balancer: &mut Balancer, from: &Fixed, count: usize) -> Vec<usize> {
    (0..count)
        .map(|_| balancer.pick(from, None).unwrap())
        .collect()
}

fn counts(picks: &[usize], len: usize) -> Vec<usize> {
    (0..len)
        .map(|index| picks.iter().filter(|pick| **pick == index).count())
        .collect()
}

fn seeded(balance: &Balance, seed: u64) -> Balancer {
    Balancer::with(balance, 0, Draw::with_seed(seed))
}

fn round_robin(worker: usize) -> Balancer {
    Balancer::new(&Balance::RoundRobin, worker)
}

#[test]
fn equal_weights_go_in_turn() {
    let from = Fixed::new(&[7, 7, 7]);
    assert_eq!(picks(&mut round_robin(0), &from, 7), [0, 1, 2, 0, 1, 2, 0]);
    assert_eq!(picks(&mut round_robin(2), &from, 4), [2, 0, 1, 2]);
}

#[test]
fn weights_are_spread_smoothly() {
    // The example of the commit message that introduced the algorithm in NGINX.
    let from = Fixed::new(&[5, 1, 1]);
    assert_eq!(picks(&mut round_robin(0), &from, 7), [0, 0, 1, 0, 2, 0, 0]);
}

#[test]
fn drained_endpoints_get_nothing() {
    let from = Fixed::new(&[0, 3, 0]);
    for balance in [
        Balance::RoundRobin,
        Balance::Random,
        Balance::LeastRequest,
        Balance::PeakEwma,
    ] {
        assert_eq!(picks(&mut Balancer::new(&balance, 0), &from, 20), [1; 20]);
        assert_eq!(
            Balancer::new(&balance, 0).pick(&Fixed::new(&[0, 0]), None),
            None
        );
        assert_eq!(
            Balancer::new(&balance, 0).pick(&Fixed::new(&[]), None),
            None
        );
    }
}

#[test]
fn a_changed_set_leaves_no_debts() {
    let mut balancer = round_robin(0);
    picks(&mut balancer, &Fixed::new(&[1000, 1]), 10);
    let even = Fixed::new(&[2, 1]);
    assert_eq!(counts(&picks(&mut balancer, &even, 3), 2), [2, 1]);
}

#[test]
fn second_choices_take_no_turns() {
    let mut balancer = round_robin(0);
    let mut from = Fixed::new(&[1, 1]);
    for turn in 0..6 {
        let first = balancer.pick(&from, None).unwrap();
        assert_eq!(first, turn % 2);
        if first == 0 {
            from.usable[0] = false;
            assert_eq!(balancer.pick_other(&from, None), Some(1));
            from.usable[0] = true;
        }
    }
}

#[test]
fn least_request_prefers_the_less_busy() {
    let mut from = Fixed::new(&[1, 1]);
    from.loads = vec![5, 4];
    assert_eq!(
        picks(&mut Balancer::new(&Balance::LeastRequest, 0), &from, 50),
        [1; 50]
    );
    // Twice the weight carries twice the load.
    let mut from = Fixed::new(&[2, 1]);
    from.loads = vec![5, 3];
    assert_eq!(
        picks(&mut Balancer::new(&Balance::LeastRequest, 0), &from, 50),
        [0; 50]
    );
}

#[test]
fn idle_endpoints_share_by_weight() {
    let from = Fixed::new(&[3, 1]);
    let mut balancer = seeded(&Balance::LeastRequest, 7);
    let counts = counts(&picks(&mut balancer, &from, 10_000), 2);
    assert!((7_300..7_700).contains(&counts[0]), "{counts:?}");
}

#[test]
fn two_choices_keep_queues_short() {
    // 1,000 requests that never end over 10 endpoints: random choice alone would be some 25 apart.
    let mut from = Fixed::new(&[1; 10]);
    let mut balancer = seeded(&Balance::LeastRequest, 1);
    for _ in 0..1000 {
        let index = balancer.pick(&from, None).unwrap();
        from.loads[index] += 1;
    }
    let (least, most) = (
        from.loads.iter().min().unwrap(),
        from.loads.iter().max().unwrap(),
    );
    assert!(most - least <= 6, "{:?}", from.loads);
}

proptest! {
    #[test]
    fn any_cycle_is_exact(weights in proptest::collection::vec(0..20_u32, 1..8), worker in 0..40_usize, cycles in 1..4_u64) {
        let from = Fixed::new(&weights);
        prop_assume!(from.plan.weights().total() > 0);
        let mut balancer = round_robin(worker);
        let cycle = usize::try_from(from.plan.weights().total() * cycles).unwrap();
        let picked = counts(&picks(&mut balancer, &from, cycle), weights.len());
        for (index, weight) in from.plan.weights().each().iter().enumerate() {
            prop_assert_eq!(picked[index] as u64, u64::from(*weight) * cycles);
        }
    }

    #[test]
    fn only_usable_endpoints_are_picked(
        weights in proptest::collection::vec(0..5_u32, 1..10),
        usable in proptest::collection::vec(any::<bool>(), 10),
        balance in 0..4_usize,
    ) {
        let mut from = Fixed::new(&weights);
        from.usable = usable[..weights.len()].to_vec();
        let balance = [Balance::RoundRobin, Balance::Random, Balance::LeastRequest, Balance::PeakEwma][balance].clone();
        let mut balancer = Balancer::new(&balance, 0);
        let some = (0..weights.len()).any(|index| from.usable[index] && weights[index] > 0);
        for _ in 0..20 {
            match balancer.pick(&from, None) {
                Some(index) => prop_assert!(from.usable[index] && weights[index] > 0),
                None => prop_assert!(!some),
            }
        }
    }

    #[test]
    fn lowest_terms_keep_proportions(weights in proptest::collection::vec(0..1000_u32, 1..8), factor in 1..50_u32) {
        let scaled: Vec<u32> = weights.iter().map(|weight| weight * factor).collect();
        prop_assert_eq!(Weights::new(weights.iter().copied()), Weights::new(scaled));
    }
}
