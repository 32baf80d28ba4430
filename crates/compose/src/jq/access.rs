//! How filters look into values and change them.

use std::rc::Rc;

use bytes::Bytes;
use jaq_core::{Exn, path::Opt, val::Range};
use jaq_json::Num;

use super::{
    budget,
    math::{float, number},
    text,
    value::{Error, List, Object, ValR, Value},
};

type ValX<'a> = Result<Value, Exn<'a, Value>>;
type Values<T> = Box<dyn Iterator<Item = Result<T, Error>>>;

impl From<bool> for Value {
    fn from(is: bool) -> Self {
        Self::Bool(is)
    }
}

impl From<isize> for Value {
    fn from(number: isize) -> Self {
        Self::Num(Num::Int(number))
    }
}

impl From<usize> for Value {
    fn from(number: usize) -> Self {
        Self::Num(Num::from_integral(number))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Num(Num::Float(number))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<Range<Self>> for Value {
    fn from(range: Range<Self>) -> Self {
        let ends = [(&b"start"[..], range.start), (b"end", range.end)];
        let ends = ends.into_iter();
        Self::object(ends.filter_map(|(name, end)| Some((Bytes::from_static(name), end?))))
    }
}

impl FromIterator<Self> for Value {
    fn from_iter<I: IntoIterator<Item = Self>>(items: I) -> Self {
        let items = items.into_iter().inspect(|_| budget::spend(1));
        List::made(items.collect())
    }
}

impl jaq_core::ValT for Value {
    fn from_num(text: &str) -> ValR {
        let whole = Num::from_str_radix(text, 10);
        Ok(number(
            whole.unwrap_or_else(|| Num::Dec(Rc::new(text.to_owned()))),
        ))
    }

    fn from_map<I: IntoIterator<Item = (Self, Self)>>(members: I) -> ValR {
        let mut all = Vec::new();
        for (name, value) in members {
            let Self::Text(name) = name else {
                return Err(Error::str(format_args!(
                    "the filter makes a name that is no string: {name}"
                )));
            };
            all.push((*name, value));
        }
        Ok(Object::made(all))
    }

    fn key_values(self) -> Values<(Self, Self)> {
        match self {
            Self::List(list) => {
                let items = List::into_items(list).into_iter().enumerate();
                Box::new(items.map(|(at, item)| Ok((Self::from(at), item))))
            }
            Self::Object(object) => {
                let members = Object::into_members(object).into_iter();
                Box::new(members.map(|(name, value)| Ok((Self::Text(Box::new(name)), value))))
            }
            other => Box::new(std::iter::once(Err(Error::typ(other, "list or object")))),
        }
    }

    fn values(self) -> Values<Self> {
        match self {
            Self::List(list) => Box::new(List::into_items(list).into_iter().map(Ok)),
            Self::Object(object) => {
                let members = Object::into_members(object).into_iter();
                Box::new(members.map(|(_, value)| Ok(value)))
            }
            other => Box::new(std::iter::once(Err(Error::typ(other, "list or object")))),
        }
    }

    fn index(self, index: &Self) -> ValR {
        self.find(index).map(Option::unwrap_or_default)
    }

    fn range(self, range: Range<&Self>) -> ValR {
        match &self {
            Self::List(list) => {
                let (from, until) = bounds(range, list.items().len())?;
                let items = list.items().get(from..until).unwrap_or_default();
                budget::spend(items.len());
                Ok(List::made(items.to_vec()))
            }
            Self::Text(text) => {
                let chars = self.chars().unwrap_or_default();
                let (from, until) = bounds(range, chars.chars().count())?;
                let at = |count: usize| chars.char_indices().nth(count).map(|(at, _)| at);
                let from = at(from).unwrap_or(chars.len());
                let until = at(until).unwrap_or(chars.len());
                Ok(Self::Text(Box::new(text.slice(from..until.max(from)))))
            }
            _ => Err(Error::typ(self, "list or text")),
        }
    }

    fn map_values<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a> {
        match self {
            Self::List(list) => {
                let items = List::into_items(list).into_iter().flat_map(change);
                items.collect()
            }
            Self::Object(object) => {
                let members = Object::into_members(object).into_iter();
                let changed = members.filter_map(|(name, value)| {
                    let value = change(value).next()?;
                    Some(value.map(|value| (name, value)))
                });
                Ok(Object::made(changed.collect::<Result<Vec<_>, _>>()?))
            }
            other => opt.fail(other, |other| {
                Exn::from(Error::typ(other, "list or object"))
            }),
        }
    }

    fn map_index<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        index: &Self,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a> {
        match (self, index) {
            (list @ (Self::List(_) | Self::Text(_)), Self::Object(range)) => {
                list.map_range(range.get(b"start")..range.get(b"end"), opt, change)
            }
            (Self::Object(mut object), Self::Text(name)) => {
                let all = Object::own(&mut object);
                if all.get(name).is_some() {
                    let changed = change(all.take(name)).next().transpose()?;
                    all.set(Bytes::clone(name), changed);
                } else if let Some(value) = change(Self::Null).next().transpose()? {
                    all.set(Bytes::clone(name), Some(value));
                }
                Ok(Self::Object(object))
            }
            (Self::Null, Self::Text(name)) => {
                let value = change(Self::Null).next().transpose()?;
                Ok(Self::object(value.map(|value| (Bytes::clone(name), value))))
            }
            (Self::List(mut list), Self::Num(at)) => {
                let Some(at) = place(at, list.items().len()) else {
                    let outside = format!("index {at} out of bounds");
                    return opt.fail(Self::List(list), |_| Exn::from(Error::str(outside)));
                };
                let all = List::own(&mut list);
                let changed = change(all.take(at)).next().transpose()?;
                if changed.is_none() {
                    budget::spend(all.items().len() / 16);
                }
                all.set(at, changed);
                Ok(Self::List(list))
            }
            (other, index) => {
                let index = index.clone();
                opt.fail(other, |other| Exn::from(Error::index(other, index)))
            }
        }
    }

    fn map_range<'a, I: Iterator<Item = ValX<'a>>>(
        self,
        range: Range<&Self>,
        opt: Opt,
        change: impl Fn(Self) -> I,
    ) -> ValX<'a> {
        let Self::List(list) = self else {
            return opt.fail(self, |other| Exn::from(Error::typ(other, "list")));
        };
        let (from, until) = match bounds(range, list.items().len()) {
            Ok(bounds) => bounds,
            Err(error) => return opt.fail(Self::List(list), |_| Exn::from(error)),
        };
        let mut items = List::into_items(list);
        budget::spend(items.len());
        let part = items.get(from..until).unwrap_or_default().to_vec();
        let changed = match change(List::made(part)).next().transpose()? {
            None => Vec::new(),
            Some(Self::List(changed)) => List::into_items(changed),
            Some(other) => return Err(Exn::from(Error::typ(other, "list"))),
        };
        items.splice(from..until.max(from), changed);
        Ok(List::made(items))
    }

    fn as_bool(&self) -> bool {
        !matches!(self, Self::Null | Self::Bool(false))
    }

    fn into_string(self) -> Self {
        match self {
            Self::Text(_) => self,
            other => text::written(&other),
        }
    }
}

impl Value {
    /// What stands at an index; nothing where there is nothing.
    pub(super) fn find(self, index: &Self) -> Result<Option<Self>, Error> {
        Ok(match (self, index) {
            (Self::Null, _) => None,
            (Self::List(list), Self::Num(at)) => {
                let at = place(at, list.items().len());
                at.and_then(|at| list.items().get(at)).cloned()
            }
            (list @ Self::List(_), Self::List(part)) => {
                let found = list.indices(&Self::List(Rc::clone(part)))?;
                Some(found.into_iter().map(Self::from).collect())
            }
            (Self::Object(object), Self::Text(name)) => object.get(name).cloned(),
            (list @ (Self::List(_) | Self::Text(_)), Self::Object(range)) => {
                let range = range.get(b"start")..range.get(b"end");
                return jaq_core::ValT::range(list, range).map(Some);
            }
            (other, index) => return Err(Error::index(other, index.clone())),
        })
    }

