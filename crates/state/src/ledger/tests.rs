#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::{
    fs,
    io::Write as _,
    path::{Path, PathBuf},
    thread,
};

use super::*;

const DAY: u64 = 86_400;

fn day(number: u64) -> Period {
    Period {
        start: number * DAY,
        end: (number + 1) * DAY,
        number,
    }
}

const MOST: u64 = u64::MAX;

#[test]
fn a_period_begins_with_nothing_and_the_one_before_stays() {
    let ledger = Ledger::<1>::new(10);
    let account = ledger.account("acme");
    assert_eq!(account.add(0, day(7), 3, 5).unwrap().after, 3);
    assert_eq!(account.add(0, day(7), 3, 5), Err(3));
    assert_eq!(account.add(0, day(7), 2, 5).unwrap().after, 5);
    assert_eq!(account.value(0, day(8)), 0);
    assert_eq!(account.add(0, day(8), 1, 5).unwrap().before, 0);
    assert_eq!((account.value(0, day(7)), account.value(0, day(8))), (5, 1));
    // Two periods on, the place is taken over; a clock that is set back frees nothing.
    account.add(0, day(9), 4, 5).unwrap();
    assert_eq!(account.add(0, day(7), 2, 5), Err(4));
    account.take_back(0, day(9), 3);
    assert_eq!(account.value(0, day(9)), 1);
    account.set(0, day(9), 100);
    assert_eq!(account.add(0, day(9), 1, 5), Err(100));
    assert!(account.add(0, day(9), u64::MAX, MOST).is_err());
}

#[test]
fn threads_count_exactly_and_open_each_account_once() {
    let ledger = Ledger::<1>::new(1_000);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for turn in 0..20_000u64 {
                    let account = ledger.account(&format!("{}", turn % 500));
                    let _ = account.add(0, day(1 + turn / 10_000), 1, MOST);
                }
            });
        }
    });
    assert_eq!(ledger.len(), 500);
    for name in 0..500 {
        let account = ledger.find(&name.to_string()).unwrap();
        assert_eq!(
            (account.value(0, day(1)), account.value(0, day(2))),
            (80, 80)
        );
    }
}

#[test]
fn names_beyond_the_room_share_an_account() {
    let ledger = Ledger::<1>::new(4);
    for name in 0..100 {
        ledger
            .account(&name.to_string())
            .add(0, day(1), 1, MOST)
            .unwrap();
    }
    assert_eq!(ledger.len(), 4);
    assert!(ledger.is_overflow(&ledger.account("another")));
    assert_eq!(ledger.account("another").value(0, day(1)), 96);
    assert!(ledger.find("another").is_none());
}

fn file() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state").join("quota.state");
    (folder, file)
}

fn open(file: &Path) -> Book<2> {
    kept(
        file,
        Keep::History {
            seconds: 10 * DAY,
            period: DAY,
        },
    )
}

fn kept(file: &Path, keep: Keep) -> Book<2> {
    let book = Book::new(100, Some(file.to_path_buf()), keep);
    assert!(book.start(DAY) && !book.start(DAY));
    book
}

fn value(book: &Book<2>, name: &str, period: Period) -> [u64; 2] {
    let account = book.ledger().find(name);
    account.map_or([0; 2], |account| {
        [0, 1].map(|figure| account.value(figure, period))
    })
}

#[test]
fn a_restart_loses_nothing_and_a_crash_what_came_after_the_last_flush() {
    let (_folder, path) = file();
    let book = open(&path);
    for name in ["a", "with\ttabs %41\nand lines", ""] {
        let account = book.ledger().account(name);
        account.add(0, day(20), 5, MOST).unwrap();
        account.add(1, day(20), 7, MOST).unwrap();
        account.add(0, day(21), 1, MOST).unwrap();
    }
    drop(book);
    let book = open(&path);
    for name in ["a", "with\ttabs %41\nand lines", ""] {
        assert_eq!(value(&book, name, day(20)), [5, 7]);
        assert_eq!(value(&book, name, day(21)), [1, 0]);
    }
    let account = book.ledger().account("a");
    account.add(0, day(21), 10, MOST).unwrap();
    book.flush(21 * DAY);
    account.add(0, day(21), 100, MOST).unwrap();
    let crashed = fs::read(&path).unwrap();
    drop(book);
    // Half a line at the end, as a crash leaves it, and damage in the middle.
    fs::write(&path, &crashed).unwrap();
    let mut end = fs::OpenOptions::new().append(true).open(&path).unwrap();
    end.write_all(b"no record\n1814400\t0\t999").unwrap();
    let book = open(&path);
    assert_eq!(value(&book, "a", day(21)), [11, 0]);
    book.ledger().account("a").add(0, day(21), 1, MOST).unwrap();
    drop(book);
    assert_eq!(value(&open(&path), "a", day(21)), [12, 0]);
}

