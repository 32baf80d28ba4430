//! Against a fake agent that holds questions as Consul does, with its answers as recorded.

use lintel_kernel::Secret;
use tokio::sync::watch;

use super::{fake::Fake, *};

/// What the agent knows: an index and the instances, or a refusal.
#[derive(Clone)]
struct State {
    index: u64,
    body: String,
    status: &'static str,
}

fn known(index: u64, instances: &[String]) -> State {
    State {
        index,
        body: format!("[{}]", instances.join(",")),
        status: "200 OK",
    }
}

/// An instance as Consul 1.17 describes it.
fn instance(id: &str, address: &str, port: u16, weight: u32) -> String {
    format!(
        r#"{{"Node":{{"ID":"f1","Node":"n1","Address":"10.9.0.1","Datacenter":"dc1",
        "TaggedAddresses":{{"lan":"10.9.0.1","wan":"10.9.0.1"}},"Meta":{{"consul-network-segment":""}},
        "CreateIndex":13,"ModifyIndex":14}},
        "Service":{{"ID":"{id}","Service":"orders","Tags":["v1"],"Address":"{address}","Meta":null,
        "Port":{port},"Weights":{{"Passing":{weight},"Warning":1}},"EnableTagOverride":false,
        "Proxy":{{"Mode":"","MeshGateway":{{}},"Expose":{{}}}},"Connect":{{}},"PeerName":"",
        "Locality":{{"Region":"eu","Zone":"eu-a"}},"CreateIndex":15,"ModifyIndex":15}},
        "Checks":[{{"Node":"n1","CheckID":"serfHealth","Name":"Serf Health Status","Status":"passing",
        "Output":"Agent alive and reachable","ServiceTags":[],"CreateIndex":13,"ModifyIndex":13}}]}}"#
    )
}

async fn agent(state: &watch::Sender<State>) -> Fake {
    let receiver = state.subscribe();
    Fake::start(move |request, mut out| {
        let mut state = receiver.clone();
        async move {
            let index: Option<u64> = request
                .parameter("index")
                .and_then(|text| text.parse().ok());
            if let Some(index) = index {
                // Held until something is new.
                let _ = state.wait_for(|state| state.index != index).await;
            }
            let State {
                index,
                body,
                status,
            } = state.borrow().clone();
            let fields = format!("X-Consul-Index: {index}\r\nX-Consul-KnownLeader: true\r\n");
            out.answer(status, &fields, &body).await;
            out
        }
    })
    .await
}

fn source(fake: &Fake) -> ConsulSource {
    ConsulSource {
        server: fake.server(),
        service: "orders".into(),
        token: None,
        datacenter: None,
        namespace: None,
        tags: Vec::new(),
        filter: None,
    }
}

#[tokio::test]
async fn passing_instances_are_followed_with_their_weights() {
    let (state, _) = watch::channel(known(
        7,
        &[
            instance("a", "10.0.0.1", 8080, 10),
            instance("b", "", 8081, 30),
        ],
    ));
    let fake = agent(&state).await;
    let followed = follow(Kind::Consul(source(&fake)));
    // An instance without an address of its own has its node's.
    followed
        .becomes(&[("10.0.0.1:8080", 1), ("10.9.0.1:8081", 3)])
        .await;
    let kept = followed.at("10.0.0.1:8080");
    state.send_replace(known(
        9,
        &[
            instance("a", "10.0.0.1", 8080, 10),
            instance("c", "10.0.0.3", 80, 10),
        ],
    ));
    followed
        .becomes(&[("10.0.0.1:8080", 1), ("10.0.0.3:80", 1)])
        .await;
    assert!(Arc::ptr_eq(&kept, &followed.at("10.0.0.1:8080")));
    until("the third question", || fake.seen().len() >= 3).await;
    let indexes: Vec<Option<String>> = fake
        .seen()
        .iter()
        .map(|seen| seen.parameter("index").map(str::to_owned))
        .collect();
    assert_eq!(indexes, [None, Some("7".to_owned()), Some("9".to_owned())]);
    assert!(
        fake.seen()
            .iter()
            .all(|seen| seen.parameter("passing") == Some("true"))
    );
    assert_eq!(fake.seen()[1].parameter("wait"), Some("300s"));
}

