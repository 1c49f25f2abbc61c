//! The library's choices as values of arguments.

use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use consolidate::Named;
use consolidate::history::layout::{self, Layout};

/// A choice by its name; the help says what each is.
pub fn one_of<T: Named>() -> impl TypedValueParser<Value = T> {
    let value = |one: &T| PossibleValue::new(one.name()).help(one.about());
    PossibleValuesParser::new(T::ALL.iter().map(value)).try_map(|word| T::by_name(&word).ok_or("no such value"))
}

/// A layout by its name.
pub fn layout() -> impl TypedValueParser<Value = &'static dyn Layout> {
    let value = |layout: &&dyn Layout| PossibleValue::new(layout.name()).help(layout.about());
    PossibleValuesParser::new(layout::ALL.iter().map(value)).try_map(|word| layout::by_name(&word))
}