    /// Where another one begins in it: in characters of a text, or items of a list.
    pub(super) fn indices(&self, part: &Self) -> Result<Vec<usize>, Error> {
        match (self, part) {
            (Self::Text(_), Self::Text(_)) => {
                let (Some(whole), Some(part)) = (self.chars(), part.chars()) else {
                    return Ok(Vec::new());
                };
                if part.is_empty() {
                    return Ok(Vec::new());
                }
                budget::spend_text(whole.len().saturating_mul(part.len()));
                let starts = whole.char_indices().enumerate();
                let found = starts.filter(|(_, (at, _))| {
                    let rest = whole.get(*at..).unwrap_or_default();
                    rest.starts_with(part)
                });
                Ok(found.map(|(place, _)| place).collect())
            }
            (Self::List(whole), Self::List(part)) => {
                let part = part.items();
                if part.is_empty() {
                    return Ok(Vec::new());
                }
                budget::spend(whole.items().len());
                let windows = whole.items().windows(part.len()).enumerate();
                Ok(windows
                    .filter(|(_, window)| *window == part)
                    .map(|(at, _)| at)
                    .collect())
            }
            (Self::List(whole), part) => {
                budget::spend(whole.items().len());
                let items = whole.items().iter().enumerate();
                Ok(items
                    .filter(|(_, item)| *item == part)
                    .map(|(at, _)| at)
                    .collect())
            }
            (whole, part) => Err(Error::index(whole.clone(), part.clone())),
        }
    }
}

/// An index from the beginning, or from the end where it is below zero; nothing where it is outside.
fn place(at: &Num, length: usize) -> Option<usize> {
    let at = match at {
        Num::Float(_) | Num::Dec(_) => float(at).floor() as isize,
        whole => whole.as_isize()?,
    };
    let from = if at < 0 { length } else { 0 };
    from.checked_add_signed(at).filter(|at| *at < length)
}

/// The part of so many that a range means.
fn bounds(range: Range<&Value>, length: usize) -> Result<(usize, usize), Error> {
    let end = |end: Option<&Value>, default: usize| match end {
        None | Some(Value::Null) => Ok(default),
        Some(Value::Num(number)) => {
            let at = float(number).floor();
            let at = if at < 0.0 { at + length as f64 } else { at };
            Ok((at.max(0.0) as usize).min(length))
        }
        Some(other) => Err(Error::typ(other.clone(), "integer")),
    };
    let from = end(range.start, 0)?;
    Ok((from, end(range.end, length)?.max(from)))
}

impl jaq_std::ValT for Value {
    fn into_seq<S: FromIterator<Self>>(self) -> Result<S, Self> {
        match self {
            Self::List(list) => Ok(List::into_items(list).into_iter().collect()),
            other => Err(other),
        }
    }

    fn is_int(&self) -> bool {
        matches!(self, Self::Num(Num::Int(_) | Num::BigInt(_)))
    }

    fn as_isize(&self) -> Option<isize> {
        match self {
            Self::Num(number) => number.as_isize(),
            _ => None,
        }
    }

    fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Num(number) => Some(float(number)),
            _ => None,
        }
    }

    fn is_utf8_str(&self) -> bool {
        matches!(self, Self::Text(_))
    }

    fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Text(text) => {
                budget::spend_text(text.len());
                Some(text)
            }
            _ => None,
        }
    }

    fn as_sub_str(&self, part: &[u8]) -> Self {
        match self {
            Self::Text(text) => Self::Text(Box::new(text.slice_ref(part))),
            _ => Self::Null,
        }
    }

    fn from_utf8_bytes(bytes: impl AsRef<[u8]> + Send + 'static) -> Self {
        let text = String::from_utf8_lossy(bytes.as_ref()).into_owned();
        Self::text(text)
    }
}
