//! Any text as XML: what it becomes is JSON. Any text as JSON: what it becomes is XML that is read again,
//! and comes back as the same.

use lintel_xml::{Document, Kind, Mapping, Names, Paths, soap};

fn mapping(names: Names) -> Mapping {
    let mut paths = Paths::default();
    for (path, kind) in [
        ("//n", Kind::Number),
        ("/r/*/i", Kind::Integer),
        ("//@b", Kind::Boolean),
    ] {
        paths.kind(path, kind).unwrap();
    }
    paths.array("//l").unwrap();
    Mapping {
        names,
        paths,
        item: "item".into(),
        depth: 20,
    }
}

thread_local! {
    static MAPPINGS: [Mapping; 3] = [
        mapping(Names::Drop),
        mapping(Names::Keep),
        mapping(Names::Known(vec![("".into(), "urn:a".into()), ("p".into(), "urn:p".into())])),
    ];
}

pub(crate) fn run(input: &[u8]) {
    // Whatever its encoding is.
    let Ok(text) = lintel_xml::decode(input, None) else {
        return;
    };
    let document = Document::read(&text, 20);
    if let Ok(document) = &document {
        let _ = soap::open(document);
    }
    MAPPINGS.with(|mappings| {
        for mapping in mappings {
            if let Ok(document) = &document {
                let _ = read(mapping, document);
            }
            written(mapping, &text);
        }
    });
}

/// JSON of a document, as a value.
fn read(mapping: &Mapping, document: &Document<'_>) -> Option<serde_json::Value> {
    let mut out = Vec::new();
    let root = document.root().expect("a document has a root");
    mapping.write_json(root, None, &mut out).ok()?;
    Some(serde_json::from_slice(&out).expect("what is written is JSON"))
}

fn written(mapping: &Mapping, json: &str) {
    let mut out = Vec::new();
    if mapping.write_xml(json, None, &[], &mut out).is_err() {
        return;
    }
    let xml = String::from_utf8(out).expect("XML is UTF-8");
    // An array in an array is an element more.
    let document = Document::read(&xml, 100);
    let document = match document {
        Ok(document) => document,
        Err(error) if error.detail().contains("too many") => return,
        Err(error) => panic!("{xml}: {error}"),
    };
    // A text need not be the number that a path wants.
    let Some(once) = read(mapping, &document) else {
        return;
    };
    let mut again = Vec::new();
    mapping
        .write_xml(&once.to_string(), None, &[], &mut again)
        .unwrap_or_else(|error| panic!("{once}: {error}"));
    let again = String::from_utf8(again).unwrap();
    let document = Document::read(&again, 100).unwrap();
    assert_eq!(read(mapping, &document), Some(once), "{xml}: {again}");
}
