//! A request body that can be sent more than once.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker, ready},
};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body as _, Frame, SizeHint};
use lintel_http::{Body, BodyError};
use lintel_kernel::{Kind, Side};

/// Keeps what is read of a body, up to a limit, without copying it and without reading ahead.
///
/// Each try reads through a [`Reader`]: first what other tries have read, then the rest. Once more
/// than the limit has been read, nothing is kept any more and no further try is possible; the try
/// that has read so far goes on undisturbed, those beside it fail.
pub(crate) struct Recording(Rc<RefCell<State>>);

struct State {
    source: Body,
    kept: Vec<Bytes>,
    kept_len: u64,
    trailers: Option<HeaderMap>,
    ended: bool,
    limit: u64,
    /// Part of the body is gone: it was over the limit, or it failed.
    lost: bool,
    /// The last reader that was handed out.
    last: u32,
    /// The first reader that may read; those before it belong to tries that were given up.
    first: u32,
    /// The only reader that may read, once nothing is kept.
    only: Option<u32>,
    /// The client is to send more.
    starved: bool,
    /// Readers side by side that wait for the client, each with whom to wake; the source itself
    /// wakes none but the last that asked.
    waiting: Vec<(u32, Waker)>,
}

struct Reader {
    state: Rc<RefCell<State>>,
    turn: u32,
    /// Frames of `kept` that this try has had, and their bytes.
    read: usize,
    read_len: u64,
}

impl Recording {
    pub(crate) fn new(source: Body, limit: u64) -> Self {
        Self(Rc::new(RefCell::new(State {
            source,
            kept: Vec::new(),
            kept_len: 0,
            trailers: None,
            ended: false,
            limit,
            lost: false,
            last: 0,
            first: 0,
            only: None,
            starved: false,
            waiting: Vec::new(),
        })))
    }

    /// Whether the body can be had once more from its beginning.
    pub(crate) fn is_whole(&self) -> bool {
        !self.0.borrow().lost
    }

    /// The body from its beginning; none if it can't be had any more. A body that was handed out
    /// before fails if it is read on.
    pub(crate) fn body(&self) -> Option<Body> {
        {
            let mut state = self.0.borrow_mut();
            state.first = state.last + 1;
            state.waiting.clear();
        }
        self.beside()
    }

    /// The same, for a try beside those that are under way: their bodies can be read on.
    pub(crate) fn beside(&self) -> Option<Body> {
        let mut state = self.0.borrow_mut();
        if state.lost {
            return None;
        }
        state.last += 1;
        Some(Body::boxed(Reader {
            state: Rc::clone(&self.0),
            turn: state.last,
            read: 0,
            read_len: 0,
        }))
    }

    /// Whether it is the client who is waited for.
    pub(crate) fn is_starved(&self) -> bool {
        self.0.borrow().starved
    }
}

impl State {
    fn keep(&mut self, data: &Bytes, turn: u32) {
        self.kept_len += data.len() as u64;
        if self.kept_len > self.limit {
            self.lost = true;
            self.only = Some(turn);
            self.kept = Vec::new();
        } else {
            self.kept.push(data.clone());
        }
    }

    fn poll_source(
        &mut self,
        turn: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.ended {
            return Poll::Ready(
                self.trailers
                    .clone()
                    .map(|trailers| Ok(Frame::trailers(trailers))),
            );
        }
        let polled = Pin::new(&mut self.source).poll_frame(cx);
        self.starved = polled.is_pending();
        if self.starved {
            self.waits(turn, cx);
        } else {
            self.wake_others(turn);
        }
        let frame = ready!(polled);
        match &frame {
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref().filter(|_| !self.lost) {
                    self.keep(data, turn);
                } else if let Some(trailers) = frame.trailers_ref() {
                    self.trailers = Some(trailers.clone());
                    self.ended = true;
                }
            }
            Some(Err(_)) => self.lost = true,
            None => self.ended = true,
        }
        Poll::Ready(frame)
    }

    fn may_read(&self, turn: u32) -> bool {
        turn >= self.first && self.only.is_none_or(|only| only == turn)
    }

    fn waits(&mut self, turn: u32, cx: &Context<'_>) {
        match self.waiting.iter_mut().find(|(waits, _)| *waits == turn) {
            Some((_, waker)) => waker.clone_from(cx.waker()),
            None => self.waiting.push((turn, cx.waker().clone())),
        }
    }

    fn wake_others(&mut self, turn: u32) {
        for (waits, waker) in self.waiting.drain(..) {
            if waits != turn {
                waker.wake();
            }
        }
    }
}

/// Whom the source wakes may be this one, which is not going to ask again.
impl Drop for Reader {
    fn drop(&mut self) {
        self.state.borrow_mut().wake_others(self.turn);
    }
}

