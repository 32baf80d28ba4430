#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]

use std::{
    collections::VecDeque,
    fs, io,
    sync::{
        Arc, Mutex,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::{Duration, Instant},
};

use super::*;

/// Long enough for any loaded machine; reached only when a test fails.
const PATIENCE: Duration = Duration::from_secs(60);

fn flushed(sink: &Sink) {
    assert!(
        sink.flush_until(Instant::now() + PATIENCE),
        "the writer is stuck"
    );
}

/// A disk by script: each step is one answer to a write.
struct Disk {
    written: Arc<Mutex<Vec<u8>>>,
    script: VecDeque<Step>,
}

enum Step {
    Take(usize),
    Fail(io::ErrorKind),
    /// Waits until the test lets it go on.
    Wait(Sender<()>, Receiver<()>),
}

impl Output for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = match self.script.pop_front() {
            Some(Step::Fail(kind)) => return Err(kind.into()),
            Some(Step::Take(most)) => most.min(bytes.len()),
            Some(Step::Wait(reached, go_on)) => {
                reached.send(()).unwrap();
                // The test is over when it has dropped its end.
                let _ = go_on.recv();
                bytes.len()
            }
            None => bytes.len(),
        };
        self.written
            .lock()
            .unwrap()
            .extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn reopen(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn disk(script: impl IntoIterator<Item = Step>) -> (Arc<Sink>, Arc<Mutex<Vec<u8>>>) {
    let written = Arc::default();
    let disk = Disk {
        written: Arc::clone(&written),
        script: script.into_iter().collect(),
    };
    (
        Sink::start(Stats::new("disk".to_owned()), disk).unwrap(),
        written,
    )
}

fn text(written: &Mutex<Vec<u8>>) -> String {
    String::from_utf8(written.lock().unwrap().clone()).unwrap()
}

#[test]
fn one_sink_a_file_however_it_is_spelt() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let spelt = dir
        .path()
        .join(".")
        .join("..")
        .join(dir.path().file_name().unwrap());
    let first = Sink::open(&Target::File(path.clone())).unwrap();
    let second = Sink::open(&Target::File(spelt.join("a.log"))).unwrap();
    let other = Sink::open(&Target::File(dir.path().join("b.log"))).unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    assert!(!Arc::ptr_eq(&first, &other));
}

#[test]
fn a_missing_directory_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let error = Sink::open(&Target::File(dir.path().join("no/such/a.log")))
        .err()
        .unwrap();
    assert_eq!(error.kind(), io::ErrorKind::NotFound);
}

