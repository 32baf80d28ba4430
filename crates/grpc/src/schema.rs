//! Message types, laid out for transcoding: plain tables, nothing counted or locked when they are
//! read.

use prost_reflect::{
    Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, MessageDescriptor,
};
use rustc_hash::FxHashMap;

/// Every message and enum type of a set of descriptors.
#[derive(Debug, Default)]
pub struct Schema {
    messages: Vec<Message>,
    enums: Vec<Enum>,
    by_name: FxHashMap<Box<str>, MessageId>,
}

/// A message type of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(u32);

/// An enum type of a [`Schema`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnumId(u32);

/// A message type.
#[derive(Debug)]
pub struct Message {
    /// Its full name.
    pub name: Box<str>,
    /// How it looks in JSON.
    pub form: Form,
    /// Its fields, in the order of their declaration.
    pub fields: Vec<Field>,
    by_number: FxHashMap<u32, usize>,
    by_name: FxHashMap<Box<str>, usize>,
}

/// How a message looks in JSON (ProtoJSON, "Representation of each type").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// An object of its fields.
    Plain,
    /// An object with `@type`.
    Any,
    /// A text as RFC 3339 has it.
    Timestamp,
    /// Seconds, with `s`.
    Duration,
    /// Paths, with commas between them.
    FieldMask,
    /// Any object.
    Struct,
    /// Any value.
    Value,
    /// Any array.
    ListValue,
    /// The value of its only field.
    Wrapper,
}

/// A field of a message.
#[derive(Debug)]
pub struct Field {
    /// Its number.
    pub number: u32,
    /// Its name in the `.proto` file.
    pub name: Box<str>,
    /// Its name in JSON.
    pub json: Box<str>,
    /// What it holds.
    pub kind: Kind,
    /// How often it may be there.
    pub label: Label,
    /// The number, within its message, of the `oneof` that it is a member of.
    pub oneof: Option<u32>,
    /// Whether its absence differs from its default value.
    pub presence: bool,
}

/// How often a field may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// At most once.
    Singular,
    /// Any number of times.
    Repeated {
        /// Whether its values are written one after the other without tags between them.
        packed: bool,
    },
    /// A value for each key. The field's kind is the message of an entry.
    Map,
}

/// What a field holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names are protobuf's own
pub enum Kind {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
    Enum(EnumId),
    Message(MessageId),
    Group(MessageId),
}

/// An enum type.
#[derive(Debug)]
pub struct Enum {
    /// Whether it is `google.protobuf.NullValue`.
    pub null: bool,
    /// The value of a field that is not there.
    pub default: i32,
    by_name: FxHashMap<Box<str>, i32>,
    by_number: FxHashMap<i32, Box<str>>,
}

impl Schema {
    /// Lays out all types of a pool.
    pub fn new(pool: &DescriptorPool) -> Self {
        let mut schema = Self::default();
        let mut enums = FxHashMap::default();
        for (at, descriptor) in pool.all_enums().enumerate() {
            enums.insert(descriptor.full_name().to_owned(), EnumId(index(at)));
            schema.enums.push(Enum::new(&descriptor));
        }
        for (at, descriptor) in pool.all_messages().enumerate() {
            let name = descriptor.full_name().into();
            schema.by_name.insert(name, MessageId(index(at)));
        }
        let messages = pool.all_messages();
        schema.messages = messages
            .map(|descriptor| Message::new(&descriptor, &schema.by_name, &enums))
            .collect();
        schema
    }

    /// The type of this full name.
    pub fn find(&self, name: &str) -> Option<MessageId> {
        self.by_name.get(name).copied()
    }

    /// A message type.
    pub fn message(&self, id: MessageId) -> &Message {
        static NONE: std::sync::LazyLock<Message> = std::sync::LazyLock::new(Message::none);
        // An id is only ever made for a message of the same schema.
        self.messages.get(id.0 as usize).unwrap_or(&NONE)
    }

    /// An enum type.
    pub fn enumeration(&self, id: EnumId) -> &Enum {
        static NONE: std::sync::LazyLock<Enum> = std::sync::LazyLock::new(Enum::none);
        self.enums.get(id.0 as usize).unwrap_or(&NONE)
    }
}

impl Message {
    fn new(
        descriptor: &MessageDescriptor,
        messages: &FxHashMap<Box<str>, MessageId>,
        enums: &FxHashMap<String, EnumId>,
    ) -> Self {
        // In the order of declaration: that of the descriptor.
        let declared = descriptor.descriptor_proto().field.iter();
        let fields: Vec<Field> = declared
            .filter_map(|field| descriptor.get_field_by_name(field.name()))
            .map(|field| Field::new(&field, messages, enums))
            .collect();
        let numbers = fields.iter().enumerate();
        let by_number = numbers.map(|(at, field)| (field.number, at)).collect();
        let mut by_name = FxHashMap::default();
        // The name in JSON goes before another field's name of the same spelling.
        for (at, field) in fields.iter().enumerate() {
            by_name.insert(field.name.clone(), at);
        }
        for (at, field) in fields.iter().enumerate() {
            by_name.insert(field.json.clone(), at);
        }
        Self {
            name: descriptor.full_name().into(),
            form: Form::of(descriptor.full_name()),
            fields,
            by_number,
            by_name,
        }
    }

    fn none() -> Self {
        Self {
            name: Box::default(),
            form: Form::Plain,
            fields: Vec::new(),
            by_number: FxHashMap::default(),
            by_name: FxHashMap::default(),
        }
    }

