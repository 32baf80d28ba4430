//! What operators of filters make of values.

use std::{
    cmp::Ordering,
    ops::{Add, Div, Mul, Neg, Rem, Sub},
    rc::Rc,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use jaq_core::ops::Math;
use jaq_json::Num;

use super::{
    budget,
    value::{Error, List, Object, ValR, Value},
};

/// Integers of more bits become floats: arithmetic with long ones takes long.
const BITS: u64 = 2048;

/// A number that is made now.
pub(super) fn number(number: Num) -> Value {
    Value::Num(match &number {
        Num::BigInt(big) if big.bits() > BITS => Num::Float(float(&number)),
        _ => number,
    })
}

pub(super) fn float(number: &Num) -> f64 {
    match number {
        Num::Int(number) => *number as f64,
        Num::Float(number) => *number,
        // Numbers are written as they are read.
        Num::BigInt(_) | Num::Dec(_) => number.to_string().parse().unwrap_or(f64::NAN),
    }
}

impl Add for Value {
    type Output = ValR;

    fn add(self, other: Self) -> ValR {
        Ok(match (self, other) {
            (Self::Null, one) | (one, Self::Null) => one,
            (Self::Num(one), Self::Num(other)) => {
                budget::spend(1);
                number(one + other)
            }
            (Self::Text(one), Self::Text(other)) => {
                let size = one.len().saturating_add(other.len());
                budget::sized(size);
                budget::spend_text(if one.is_unique() { other.len() } else { size });
                let mut text = BytesMut::from(*one);
                text.put(*other);
                Self::Text(Box::new(text.freeze()))
            }
            (Self::List(mut one), Self::List(other)) => {
                List::own(&mut one).append(other.items());
                Self::List(one)
            }
            (Self::Object(mut one), Self::Object(other)) => {
                budget::spend(other.members().len());
                let all = Object::own(&mut one);
                for (name, value) in other.members() {
                    all.set(name.clone(), Some(value.clone()));
                }
                Self::Object(one)
            }
            (one, other) => return Err(Error::math(one, Math::Add, other)),
        })
    }
}

impl Sub for Value {
    type Output = ValR;

    fn sub(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => Ok(number(one - other)),
            (Self::List(one), Self::List(other)) => {
                let mut without: Vec<&Self> = other.items().iter().collect();
                without.sort();
                let mut items = List::into_items(one);
                items.retain(|item| without.binary_search(&item).is_err());
                Ok(List::made(items))
            }
            (one, other) => Err(Error::math(one, Math::Sub, other)),
        }
    }
}

impl Mul for Value {
    type Output = ValR;

    fn mul(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => Ok(number(one * other)),
            (Self::Text(text), Self::Num(times)) | (Self::Num(times), Self::Text(text)) => {
                let times = float(&times);
                if times <= 0.0 {
                    return Ok(Self::Null);
                }
                // Rounded down, but once at least (jq's manual, multiplication).
                let times = times.max(1.0) as usize;
                budget::spend_text(budget::sized(text.len().saturating_mul(times)));
                Ok(Self::text(text.repeat(times)))
            }
            (Self::Object(one), Self::Object(other)) => Ok(Self::Object(merged(one, &other))),
            (one, other) => Err(Error::math(one, Math::Mul, other)),
        }
    }
}

/// Objects within each other are merged as well.
fn merged(mut one: Rc<Object>, other: &Rc<Object>) -> Rc<Object> {
    budget::spend(other.members().len());
    let all = Object::own(&mut one);
    for (name, value) in other.members() {
        let value = match (all.get(name), value) {
            (Some(Value::Object(_)), Value::Object(other)) => match all.take(name) {
                Value::Object(one) => Value::Object(merged(one, other)),
                _ => value.clone(),
            },
            _ => value.clone(),
        };
        all.set(name.clone(), Some(value));
    }
    one
}

impl Div for Value {
    type Output = ValR;

    fn div(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(one), Self::Num(other)) => Ok(Self::Num(one / other)),
            (Self::Text(text), Self::Text(by)) => Ok(parts(&text, &by)),
            (one, other) => Err(Error::math(one, Math::Div, other)),
        }
    }
}

