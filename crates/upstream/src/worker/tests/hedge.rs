//! Second tries beside slow first ones. Time is tokio's paused one, and the origins live in the
//! same runtime: it moves on only when nothing else can.

use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    rc::Rc,
    time::Duration,
};

use http::{HeaderValue, Method, StatusCode};
use lintel_http::Body;
use lintel_http1::Timer;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Instant,
};

use super::{Gateway, call, chunked, head, read, server, spec, until, worker};
use crate::{
    guard::{BreakerSpec, BudgetSpec, GuardSpec},
    retry::{After, Backoff, Hedge, Retry},
    service::{Balance, SameSite, ServiceSpec, Sticky},
    worker::Hedged,
};

/// Does as its script says: for the request with this number, how long it thinks and what it says.
struct Origin {
    address: SocketAddr,
    seen: Rc<Seen>,
}

#[derive(Default)]
struct Seen {
    requests: Cell<usize>,
    /// Requests that were given up before they were answered.
    given_up: Cell<usize>,
    bodies: RefCell<Vec<String>>,
}

impl Origin {
    async fn start(script: impl Fn(usize) -> (u64, u16) + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, script) = (Rc::<Seen>::default(), Rc::new(script));
        let shared = Rc::clone(&seen);
        tokio::task::spawn_local(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, script) = (Rc::clone(&shared), Rc::clone(&script));
                tokio::task::spawn_local(async move { converse(stream, &*script, &seen).await });
            }
        });
        Self { address, seen }
    }

    async fn steady(millis: u64, status: u16) -> Self {
        Self::start(move |_| (millis, status)).await
    }

    fn requests(&self) -> usize {
        self.seen.requests.get()
    }

    fn given_up(&self) -> usize {
        self.seen.given_up.get()
    }
}

