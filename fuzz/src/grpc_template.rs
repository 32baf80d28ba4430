//! Any text as a path template, and any as a path that it may match.

use lintel_grpc::{Lookup, Rule, Transcoder, descriptors, json::Unknown, template::Template};

const METHODS: &str = r#"
syntax = "proto3";
service S { rpc Call(M) returns (M); }
message M { string a = 1; M b = 2; int64 c = 3; repeated bool d = 4; }
"#;

thread_local! {
    static POOL: prost_reflect::DescriptorPool = descriptors::parse(&[("m.proto", METHODS)]).unwrap();
}

pub(crate) fn run(input: &[u8]) {
    let Some((template, target)) = crate::two_texts(input) else {
        return;
    };
    let Ok(parsed) = Template::parse(template) else {
        return;
    };
    assert_eq!(
        Template::parse(&parsed.to_string()).as_ref(),
        Ok(&parsed),
        "{template} is not what is shown of it"
    );
    let rule = Rule {
        method: "GET".to_owned(),
        path: template.to_owned(),
        body: None,
        response_body: None,
    };
    let transcoder = POOL.with(|pool| Transcoder::new(pool, &[], &[("S.Call", vec![rule])]));
    let Ok(transcoder) = transcoder else {
        return;
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if let Lookup::Found(binding) = transcoder.find(&http::Method::GET, path) {
        let mut message = Vec::new();
        let schema = transcoder.schema();
        let written = binding
            .write_query(schema, query, Unknown::Ignore, &mut message)
            .and_then(|()| binding.write_path(schema, path, &mut message));
        if written.is_ok() {
            let mut json = Vec::new();
            binding
                .write_answer(schema, &message, Default::default(), &mut json)
                .expect("what was written is a message");
        }
    }
}
