//! Larger expressions, run by the CEL library (<https://cel.dev>).
//!
//! At load the syntax tree is searched for the attributes it reads; per request only those are
//! handed to the interpreter, as nested maps.

use std::{cell::LazyCell, collections::HashMap, sync::Arc};

use cel::{
    Context, Env, IdedExpr, Value,
    common::ast::{EntryExpr, Expr as Ast, LiteralValue},
    objects::Key,
};

use super::{
    Attribute, ExprError, Leg, Scope,
    attribute::unknown,
    cost::{self, Cost},
};

/// A compiled CEL expression and the attributes it reads.
pub(super) struct Program {
    program: cel::Program,
    reads: Vec<Read>,
    cost: Cost,
}

/// One attribute and where CEL looks for it: `request`, `headers`, `x-tenant`.
struct Read {
    path: Vec<String>,
    what: What,
}

enum What {
    One(Attribute),
    /// `request.headers` as a whole, as in `"x" in request.headers`.
    AllRequestHeaders,
    /// `request.query` as a whole.
    AllQuery,
    /// `claims` as a whole.
    AllClaims,
}

const ROOTS: [&str; 12] = [
    "client", "request", "path", "route", "service", "trace", "response", "claims", "consumer",
    "auth", "legs", "item",
];

thread_local! {
    // Building the standard environment costs tens of microseconds; once per worker is enough.
    static ENV: LazyCell<Arc<Env>> = LazyCell::new(|| Arc::new(Env::stdlib()));
}

impl Program {
    pub(super) fn compile(source: &str) -> Result<Self, ExprError> {
        let program =
            cel::Program::compile(source).map_err(|errors| syntax_error(source, &errors))?;
        let mut reads = Vec::new();
        collect(program.expression(), &mut Vec::new(), &mut reads)?;
        let cost = Cost::of(program.expression());
        Ok(Self {
            program,
            reads,
            cost,
        })
    }

    pub(super) fn needs_response(&self) -> bool {
        self.reads
            .iter()
            .any(|read| matches!(&read.what, What::One(attribute) if attribute.needs_response()))
    }

    pub(super) fn path_params(&self) -> Vec<&str> {
        let params = self.reads.iter().filter_map(|read| match &read.what {
            What::One(Attribute::Param(name)) => Some(name.as_str()),
            _ => None,
        });
        params.collect()
    }

    pub(super) fn legs(&self) -> Vec<&Leg> {
        let legs = self.reads.iter().filter_map(|read| match &read.what {
            What::One(Attribute::Leg(leg)) => Some(&**leg),
            _ => None,
        });
        legs.collect()
    }

    pub(super) fn reads_item(&self) -> bool {
        let mut reads = self.reads.iter();
        reads.any(|read| matches!(read.what, What::One(Attribute::Item(_))))
    }

    pub(super) fn reads_body(&self) -> bool {
        let mut reads = self.reads.iter();
        reads.any(|read| matches!(read.what, What::One(Attribute::Sent(_))))
    }

    pub(super) fn is_optional(&self) -> bool {
        let mut reads = self.reads.iter();
        !self.reads.is_empty()
            && reads.all(|read| match &read.what {
                What::One(attribute) => attribute.is_optional(),
                What::AllRequestHeaders | What::AllQuery => true,
                What::AllClaims => false,
            })
    }

    pub(super) fn holds(&self, scope: Scope<'_>) -> bool {
        matches!(self.run(scope), Some(Value::Bool(true)))
    }