#[test]
fn threads_write_whole_lines_and_none_is_lost() {
    const THREADS: usize = 4;
    const LINES: usize = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let sink = Sink::open(&Target::File(path.clone())).unwrap();
    let threads: Vec<_> = (0..THREADS)
        .map(|thread| {
            let sink = sink.clone();
            thread::spawn(move || {
                for i in 0..LINES {
                    append(&sink, |out| {
                        out.extend(format!("{thread} {i}\n").into_bytes())
                    });
                }
                // What is left goes with the end of the thread.
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    flushed(&sink);
    let log = fs::read_to_string(&path).unwrap();
    for thread in 0..THREADS {
        let prefix = format!("{thread} ");
        let of_thread: Vec<usize> = log
            .lines()
            .filter_map(|line| line.strip_prefix(&prefix)?.parse().ok())
            .collect();
        assert!(of_thread.into_iter().eq(0..LINES), "in order and complete");
    }
    assert_eq!(log.lines().count(), THREADS * LINES);
    assert_eq!(
        sink.loss(),
        Loss {
            dropped: 0,
            errors: 0
        }
    );
}

#[test]
fn an_old_batch_is_due_and_a_young_one_is_not() {
    let (sink, written) = disk([]);
    append(&sink, |out| out.extend_from_slice(b"first\n"));
    let before = Instant::now();
    let due = flush_due().expect("something is gathered");
    assert!(due <= before + BATCH_AGE);
    while Instant::now() < due {
        thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    assert_eq!(flush_due(), None);
    flushed(&sink);
    assert_eq!(text(&written), "first\n");
}

#[test]
fn a_full_batch_goes_at_once() {
    let (sink, written) = disk([]);
    let line = [vec![b'x'; BATCH_BYTES], b"\n".to_vec()].concat();
    append(&sink, |out| out.extend_from_slice(&line));
    flushed(&sink);
    assert_eq!(written.lock().unwrap().len(), line.len());
    assert_eq!(flush_due(), None);
}

#[test]
fn a_stuck_writer_costs_lines_and_no_waiting() {
    let (reached, at_write) = mpsc::channel();
    let (go_on, gate) = mpsc::channel();
    let (sink, written) = disk([Step::Wait(reached, gate)]);
    sink.send(b"stuck\n".to_vec());
    at_write.recv_timeout(PATIENCE).unwrap();

    let batch = [vec![b'x'; 64 * 1024 - 1], b"\n".to_vec()].concat();
    let batches = QUEUE_BYTES / batch.len() + 10;
    for _ in 0..batches {
        sink.hand_over(batch.clone(), 1);
    }
    let dropped = sink.loss().dropped;
    assert!((10..=11).contains(&dropped), "{dropped}");
    assert!(!sink.flush_until(Instant::now()), "the wait is bounded");

    go_on.send(()).unwrap();
    flushed(&sink);
    sink.send(b"again\n".to_vec());
    flushed(&sink);
    let log = text(&written);
    assert!(log.starts_with("stuck\n") && log.ends_with("\nagain\n"));
    assert_eq!(log.lines().count() as u64, 2 + batches as u64 - dropped);
    assert_eq!(sink.loss().dropped, dropped);
}

#[test]
fn many_small_batches_are_bounded_too() {
    let (reached, at_write) = mpsc::channel();
    let (_go_on, gate) = mpsc::channel();
    let (sink, _) = disk([Step::Wait(reached, gate)]);
    sink.send(b"stuck\n".to_vec());
    at_write.recv_timeout(PATIENCE).unwrap();
    for _ in 0..QUEUE_BATCHES + 5 {
        sink.send(b"x\n".to_vec());
    }
    assert_eq!(sink.loss().dropped, 5);
}

#[test]
fn a_failing_disk_is_counted_and_recovers_without_torn_lines() {
    use io::ErrorKind::{Interrupted, StorageFull, WouldBlock};
    let (sink, written) = disk([
        Step::Fail(Interrupted),
        Step::Take(8),
        Step::Fail(WouldBlock),
        Step::Take(2),
        Step::Fail(StorageFull),
        Step::Fail(StorageFull),
    ]);
    // Two of its three lines get written, and some of the third.
    sink.hand_over(b"one\ntwo\nthree\n".to_vec(), 3);
    flushed(&sink);
    assert_eq!(
        sink.loss(),
        Loss {
            dropped: 1,
            errors: 1
        }
    );
    // The line feed that ends the torn line fails.
    sink.hand_over(b"four\nfive\n".to_vec(), 2);
    flushed(&sink);
    assert_eq!(
        sink.loss(),
        Loss {
            dropped: 3,
            errors: 2
        }
    );
    sink.hand_over(b"six\n".to_vec(), 1);
    flushed(&sink);
    assert_eq!(text(&written), "one\ntwo\nth\nsix\n");
    assert_eq!(
        sink.loss(),
        Loss {
            dropped: 3,
            errors: 2
        }
    );
}

#[test]
fn a_full_disk_is_no_error_to_whoever_logs() {
    let sink = Sink::open(&Target::File("/dev/full".into())).unwrap();
    let before = sink.loss();
    append(&sink, |out| out.extend_from_slice(b"lost\n"));
    flush();
    flushed(&sink);
    let after = sink.loss();
    assert_eq!(
        (after.dropped - before.dropped, after.errors - before.errors),
        (1, 1)
    );
    let mut names = Vec::new();
    each_loss(|name, loss| names.push((name.to_owned(), loss.dropped > 0)));
    assert!(names.contains(&("/dev/full".to_owned(), true)));
}

#[test]
fn rotation_goes_on_in_a_new_file() {
    let dir = tempfile::tempdir().unwrap();
    let (path, rotated) = (dir.path().join("a.log"), dir.path().join("a.log.1"));
    let sink = Sink::open(&Target::File(path.clone())).unwrap();
    sink.send(b"old\n".to_vec());
    flushed(&sink);
    fs::rename(&path, &rotated).unwrap();
    sink.send(b"still old\n".to_vec());
    flushed(&sink);
    reopen_all();
    sink.send(b"new\n".to_vec());
    flushed(&sink);
    assert_eq!(fs::read_to_string(&rotated).unwrap(), "old\nstill old\n");
    assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
}

#[test]
fn a_rotation_that_fails_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("logs");
    fs::create_dir(&inner).unwrap();
    let sink = Sink::open(&Target::File(inner.join("a.log"))).unwrap();
    let moved = dir.path().join("moved");
    fs::rename(&inner, &moved).unwrap();
    reopen_all();
    sink.send(b"line\n".to_vec());
    flushed(&sink);
    assert_eq!(fs::read_to_string(moved.join("a.log")).unwrap(), "line\n");
    assert_eq!(
        sink.loss(),
        Loss {
            dropped: 0,
            errors: 0
        }
    );
}

#[test]
fn counters_outlive_the_sink() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target::File(dir.path().join("a.log"));
    let sink = Sink::open(&target).unwrap();
    sink.shared.stats.drop_lines(7);
    drop(sink);
    assert_eq!(Sink::open(&target).unwrap().loss().dropped, 7);
}

#[test]
fn flushing_all_includes_what_this_thread_gathered() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.log");
    let sink = Sink::open(&Target::File(path.clone())).unwrap();
    append(&sink, |out| out.extend_from_slice(b"last words\n"));
    assert!(flush_all(PATIENCE));
    assert_eq!(fs::read_to_string(&path).unwrap(), "last words\n");
}
