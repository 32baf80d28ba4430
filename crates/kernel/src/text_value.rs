//! The macro that makes a `FromStr` value readable from the configuration and describes it in the
//! JSON Schema.

/// Implements `Deserialize`, `Serialize` and `JsonSchema` through `FromStr` and `Display`.
///
/// The schema's `format` is how the config checker finds the parser for a text before anything is
/// deserialised; the examples are what its messages suggest.
#[doc(hidden)]
#[macro_export]
macro_rules! text_value {
    ($type:ty, $format:literal, $pattern:literal, $($example:literal),+) => {
        impl<'de> ::serde::Deserialize<'de> for $type {
            fn deserialize<D: ::serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl ::serde::de::Visitor<'_> for Text {
                    type Value = $type;
                    fn expecting(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                        f.write_str(concat!("a ", $format, " such as `", $crate::first!($($example),+), "`"))
                    }
                    fn visit_str<E: ::serde::de::Error>(self, text: &str) -> Result<$type, E> {
                        text.parse().map_err(E::custom)
                    }
                    fn visit_u64<E: ::serde::de::Error>(self, number: u64) -> Result<$type, E> {
                        number.to_string().parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_any(Text)
            }
        }

        impl ::serde::Serialize for $type {
            fn serialize<S: ::serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl ::schemars::JsonSchema for $type {
            fn schema_name() -> ::std::borrow::Cow<'static, str> {
                stringify!($type).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut ::schemars::SchemaGenerator) -> ::schemars::Schema {
                ::schemars::json_schema!({
                    "type": ["string", "integer"],
                    "format": $format,
                    "pattern": $pattern,
                    "examples": [$($example),+],
                })
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! first {
    ($first:literal $(, $rest:literal)*) => {
        $first
    };
}
