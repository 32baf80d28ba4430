//! Who gets how much of a service's traffic: weights after health, priorities, zones and slow
//! start.

use super::Weights;

/// How one endpoint stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    /// Its weight; 0 for none of the traffic, whatever else holds.
    pub weight: u32,
    /// 0 is asked first; the next one takes over as it falls short.
    pub priority: u8,
    /// It is in the gateway's own zone.
    pub local: bool,
    /// It is healthy as far as is known.
    pub available: bool,
    /// It was ejected, and is on trial.
    pub probing: bool,
    /// The part of its weight that slow start allows, from 0 to 1.
    pub ramp: f64,
}

/// The rules of a plan.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rules {
    /// Where a smaller part of a priority's endpoints is healthy, requests go to all of them: the
    /// few would be crushed, and the checks may be wrong. 0 for never.
    pub panic_below: f64,
    /// How much more than its part an endpoint can carry: with 0.4 a group carries everything as
    /// long as 1/1.4 of it is healthy (Envoy's overprovisioning factor).
    pub headroom: f64,
    /// Endpoints of the own zone are preferred where there are at least so many; none for never.
    pub prefer_zone: Option<usize>,
}

/// Who gets how much. Immutable.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    weights: Weights,
    /// Where the share of each group of endpoints ends, of 2^32.
    tiers: Box<[u64]>,
    /// The group of each endpoint. Empty where there is only one.
    tier_of: Box<[u8]>,
    /// Those on trial. Empty where there are none.
    probing: Box<[bool]>,
    panic: bool,
    ramping: bool,
}

/// The share of a group that gets all.
const ALL: f64 = 4_294_967_296.0;
/// Units of weight that plans of several groups divide.
const UNITS: f64 = 1e8;
const NONE: u8 = u8::MAX;

impl Default for Rules {
    fn default() -> Self {
        Self {
            panic_below: 0.5,
            headroom: 0.4,
            prefer_zone: Some(1),
        }
    }
}

/// A group of endpoints and its part of the traffic.
struct Tier {
    share: f64,
    members: Vec<usize>,
}

/// The endpoints of one priority.
struct Level {
    members: Vec<usize>,
    healthy: Vec<usize>,
}

impl Plan {
    /// The plan for endpoints that stand so.
    pub fn new(standings: &[Standing], rules: &Rules) -> Self {
        let levels = levels(standings);
        let (shares, panic) = shares(&levels, rules);
        let mut tiers = Vec::new();
        for ((level, share), panic) in levels.into_iter().zip(shares).zip(&panic) {
            if share <= 0.0 {
                continue;
            }
            let members = if *panic { level.members } else { level.healthy };
            tiers.extend(by_zone(members, share, standings, *panic, rules));
        }
        tiers.retain(|tier| !tier.members.is_empty());
        let ramping = standings.iter().any(|standing| standing.ramp < 1.0);
        let trial = |standing: &Standing| standing.probing && standing.weight > 0;
        let probing = if standings.iter().any(trial) {
            standings.iter().map(trial).collect()
        } else {
            Box::default()
        };
        Self {
            weights: weights(standings, &tiers, ramping),
            tier_of: tier_of(standings.len(), &tiers),
            tiers: ends(&tiers),
            probing,
            panic: panic.contains(&true),
            ramping,
        }
    }

    /// A plan by weights alone.
    pub fn flat(weights: &[u32]) -> Self {
        let standings: Vec<Standing> = weights
            .iter()
            .map(|weight| Standing {
                weight: *weight,
                priority: 0,
                local: false,
                available: true,
                probing: false,
                ramp: 1.0,
            })
            .collect();
        Self::new(&standings, &Rules::default())
    }

    /// What each endpoint gets in proportion to the others.
    pub const fn weights(&self) -> &Weights {
        &self.weights
    }

    /// How many endpoints there are.
    pub const fn len(&self) -> usize {
        self.weights.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.weights.is_empty()
    }

    /// The part of the traffic that an endpoint gets, from 0 to 1.
    pub fn share(&self, index: usize) -> f64 {
        let total = self.weights.total();
        if total == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "sums of weights are below 2^52")]
        let total = total as f64;
        f64::from(self.weights.weight(index)) / total
    }

    /// The group that a point belongs to, by the groups' shares.
    pub fn tier_at(&self, point: u64) -> usize {
        self.tiers.partition_point(|end| *end <= point >> 32)
    }

    /// Whether an endpoint gets traffic as one of this group.
    pub fn is_in(&self, index: usize, tier: usize) -> bool {
        self.weights.weight(index) > 0
            && (self.tier_of.is_empty()
                || self.tier_of.get(index).copied().map(usize::from) == Some(tier))
    }

    /// Whether an endpoint is on trial.
    pub fn is_probing(&self, index: usize) -> bool {
        self.probing.get(index).copied().unwrap_or(false)
    }

    /// Whether any is.
    pub const fn has_probes(&self) -> bool {
        !self.probing.is_empty()
    }

    /// Whether requests go to endpoints that are not healthy, for too few are.
    pub const fn is_panic(&self) -> bool {
        self.panic
    }

    /// Whether the plan changes with time.
    pub const fn is_ramping(&self) -> bool {
        self.ramping
    }
}