#[test]
fn what_is_unchanged_is_not_written_again_and_old_periods_go() {
    let (_folder, path) = file();
    let book = open(&path);
    let account = book.ledger().account("a");
    account.add(0, day(1), 1, MOST).unwrap();
    book.flush(DAY);
    let once = fs::metadata(&path).unwrap().len();
    book.flush(DAY);
    assert_eq!(fs::metadata(&path).unwrap().len(), once);
    for turn in 0..1_200 {
        account.add(0, day(30 + turn / 600), 1, MOST).unwrap();
        book.flush(31 * DAY);
    }
    assert!(fs::metadata(&path).unwrap().len() < 1_001 * 4 * once);
    let figures = book.figures();
    let starts: Vec<u64> = figures.keys().map(|(start, _)| start / DAY).collect();
    assert_eq!(starts, [30, 31]);
    drop(book);
    assert_eq!(value(&open(&path), "a", day(31)), [600, 0]);
}

/// Where only accounts matter, many periods leave no more behind than two.
#[test]
fn without_a_history_only_accounts_are_kept() {
    let (_folder, path) = file();
    let book = kept(&path, Keep::Accounts);
    let account = book.ledger().account("a");
    for turn in 0..1_200 {
        account.add(0, day(turn), 1, MOST).unwrap();
        book.flush(turn * DAY);
    }
    assert_eq!(book.figures().len(), 2);
    drop(book);
    let lines = fs::read_to_string(&path).unwrap().lines().count();
    assert!(lines < 1_000, "{lines}");
    let book = kept(&path, Keep::Accounts);
    assert_eq!(value(&book, "a", day(1_199)), [1, 0]);
    assert_eq!(value(&book, "a", day(1_198)), [1, 0]);
}

/// What was counted long ago takes no room of what is counted now.
#[test]
fn history_is_read_and_not_counted() {
    let (_folder, path) = file();
    let book = open(&path);
    book.ledger()
        .account("old")
        .add(0, day(1), 1, MOST)
        .unwrap();
    book.ledger()
        .account("new")
        .add(0, day(9), 1, MOST)
        .unwrap();
    drop(book);
    let keep = Keep::History {
        seconds: 100 * DAY,
        period: DAY,
    };
    let book = Book::<2>::new(100, Some(path), keep);
    book.start(9 * DAY);
    assert!(book.ledger().find("old").is_none());
    assert_eq!(value(&book, "new", day(9)), [1, 0]);
    assert_eq!(book.figures().len(), 2);
}

/// A gateway that hands over to another goes on counting until its last request has ended.
#[test]
fn two_processes_add_up() {
    let (_folder, path) = file();
    let old = open(&path);
    old.ledger().account("a").add(0, day(1), 10, MOST).unwrap();
    old.flush(DAY);
    let new = open(&path);
    assert_eq!(value(&new, "a", day(1)), [10, 0]);
    new.ledger().account("a").add(0, day(1), 1, MOST).unwrap();
    new.flush(DAY);
    old.ledger().account("a").add(0, day(1), 100, MOST).unwrap();
    old.ledger().account("b").add(1, day(1), 5, MOST).unwrap();
    drop(old);
    new.flush(DAY);
    assert_eq!(value(&new, "a", day(1)), [111, 0]);
    assert_eq!(value(&new, "b", day(1)), [0, 5]);
    drop(new);
    assert_eq!(value(&open(&path), "a", day(1)), [111, 0]);
}

#[test]
fn a_file_that_can_not_be_written_stops_nobody() {
    let (folder, path) = file();
    fs::write(folder.path().join("state"), "in the way").unwrap();
    let book = open(&path);
    let account = book.ledger().account("a");
    account.add(0, day(1), 10, MOST).unwrap();
    book.flush(DAY);
    fs::remove_file(folder.path().join("state")).unwrap();
    fs::create_dir(folder.path().join("state")).unwrap();
    account.add(0, day(1), 1, MOST).unwrap();
    book.flush(DAY);
    drop(book);
    assert_eq!(value(&open(&path), "a", day(1)), [11, 0]);
}