async fn converse(mut stream: TcpStream, script: &dyn Fn(usize) -> (u64, u16), seen: &Seen) {
    let mut buffer = Vec::new();
    while let Some(body) = request(&mut stream, &mut buffer).await {
        let number = seen.requests.get();
        seen.requests.set(number + 1);
        seen.bodies.borrow_mut().push(body);
        let (millis, status) = script(number);
        let mut more = [0; 1];
        tokio::select! {
            _gone = stream.read(&mut more) => {
                seen.given_up.set(seen.given_up.get() + 1);
                return;
            }
            () = tokio::time::sleep(Duration::from_millis(millis)) => {}
        }
        let text = format!("HTTP/1.1 {status} Said\r\ncontent-length: 2\r\n\r\nok");
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The body of the next request: none, or one that is chunked.
async fn request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        let text = String::from_utf8_lossy(buffer).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            if !head.contains("chunked") {
                buffer.clear();
                return Some(String::new());
            }
            if rest.ends_with("0\r\n\r\n") {
                buffer.clear();
                return Some(rest.to_owned());
            }
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn hedge(millis: u64) -> Retry {
    Retry {
        attempts: 1,
        hedge: Some(Hedge {
            after: After::Time(Duration::from_millis(millis)),
            attempts: 1,
        }),
        backoff: Backoff {
            base: Duration::ZERO,
            max: Duration::ZERO,
        },
        ..Retry::default()
    }
}

fn gateway(origins: &[&Origin], retry: Retry) -> Gateway {
    gateway_with(origins, |spec| spec.retry = Some(retry))
}

fn gateway_with(origins: &[&Origin], change: impl FnOnce(&mut ServiceSpec)) -> Gateway {
    let addresses: Vec<_> = origins.iter().map(|origin| origin.address).collect();
    let mut spec = spec(&addresses);
    spec.timeouts.first_byte = Duration::from_secs(3_600);
    change(&mut spec);
    Gateway::new(spec)
}

/// With time that waits for nobody.
fn simulated<T>(test: impl Future<Output = T>) -> T {
    worker(async {
        tokio::time::pause();
        test.await
    })
}

const SENT: &str = "lintel_upstream_hedges_total";
const WON: &str = "lintel_upstream_hedges_won_total";

#[test]
fn a_slow_try_gets_company_and_is_given_up() {
    simulated(async {
        let slow = Origin::steady(60_000, 200).await;
        let fast = Origin::steady(5, 200).await;
        let gateway = gateway(&[&slow, &fast], hedge(80));
        // In turn: one of two requests meets the slow one first.
        for _ in 0..2 {
            let began = Instant::now();
            let answer = gateway.get("/").await.unwrap();
            let took = began.elapsed().as_millis();
            if answer.hedged.is_some() {
                assert_eq!(answer.hedged, Some(Hedged::Won));
                assert_eq!((answer.attempts, answer.endpoint), (2, Some(fast.address)));
                assert!((80..100).contains(&took), "{took} ms");
            } else {
                assert!(took < 80, "{took} ms");
            }
            assert_eq!(read(answer).await.0, StatusCode::OK);
        }
        until(|| slow.given_up() == 1).await;
        assert_eq!((slow.requests(), fast.requests()), (1, 2));
        assert_eq!(
            (gateway.metric(SENT, &[]), gateway.metric(WON, &[])),
            (1.0, 1.0)
        );
        assert_eq!(gateway.metric("lintel_upstream_retries_total", &[]), 0.0);
        let status = gateway.service.guard_status();
        assert_eq!((status.budget_requests, status.budget_retries), (2, 1));
        assert_eq!(gateway.in_flight(), 0);
        // The slow one is known to be slow, although it was never heard.
        let endpoints = gateway.service.status();
        let known = endpoints.iter().map(|one| one.latency).max().unwrap();
        assert!(known.unwrap() >= Duration::from_millis(80), "{known:?}");
    });
}

#[test]
fn the_first_try_may_still_win() {
    simulated(async {
        let (one, other) = (
            Origin::steady(100, 200).await,
            Origin::steady(100, 200).await,
        );
        let gateway = gateway(&[&one, &other], hedge(80));
        let answer = gateway.get("/").await.unwrap();
        assert_eq!((answer.hedged, answer.attempts), (Some(Hedged::Lost), 2));
        read(answer).await;
        until(|| one.given_up() + other.given_up() == 1).await;
        assert_eq!(
            (gateway.metric(SENT, &[]), gateway.metric(WON, &[])),
            (1.0, 0.0)
        );
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn a_bad_answer_does_not_count_while_a_better_one_may_come() {
    simulated(async {
        let slow = Origin::steady(300, 200).await;
        let bad = Origin::steady(250, 503).await;
        let gateway = gateway(&[&slow, &bad], hedge(80));
        // Whichever is asked first, the bad answer is there before the good one.
        for _ in 0..2 {
            let answer = gateway.get("/").await.unwrap();
            assert!(answer.hedged.is_some());
            assert_eq!(read(answer).await.0, StatusCode::OK);
        }
        assert_eq!(gateway.in_flight(), 0);
    });
}

#[test]
fn where_all_are_bad_the_client_gets_an_answer() {
    simulated(async {
        let (one, other) = (
            Origin::steady(100, 503).await,
            Origin::steady(150, 502).await,
        );
        let gateway = gateway(&[&one, &other], hedge(80));
        let answer = gateway.get("/").await.unwrap();
        assert!(matches!(answer.response.status().as_u16(), 502 | 503));
        assert_eq!((answer.hedged, answer.attempts), (Some(Hedged::Lost), 2));
    });
}

#[test]
fn a_retry_follows_where_all_were_bad() {
    simulated(async {
        let script = |number: usize| if number == 0 { (100, 503) } else { (10, 200) };
        let (one, other) = (Origin::start(script).await, Origin::start(script).await);
        let retry = Retry {
            attempts: 2,
            ..hedge(80)
        };
        let third = Origin::steady(10, 200).await;
        let gateway = gateway(&[&one, &other, &third], retry);
        for _ in 0..3 {
            let answer = gateway.get("/").await.unwrap();
            assert_eq!(answer.response.status(), StatusCode::OK);
            read(answer).await;
        }
    });
}

#[test]
fn no_more_than_allowed_join() {
    simulated(async {
        let mut origins = Vec::new();
        for _ in 0..4 {
            origins.push(Origin::steady(1_000, 200).await);
        }
        let mut retry = hedge(50);
        retry.hedge.as_mut().unwrap().attempts = 2;
        let gateway = gateway(&origins.iter().collect::<Vec<_>>(), retry);
        let answer = gateway.get("/").await.unwrap();
        assert_eq!(answer.attempts, 3);
        read(answer).await;
        let asked: Vec<_> = origins.iter().map(Origin::requests).collect();
        assert_eq!(asked.iter().sum::<usize>(), 3);
        assert!(asked.iter().all(|count| *count <= 1), "{asked:?}");
        until(|| origins.iter().map(Origin::given_up).sum::<usize>() == 2).await;
        assert_eq!(gateway.in_flight(), 0);
    });
}

/// Sends one request and says how many hedges there were.
async fn hedges(gateway: &Gateway, method: Method) -> f64 {
    let answer = gateway.send(method, "/", Body::empty()).await.unwrap();
    read(answer).await;
    gateway.metric(SENT, &[])
}

#[test]
fn what_must_not_be_sent_twice_is_not() {
    simulated(async {
        let slow = || Origin::steady(200, 200);
        let (one, other) = (slow().await, slow().await);
        let both = [&one, &other];
        let usual = gateway(&both, hedge(80));
        assert_eq!(hedges(&usual, Method::POST).await, 0.0);
        assert_eq!(hedges(&usual, Method::GET).await, 1.0);
        let mut keyed = head(Method::POST, "/");
        keyed
            .headers
            .insert("idempotency-key", HeaderValue::from_static("7"));
        let answer = usual.send_head(&mut keyed, Body::empty(), None).await;
        read(answer.unwrap()).await;
        assert_eq!(usual.metric(SENT, &[]), 2.0);

        let alone = gateway(&[&one], hedge(80));
        assert_eq!(hedges(&alone, Method::GET).await, 0.0);
        let patient = gateway(&both, hedge(300));
        assert_eq!(hedges(&patient, Method::GET).await, 0.0);
    });
}

#[test]
fn limits_hold_for_hedges_too() {
    simulated(async {
        let (one, other) = (
            Origin::steady(200, 200).await,
            Origin::steady(200, 200).await,
        );
        let both = [&one, &other];
        let spent = Retry {
            budget: BudgetSpec {
                share: 0.2,
                min_per_second: 0.0,
            },
            ..hedge(80)
        };
        let gateway = gateway(&both, spent);
        for _ in 0..4 {
            assert_eq!(hedges(&gateway, Method::GET).await, 0.0);
        }
        assert_eq!(hedges(&gateway, Method::GET).await, 1.0);
        let refused = "lintel_upstream_retry_budget_exhausted_total";
        assert_eq!(gateway.metric(refused, &[]), 4.0);

        let none = gateway_with(&both, |spec| {
            spec.retry = Some(hedge(80));
            spec.guard.retries = Some(0);
        });
        assert_eq!(hedges(&none, Method::GET).await, 0.0);
        let sticky = gateway_with(&both, |spec| {
            spec.retry = Some(hedge(80));
            spec.balance = Balance::Sticky(Sticky {
                cookie: "lintel".into(),
                ttl: None,
                path: "/".into(),
                secure: None,
                http_only: true,
                same_site: SameSite::Lax,
                secret: None,
            });
        });
        assert_eq!(hedges(&sticky, Method::GET).await, 0.0);
    });
}

#[test]
fn an_open_breaker_lets_nobody_join() {
    simulated(async {
        let (one, other) = (
            Origin::steady(200, 500).await,
            Origin::steady(200, 500).await,
        );
        let gateway = gateway_with(&[&one, &other], |spec| {
            spec.retry = Some(hedge(80));
            spec.guard = GuardSpec {
                breaker: Some(BreakerSpec {
                    errors: Some(0.5),
                    slow: None,
                    window: Duration::from_secs(10),
                    min_requests: 1,
                    open_for: Duration::from_secs(1),
                    probes: 1,
                }),
                ..GuardSpec::default()
            };
        });
        // The second request finds the breaker open, and the third is its probe.
        assert_eq!(hedges(&gateway, Method::GET).await, 1.0);
        assert_eq!(gateway.get("/").await.unwrap_err().code, "breaker_open");
        tokio::time::sleep(Duration::from_millis(1_100)).await;
        assert_eq!(hedges(&gateway, Method::GET).await, 1.0);
    });
}

#[test]
fn a_client_that_leaves_cancels_both() {
    simulated(async {
        let (one, other) = (
            Origin::steady(9_000, 200).await,
            Origin::steady(9_000, 200).await,
        );
        let gateway = gateway(&[&one, &other], hedge(80));
        let left = tokio::time::timeout(Duration::from_millis(200), gateway.get("/")).await;
        assert!(left.is_err());
        assert_eq!(gateway.in_flight(), 0);
        until(|| one.given_up() + other.given_up() == 2).await;
        assert_eq!(gateway.metric(SENT, &[]), 1.0);
        let cancelled = ["outcome=\"cancelled\""];
        assert_eq!(
            gateway.metric("lintel_upstream_attempts_total", &cancelled),
            2.0
        );
    });
}

#[test]
fn both_get_the_whole_body() {
    simulated(async {
        let (one, other) = (
            Origin::steady(200, 200).await,
            Origin::steady(200, 200).await,
        );
        let gateway = gateway(&[&one, &other], hedge(80));
        let answer = gateway.send(Method::PUT, "/", chunked("all of it")).await;
        assert_eq!(read(answer.unwrap()).await.0, StatusCode::OK);
        for origin in [&one, &other] {
            let bodies = origin.seen.bodies.borrow();
            assert_eq!(*bodies, ["9\r\nall of it\r\n0\r\n\r\n"]);
        }
    });
}

#[test]
fn a_client_that_is_slow_itself_is_waited_for() {
    simulated(async {
        let (one, other) = (Origin::steady(1, 200).await, Origin::steady(1, 200).await);
        let gateway = gateway(&[&one, &other], hedge(80));
        let (frames, body) = super::fed();
        let sending = gateway.send(Method::PUT, "/", body);
        let feeding = async move {
            tokio::time::sleep(Duration::from_secs(2)).await;
            let last = http_body::Frame::data(bytes::Bytes::from_static(b"late"));
            frames.send(Ok(last)).unwrap();
        };
        let (answer, ()) = tokio::join!(sending, feeding);
        assert_eq!(answer.unwrap().attempts, 1);
        assert_eq!(one.requests() + other.requests(), 1);
        assert_eq!(gateway.metric(SENT, &[]), 0.0);
    });
}

#[test]
fn the_observed_percentile_decides() {
    simulated(async {
        let script = |number: usize| (if number < 60 { 20 } else { 5_000 }, 200);
        let (one, other) = (Origin::start(script).await, Origin::steady(20, 200).await);
        let mut retry = hedge(0);
        retry.hedge.as_mut().unwrap().after = After::Quantile(0.95);
        let gateway = gateway(&[&one, &other], retry);
        for _ in 0..120 {
            assert_eq!(hedges(&gateway, Method::GET).await, 0.0);
        }
        for _ in 0..2 {
            let began = Instant::now();
            gateway.text("/").await;
            let took = began.elapsed().as_millis();
            // 20 ms and an eighth, and those of the one that answers.
            assert!(took <= 50, "{took} ms");
        }
        assert_eq!(gateway.metric(WON, &[]), 1.0);
    });
}

#[test]
fn streams_are_reset() {
    worker(async {
        let servers = [0, 1].map(|_| server::Server::start(server::Setup::default()));
        let mut spec = spec(&servers.each_ref().map(|server| server.address));
        spec.protocol = crate::service::Protocol::Http2;
        spec.retry = Some(hedge(5));
        let gateway = Gateway::new(spec);
        let let_go = async {
            until(|| servers.iter().all(|server| server.waiting() == 1)).await;
            servers[0].let_go(1);
        };
        let (answer, ()) = tokio::join!(gateway.get("/wait"), let_go);
        let answer = answer.unwrap();
        assert_eq!(
            (answer.attempts, answer.endpoint),
            (2, Some(servers[0].address))
        );
        assert_eq!(read(answer).await.1, "waited");
        assert_eq!(gateway.in_flight(), 0);
        // The connection of the one that was given up is as good as before.
        servers.iter().for_each(|server| server.let_go(1));
        read(gateway.get("/").await.unwrap()).await;
        read(gateway.get("/").await.unwrap()).await;
        assert!(servers.iter().all(|server| server.connections() == 1));
    });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever the origins do and whenever clients leave, the budget holds and nothing stays
    /// counted.
    #[test]
    fn never_above_the_budget(
        delays in prop::collection::vec((1_u64..400, prop_oneof![Just(200_u16), Just(503)]), 8),
        clients in prop::collection::vec((0_u64..2_000, prop::option::of(1_u64..300)), 1..60),
        share in 0.0_f64..0.5,
        after in 1_u64..200,
    ) {
        simulated(async {
            let script = |skip: usize| {
                let delays = delays.clone();
                Origin::start(move |number| delays[(number * 3 + skip) % delays.len()])
            };
            let (one, other) = (script(0).await, script(5).await);
            let budget = BudgetSpec { share, min_per_second: 0.1 };
            let gateway = gateway(&[&one, &other], Retry { budget, attempts: 2, ..hedge(after) });
            let requests = clients.iter().map(|(arrives, leaves)| {
                let gateway = &gateway;
                async move {
                    tokio::time::sleep(Duration::from_millis(*arrives)).await;
                    let (timer, mut head) = (Timer::new(), head(Method::GET, "/"));
                    let call = call(&mut head, Body::empty(), &timer);
                    let sending = gateway.pools.send(&gateway.service, call);
                    let patience = Duration::from_millis(leaves.unwrap_or(60_000));
                    if let Ok(Ok(answer)) = tokio::time::timeout(patience, sending).await {
                        read(answer).await;
                    }
                }
            });
            all(requests.collect()).await;
            let extra = gateway.metric(SENT, &[])
                + gateway.metric("lintel_upstream_retries_total", &[]);
            let allowed = budget.allowed(clients.len() as u64);
            assert!(extra <= allowed as f64, "{extra} of {allowed}");
            assert_eq!(gateway.service.guard_status().budget_retries as f64, extra);
            assert_eq!(gateway.in_flight(), 0);
        });
    }
}

/// Runs all at once, each polled whenever one can go on.
async fn all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut running: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        running.retain_mut(|one| one.as_mut().poll(cx).is_pending());
        match running.is_empty() {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
}