fn levels(standings: &[Standing]) -> Vec<Level> {
    let in_use = || {
        let all = standings.iter().enumerate();
        all.filter(|(_, standing)| standing.weight > 0)
    };
    let mut priorities: Vec<u8> = in_use().map(|(_, standing)| standing.priority).collect();
    priorities.sort_unstable();
    priorities.dedup();
    let level = |priority| Level {
        members: in_use()
            .filter(|(_, standing)| standing.priority == priority)
            .map(|(index, _)| index)
            .collect(),
        healthy: in_use()
            .filter(|(_, standing)| standing.priority == priority && standing.available)
            .map(|(index, _)| index)
            .collect(),
    };
    priorities.into_iter().map(level).collect()
}

/// What each level gets, and whether it panics (Envoy, "Priority levels" and "Panic threshold").
///
/// A level takes as much of what is left as its healthy part can carry. Only where all levels
/// together can't carry everything, they share it by what they can carry, and those with too few
/// healthy endpoints use all they have.
fn shares(levels: &[Level], rules: &Rules) -> (Vec<f64>, Vec<bool>) {
    let healthy = |level: &Level| ratio(level.healthy.len(), level.members.len());
    let capacity = |level: &Level| (healthy(level) * (1.0 + rules.headroom)).min(1.0);
    let sum: f64 = levels.iter().map(capacity).sum();
    if sum >= 1.0 - 1e-9 {
        let mut left: f64 = 1.0;
        let shares = levels.iter().map(|level| {
            let share = left.min(capacity(level));
            left -= share;
            if left < 1e-9 {
                left = 0.0;
            }
            share
        });
        return (shares.collect(), vec![false; levels.len()]);
    }
    let panic = |level: &Level| healthy(level) < rules.panic_below;
    let all: usize = levels.iter().map(|level| level.members.len()).sum();
    let share = |level: &Level| {
        if sum > 0.0 {
            capacity(level) / sum
        } else {
            ratio(level.members.len(), all)
        }
    };
    (
        levels.iter().map(share).collect(),
        levels.iter().map(panic).collect(),
    )
}

/// The own zone gets as much as its healthy part can carry, the others what is left.
fn by_zone(
    members: Vec<usize>,
    share: f64,
    standings: &[Standing],
    panic: bool,
    rules: &Rules,
) -> Vec<Tier> {
    let whole = |members| vec![Tier { share, members }];
    let Some(least) = rules.prefer_zone.filter(|_| !panic) else {
        return whole(members);
    };
    let standing = |index: &usize| standings.get(*index);
    let (local, other): (Vec<usize>, Vec<usize>) = members
        .iter()
        .copied()
        .partition(|index| standing(index).is_some_and(|standing| standing.local));
    if local.is_empty() || other.is_empty() || local.len() < least {
        return whole(members);
    }
    let priority = local.first().and_then(standing).map(|first| first.priority);
    let all_local = standings.iter().filter(|standing| {
        standing.local && standing.weight > 0 && Some(standing.priority) == priority
    });
    let carried = ratio(local.len(), all_local.count()) * (1.0 + rules.headroom);
    if carried >= 1.0 {
        return whole(local);
    }
    vec![
        Tier {
            share: share * carried,
            members: local,
        },
        Tier {
            share: share * (1.0 - carried),
            members: other,
        },
    ]
}

/// Weights as they are where one group has everything; otherwise each group's share divided by
/// weight.
fn weights(standings: &[Standing], tiers: &[Tier], ramping: bool) -> Weights {
    let mut each = vec![0_u32; standings.len()];
    for tier in tiers {
        let ramped = |index: usize| {
            let standing = standings.get(index);
            standing.map_or(0.0, |standing| {
                f64::from(standing.weight) * standing.ramp.clamp(0.01, 1.0)
            })
        };
        let sum: f64 = tier.members.iter().map(|index| ramped(*index)).sum();
        for index in &tier.members {
            let weight = if tiers.len() == 1 && !ramping {
                standings.get(*index).map_or(0, |standing| standing.weight)
            } else {
                units(tier.share * ramped(*index) / sum)
            };
            if let Some(place) = each.get_mut(*index) {
                *place = weight;
            }
        }
    }
    Weights::new(each)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of 1e8 units is within u32"
)]
fn units(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * UNITS).round().max(1.0) as u32
}

fn tier_of(len: usize, tiers: &[Tier]) -> Box<[u8]> {
    if tiers.len() <= 1 {
        return Box::default();
    }
    let mut of = vec![NONE; len].into_boxed_slice();
    for (number, tier) in (0..NONE).zip(tiers) {
        for index in &tier.members {
            if let Some(place) = of.get_mut(*index) {
                *place = number;
            }
        }
    }
    of
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "shares add up to 1, so ends are within 2^32"
)]
fn ends(tiers: &[Tier]) -> Box<[u64]> {
    let mut sum = 0.0;
    let ends = tiers.iter().map(|tier| {
        sum += tier.share;
        (sum * ALL).round() as u64
    });
    let mut ends: Box<[u64]> = ends.collect();
    if let Some(last) = ends.last_mut() {
        *last = u64::MAX;
    }
    ends
}

#[expect(clippy::cast_precision_loss, reason = "numbers of endpoints")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
