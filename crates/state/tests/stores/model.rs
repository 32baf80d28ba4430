//! The scripts against the rules that the gateway itself counts by: the same answers at the same times.

use std::time::Duration;

use lintel_state::limit::{FixedWindow, Rule, SlidingWindow, TokenBucket};
use redis::Connection;

use crate::server::Server;

const RULES: &str = include_str!("../../src/store/lua/rules.lua");
const SPEND: &str = include_str!("../../src/store/lua/spend.lua");
const GIVE_BACK: &str = include_str!("../../src/store/lua/give_back.lua");
const TIME: &str = "redis.call('TIME')";

/// A script that goes by a clock which is given to it last.
fn at_given_times(script: &str) -> String {
    assert!(RULES.contains(TIME));
    let clock = RULES.replace(TIME, "{ARGV[#ARGV - 1], ARGV[#ARGV]}");
    format!("{clock}{script}")
}

struct Counted {
    letter: &'static str,
    rule: Rule,
    count: u64,
    per: Duration,
    most: u64,
}

fn limits() -> Vec<Counted> {
    let mut limits = Vec::new();
    for (count, millis, burst) in [
        (1, 1_000, 1),
        (7, 1_000, 3),
        (100, 60_000, 20),
        (1_000, 3_000, 50),
        (3, 7_000, 9),
    ] {
        let per = Duration::from_millis(millis);
        let bucket = TokenBucket::new(count, per, burst).unwrap();
        limits.push(Counted {
            letter: "b",
            rule: Rule::TokenBucket(bucket),
            count,
            per,
            most: burst,
        });
        let sliding = SlidingWindow::new(count, per).unwrap();
        limits.push(Counted {
            letter: "s",
            rule: Rule::SlidingWindow(sliding),
            count,
            per,
            most: count,
        });
        let fixed = FixedWindow::new(count, per).unwrap();
        limits.push(Counted {
            letter: "f",
            rule: Rule::FixedWindow(fixed),
            count,
            per,
            most: count,
        });
    }
    limits
}

impl Counted {
    fn eval(&self, redis: &mut Connection, script: &str, rest: &[u64], micros: u64) -> Vec<i64> {
        let mut command = redis::cmd("EVAL");
        command
            .arg(script)
            .arg(1)
            .arg("model")
            .arg(self.letter)
            .arg(self.count);
        command.arg(self.per.as_micros() as u64).arg(rest);
        command.arg(micros / 1_000_000).arg(micros % 1_000_000);
        command.query(redis).unwrap()
    }

    /// Whether both admit; where they differ, whether a microsecond decides.
    fn step(
        &self,
        redis: &mut Connection,
        script: &str,
        state: &mut u64,
        micros: u64,
        cost: u64,
    ) -> bool {
        let there = self.eval(redis, script, &[self.most, cost, 0], micros);
        let here = self.rule.spend(*state, micros * 1_000, cost);
        let what = || {
            format!(
                "{} {:?} costs {cost} at {micros}: {here:?}, {there:?}",
                self.letter, self.rule
            )
        };
        match (&here, there[0]) {
            (Ok((next, left)), 0) => {
                let off = left.remaining.abs_diff(there[1] as u64);
                assert!(off <= 1, "{}", what());
                *state = *next;
                true
            }
            (Err(refused), 1) => {
                let off = refused.remaining.abs_diff(there[1] as u64);
                assert!(off <= 1, "{}", what());
                match refused.after {
                    None => assert_eq!(there[2], -1, "{}", what()),
                    Some(after) => {
                        let off = (after.as_micros() as f64 / 1_000.0 - there[2] as f64).abs();
                        assert!(off <= 1.01, "{}", what());
                    }
                }
                true
            }
            (_, verdict) => {
                let shifted = |by: i64| {
                    let nanos = (micros * 1_000).saturating_add_signed(by);
                    self.rule.spend(*state, nanos, cost).is_ok()
                };
                assert!(
                    shifted(-1_000) != shifted(1_000),
                    "{} says {verdict}",
                    what()
                );
                false
            }
        }
    }
}

#[test]
fn scripts_and_rules_agree() {
    let server = Server::start();
    let client = redis::Client::open(format!("redis://127.0.0.1:{}", server.port)).unwrap();
    let mut redis = client.get_connection().unwrap();
    let (spend, give_back) = (at_given_times(SPEND), at_given_times(GIVE_BACK));
    let mut random = fastrand::Rng::with_seed(7);
    let (mut steps, mut apart) = (0, 0);
    for limit in limits() {
        for _ in 0..6 {
            let _: () = redis::cmd("DEL").arg("model").query(&mut redis).unwrap();
            let (mut state, mut micros) = (0, 1_795_000_000_000_000);
            let mut last = None;
            for _ in 0..60 {
                let longest = limit.per.as_micros() as u64;
                micros += match random.u8(..4) {
                    0 => 0,
                    1 => random.u64(..longest / limit.count + 1),
                    2 => random.u64(..longest / 4),
                    _ => random.u64(..3) * random.u64(..longest),
                };
                if let (Some(cost), 0) = (last, random.u8(..5)) {
                    // What was admitted last goes back.
                    limit.eval(&mut redis, &give_back, &[cost], micros);
                    state = limit.rule.refund(state, micros * 1_000, cost);
                    last = None;
                    continue;
                }
                let cost = random.u64(1..limit.most + 2).min(random.u64(1..6));
                let before = state;
                steps += 1;
                if !limit.step(&mut redis, &spend, &mut state, micros, cost) {
                    // They differ by a microsecond's worth, and would go on to.
                    apart += 1;
                    break;
                }
                last = (state != before).then_some(cost);
            }
        }
    }
    assert!(steps > 1_000 && apart < 20, "{apart} of {steps}");
}
