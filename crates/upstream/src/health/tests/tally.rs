//! Thresholds of checks.

use crate::health::checks::Tally;

#[test]
fn the_first_check_decides_and_later_ones_have_to_insist() {
    let mut tally = Tally::new(2, 3);
    let turns: Vec<Option<bool>> = "+--+---+-++"
        .chars()
        .map(|check| tally.count(check == '+'))
        .collect();
    let mut expected = vec![None; 11];
    expected[0] = Some(true);
    expected[6] = Some(false);
    expected[10] = Some(true);
    assert_eq!(turns, expected);
    assert_eq!(Tally::new(2, 3).count(false), Some(false));
}

#[test]
fn an_endpoint_about_to_change_is_not_settled() {
    let mut tally = Tally::new(2, 2);
    assert!(!tally.is_settled());
    tally.count(true);
    assert!(tally.is_settled());
    tally.count(false);
    assert!(!tally.is_settled());
    tally.count(true);
    assert!(tally.is_settled());
}
