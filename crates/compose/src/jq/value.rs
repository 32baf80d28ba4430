//! The values of filters: JSON, of which every list and object knows how large it is, so that one
//! which is small only as long as it shares its parts is not taken for small.

use std::{fmt, rc::Rc};

use bytes::Bytes;
use jaq_json::{Map, Num};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};

use super::budget;

pub(super) type Error = jaq_core::Error<Value>;
pub(super) type ValR = Result<Value, Error>;

/// A value.
#[derive(Clone, Debug, Default)]
pub(crate) enum Value {
    #[default]
    Null,
    Bool(bool),
    Num(Num),
    /// UTF-8.
    Text(Box<Bytes>),
    List(Rc<List>),
    Object(Rc<Object>),
}

#[derive(Clone, Debug, Default)]
pub(crate) struct List {
    items: Vec<Value>,
    size: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Object {
    members: Map<Bytes, Value>,
    size: usize,
}

impl List {
    pub(super) fn items(&self) -> &[Value] {
        &self.items
    }

    /// A list that is made now.
    pub(super) fn made(items: Vec<Value>) -> Value {
        let sizes = items.iter().map(Value::size);
        let size = budget::sized(sizes.fold(1, usize::saturating_add));
        Value::List(Rc::new(Self { items, size }))
    }

    /// Its items, to be changed; whoever changes them calls [`Self::changed`].
    pub(super) fn own(list: &mut Rc<Self>) -> &mut Self {
        if Rc::strong_count(list) > 1 {
            budget::spend(list.items.len());
        }
        Rc::make_mut(list)
    }

    pub(super) fn append(&mut self, more: &[Value]) {
        budget::spend(more.len());
        let sizes = more.iter().map(Value::size);
        self.size = budget::sized(sizes.fold(self.size, usize::saturating_add));
        self.items.extend_from_slice(more);
    }

    /// Changes one item; without a new one it is taken out.
    pub(super) fn set(&mut self, at: usize, value: Option<Value>) {
        match (self.items.get_mut(at), value) {
            (Some(place), Some(value)) => {
                let size = self.size.saturating_add(value.size());
                self.size = budget::sized(size);
                *place = value;
            }
            (Some(_), None) => {
                self.items.remove(at);
            }
            (None, _) => {}
        }
    }

    /// Takes an item out, to be put back by [`Self::set`].
    pub(super) fn take(&mut self, at: usize) -> Value {
        let taken = self.items.get_mut(at).map(std::mem::take);
        let taken = taken.unwrap_or_default();
        self.size = self.size.saturating_sub(taken.size());
        taken
    }

    pub(super) fn into_items(list: Rc<Self>) -> Vec<Value> {
        match Rc::try_unwrap(list) {
            Ok(list) => list.items,
            Err(list) => {
                budget::spend(list.items.len());
                list.items.clone()
            }
        }
    }
}

impl Object {
    pub(super) const fn members(&self) -> &Map<Bytes, Value> {
        &self.members
    }

    pub(super) fn get(&self, name: &[u8]) -> Option<&Value> {
        self.members.get(name)
    }

    /// An object that is made now.
    pub(super) fn made(members: impl IntoIterator<Item = (Bytes, Value)>) -> Value {
        let mut object = Self {
            size: 1,
            members: Map::default(),
        };
        for (name, value) in members {
            object.set(name, Some(value));
        }
        Value::Object(Rc::new(object))
    }

    /// The object, to be changed.
    pub(super) fn own(object: &mut Rc<Self>) -> &mut Self {
        if Rc::strong_count(object) > 1 {
            budget::spend(object.members.len());
        }
        Rc::make_mut(object)
    }

    /// Changes a member; without a value it is taken out.
    pub(super) fn set(&mut self, name: Bytes, value: Option<Value>) {
        let before = match value {
            Some(value) => {
                let size = self.size.saturating_add(value.size());
                self.size = budget::sized(size);
                let length = name.len();
                let before = self.members.insert(name, value);
                if before.is_none() {
                    self.size = budget::sized(self.size.saturating_add(length));
                }
                before
            }
            None => {
                budget::spend(self.members.len() / 16);
                self.size = self.size.saturating_sub(name.len());
                self.members.shift_remove(&name)
            }
        };
        let before = before.as_ref().map_or(0, Value::size);
        self.size = self.size.saturating_sub(before);
    }

    /// Takes a member's value out, to be put back by [`Self::set`].
    pub(super) fn take(&mut self, name: &[u8]) -> Value {
        let taken = self.members.get_mut(name).map(std::mem::take);
        let taken = taken.unwrap_or_default();
        // `null` is left in its place.
        self.size = self.size.saturating_sub(taken.size()).saturating_add(1);
        taken
    }

    pub(super) fn into_members(object: Rc<Self>) -> Map<Bytes, Value> {
        match Rc::try_unwrap(object) {
            Ok(object) => object.members,
            Err(object) => {
                budget::spend(object.members.len());
                object.members.clone()
            }
        }
    }
}

impl Value {
    /// What counts of it towards [`budget::LARGEST`].
    pub(super) fn size(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) | Self::Num(_) => 1,
            Self::Text(text) => text.len().saturating_add(1),
            Self::List(list) => list.size,
            Self::Object(object) => object.size,
        }
    }

    /// A text that is made now.
    pub(crate) fn text(text: impl Into<Bytes>) -> Self {
        let text = text.into();
        budget::spend_text(budget::sized(text.len()));
        Self::Text(Box::new(text))
    }

    /// An object of members.
    pub(crate) fn object(members: impl IntoIterator<Item = (Bytes, Self)>) -> Self {
        Object::made(members)
    }

    pub(crate) fn member(&self, name: &[u8]) -> Option<&Self> {
        match self {
            Self::Object(object) => object.get(name),
            _ => None,
        }
    }

    /// Its characters, where it is a text.
    pub(super) fn chars(&self) -> Option<&str> {
        match self {
            Self::Text(text) => {
                budget::spend_text(text.len());
                std::str::from_utf8(text).ok()
            }
            _ => None,
        }
    }
}

/// For what operators are told: as much as one can read.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 64;
        match self {
            Self::List(list) => write!(f, "a list of {}", list.items.len()),
            Self::Object(object) => write!(f, "an object of {}", object.members.len()),
            Self::Text(text) => {
                let text = String::from_utf8_lossy(text.get(..SHOWN).unwrap_or(text));
                write!(f, "{text:?}")
            }
            Self::Null => f.write_str("null"),
            Self::Bool(is) => write!(f, "{is}"),
            Self::Num(number) => write!(f, "{number}"),
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        reader.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, is: bool) -> Result<Value, E> {
        Ok(Value::Bool(is))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::Num(Num::from_integral(number)))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::Num(Num::from_integral(number)))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Num(Num::Float(number)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Box::new(Bytes::copy_from_slice(
            text.as_bytes(),
        ))))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(List::made(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Vec::new();
        while let Some((name, value)) = access.next_entry::<String, Value>()? {
            members.push((Bytes::from(name), value));
        }
        Ok(Object::made(members))
    }
}
