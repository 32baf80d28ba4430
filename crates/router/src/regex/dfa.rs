use regex_automata::dfa::{Automaton, StartKind, dense};
use regex_automata::nfa::thompson::{self, NFA, WhichCaptures};
use regex_automata::util::primitives::{PatternID, StateID};
use regex_automata::util::start;
use regex_automata::{Anchored, MatchKind};
use regex_syntax::hir::Hir;

use super::{BUILD_LIMIT, DFA_LIMIT};

/// Why an automaton was not built.
pub(crate) enum CompileError {
    TooBig,
    Unsupported(String),
}

/// One automaton for one or more expressions.
pub(crate) struct Dfa {
    pub(super) table: dense::DFA<Vec<u32>>,
    pub(super) start: StateID,
}

impl Dfa {
    pub(crate) fn compile(expressions: &[&Hir]) -> Result<Self, CompileError> {
        let config = thompson::Config::new()
            .utf8(false)
            .which_captures(WhichCaptures::None)
            .nfa_size_limit(Some(BUILD_LIMIT));
        let nfa: NFA = thompson::Compiler::new()
            .configure(config)
            .build_many_from_hir(expressions)
            .map_err(|e| match e.size_limit() {
                Some(_) => CompileError::TooBig,
                None => CompileError::Unsupported(e.to_string()),
            })?;
        let config = dense::Config::new()
            .match_kind(MatchKind::All)
            .start_kind(StartKind::Anchored)
            .accelerate(false)
            .dfa_size_limit(Some(DFA_LIMIT))
            .determinize_size_limit(Some(BUILD_LIMIT));
        let table = dense::Builder::new()
            .configure(config)
            .build_from_nfa(&nfa)
            .map_err(|e| {
                if e.is_size_limit_exceeded() {
                    CompileError::TooBig
                } else {
                    CompileError::Unsupported(e.to_string())
                }
            })?;
        let start = table
            .start_state(&start::Config::new().anchored(Anchored::Yes))
            .map_err(|e| CompileError::Unsupported(e.to_string()))?;
        Ok(Self { table, start })
    }

    /// Whether the whole value matches.
    pub(crate) fn matches(&self, value: impl Iterator<Item = u8>) -> bool {
        self.end_state(value).is_some()
    }

    /// Calls `each` with the position of every expression that matches the whole value.
    pub(super) fn each_match(
        &self,
        value: impl Iterator<Item = u8>,
        mut each: impl FnMut(PatternID),
    ) {
        if let Some(state) = self.end_state(value) {
            for i in 0..self.table.match_len(state) {
                each(self.table.match_pattern(state, i));
            }
        }
    }

    /// The match state after the whole value. The start is anchored, so a match that ends here spans the value; and
    /// matches show one transition late, so those that end earlier are not in this state.
    fn end_state(&self, value: impl Iterator<Item = u8>) -> Option<StateID> {
        let mut state = self.start;
        for byte in value {
            state = self.table.next_state(state, byte);
            if self.table.is_special_state(state)
                && (self.table.is_dead_state(state) || self.table.is_quit_state(state))
            {
                return None;
            }
        }
        let end = self.table.next_eoi_state(state);
        self.table.is_match_state(end).then_some(end)
    }

    pub(crate) fn memory(&self) -> usize {
        self.table.memory_usage()
    }
}
