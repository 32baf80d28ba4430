//! Random choice and peak EWMA.

use std::time::Duration;

use super::*;

#[test]
fn random_choice_is_by_weight() {
    let from = Fixed::new(&[3, 0, 1]);
    let counts = counts(&picks(&mut seeded(&Balance::Random, 5), &from, 10_000), 3);
    assert!((7_300..7_700).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[1], 0);
}

#[test]
fn the_faster_endpoint_is_preferred() {
    let mut from = Fixed::new(&[1, 1]);
    from.latencies = vec![0.020, 0.010];
    let mut balancer = seeded(&Balance::PeakEwma, 1);
    assert_eq!(picks(&mut balancer, &from, 50), [1; 50]);
    // Until it has twice as much to do.
    from.loads = vec![0, 2];
    assert_eq!(picks(&mut balancer, &from, 50), [0; 50]);
    // Twice the weight carries twice as much.
    from.plan = Plan::flat(&[1, 2]);
    from.latencies = vec![0.010, 0.010];
    from.loads = vec![0, 0];
    assert_eq!(picks(&mut balancer, &from, 50), [1; 50]);
}

#[test]
fn an_unmeasured_endpoint_is_tried_once() {
    let mut from = Fixed::new(&[1, 1]);
    from.latencies = vec![0.010, 0.0];
    let mut balancer = seeded(&Balance::PeakEwma, 1);
    assert_eq!(balancer.pick(&from, None), Some(1));
    from.loads[1] = 1;
    assert_eq!(picks(&mut balancer, &from, 50), [0; 50]);
}

/// Two endpoints that answer in 10 and 40 ms however many requests they have, and a request each
/// millisecond: ten simulated seconds.
#[test]
fn traffic_settles_by_latency() {
    let mut from = Fixed::new(&[1, 1]);
    let mut averages = [PeakEwma::default(); 2];
    let mut last = [0_u64; 2];
    let mut running: Vec<(u64, usize, u64)> = Vec::new();
    let mut sent = [0_usize; 2];
    let mut balancer = seeded(&Balance::PeakEwma, 3);
    for now in 0..10_000_u64 {
        running.retain(|(end, index, began)| {
            let over = *end <= now;
            if over {
                let elapsed = Duration::from_millis(now - last[*index]);
                averages[*index] =
                    averages[*index].observe(Duration::from_millis(now - began), elapsed);
                last[*index] = now;
                from.loads[*index] -= 1;
            }
            !over
        });
        for index in 0..2 {
            from.latencies[index] = averages[index].after(Duration::from_millis(now - last[index]));
        }
        let index = balancer.pick(&from, None).unwrap();
        from.loads[index] += 1;
        sent[index] += 1;
        running.push((now + [10, 40][index], index, now));
    }
    // In balance `latency * (load + 1)` is the same for both: some 9.6 and 1.6 requests open, and so
    // 960 and 40 requests a second.
    assert!((100..900).contains(&sent[1]), "{sent:?}");
}

#[test]
fn the_peak_counts_at_once_and_fades() {
    let slow = PeakEwma::default().observe(Duration::from_secs(2), Duration::ZERO);
    assert_eq!(slow.seconds, 2.0);
    let soon = slow.observe(Duration::from_millis(10), Duration::from_millis(100));
    assert!(soon.seconds > 1.9, "{soon:?}");
    let later = slow.observe(Duration::from_millis(10), DECAY);
    assert!((0.7..0.8).contains(&later.seconds), "{later:?}");
    assert!((0.7..0.75).contains(&slow.after(DECAY)));
    assert_eq!(slow.after(DECAY * 20), 0.0);
}
