//! The `#[config]` attribute: one stamp for every type that is read from the configuration.
//!
//! It expands to the serde and schemars derives with unknown keys denied, so that no config type
//! can forget one of them. Kept free of `syn`: the item is passed through untouched.

use proc_macro::{TokenStream, TokenTree};

/// Derives `Debug`, `Clone`, `serde::Deserialize` and `schemars::JsonSchema` for a config type.
///
/// Structs get `deny_unknown_fields`; enums get `rename_all = "snake_case"`. Write
/// `#[config(untagged)]` on an enum whose variants are told apart by shape.
#[proc_macro_attribute]
pub fn config(args: TokenStream, item: TokenStream) -> TokenStream {
    let is_enum = item
        .clone()
        .into_iter()
        .any(|token| matches!(&token, TokenTree::Ident(ident) if ident.to_string() == "enum"));
    let shape = match (is_enum, args.to_string().as_str()) {
        (true, "untagged") => "untagged, deny_unknown_fields",
        (true, _) => "rename_all = \"snake_case\", deny_unknown_fields",
        (false, _) => "deny_unknown_fields",
    };
    let stamp = format!(
        "#[derive(Debug, Clone, ::lintel_kernel::serde::Deserialize, ::lintel_kernel::schemars::JsonSchema)]
         #[serde(crate = \"::lintel_kernel::serde\", {shape})]
         #[schemars(crate = \"::lintel_kernel::schemars\")]"
    );
    let mut out: TokenStream = match stamp.parse() {
        Ok(tokens) => tokens,
        Err(error) => return compile_error(&error.to_string()),
    };
    out.extend(item);
    out
}

fn compile_error(message: &str) -> TokenStream {
    format!("compile_error!({message:?});")
        .parse()
        .unwrap_or_default()
}
