//! Every policy's documentation page does what it says, and so does every guide.

use std::fs;

use lintel_policies::REGISTRY;
use lintel_testkit::{Answer, Origin, Scenario, scenarios};

use crate::support::{Gateway, Peer};

#[test]
fn every_policy_does_what_its_page_says() {
    for policy in REGISTRY {
        eprintln!("{}", policy.name);
        scenarios(policy.readme).iter().for_each(run);
    }
}

#[test]
fn every_guide_does_what_it_says() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/guides");
    for page in fs::read_dir(folder).unwrap() {
        let page = page.unwrap().path();
        eprintln!("{}", page.display());
        let text = fs::read_to_string(page).unwrap();
        scenarios(&text).iter().for_each(run);
    }
}

fn run(scenario: &Scenario) {
    let another = Origin::saying("another");
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/protos");
    // A real service, where a page asks for it.
    let library = scenario.yaml.contains("endpoints: [library]");
    let library = library.then(|| Peer::start("library_server.py", &[protos]));
    let library = library.as_ref().map_or_else(Origin::nobody, |library| {
        format!("http://127.0.0.1:{}", library.port())
    });
    for exchange in &scenario.exchanges {
        let answer = exchange.answer.clone();
        let origin = Origin::start(move |_| {
            let fields = answer.fields.iter();
            let fields: Vec<_> = fields.map(|(name, value)| (&**name, &**value)).collect();
            Answer::new(
                answer.status(),
                &fields,
                answer.body.as_deref().unwrap_or_default(),
            )
        });
        let yaml = scenario.configuration(&[
            ("upstream", &origin.url()),
            ("another", &another.url()),
            ("nobody", &Origin::nobody()),
            ("library", &library),
        ]);
        let gateway = Gateway::start(&yaml.replace("[protos/", &format!("[{protos}/")));
        let reply = gateway.client().send(&exchange.request).reply();
        exchange.response.assert_reply(&reply);
        match &exchange.upstream {
            Some(expected) => expected.assert_request(&origin.only()),
            None => assert!(origin.seen().is_empty(), "{:?}", origin.seen()),
        }
    }
}