    pub(super) fn text(&self, scope: Scope<'_>) -> Option<String> {
        Some(match self.run(scope)? {
            Value::String(text) => text.as_str().to_owned(),
            Value::Int(number) => number.to_string(),
            Value::UInt(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
            _ => return None,
        })
    }

    pub(super) fn json(&self, scope: Scope<'_>) -> Option<serde_json::Value> {
        to_json(&self.run(scope)?)
    }

    fn run(&self, scope: Scope<'_>) -> Option<Value> {
        let mut roots: HashMap<&str, Tree> = HashMap::new();
        let mut size = 0;
        for read in &self.reads {
            let Some((root, rest)) = read.path.split_first() else {
                continue;
            };
            let tree = roots.entry(root).or_insert_with(Tree::empty);
            let value = read.what.value(scope);
            if self.cost.grows() {
                size += value.as_ref().map_or(0, cost::size);
            }
            match (rest, value) {
                ([], Some(value)) => *tree = Tree::Leaf(value),
                (rest, value) => tree.insert(rest, value),
            }
        }
        if !self.cost.bears(size) {
            return None;
        }
        let mut context = ENV.with(|env| Context::with_env(Arc::clone(env)));
        for (root, tree) in roots {
            context.add_variable_from_value(root, tree.into_value());
        }
        self.program.execute(&context).ok()
    }
}

impl What {
    fn value(&self, scope: Scope<'_>) -> Option<Value> {
        let pairs: HashMap<String, Value> = match self {
            Self::One(Attribute::ResponseStatus) => {
                return Some(Value::Int(i64::from(scope.response?.status.as_u16())));
            }
            Self::One(Attribute::Claim(path)) => {
                return scope.exchange.identity.as_ref()?.claim(path).map(from_json);
            }
            Self::One(Attribute::Item(path)) => {
                return scope.legs?.item(path).as_ref().map(from_json);
            }
            Self::One(Attribute::Sent(path)) => {
                return scope.legs?.sent(path).as_ref().map(from_json);
            }
            Self::One(Attribute::Leg(leg)) => {
                return leg.value(scope.legs?).as_ref().map(from_json);
            }
            Self::AllClaims => {
                let claims = &scope.exchange.identity.as_ref()?.claims;
                return Some(from_json(&serde_json::Value::Object(claims.clone())));
            }
            Self::One(attribute) => {
                return attribute
                    .text(scope)
                    .map(|text| Value::from(text.into_owned()));
            }
            Self::AllRequestHeaders => {
                let headers = scope.exchange.request.headers.iter();
                headers
                    .filter_map(|(name, value)| {
                        Some((
                            name.to_string(),
                            Value::from(value.to_str().ok()?.to_owned()),
                        ))
                    })
                    .collect()
            }
            Self::AllQuery => {
                let query = scope.exchange.request.uri.query().unwrap_or("");
                query
                    .split('&')
                    .filter_map(|pair| {
                        let name = pair.split('=').next().filter(|name| !name.is_empty())?;
                        let value = super::attribute::query_value(query, name)?;
                        Some((name.to_owned(), Value::from(value.into_owned())))
                    })
                    .collect()
            }
        };
        Some(Value::from(pairs))
    }
}

/// Nested maps under construction.
enum Tree {
    Leaf(Value),
    Branch(HashMap<String, Tree>),
}

impl Tree {
    fn empty() -> Self {
        Self::Branch(HashMap::new())
    }

    fn insert(&mut self, path: &[String], value: Option<Value>) {
        let Self::Branch(children) = self else { return };
        match (path.split_first(), value) {
            (Some((last, [])), Some(value)) => {
                children.insert(last.clone(), Self::Leaf(value));
            }
            (Some((next, rest)), value) if !rest.is_empty() => {
                children
                    .entry(next.clone())
                    .or_insert_with(Self::empty)
                    .insert(rest, value);
            }
            _ => {}
        }
    }