#[tokio::test]
async fn an_index_that_goes_back_begins_anew() {
    let (state, _) = watch::channel(known(70, &[instance("a", "10.0.0.1", 80, 1)]));
    let fake = agent(&state).await;
    let followed = follow(Kind::Consul(source(&fake)));
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    until("a held question", || fake.seen().len() >= 2).await;
    state.send_replace(known(5, &[instance("b", "10.0.0.2", 80, 1)]));
    followed.becomes(&[("10.0.0.2:80", 1)]).await;
    until("more questions", || fake.seen().len() >= 4).await;
    assert_eq!(fake.seen()[2].parameter("index"), None);
    assert_eq!(fake.seen()[3].parameter("index"), Some("5"));
}

#[tokio::test]
async fn a_refusal_or_a_stranger_leaves_the_last_good_set() {
    let (state, _) = watch::channel(known(1, &[instance("a", "10.0.0.1", 80, 1)]));
    let fake = agent(&state).await;
    let followed = follow(Kind::Consul(source(&fake)));
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    state.send_replace(State {
        index: 2,
        body: "rpc error: Permission denied: token with AccessorID '00000000' lacks permission"
            .to_owned(),
        status: "403 Forbidden",
    });
    followed
        .fails_with("403 Forbidden: rpc error: Permission denied")
        .await;
    // No index: a proxy's error page, or not Consul at all.
    state.send_replace(State {
        index: 0,
        body: "[]".to_owned(),
        status: "200 OK",
    });
    followed.fails_with("X-Consul-Index").await;
    // Nobody passes: that is an answer, and not believed.
    state.send_replace(known(3, &[]));
    until("a note", || !followed.status().notes.is_empty()).await;
    assert_eq!(followed.endpoints(), [("10.0.0.1:80".to_owned(), 1)]);
    state.send_replace(known(4, &[instance("b", "10.0.0.2", 80, 1)]));
    followed.becomes(&[("10.0.0.2:80", 1)]).await;
    assert!(followed.status().failing.is_none());
}

#[tokio::test]
async fn everything_configured_is_asked_and_the_token_is_sent_but_not_shown() {
    let (state, _) = watch::channel(known(1, &[instance("a", "10.0.0.1", 80, 1)]));
    let fake = agent(&state).await;
    let kind = Kind::Consul(ConsulSource {
        service: "orders/eu".into(),
        token: Some(Secret::new("s3cr3t")),
        datacenter: Some("dc2".into()),
        namespace: Some("shop".into()),
        tags: vec!["v1".into(), "a&b".into()],
        filter: Some("Service.Meta.env == \"prod\"".into()),
        ..source(&fake)
    });
    assert!(!format!("{kind:?} {kind}").contains("s3cr3t"));
    let followed = follow(kind);
    followed.becomes(&[("10.0.0.1:80", 1)]).await;
    let first = &fake.seen()[0];
    assert_eq!(first.field("x-consul-token"), Some("s3cr3t"));
    assert_eq!(
        first.line,
        "GET /v1/health/service/orders%2Feu?passing=true&dc=dc2&ns=shop\
         &filter=Service%2EMeta%2Eenv%20%3D%3D%20%22prod%22&tag=v1&tag=a%26b HTTP/1.1"
    );
    assert!(!format!("{:?}", followed.status()).contains("s3cr3t"));
}

#[tokio::test]
async fn an_agent_that_is_away_is_waited_for() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let (state, _) = watch::channel(known(1, &[]));
    let fake = agent(&state).await;
    let mut source = source(&fake);
    source.server.port = gone.port();
    let followed = follow(Kind::Consul(source));
    followed.resolution.settled().await;
    followed.fails_with("refused").await;
    assert_eq!(followed.endpoints(), []);
}
