//! jq filters, compiled once for all workers and run by jaq (<https://github.com/01mf02/jaq>), over
//! values of our own that are measured.

mod access;
mod budget;
mod fault;
mod functions;
mod math;
mod text;
mod value;

use jaq_core::{
    Ctx, DataT, Lut, Native, Vars,
    compile::Compiler,
    data::HasLut,
    load::{Arena, File, Loader},
    unwrap_valr,
};

use crate::body::FilterFault;

pub(crate) use text::{read, string};
pub(crate) use value::Value;

/// The variable that holds the status, the error and the body of each leg.
pub(crate) const LEGS: &str = "$legs";

/// The variable that holds the element that a leg is made for.
const ITEM: &str = "$item";

/// The variable that holds the body that the client sent.
pub(crate) const REQUEST: &str = "$request";

/// Words of filters that can go deeper than their text and their input do.
const DEEP: [&str; 11] = [
    "def",
    "reduce",
    "foreach",
    "recurse",
    "repeat",
    "while",
    "until",
    "getpath",
    "setpath",
    "delpaths",
    "combinations",
];

/// What the interpreter works on.
pub(crate) struct Data;

impl DataT for Data {
    type V<'a> = Value;
    type Data<'a> = Stepping<'a>;
}

/// The parts of a filter. The interpreter asks for them at each step it takes.
#[derive(Clone, Copy)]
pub(crate) struct Stepping<'a>(&'a Lut<Data>);

impl<'a> HasLut<'a, Data> for Stepping<'a> {
    fn lut(&self) -> &'a Lut<Data> {
        budget::step();
        self.0
    }
}

/// A compiled filter.
pub(crate) struct Jq {
    filter: jaq_core::Filter<Data>,
    deep: bool,
}

const _: () = {
    const fn shared_by_threads<T: Send + Sync>() {}
    shared_by_threads::<Jq>();
};

/// What a filter sees.
pub(crate) struct Input {
    pub(crate) input: Value,
    pub(crate) legs: Value,
    pub(crate) item: Value,
    pub(crate) request: Value,
}

impl Jq {
    /// Compiles a filter.
    pub(crate) fn compile(code: &str) -> Result<Self, FilterFault> {
        let arena = Arena::default();
        let modules = Loader::new(functions::definitions())
            .load(&arena, File { code, path: () })
            .map_err(|errors| fault::unreadable(code, &errors))?;
        let compiler = Compiler::<_, Native<Data>>::default()
            .with_funs(functions::native())
            .with_global_vars([LEGS, ITEM, REQUEST]);
        let filter = compiler.compile(modules);
        let filter = filter.map_err(|errors| fault::undefined(code, &errors))?;
        let is_word = |char: char| char.is_ascii_alphanumeric() || char == '_';
        let mut words = code.split(|char| !is_word(char));
        Ok(Self {
            filter,
            deep: words.any(|word| DEEP.contains(&word)),
        })
    }

    /// The one value that the filter makes of what it sees, as JSON text.
    ///
    /// # Errors
    /// It fails, makes none or several, or does not come to an end; in words for the operator.
    pub(crate) fn run(
        &self,
        input: impl FnOnce() -> Result<Input, String> + Send,
    ) -> Result<Vec<u8>, String> {
        budget::within(self.deep, || {
            let seen = input()?;
            let variables = Vars::new([seen.legs, seen.item, seen.request]);
            let context = Ctx::<Data>::new(Stepping(&self.filter.lut), variables);
            let mut all = self.filter.id.run((context, seen.input)).map(unwrap_valr);
            let first = all.next().ok_or("the filter makes no value")?;
            let first = first.map_err(|error| error.to_string())?;
            if all.next().is_some() {
                return Err("the filter makes several values".to_owned());
            }
            let mut out = Vec::new();
            text::write(&first, &mut out);
            Ok(out)
        })
    }
}
