use std::fmt;
use std::sync::Arc;

use regex_automata::Input;
use regex_automata::dfa::onepass;
use regex_automata::nfa::thompson::pikevm::PikeVM;
use regex_automata::nfa::thompson::{self, NFA};
use regex_automata::util::captures::Captures as Groups;
use regex_automata::util::primitives::PatternID;
use regex_syntax::hir::{Hir, Look};

use super::Regex;
use crate::PatternError;
use crate::params::{Span, Spans};

/// The most bytes of an engine that finds groups.
const CAPTURE_LIMIT: usize = 1 << 20;

/// Finds the named groups of an expression in a path that is already known to match.
pub(crate) struct Captures {
    engine: Engine,
    pub(crate) names: Vec<Arc<str>>,
    /// The group number of each name.
    groups: Vec<usize>,
}

/// Both are linear in the path; the first is several times faster and takes most expressions that routes have.
enum Engine {
    OnePass(Box<onepass::DFA>),
    Nfa(PikeVM),
}

impl Captures {
    /// `None` if the expression has no named group.
    ///
    /// # Errors
    ///
    /// [`PatternError`] if finding them would need too much memory.
    pub(crate) fn new(regex: &Regex) -> Result<Option<Self>, PatternError> {
        let whole = Hir::concat(vec![regex.hir.clone(), Hir::look(Look::End)]);
        let config = thompson::Config::new()
            .utf8(false)
            .nfa_size_limit(Some(CAPTURE_LIMIT));
        let too_big = || {
            PatternError::new(
                0,
                "the regular expression is too big to find its named groups",
            )
            .hint("use smaller repetitions, or groups without names")
        };
        let nfa: NFA = thompson::Compiler::new()
            .configure(config)
            .build_from_hir(&whole)
            .map_err(|_| too_big())?;
        let (groups, names): (Vec<usize>, Vec<Arc<str>>) = nfa
            .group_info()
            .pattern_names(PatternID::ZERO)
            .enumerate()
            .filter_map(|(i, name)| name.map(|name| (i, Arc::from(name))))
            .unzip();
        if names.is_empty() {
            return Ok(None);
        }
        let one_pass = onepass::Config::new().size_limit(Some(CAPTURE_LIMIT));
        let engine = match onepass::Builder::new()
            .configure(one_pass)
            .build_from_nfa(nfa.clone())
        {
            Ok(dfa) => Engine::OnePass(Box::new(dfa)),
            Err(_) => Engine::Nfa(PikeVM::new_from_nfa(nfa).map_err(|_| too_big())?),
        };
        Ok(Some(Self {
            engine,
            names,
            groups,
        }))
    }

    /// The ranges of the named groups. Allocates scratch space: only routes with such groups pay for it.
    pub(crate) fn find(&self, path: &str) -> Spans {
        let input = Input::new(path).anchored(regex_automata::Anchored::Yes);
        let found: Groups = match &self.engine {
            Engine::OnePass(dfa) => {
                let mut found = dfa.create_captures();
                dfa.captures(&mut dfa.create_cache(), input, &mut found);
                found
            }
            Engine::Nfa(vm) => {
                let mut found = vm.create_captures();
                vm.captures(&mut vm.create_cache(), input, &mut found);
                found
            }
        };
        self.groups
            .iter()
            .map(|group| {
                found
                    .get_group(*group)
                    .map_or(Span::UNSET, |s| Span::new(s.start, s.end))
            })
            .collect()
    }
}

impl fmt::Debug for Captures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Captures").field(&self.names).finish()
    }
}
