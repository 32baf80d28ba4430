//! Descriptors that a service gives out itself.

use bytes::Bytes;
use proptest::prelude::*;

use crate::{
    descriptors::{self, Pool},
    frame::{self, Encoding, Messages},
    reflection::Gathering,
    wire::{self, Fields, Raw},
};

const ACME: &str = r#"
    syntax = "proto3";
    package acme;
    import "google/api/annotations.proto";
    import "inner.proto";
    service Users {
      rpc Get(Inner) returns (Inner) { option (google.api.http) = { get: "/users/{id}" }; }
    }
"#;
const INNER: &str = r#"
    syntax = "proto3";
    package acme;
    import "google/protobuf/timestamp.proto";
    message Inner { string id = 1; google.protobuf.Timestamp at = 2; }
"#;

fn pool() -> Pool {
    descriptors::parse(&[("acme.proto", ACME), ("inner.proto", INNER)]).unwrap()
}

/// The question of a request: the number of its field, and the text.
fn asked(request: &[u8]) -> (u32, String) {
    match Fields(request).next() {
        Ok(Some((number, Raw::Bytes(text)))) => (number, String::from_utf8(text.to_vec()).unwrap()),
        other => panic!("{other:?}"),
    }
}

fn field(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    wire::tag(out, number, wire::BYTES);
    wire::bytes(out, value);
}

/// A service that answers as the specification has it. `own` are the files that it gives out.
fn answer(pool: &Pool, own: &dyn Fn(&str) -> bool, questions: &Bytes) -> Bytes {
    let mut reader = Messages::new(Encoding::Identity, usize::MAX);
    reader.push(questions);
    let mut out = Vec::new();
    while let Some(request) = reader.take().unwrap() {
        let (number, text) = asked(&request);
        let mut response = Vec::new();
        field(&mut response, 2, &request);
        let file = match number {
            7 => {
                let mut list = Vec::new();
                for name in ["acme.Users", "grpc.reflection.v1.ServerReflection"] {
                    let mut service = Vec::new();
                    field(&mut service, 1, name.as_bytes());
                    field(&mut list, 1, &service);
                }
                field(&mut response, 6, &list);
                None
            }
            4 => Some(
                pool.get_service_by_name(&text)
                    .map(|service| service.parent_file()),
            ),
            3 => Some(pool.get_file_by_name(&text).filter(|_| own(&text))),
            other => panic!("{other}"),
        };
        match file {
            None => {}
            Some(Some(file)) => {
                let mut found = Vec::new();
                field(&mut found, 1, &file.encode_to_vec());
                field(&mut response, 4, &found);
            }
            Some(None) => {
                let mut error = Vec::new();
                field(&mut error, 2, b"not found");
                field(&mut response, 7, &error);
            }
        }
        frame::framed(&mut out, |out| {
            out.extend_from_slice(&response);
            Ok::<(), ()>(())
        })
        .unwrap();
    }
    Bytes::from(out)
}

fn gathered(mut gathering: Gathering, own: &dyn Fn(&str) -> bool) -> Result<Pool, String> {
    let pool = pool();
    while let Some(questions) = gathering.question()? {
        gathering.answer(&answer(&pool, own, &questions))?;
    }
    gathering.finish()
}

#[test]
fn all_files_are_gathered_and_annotations_with_them() {
    for (services, own) in [
        (&[][..], &(|_: &str| true) as &dyn Fn(&str) -> bool),
        (&["acme.Users"][..], &|_| true),
        // Some services have none of the files that everybody has.
        (&[][..], &|name| !name.starts_with("google/")),
    ] {
        let pool = gathered(Gathering::new(services), own).unwrap();
        let transcoder = crate::Transcoder::new(&pool, &[], &[]).unwrap();
        let [binding] = transcoder.bindings() else {
            panic!("{:?}", transcoder.bindings());
        };
        assert_eq!(binding.template.to_string(), "/users/{id}");
        assert!(pool.get_message_by_name("google.rpc.Status").is_some());
    }
}

#[test]
fn what_is_missing_is_told() {
    let fault = |services: &[&str], own: &dyn Fn(&str) -> bool| {
        gathered(Gathering::new(services), own).unwrap_err()
    };
    let unknown = fault(&["acme.Nobody"], &|_| true);
    assert_eq!(unknown, "it does not know `acme.Nobody`: not found");
    let without = fault(&[], &|name| name != "inner.proto");
    assert!(without.contains("inner.proto"), "{without}");
}

#[test]
fn an_endless_import_ends() {
    let mut gathering = Gathering::new(&["a"]);
    let mut rounds = 0;
    let fault = loop {
        rounds += 1;
        match gathering.question() {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing was asked"),
            Err(fault) => break fault,
        }
        let (mut file, mut found, mut response, mut out) = (vec![], vec![], vec![], vec![]);
        field(&mut file, 1, format!("{rounds}.proto").as_bytes());
        field(&mut file, 3, format!("{}.proto", rounds + 1).as_bytes());
        field(&mut found, 1, &file);
        field(&mut response, 4, &found);
        frame::framed(&mut out, |out| {
            out.extend_from_slice(&response);
            Ok::<(), ()>(())
        })
        .unwrap();
        gathering.answer(&Bytes::from(out)).unwrap();
    };
    assert!(fault.contains("without an end"), "{fault}");
    assert!(rounds < 100);
}

proptest! {
    #[test]
    fn any_answer_is_read_or_refused(bytes: Vec<u8>) {
        let mut gathering = Gathering::new(&[]);
        let _ = gathering.question();
        let mut framed = Vec::new();
        frame::framed(&mut framed, |out| { out.extend_from_slice(&bytes); Ok::<(), ()>(()) }).unwrap();
        for body in [bytes, framed] {
            let _ = gathering.answer(&Bytes::from(body));
        }
        let _ = gathering.finish();
    }
}
