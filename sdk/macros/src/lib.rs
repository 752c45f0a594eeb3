//! The derive macro behind `rowhouse_sdk::Row`.
//!
//! It turns a struct with named fields into a typed row: each field is read from the column of the same
//! name, or of the name given by `#[row(rename = "…")]`. It refuses enums, unions, tuple structs and
//! generic structs, each with a message at the offending place. Invariant: the generated code names
//! nothing but `::rowhouse_sdk`, so it works whatever the caller has in scope. Called by guest crates,
//! through the re-export in `rowhouse-sdk`.

use proc_macro::TokenStream;
use quote::quote;
use syn::{Data, DeriveInput, Field, Fields, LitStr, parse_macro_input};

/// Derives `rowhouse_sdk::sql::Row` for a struct with named fields.
///
/// Columns are found by name, so their order in the statement is free. A column that no field names is
/// ignored; a field without a column is an error when the statement has run.
#[proc_macro_derive(Row, attributes(row))]
pub fn derive_row(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    expand(&input).unwrap_or_else(|error| error.to_compile_error()).into()
}

fn expand(input: &DeriveInput) -> syn::Result<proc_macro2::TokenStream> {
    let Data::Struct(data) = &input.data else {
        return Err(syn::Error::new_spanned(&input.ident, "Row can be derived for structs only"));
    };
    let Fields::Named(fields) = &data.fields else {
        return Err(syn::Error::new_spanned(&input.ident, "Row needs named fields, one for each column"));
    };
    if !input.generics.params.is_empty() {
        return Err(syn::Error::new_spanned(&input.generics, "Row can't be derived for a generic struct"));
    }
    let name = &input.ident;
    let columns = fields.named.iter().map(column_of).collect::<syn::Result<Vec<_>>>()?;
    let members = fields.named.iter().map(|field| &field.ident);
    let places = 0..columns.len();
    Ok(quote! {
        impl ::rowhouse_sdk::sql::Row for #name {
            const COLUMNS: &'static [&'static str] = &[#(#columns),*];

            fn from_row(
                row: &::rowhouse_sdk::sql::RowView<'_>,
            ) -> ::core::result::Result<Self, ::rowhouse_sdk::sql::DecodeError> {
                ::core::result::Result::Ok(Self { #(#members: row.field(#places)?),* })
            }
        }
    })
}

fn column_of(field: &Field) -> syn::Result<String> {
    let mut column = field.ident.as_ref().map(ToString::to_string).unwrap_or_default();
    for attribute in field.attrs.iter().filter(|attribute| attribute.path().is_ident("row")) {
        attribute.parse_nested_meta(|meta| {
            if meta.path.is_ident("rename") {
                column = meta.value()?.parse::<LitStr>()?.value();
                Ok(())
            } else {
                Err(meta.error("unknown option: `rename = \"column\"` is the only one"))
            }
        })?;
    }
    Ok(column.trim_start_matches("r#").to_owned())
}