    /// The field of this name, in JSON's spelling or that of the `.proto` file, and its place.
    pub fn field(&self, name: &str) -> Option<(usize, &Field)> {
        let at = *self.by_name.get(name)?;
        Some((at, self.fields.get(at)?))
    }

    /// The field of this number, and its place.
    pub fn numbered(&self, number: u32) -> Option<(usize, &Field)> {
        // Most messages number their fields from 1 in the order of declaration.
        let guess = (number as usize).wrapping_sub(1);
        if let Some(field) = self.fields.get(guess)
            && field.number == number
        {
            return Some((guess, field));
        }
        let at = *self.by_number.get(&number)?;
        Some((at, self.fields.get(at)?))
    }
}

impl Form {
    fn of(name: &str) -> Self {
        match name {
            "google.protobuf.Any" => Self::Any,
            "google.protobuf.Timestamp" => Self::Timestamp,
            "google.protobuf.Duration" => Self::Duration,
            "google.protobuf.FieldMask" => Self::FieldMask,
            "google.protobuf.Struct" => Self::Struct,
            "google.protobuf.Value" => Self::Value,
            "google.protobuf.ListValue" => Self::ListValue,
            "google.protobuf.DoubleValue"
            | "google.protobuf.FloatValue"
            | "google.protobuf.Int64Value"
            | "google.protobuf.UInt64Value"
            | "google.protobuf.Int32Value"
            | "google.protobuf.UInt32Value"
            | "google.protobuf.BoolValue"
            | "google.protobuf.StringValue"
            | "google.protobuf.BytesValue" => Self::Wrapper,
            _ => Self::Plain,
        }
    }
}

impl Field {
    fn new(
        field: &FieldDescriptor,
        messages: &FxHashMap<Box<str>, MessageId>,
        enums: &FxHashMap<String, EnumId>,
    ) -> Self {
        let label = if field.is_map() {
            Label::Map
        } else if field.cardinality() == Cardinality::Repeated {
            Label::Repeated {
                packed: field.is_packed(),
            }
        } else {
            Label::Singular
        };
        let oneof = field.containing_oneof();
        let oneof = oneof.filter(|oneof| !oneof.is_synthetic());
        Self {
            number: field.number(),
            name: field.name().into(),
            json: field.json_name().into(),
            kind: kind(field, messages, enums),
            label,
            oneof: oneof.and_then(|oneof| {
                let path = oneof.path().last()?;
                u32::try_from(*path).ok()
            }),
            presence: field.supports_presence(),
        }
    }
}

fn kind(
    field: &FieldDescriptor,
    messages: &FxHashMap<Box<str>, MessageId>,
    enums: &FxHashMap<String, EnumId>,
) -> Kind {
    use prost_reflect::Kind as Reflected;
    match field.kind() {
        Reflected::Double => Kind::Double,
        Reflected::Float => Kind::Float,
        Reflected::Int32 => Kind::Int32,
        Reflected::Int64 => Kind::Int64,
        Reflected::Uint32 => Kind::Uint32,
        Reflected::Uint64 => Kind::Uint64,
        Reflected::Sint32 => Kind::Sint32,
        Reflected::Sint64 => Kind::Sint64,
        Reflected::Fixed32 => Kind::Fixed32,
        Reflected::Fixed64 => Kind::Fixed64,
        Reflected::Sfixed32 => Kind::Sfixed32,
        Reflected::Sfixed64 => Kind::Sfixed64,
        Reflected::Bool => Kind::Bool,
        Reflected::String => Kind::String,
        Reflected::Bytes => Kind::Bytes,
        Reflected::Enum(descriptor) => {
            let id = enums.get(descriptor.full_name()).copied();
            Kind::Enum(id.unwrap_or(EnumId(u32::MAX)))
        }
        Reflected::Message(descriptor) => {
            let id = messages.get(descriptor.full_name()).copied();
            let id = id.unwrap_or(MessageId(u32::MAX));
            if field.is_group() {
                Kind::Group(id)
            } else {
                Kind::Message(id)
            }
        }
    }
}

impl Enum {
    fn new(descriptor: &EnumDescriptor) -> Self {
        let mut by_name = FxHashMap::default();
        let mut by_number = FxHashMap::default();
        // In the order of declaration: of names for one number the first is written.
        for value in &descriptor.enum_descriptor_proto().value {
            by_name.insert(value.name().into(), value.number());
            by_number
                .entry(value.number())
                .or_insert_with(|| value.name().into());
        }
        Self {
            null: descriptor.full_name() == "google.protobuf.NullValue",
            default: descriptor.default_value().number(),
            by_name,
            by_number,
        }
    }

    fn none() -> Self {
        Self {
            null: false,
            default: 0,
            by_name: FxHashMap::default(),
            by_number: FxHashMap::default(),
        }
    }

    /// The number of a name.
    pub fn number(&self, name: &str) -> Option<i32> {
        self.by_name.get(name).copied()
    }

    /// All names, by their numbers; one for each.
    pub fn names(&self) -> Vec<&str> {
        let mut all: Vec<_> = self.by_number.iter().collect();
        all.sort_unstable();
        all.into_iter().map(|(_, name)| &**name).collect()
    }

    /// The name of a number.
    pub fn name(&self, number: i32) -> Option<&str> {
        self.by_number.get(&number).map(AsRef::as_ref)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "descriptors index by i32")]
const fn index(at: usize) -> u32 {
    at as u32
}