/// The parts of a text between others; its characters where these are nothing.
fn parts(text: &Bytes, by: &Bytes) -> Value {
    let [whole, by] = [text, by].map(|text| std::str::from_utf8(text).unwrap_or_default());
    budget::spend_text(whole.len());
    let part = |part: &str| {
        budget::spend(1);
        Value::Text(Box::new(text.slice_ref(part.as_bytes())))
    };
    List::made(match (whole.is_empty(), by.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => {
            let ends = whole
                .char_indices()
                .map(|(at, char)| at..at + char.len_utf8());
            ends.map(|at| part(whole.get(at).unwrap_or_default()))
                .collect()
        }
        (false, false) => whole.split(by).map(part).collect(),
    })
}

impl Rem for Value {
    type Output = ValR;

    fn rem(self, other: Self) -> ValR {
        match (self, other) {
            (Self::Num(one), Self::Num(other)) if !is_zero(&one, &other) => {
                Ok(Self::Num(one % other))
            }
            (one, other) => Err(Error::math(one, Math::Rem, other)),
        }
    }
}

/// Whether one integer is divided by another that is nothing.
fn is_zero(one: &Num, other: &Num) -> bool {
    let is_whole = |number: &Num| matches!(number, Num::Int(_) | Num::BigInt(_));
    is_whole(one) && is_whole(other) && *other == Num::Int(0)
}

impl Neg for Value {
    type Output = ValR;

    fn neg(self) -> ValR {
        match self {
            Self::Num(number) => Ok(Self::Num(-number)),
            other => Err(Error::typ(other, "number")),
        }
    }
}

impl PartialEq for Value {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(one), Self::Bool(other)) => one == other,
            (Self::Num(one), Self::Num(other)) => one == other,
            (Self::Text(one), Self::Text(other)) => {
                budget::spend_text(one.len().min(other.len()));
                one == other
            }
            (Self::List(one), Self::List(other)) => {
                let (one, other) = (one.items(), other.items());
                budget::spend(one.len().min(other.len()));
                one == other
            }
            (Self::Object(one), Self::Object(other)) => {
                let (one, other) = (one.members(), other.members());
                budget::spend(one.len().min(other.len()));
                one == other
            }
            _ => false,
        }
    }
}

impl Eq for Value {}

impl PartialOrd for Value {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The order of jq's manual (`sort`): nulls, booleans, numbers, texts, lists, objects; these by their
/// sorted names first.
impl Ord for Value {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Bool(one), Self::Bool(other)) => one.cmp(other),
            (Self::Num(one), Self::Num(other)) => one.cmp(other),
            (Self::Text(one), Self::Text(other)) => {
                budget::spend_text(one.len().min(other.len()));
                one.cmp(other)
            }
            (Self::List(one), Self::List(other)) => {
                let (one, other) = (one.items(), other.items());
                budget::spend(one.len().min(other.len()));
                one.cmp(other)
            }
            (Self::Object(one), Self::Object(other)) => {
                let (one, other) = (one.members(), other.members());
                budget::spend(one.len().saturating_add(other.len()));
                let [mut one, mut other] = [one, other].map(|all| all.iter().collect::<Vec<_>>());
                one.sort_by_key(|(name, _)| *name);
                other.sort_by_key(|(name, _)| *name);
                let names = one.iter().map(|(name, _)| name);
                let names = names.cmp(other.iter().map(|(name, _)| name));
                names.then_with(|| {
                    let values = one.iter().map(|(_, value)| value);
                    values.cmp(other.iter().map(|(_, value)| value))
                })
            }
            (one, other) => one.rank().cmp(&other.rank()),
        }
    }
}

impl Value {
    const fn rank(&self) -> u8 {
        match self {
            Self::Null => 0,
            Self::Bool(_) => 1,
            Self::Num(_) => 2,
            Self::Text(_) => 3,
            Self::List(_) => 4,
            Self::Object(_) => 5,
        }
    }
}