impl http_body::Body for Reader {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let mut state = this.state.borrow_mut();
        if !state.may_read(this.turn) {
            return Poll::Ready(Some(Err(superseded())));
        }
        if !state.lost
            && let Some(data) = state.kept.get(this.read)
        {
            this.read += 1;
            this.read_len += data.len() as u64;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        let trailers_told = state.ended && this.read == usize::MAX;
        if trailers_told {
            return Poll::Ready(None);
        }
        let frame = ready!(state.poll_source(this.turn, cx));
        match &frame {
            Some(Ok(frame)) if frame.is_data() => {
                this.read = this.read.saturating_add(1);
                this.read_len += frame.data_ref().map_or(0, |data| data.len() as u64);
            }
            _ => this.read = usize::MAX,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        let state = self.state.borrow();
        let nothing_kept = state.lost || self.read >= state.kept.len();
        nothing_kept
            && (self.read == usize::MAX
                || (state.ended && state.trailers.is_none())
                || (!state.ended && state.source.is_end_stream()))
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.state.borrow();
        let mut hint = state.source.size_hint();
        if !state.lost {
            let kept = state.kept_len.saturating_sub(self.read_len);
            let upper = hint.upper().map(|upper| upper + kept);
            let lower = hint.lower() + kept;
            hint = SizeHint::new();
            if let Some(upper) = upper {
                hint.set_upper(upper);
            }
            hint.set_lower(lower);
        }
        hint
    }
}

/// Nobody's fault but that of the request itself: it says nothing about the endpoint.
fn superseded() -> BodyError {
    let cause = "another try reads the body now";
    BodyError::new(Kind::Reset, Side::Client, cause)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use http_body_util::BodyExt;
    use proptest::prelude::*;

    use super::*;

    /// Frames that come one by one, and trailers.
    struct Frames {
        data: Vec<Bytes>,
        trailers: Option<HeaderMap>,
        polled: Rc<std::cell::Cell<usize>>,
    }

    impl http_body::Body for Frames {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            self.polled.set(self.polled.get() + 1);
            if !self.data.is_empty() {
                let data = self.data.remove(0);
                return Poll::Ready(Some(Ok(Frame::data(data))));
            }
            Poll::Ready(
                self.trailers
                    .take()
                    .map(|trailers| Ok(Frame::trailers(trailers))),
            )
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.data.iter().map(|data| data.len() as u64).sum())
        }
    }

    fn frames(data: &[&'static str], trailers: bool) -> (Body, Rc<std::cell::Cell<usize>>) {
        let polled = Rc::new(std::cell::Cell::new(0));
        let mut fields = HeaderMap::new();
        fields.insert("x-sum", http::HeaderValue::from_static("7"));
        let body = Body::boxed(Frames {
            data: data
                .iter()
                .map(|text| Bytes::from_static(text.as_bytes()))
                .collect(),
            trailers: trailers.then_some(fields),
            polled: Rc::clone(&polled),
        });
        (body, polled)
    }

    fn next(body: &mut Body) -> Option<Result<Frame<Bytes>, BodyError>> {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        match Pin::new(body).poll_frame(&mut cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => panic!("pending"),
        }
    }

    fn text(frame: Option<Result<Frame<Bytes>, BodyError>>) -> String {
        let data = frame.unwrap().unwrap().into_data().unwrap();
        String::from_utf8(data.to_vec()).unwrap()
    }

    fn whole(mut body: Body) -> (String, bool) {
        let (mut all, mut trailers) = (String::new(), false);
        while let Some(frame) = next(&mut body) {
            match frame.unwrap().into_data() {
                Ok(data) => all.push_str(std::str::from_utf8(&data).unwrap()),
                Err(_) => trailers = true,
            }
        }
        assert!(body.is_end_stream());
        assert!(next(&mut body).is_none());
        (all, trailers)
    }

    #[test]
    fn every_try_has_the_whole_body() {
        let (source, polled) = frames(&["one ", "two ", "three"], true);
        let recording = Recording::new(source, 64);
        let mut first = recording.body().unwrap();
        assert_eq!(first.size_hint().exact(), Some(13));
        assert_eq!(text(next(&mut first)), "one ");
        // Nothing is read before somebody asks for it.
        assert_eq!(polled.get(), 1);
        let second = recording.body().unwrap();
        assert_eq!(second.size_hint().exact(), Some(13));
        assert!(!second.is_end_stream());
        assert_eq!(whole(second), ("one two three".to_owned(), true));
        assert_eq!(
            whole(recording.body().unwrap()),
            ("one two three".to_owned(), true)
        );
        assert!(next(&mut first).unwrap().is_err());
    }

    #[test]
    fn a_body_over_the_limit_goes_through_once() {
        let (source, _) = frames(&["four", "five!"], false);
        let recording = Recording::new(source, 8);
        let mut body = recording.body().unwrap();
        assert_eq!(text(next(&mut body)), "four");
        assert!(recording.0.borrow().kept.len() == 1);
        assert_eq!(text(next(&mut body)), "five!");
        assert!(recording.0.borrow().kept.is_empty());
        assert!(next(&mut body).is_none());
        assert!(recording.body().is_none());
    }

    #[test]
    fn a_body_that_failed_is_not_sent_again() {
        let recording = Recording::new(
            Body::boxed(
                http_body_util::Empty::new()
                    .map_err(|never: std::convert::Infallible| match never {})
                    .with_trailers(std::future::ready(Some(Err(BodyError::too_large())))),
            ),
            8,
        );
        assert!(next(&mut recording.body().unwrap()).unwrap().is_err());
        assert!(recording.body().is_none());
    }

    #[test]
    fn tries_side_by_side_each_have_the_whole_body() {
        let (source, polled) = frames(&["one ", "two ", "three"], true);
        let recording = Recording::new(source, 64);
        let mut first = recording.body().unwrap();
        assert_eq!(text(next(&mut first)), "one ");
        let mut second = recording.beside().unwrap();
        assert_eq!(second.size_hint().exact(), Some(13));
        for expected in ["one ", "two "] {
            assert_eq!(text(next(&mut second)), expected);
        }
        assert_eq!(polled.get(), 2);
        assert_eq!(text(next(&mut first)), "two ");
        assert_eq!(whole(first), ("three".to_owned(), true));
        assert_eq!(whole(second), ("three".to_owned(), true));
    }

    #[test]
    fn over_the_limit_the_one_ahead_goes_on() {
        let (source, _) = frames(&["four", "five!", "six"], false);
        let recording = Recording::new(source, 8);
        let mut behind = recording.body().unwrap();
        let mut ahead = recording.beside().unwrap();
        assert_eq!(text(next(&mut ahead)), "four");
        assert_eq!(text(next(&mut ahead)), "five!");
        assert!(next(&mut behind).unwrap().is_err());
        assert_eq!(text(next(&mut ahead)), "six");
        assert!(recording.beside().is_none());
    }

    #[test]
    fn whoever_waits_is_woken_by_whoever_reads_or_leaves() {
        struct Woken(std::sync::atomic::AtomicUsize);
        impl std::task::Wake for Woken {
            fn wake(self: std::sync::Arc<Self>) {
                self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            }
        }
        let woken = || std::sync::Arc::new(Woken(std::sync::atomic::AtomicUsize::new(0)));
        let count = |woken: &Woken| woken.0.load(std::sync::atomic::Ordering::SeqCst);
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        let recording = Recording::new(Body::boxed(Fed(receiver)), 64);
        let (mut one, mut two) = (recording.body().unwrap(), recording.beside().unwrap());
        let (first, second) = (woken(), woken());
        let poll = |body: &mut Body, woken: &std::sync::Arc<Woken>| {
            let waker = Waker::from(std::sync::Arc::clone(woken));
            Pin::new(body).poll_frame(&mut Context::from_waker(&waker))
        };
        assert!(poll(&mut one, &first).is_pending());
        assert!(poll(&mut two, &second).is_pending());
        assert!(recording.is_starved());
        // The source wakes the second, which takes the frame; the first must learn of it.
        sender.send(Bytes::from_static(b"x")).unwrap();
        assert_eq!((count(&first), count(&second)), (0, 1));
        assert!(poll(&mut two, &second).is_ready());
        assert_eq!(count(&first), 1);
        assert!(poll(&mut one, &first).is_ready());
        assert!(!recording.is_starved());
        // The second waits last, and leaves.
        assert!(poll(&mut one, &first).is_pending());
        assert!(poll(&mut two, &second).is_pending());
        drop(two);
        assert_eq!(count(&first), 2);
        assert!(poll(&mut one, &first).is_pending());
        sender.send(Bytes::from_static(b"y")).unwrap();
        assert_eq!(count(&first), 3);
    }

    struct Fed(tokio::sync::mpsc::UnboundedReceiver<Bytes>);

    impl http_body::Body for Fed {
        type Data = Bytes;
        type Error = BodyError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
            self.0
                .poll_recv(cx)
                .map(|data| data.map(|data| Ok(Frame::data(data))))
        }
    }

    proptest! {
        /// Tries that are given up after any number of frames leave the next one the whole body.
        #[test]
        fn whatever_was_read_before(given_up in prop::collection::vec(0_usize..6, 0..5), trailers: bool) {
            let (source, _) = frames(&["a", "bc", "def", "g"], trailers);
            let recording = Recording::new(source, 7);
            for count in given_up {
                let mut body = recording.body().unwrap();
                (0..count).for_each(|_| drop(next(&mut body)));
            }
            prop_assert_eq!(whole(recording.body().unwrap()), ("abcdefg".to_owned(), trailers));
        }
    }
}
