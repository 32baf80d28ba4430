#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use super::*;

fn tickets(seeds: &[u8], binding: u8) -> FileTickets {
    let mut keys = seeds
        .iter()
        .map(|seed| TicketKey::derive(&[*seed; KEY_FILE_LEN], Fingerprint([binding; 32])).unwrap());
    FileTickets {
        current: keys.next().unwrap(),
        older: keys.collect(),
    }
}

#[test]
fn a_replica_with_the_same_key_opens_the_ticket() {
    let ticket = tickets(&[1], 0).encrypt(b"state").unwrap();
    assert_eq!(tickets(&[1], 0).decrypt(&ticket).unwrap(), b"state");
}

#[test]
fn a_rotated_key_still_opens_and_a_dropped_one_does_not() {
    let ticket = tickets(&[1], 0).encrypt(b"state").unwrap();
    assert_eq!(tickets(&[2, 1], 0).decrypt(&ticket).unwrap(), b"state");
    assert_eq!(tickets(&[2], 0).decrypt(&ticket), None);
}

#[test]
fn a_listener_with_other_client_rules_does_not_open_the_ticket() {
    let ticket = tickets(&[1], 0).encrypt(b"state").unwrap();
    assert_eq!(tickets(&[1], 7).decrypt(&ticket), None);
}

#[test]
fn two_tickets_for_one_state_differ() {
    let tickets = tickets(&[1], 0);
    assert_ne!(tickets.encrypt(b"state"), tickets.encrypt(b"state"));
}

#[test]
fn no_changed_byte_and_no_cut_goes_unnoticed() {
    let tickets = tickets(&[1], 0);
    let ticket = tickets.encrypt(b"state").unwrap();
    for at in 0..ticket.len() {
        let mut changed = ticket.clone();
        changed[at] ^= 1;
        assert_eq!(tickets.decrypt(&changed), None, "byte {at}");
        assert_eq!(tickets.decrypt(&ticket[..at]), None, "cut at {at}");
    }
}

#[test]
fn a_key_of_another_length_is_refused() {
    for len in [0, 48, 79, 81] {
        assert!(
            TicketKey::derive(&vec![1; len], Fingerprint([0; 32])).is_none(),
            "{len}"
        );
    }
}
