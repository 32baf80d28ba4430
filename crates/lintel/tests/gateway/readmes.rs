//! Every policy's documentation page does what it says.

use lintel_policies::REGISTRY;
use lintel_testkit::{Answer, Origin, Scenario, scenarios};

use crate::support::Gateway;

#[test]
fn every_policy_does_what_its_page_says() {
    for policy in REGISTRY {
        eprintln!("{}", policy.name);
        scenarios(policy.readme).iter().for_each(run);
    }
}

fn run(scenario: &Scenario) {
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
        let gateway = Gateway::start(&scenario.configuration(&origin.url()));
        let reply = gateway.client().send(&exchange.request).reply();
        exchange.response.assert_reply(&reply);
        match &exchange.upstream {
            Some(expected) => expected.assert_request(&origin.only()),
            None => assert!(origin.seen().is_empty(), "{:?}", origin.seen()),
        }
    }
}
