//! Command lines.

use std::fmt::Display;
use std::str::FromStr;

/// An option's value: a list separated by commas.
pub fn list<T: FromStr<Err: Display>>(parser: &mut lexopt::Parser) -> Result<Vec<T>, lexopt::Error> {
    use lexopt::prelude::*;

    let names = parser.value()?.string()?;
    names.split(',').map(|name| name.parse().map_err(|e: T::Err| e.to_string().into())).collect()
}
