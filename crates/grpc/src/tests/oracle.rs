//! Compared with an implementation of others, that of prost-reflect: what it writes of a message we
//! write too, and what it reads from JSON we read.

use proptest::{prelude::*, test_runner::TestRng};
use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value};

use super::{ALL, decode, decode_styled, encode, pool};
use crate::json::{Style, Unknown};

/// A message with values by chance.
fn message(descriptor: &MessageDescriptor, rng: &mut TestRng, depth: u32) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    let name = descriptor.full_name();
    if name == "google.protobuf.Timestamp" || name == "google.protobuf.Duration" {
        message.set_field_by_number(1, Value::I64(rng.random_range(0..250_000_000_000)));
        message.set_field_by_number(2, Value::I32(rng.random_range(0..1_000_000_000)));
        return message;
    }
    if name == "google.protobuf.Any" {
        let inner = pool().get_message_by_name(ALL).unwrap();
        let inner = self::message(&inner, rng, depth + 3);
        message.set_field_by_number(1, Value::String(format!("type.googleapis.com/{ALL}")));
        message.set_field_by_number(2, Value::Bytes(inner.encode_to_vec().into()));
        return message;
    }
    if name == "google.protobuf.FieldMask" {
        let paths = vec![
            Value::String("a_b.c".to_owned()),
            Value::String("d".to_owned()),
        ];
        message.set_field_by_number(1, Value::List(paths));
        return message;
    }
    let known = name.starts_with("google.protobuf.");
    for field in descriptor.fields() {
        let wanted = if known { 2 } else { 6 };
        if rng.random_range(0..wanted) != 0 || depth > 3 && !known {
            continue;
        }
        let value = if field.is_map() {
            let kind = field.kind();
            let entry = kind.as_message().unwrap();
            let entries = (0..rng.random_range(0..3_u32)).map(|_| {
                let key = value(&entry.map_entry_key_field().kind(), rng, depth);
                let value = value(&entry.map_entry_value_field().kind(), rng, depth);
                (key.into_map_key().unwrap_or(MapKey::Bool(true)), value)
            });
            Value::Map(entries.collect())
        } else if field.is_list() {
            let count = rng.random_range(0..4_u32);
            Value::List(
                (0..count)
                    .map(|_| value(&field.kind(), rng, depth))
                    .collect(),
            )
        } else {
            value(&field.kind(), rng, depth)
        };
        message.set_field(&field, value);
    }
    if name == "google.protobuf.Value" && message.fields().next().is_none() {
        message.set_field_by_number(1, Value::EnumNumber(0));
    }
    message
}

fn value(kind: &Kind, rng: &mut TestRng, depth: u32) -> Value {
    let bits: u64 = rng.random::<u64>() >> rng.random_range(0..64_u32);
    let text = || ["", "plain", "quo\"te\\", "ü\u{1f600}\n\u{0}", "</script>"][(bits % 5) as usize];
    match kind {
        Kind::Double => Value::F64(f64::from(bits as u32) / 7.0),
        Kind::Float => Value::F32(bits as u16 as f32 / 3.0),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits & 1 == 1),
        Kind::String => Value::String(text().to_owned()),
        Kind::Bytes => Value::Bytes(text().as_bytes().to_vec().into()),
        Kind::Enum(descriptor) if descriptor.full_name() == "google.protobuf.NullValue" => {
            Value::EnumNumber(0)
        }
        Kind::Enum(_) => Value::EnumNumber((bits % 4) as i32 - 1),
        Kind::Message(descriptor) => Value::Message(message(descriptor, rng, depth + 1)),
    }
}

fn written(
    message: &DynamicMessage,
    options: &prost_reflect::SerializeOptions,
) -> serde_json::Value {
    let mut out = serde_json::Serializer::new(Vec::new());
    message.serialize_with_options(&mut out, options).unwrap();
    serde_json::from_slice(&out.into_inner()).unwrap()
}

/// Numbers as they are, however they are written.
fn plain(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Number(number) => number.as_f64().unwrap().into(),
        serde_json::Value::Array(values) => values.into_iter().map(plain).collect(),
        serde_json::Value::Object(members) => members
            .into_iter()
            .map(|(name, value)| (name, plain(value)))
            .collect(),
        value => value,
    }
}

fn read(text: &str) -> serde_json::Value {
    plain(serde_json::from_str(text).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn writes_and_reads_what_others_do(seed: [u8; 32]) {
        let mut rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed);
        let descriptor = pool().get_message_by_name(ALL).unwrap();
        let message = message(&descriptor, &mut rng, 0);
        let bytes = message.encode_to_vec();

        let theirs = plain(written(&message, &prost_reflect::SerializeOptions::new()));
        let ours = decode(&bytes).unwrap();
        prop_assert_eq!(read(&ours), theirs);

        let options = prost_reflect::SerializeOptions::new()
            .use_proto_field_name(true)
            .use_enum_numbers(true);
        let style = Style { proto_names: true, enum_numbers: true, ..Style::default() };
        prop_assert_eq!(
            read(&decode_styled(&bytes, style).unwrap()),
            plain(written(&message, &options))
        );

        let encoded = encode(&ours, Unknown::Refuse).unwrap();
        let again = DynamicMessage::decode(message.descriptor(), &*encoded).unwrap();
        prop_assert_eq!(plain(written(&again, &prost_reflect::SerializeOptions::new())), read(&ours));
    }

    /// Parts of messages in any order, twice, and cut: merged as others merge them, or refused.
    #[test]
    fn merges_as_others_do(seed: [u8; 32], cut in 0..400_usize, garbage in prop::collection::vec(any::<u8>(), 0..6)) {
        let mut rng = TestRng::from_seed(proptest::test_runner::RngAlgorithm::ChaCha, &seed);
        let descriptor = pool().get_message_by_name(ALL).unwrap();
        let mut bytes = message(&descriptor, &mut rng, 1).encode_to_vec();
        bytes.extend(message(&descriptor, &mut rng, 1).encode_to_vec());
        let whole = DynamicMessage::decode(descriptor.clone(), &*bytes).unwrap();
        let mut theirs = serde_json::Serializer::new(Vec::new());
        let writable = whole.serialize_with_options(&mut theirs, &prost_reflect::SerializeOptions::new());
        if writable.is_ok() && bytes.len() < 4_000 {
            let theirs: serde_json::Value = serde_json::from_slice(&theirs.into_inner()).unwrap();
            prop_assert_eq!(read(&decode(&bytes).unwrap()), plain(theirs));
        }
        bytes.truncate(cut);
        bytes.extend(garbage);
        // Whatever it is, it is answered with.
        let _ = decode(&bytes);
    }

    #[test]
    fn any_text_is_read_or_refused(text in r#"[{}\[\]",:a0-9etru\\.@-]{0,60}"#) {
        let _ = encode(&text, Unknown::Ignore);
    }
}
