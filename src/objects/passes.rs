//! The commands of an ALTER TABLE: what each does, in words, and the order in which PostgreSQL takes them.

use pg_query::protobuf::{AlterTableCmd, AlterTableType as T};

/// PostgreSQL takes the commands of a statement in passes, and in the order of the author only within each
/// (`AlterTablePass` in PostgreSQL's tablecmds.c).
pub(crate) fn pass(command: &AlterTableCmd) -> u8 {
    match subtype(command) {
        T::AtDropColumn | T::AtDropConstraint | T::AtDropNotNull | T::AtDropIdentity | T::AtDropExpression => 0,
        T::AtColumnDefault if command.def.is_none() => 0,
        T::AtAlterColumnType => 1,
        T::AtAddColumn => 2,
        _ => 3,
    }
}

/// What a command does.
pub(crate) fn subtype(command: &AlterTableCmd) -> T {
    T::try_from(command.subtype).unwrap_or(T::Undefined)
}

/// A command in words: `set options`, `add inherit`.
pub(crate) fn words_of(subtype: T) -> String {
    let mut words = String::new();
    for c in format!("{subtype:?}").trim_start_matches("At").chars() {
        if c.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(c.to_lowercase());
    }
    words.replace("rel options", "options").replace("generic options", "options")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::parse::parse;
    use pg_query::NodeEnum;

    #[test]
    fn drops_come_first_and_types_before_columns() {
        let alter = "ALTER TABLE t ADD b int, ALTER c SET DEFAULT 1, ALTER c TYPE int, DROP b, ALTER d DROP DEFAULT";
        let Ok(Some(NodeEnum::AlterTableStmt(alter))) = parse(alter) else { panic!() };
        let commands = alter.cmds.iter().filter_map(|c| match &c.node {
            Some(NodeEnum::AlterTableCmd(command)) => Some(pass(command)),
            _ => None,
        });
        assert_eq!(commands.collect::<Vec<_>>(), [2, 3, 1, 0, 0]);
    }
}
