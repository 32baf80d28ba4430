//! Legs of compositions that ask in GraphQL.

use lintel_compose::query::{Operation, OperationKind};

use super::compose::Place;
use crate::{
    diagnostic::{Diagnostic, code},
    model::{Leg, LegQuery},
    shape::nearest,
};

impl Place<'_> {
    /// What a leg asks in GraphQL.
    pub(super) fn question(&self, name: &str, leg: &Leg, found: &mut Vec<Diagnostic>) {
        let Some(query) = &leg.graphql else {
            return;
        };
        let path = ["legs", name, "graphql", "path"];
        found.extend(self.template(&path, &query.path));
        found.extend(self.target(&path, &query.path));
        if leg.body.is_some() {
            let keys = ["legs", name, "body"];
            found.push(
                self.error(code::CONFLICT, &keys, "the query is the body")
                    .at(
                        self.scope.loaded.locate_key(&self.path(&keys)),
                        "never read",
                    )
                    .help("put the values into `variables`, or ask with `post` and this body"),
            );
        }
        let text = self.path(&["legs", name, "graphql", "query"]);
        let hidden = self.scope.loaded.is_hidden(&text);
        match query.asked() {
            // What comes from outside is not told.
            Some(_) if hidden => {}
            Some(operation) => {
                found.extend(self.kind(name, &operation));
                self.variables(name, query, &operation, found);
            }
            None => found.push(self.unclear(name, query, hidden)),
        }
    }

    /// A subscription has no one answer.
    fn kind(&self, name: &str, operation: &Operation) -> Option<Diagnostic> {
        if operation.kind != OperationKind::Subscription {
            return None;
        }
        let keys = ["legs", name, "graphql", "query"];
        let told = self.error(
            code::INVALID_VALUE,
            &keys,
            "a subscription has no one answer",
        );
        Some(told.help("ask with a `query`, or with a `mutation`"))
    }

    fn unclear(&self, name: &str, query: &LegQuery, hidden: bool) -> Diagnostic {
        let mut all = query.query.operations();
        all.retain(|_| !hidden);
        let names: Vec<&str> = all.iter().filter_map(|one| one.name.as_deref()).collect();
        let at = ["legs", name, "graphql", "operation"];
        let (keys, message) = match &query.operation {
            Some(wanted) => {
                let wanted = self.scope.loaded.shown(&self.path(&at), wanted);
                (at, format!("the query has no operation {wanted}"))
            }
            None => (
                ["legs", name, "graphql", "query"],
                "the query has several operations".to_owned(),
            ),
        };
        let wanted = query.operation.as_deref().unwrap_or_default();
        let help = match (nearest(wanted, names.iter().copied()), names.as_slice()) {
            (Some(near), _) => format!("did you mean `{near}`?"),
            (None, []) => "name an operation of the query in `operation`".to_owned(),
            (None, [first, ..]) if query.operation.is_none() => {
                format!("say which one: `operation: {first}`")
            }
            (None, names) => format!("there is {}", crate::shape::list(names, "and")),
        };
        self.error(code::INVALID_VALUE, &keys, message).help(help)
    }

    fn variables(
        &self,
        name: &str,
        query: &LegQuery,
        operation: &Operation,
        found: &mut Vec<Diagnostic>,
    ) {
        let declared: Vec<&str> = operation
            .variables
            .iter()
            .map(|variable| variable.name.as_str())
            .collect();
        for given in query.variables.keys() {
            if declared.contains(&given.as_str()) {
                continue;
            }
            let keys = ["legs", name, "graphql", "variables", given];
            let place = self.scope.loaded.locate_key(&self.path(&keys));
            let message = format!("the query has no variable `${given}`");
            let help = match nearest(given, declared.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("declare it: `query(${given}: TYPE) {{ … }}`"),
            };
            found.push(
                self.error(code::INVALID_VALUE, &keys, message)
                    .at(place, "")
                    .help(help),
            );
        }
        for variable in operation
            .variables
            .iter()
            .filter(|variable| variable.required)
        {
            if query.variables.contains_key(&variable.name) {
                continue;
            }
            let keys = ["legs", name, "graphql"];
            let message = format!(
                "the variable `${}` of the query has no value",
                variable.name
            );
            let place = self.scope.loaded.locate_key(&self.path(&keys));
            found.push(
                self.error(code::MISSING_KEY, &keys, message)
                    .at(place, "")
                    .help(format!(
                        "add it: `variables: {{ {}: … }}`, or give it a default in the query",
                        variable.name
                    )),
            );
        }
    }
}