    fn into_value(self) -> Value {
        match self {
            Self::Leaf(value) => value,
            Self::Branch(children) => {
                let map: HashMap<String, Value> = children
                    .into_iter()
                    .map(|(name, tree)| (name, tree.into_value()))
                    .collect();
                Value::from(map)
            }
        }
    }
}

/// Walks the syntax tree; `bound` holds the variables of enclosing comprehensions.
fn collect(
    node: &IdedExpr,
    bound: &mut Vec<String>,
    reads: &mut Vec<Read>,
) -> Result<(), ExprError> {
    if let Some(path) = access_path(node) {
        let root = path.first().cloned().unwrap_or_default();
        if bound.contains(&root) || root.starts_with('@') {
            return Ok(());
        }
        let read = resolve(path, &root)?;
        if !reads.iter().any(|known| known.path == read.path) {
            reads.push(read);
        }
        return Ok(());
    }
    match &node.expr {
        Ast::Call(call) => {
            for child in call.target.iter().map(|target| &**target).chain(&call.args) {
                collect(child, bound, reads)?;
            }
        }
        Ast::List(list) => {
            for child in &list.elements {
                collect(child, bound, reads)?;
            }
        }
        Ast::Map(map) => {
            for entry in &map.entries {
                if let EntryExpr::MapEntry(entry) = &entry.expr {
                    collect(&entry.key, bound, reads)?;
                    collect(&entry.value, bound, reads)?;
                }
            }
        }
        Ast::Select(select) => collect(&select.operand, bound, reads)?,
        Ast::Comprehension(all) => {
            collect(&all.iter_range, bound, reads)?;
            let depth = bound.len();
            bound.extend([all.iter_var.clone(), all.accu_var.clone()]);
            bound.extend(all.iter_var2.clone());
            for child in [&all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                collect(child, bound, reads)?;
            }
            bound.truncate(depth);
        }
        Ast::Struct(_) => return Err(ExprError::new("messages can't be built here")),
        Ast::Ident(_) | Ast::Literal(_) | Ast::Unspecified => {}
    }
    Ok(())
}

/// `request.headers["x"]` as `[request, headers, x]`; `None` if the node is no such chain.
fn access_path(node: &IdedExpr) -> Option<Vec<String>> {
    match &node.expr {
        Ast::Ident(name) => Some(vec![name.clone()]),
        Ast::Select(select) => {
            let mut path = access_path(&select.operand)?;
            path.push(select.field.clone());
            Some(path)
        }
        Ast::Call(call) if call.func_name == cel::common::ast::operators::INDEX => {
            let [operand, key] = call.args.as_slice() else {
                return None;
            };
            let Ast::Literal(LiteralValue::String(key)) = &key.expr else {
                return None;
            };
            let mut path = access_path(operand)?;
            path.push(key.inner().to_owned());
            Some(path)
        }
        _ => None,
    }
}

fn resolve(path: Vec<String>, root: &str) -> Result<Read, ExprError> {
    if !ROOTS.contains(&root) {
        return Err(unknown(&path.join(".")));
    }
    let words: Vec<&str> = path.iter().map(String::as_str).collect();
    let what = match words.as_slice() {
        ["request", "headers"] => What::AllRequestHeaders,
        ["request", "query"] => What::AllQuery,
        ["claims"] => What::AllClaims,
        ["claims", names @ ..] => What::One(Attribute::Claim(
            names.iter().map(|name| (*name).to_owned()).collect(),
        )),
        ["legs", leg @ ..] => What::One(Attribute::Leg(Box::new(Leg::of(leg)?))),
        [first, second @ ("headers" | "query" | "cookies"), name] => {
            // CEL sees the name exactly as it is written; header names are looked up in any case.
            What::One(parse_plain(&format!("{first}.{second}[\"{name}\"]"))?)
        }
        words => What::One(parse_plain(&words.join("."))?),
    };
    Ok(Read { path, what })
}

fn parse_plain(source: &str) -> Result<Attribute, ExprError> {
    Attribute::parse(source).unwrap_or_else(|| Err(unknown(source)))
}

/// A claim as CEL sees it. Numbers without a fraction are integers, whatever their notation.
fn from_json(value: &serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(*value),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(number), _) => Value::Int(number),
            (None, Some(number)) => Value::UInt(number),
            (None, None) => number.as_f64().map_or(Value::Null, Value::Float),
        },
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Array(values) => {
            Value::from(values.iter().map(from_json).collect::<Vec<_>>())
        }
        serde_json::Value::Object(members) => {
            let members = members.iter();
            let map: HashMap<String, Value> = members
                .map(|(name, value)| (name.clone(), from_json(value)))
                .collect();
            Value::from(map)
        }
    }
}

/// `None` for what JSON does not know, wherever in the value it stands.
fn to_json(value: &Value) -> Option<serde_json::Value> {
    Some(match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::UInt(number) => (*number).into(),
        Value::Float(number) => serde_json::Number::from_f64(*number)?.into(),
        Value::String(text) => text.as_str().into(),
        Value::List(values) => values.iter().map(to_json).collect::<Option<_>>()?,
        Value::Map(members) => {
            let members = members.map.iter().map(|(key, value)| match key {
                Key::String(name) => Some((name.to_string(), to_json(value)?)),
                _ => None,
            });
            serde_json::Value::Object(members.collect::<Option<_>>()?)
        }
        _ => return None,
    })
}

fn syntax_error(source: &str, errors: &cel::ParseErrors) -> ExprError {
    let Some(first) = errors.errors.first() else {
        return ExprError::new(format!("`{source}` is not a CEL expression"));
    };
    let column = usize::try_from(first.pos.1).unwrap_or(1).saturating_sub(1);
    ExprError::new(format!("`{source}` is not a CEL expression: {}", first.msg))
        .with_hint("write an attribute such as `client.ip`, or a condition such as `request.method == \"GET\"`")
        .at(column.min(source.len()))
}
