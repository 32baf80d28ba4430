//! Every policy's documentation page does what it says, and so does every guide.

use std::fs;

use lintel_policies::REGISTRY;
use lintel_testkit::{Answer, Message, Origin, Scenario, scenarios};

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
        // Beside the pages lie their pictures.
        if page.extension().is_none_or(|kind| kind != "md") {
            continue;
        }
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
        let origin = answering(&exchange.answer);
        let named = exchange.named.iter();
        let named: Vec<_> = named
            .map(|(name, seen, answer)| (name, seen, answering(answer)))
            .collect();
        let url = |name: &str| {
            let origin = named.iter().find(|(known, ..)| *known == name);
            origin.map_or_else(Origin::nobody, |(.., origin)| origin.url())
        };
        let mut urls = vec![
            ("upstream", origin.url()),
            ("another", another.url()),
            ("nobody", Origin::nobody()),
            ("library", library.clone()),
        ];
        urls.extend(scenario.names().into_iter().map(|name| (name, url(name))));
        let urls: Vec<_> = urls.iter().map(|(name, url)| (*name, &**url)).collect();
        let yaml = scenario.configuration(&urls);
        let gateway = Gateway::start(&yaml.replace("[protos/", &format!("[{protos}/")));
        let reply = gateway.client().send(&exchange.request).reply();
        exchange.response.assert_reply(&reply);
        match &exchange.upstream {
            Some(expected) => expected.assert_request(&origin.only()),
            None => assert!(origin.seen().is_empty(), "{:?}", origin.seen()),
        }
        for (_, expected, origin) in named.iter().filter(|(_, seen, _)| !seen.is_any()) {
            expected.assert_request(&origin.only());
        }
    }
}

fn answering(answer: &Message) -> Origin {
    let answer = answer.clone();
    Origin::start(move |_| {
        let fields = answer.fields.iter();
        let fields: Vec<_> = fields.map(|(name, value)| (&**name, &**value)).collect();
        let body = answer.body.as_deref().unwrap_or_default();
        Answer::new(answer.status(), &fields, body)
    })
}
