use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use http::{HeaderMap, HeaderValue, StatusCode};
use lintel_kernel::GrpcCode;
use prost::Message as _;
use prost_reflect::{DynamicMessage, Value};

use crate::{
    Transcoder, descriptors,
    status::{self, Status},
};

fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let fields = fields.iter();
    fields
        .map(|(name, value)| {
            (
                http::HeaderName::from_static(name),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

#[test]
fn a_status_is_read_from_trailers() {
    let read = |pairs: &[(&'static str, &str)]| Status::of(&fields(pairs));
    assert_eq!(read(&[]), None);
    assert_eq!(
        read(&[
            ("grpc-status", "5"),
            ("grpc-message", "no b%C3%BCcher, 100%")
        ]),
        Some(Status::new(GrpcCode::NotFound, "no bücher, 100%"))
    );
    for odd in ["99", "-1", "x", "", "256"] {
        assert_eq!(
            read(&[("grpc-status", odd)]).unwrap().code,
            GrpcCode::Unknown,
            "{odd}"
        );
    }
}

#[test]
fn details_are_written_as_json() {
    let pool = descriptors::parse(&[]).unwrap();
    let transcoder = Transcoder::new(&pool, &[], &[]).unwrap();
    let any = |name: &str, value: Vec<u8>| {
        let mut any = DynamicMessage::new(pool.get_message_by_name("google.protobuf.Any").unwrap());
        any.set_field_by_number(1, Value::String(format!("type.googleapis.com/{name}")));
        any.set_field_by_number(2, Value::Bytes(value.into()));
        Value::Message(any)
    };
    let mut status = DynamicMessage::new(pool.get_message_by_name("google.rpc.Status").unwrap());
    let mut info = DynamicMessage::new(pool.get_message_by_name("google.rpc.ErrorInfo").unwrap());
    info.set_field_by_number(1, Value::String("GONE".to_owned()));
    status.set_field_by_number(
        3,
        Value::List(vec![
            any("google.rpc.ErrorInfo", info.encode_to_vec()),
            any("not.Known", vec![1, 2]),
        ]),
    );
    let header = STANDARD_NO_PAD.encode(status.encode_to_vec());
    let status = Status::of(&fields(&[
        ("grpc-status", "5"),
        ("grpc-status-details-bin", &header),
    ]))
    .unwrap();
    let mut out = Vec::new();
    status.write_details(&transcoder, &mut out);
    assert_eq!(
        String::from_utf8(out).unwrap(),
        r#"[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"GONE"},{"@type":"type.googleapis.com/not.Known","value":"AQI="}]"#
    );
    for garbage in ["!!", "AQI=", "", "GgIIAQ", "GgMKAf8"] {
        let status = Status::of(&fields(&[
            ("grpc-status", "5"),
            ("grpc-status-details-bin", garbage),
        ]))
        .unwrap();
        let mut out = b"x".to_vec();
        status.write_details(&transcoder, &mut out);
        if let Some(rest) = out.strip_prefix(b"x") {
            assert!(
                rest.is_empty() || serde_json::from_slice::<serde_json::Value>(rest).is_ok(),
                "{garbage}"
            );
        }
    }
}

#[test]
fn every_code_has_its_status() {
    for number in 0..=16 {
        let code = status::code_of(number);
        assert_eq!(code as u8, number);
        let http = status::http_status(code);
        assert_eq!(
            http == StatusCode::OK,
            number == 0,
            "{}",
            status::name(code)
        );
    }
    assert_eq!(status::code_of(17), GrpcCode::Unknown);
    assert_eq!(
        status::of_http(StatusCode::BAD_GATEWAY),
        GrpcCode::Unavailable
    );
}

#[test]
fn messages_are_percent_encoded() {
    let fields = Status::new(GrpcCode::NotFound, "50% \u{e9}\n~ ").fields();
    assert_eq!(fields["grpc-message"], "50%25 %C3%A9%0A~ ");
    assert_eq!(fields["grpc-status"], "5");
    assert_eq!(Status::of(&fields).unwrap().message, "50% \u{e9}\n~ ");
    assert!(!Status::ok().fields().contains_key("grpc-message"));
}

/// What HTTP makes of a code that it has a status of its own for leads back to it.
#[test]
fn statuses_of_http_lead_back() {
    for code in status::codes() {
        let back = status::of_rest(status::http_status(code));
        let same = back == code;
        let shared = matches!(
            code,
            GrpcCode::Ok
                | GrpcCode::Unknown
                | GrpcCode::FailedPrecondition
                | GrpcCode::AlreadyExists
                | GrpcCode::OutOfRange
                | GrpcCode::DataLoss
        );
        assert!(same || shared, "{code:?} became {back:?}");
    }
}
