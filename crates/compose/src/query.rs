//! Texts of GraphQL: what operations are in them, and which variables those have.

use apollo_parser::{Parser, cst};

/// Deepest nesting, and most tokens, of a text.
const MAX_DEPTH: usize = 128;
const MAX_TOKENS: usize = 20_000;

/// An operation of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Its name, if it has one.
    pub name: Option<String>,
    /// What it does.
    pub kind: OperationKind,
    /// Its variables.
    pub variables: Vec<Variable>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Reads.
    Query,
    /// Changes something.
    Mutation,
    /// Goes on.
    Subscription,
}

/// A variable of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name, without the dollar sign.
    pub name: String,
    /// Whether it must have a value: its type ends with `!`, and there is no default.
    pub required: bool,
}

/// Why a text is not one of GraphQL. Written for the operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryFault {
    /// What is wrong.
    pub message: String,
    /// Byte offset in the text.
    pub offset: usize,
}

/// The operations of a text (GraphQL §2.3).
///
/// # Errors
/// The first place where it is wrong, or that there is no operation.
pub fn operations(text: &str) -> Result<Vec<Operation>, QueryFault> {
    let parser = Parser::new(text);
    let tree = parser
        .recursion_limit(MAX_DEPTH)
        .token_limit(MAX_TOKENS)
        .parse();
    if let Some(error) = tree.errors().next() {
        return Err(QueryFault {
            message: told(error.message()),
            offset: error.index().min(text.len()),
        });
    }
    let mut found = Vec::new();
    for definition in tree.document().definitions() {
        match definition {
            cst::Definition::OperationDefinition(operation) => found.push(read(&operation)),
            cst::Definition::FragmentDefinition(_) => {}
            _ => {
                return Err(QueryFault {
                    message: "it defines types, and asks for nothing".to_owned(),
                    offset: 0,
                });
            }
        }
    }
    match found.is_empty() {
        false => Ok(found),
        true => Err(QueryFault {
            message: "there is no operation in it".to_owned(),
            offset: 0,
        }),
    }
}

/// What the parser says, with the tokens as they are written.
fn told(message: &str) -> String {
    let tokens = [
        ("R_CURLY", "`}`"),
        ("L_CURLY", "`{`"),
        ("R_PAREN", "`)`"),
        ("L_PAREN", "`(`"),
        ("R_BRACK", "`]`"),
        ("L_BRACK", "`[`"),
        ("COLON", "`:`"),
        ("EOF", "the end"),
    ];
    let tokens = tokens.iter();
    tokens.fold(message.to_owned(), |text, (token, shown)| {
        text.replace(token, shown)
    })
}

fn read(operation: &cst::OperationDefinition) -> Operation {
    let kind = operation.operation_type();
    let kind = kind.map_or(OperationKind::Query, |kind| {
        if kind.mutation_token().is_some() {
            OperationKind::Mutation
        } else if kind.subscription_token().is_some() {
            OperationKind::Subscription
        } else {
            OperationKind::Query
        }
    });
    let variables = operation.variable_definitions();
    let variables = variables
        .into_iter()
        .flat_map(|all| all.variable_definitions());
    let variables = variables.filter_map(|variable| {
        Some(Variable {
            name: variable.variable()?.name()?.text().to_string(),
            required: matches!(variable.ty()?, cst::Type::NonNullType(_))
                && variable.default_value().is_none(),
        })
    });
    Operation {
        name: operation.name().map(|name| name.text().to_string()),
        kind,
        variables: variables.collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn operations_have_names_and_variables() {
        let text = "query Home($id: ID!, $first: Int = 5, $tags: [String!]!, $all: Boolean! = true) { user(id: $id) { ...Part } }\n\
                    fragment Part on User { name }\n\
                    mutation Buy { buy { id } }";
        let found = operations(text).unwrap();
        let variable = |name: &str, required| Variable {
            name: name.to_owned(),
            required,
        };
        let variables = vec![
            variable("id", true),
            variable("first", false),
            variable("tags", true),
            variable("all", false),
        ];
        assert_eq!(
            found,
            [
                Operation {
                    name: Some("Home".to_owned()),
                    kind: OperationKind::Query,
                    variables,
                },
                Operation {
                    name: Some("Buy".to_owned()),
                    kind: OperationKind::Mutation,
                    variables: Vec::new(),
                },
            ]
        );
        let short = operations("{ me { name } }").unwrap();
        assert_eq!(
            (&short[0].name, short[0].kind),
            (&None, OperationKind::Query)
        );
        let news = operations("subscription { news }").unwrap();
        assert_eq!(news[0].kind, OperationKind::Subscription);
    }

    #[test]
    fn what_is_wrong_is_found_where_it_is() {
        for (text, offset) in [
            ("{ me { name }", 13),
            ("query ($id ID!) { a }", 11),
            ("{ user(id: ) { a } }", 11),
            ("", 0),
            ("fragment A on B { c }", 0),
            ("type A { b: Int }", 0),
        ] {
            let fault = operations(text).unwrap_err();
            assert_eq!(fault.offset, offset, "{text}: {}", fault.message);
        }
        let deep = format!("{}a{}", "{ a ".repeat(1_000), "}".repeat(1_000));
        assert!(operations(&deep).is_err());
        let long = format!("{{ {} }}", "a ".repeat(30_000));
        assert!(operations(&long).is_err());
    }
}
