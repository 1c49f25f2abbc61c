//! Roles, privileges, owners, policies, comments, and the session.

use super::{Cx, OTHERS, ROLES, quote};

pub fn create_role(cx: &mut Cx) -> Option<String> {
    let options = cx.word(&["", "", " NOLOGIN", " LOGIN", " CREATEDB", " LOGIN PASSWORD 'secret'"]);
    Some(format!("CREATE ROLE {}{options}", cx.name(ROLES)))
}

pub fn change_role(cx: &mut Cx) -> Option<String> {
    let (role, other) = (cx.role()?, cx.role()?);
    Some(match cx.rng.u32(..7) {
        0 => format!("ALTER ROLE {role} RENAME TO {}", cx.name(ROLES)),
        1 => format!("ALTER ROLE {role} {}", cx.word(&["CREATEDB", "NOCREATEDB", "LOGIN", "NOLOGIN", "BYPASSRLS"])),
        2 => format!(
            "ALTER ROLE {role} SET {}",
            cx.word(&["work_mem = '8MB'", "search_path = public", "statement_timeout = 0"])
        ),
        3 => format!("GRANT {role} TO {other}"),
        4 => format!("REVOKE {role} FROM {other}"),
        5 => format!("DROP OWNED BY {role}"),
        _ => format!("DROP ROLE {}{role}", cx.maybe(40, "IF EXISTS ")),
    })
}

/// Privileges and what they are on.
fn privileges(cx: &mut Cx) -> Option<(String, String)> {
    let cat = cx.cat;
    Some(match cx.rng.u32(..12) {
        0..5 => {
            let (_, name) = cx.relation("rpvm")?;
            let what =
                cx.word(&["SELECT", "INSERT, UPDATE", "ALL", "ALL PRIVILEGES", "DELETE", "SELECT, INSERT", "TRUNCATE"]);
            (what.into(), format!("{}{name}", cx.maybe(20, "TABLE ")))
        }
        5 => {
            let (relation, name) = cx.relation("rpv")?;
            let (what, column) = (cx.word(&["SELECT", "UPDATE"]), quote(&cx.column(relation)?.name));
            (format!("{what} ({column})"), name)
        }
        6 => {
            let (_, name) = cx.relation("S")?;
            (cx.word(&["USAGE", "SELECT", "ALL"]).into(), format!("SEQUENCE {name}"))
        }
        7 => {
            let (routine, name) = cx.thing(&cat.routines)?;
            let word = if routine.kind == 'p' { "PROCEDURE" } else { "FUNCTION" };
            (cx.word(&["EXECUTE", "ALL"]).into(), format!("{word} {name}({})", routine.of))
        }
        8 => {
            let (_, name) = cx.thing(&cat.types)?;
            ("USAGE".into(), format!("TYPE {name}"))
        }
        9 => (cx.word(&["USAGE", "CREATE", "ALL"]).into(), format!("SCHEMA {}", quote(cx.pick(&cat.schemas)?))),
        _ => {
            let (what, on) =
                *cx.pick(&[("SELECT", "TABLES"), ("ALL", "TABLES"), ("USAGE", "SEQUENCES"), ("EXECUTE", "FUNCTIONS")])?;
            (what.into(), format!("ALL {on} IN SCHEMA {}", quote(cx.pick(&cat.schemas)?)))
        }
    })
}

pub fn grant(cx: &mut Cx) -> Option<String> {
    let ((what, on), to) = (privileges(cx)?, cx.grantee());
    let option = if to == "PUBLIC" { "" } else { cx.maybe(8, " WITH GRANT OPTION") };
    Some(format!("GRANT {what} ON {on} TO {to}{option}"))
}

pub fn revoke(cx: &mut Cx) -> Option<String> {
    let ((what, on), from) = (privileges(cx)?, cx.grantee());
    Some(format!("REVOKE {what} ON {on} FROM {from}{}", cx.maybe(10, " CASCADE")))
}

pub fn default_privileges(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let schema = match cx.pick(&cat.schemas) {
        Some(schema) if cx.chance(70) => format!(" IN SCHEMA {}", quote(schema)),
        _ => String::new(),
    };
    let role = if cx.chance(20) { cx.role().map(|r| format!(" FOR ROLE {r}")) } else { None };
    let (what, on) = *cx.pick(&[
        ("SELECT", "TABLES"),
        ("ALL", "TABLES"),
        ("USAGE", "SEQUENCES"),
        ("EXECUTE", "FUNCTIONS"),
        ("USAGE", "TYPES"),
    ])?;
    let to = cx.grantee();
    let (verb, word) = if cx.chance(75) { ("GRANT", "TO") } else { ("REVOKE", "FROM") };
    Some(format!("ALTER DEFAULT PRIVILEGES{}{schema} {verb} {what} ON {on} {word} {to}", role.unwrap_or_default()))
}

pub fn owner(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let to = cx.role()?;
    let of = match cx.rng.u32(..8) {
        0 => {
            let (routine, name) = cx.thing(&cat.routines)?;
            format!("{} {name}({})", if routine.kind == 'p' { "PROCEDURE" } else { "FUNCTION" }, routine.of)
        }
        1 => format!("TYPE {}", cx.thing(&cat.types)?.1),
        2 => format!("SCHEMA {}", quote(cx.pick(&cat.schemas)?)),
        3 => return Some(format!("REASSIGN OWNED BY {to} TO {}", cx.role()?)),
        _ => {
            let (relation, name) = cx.relation("rpvmS")?;
            let word = match relation.kind {
                'v' => "VIEW",
                'm' => "MATERIALIZED VIEW",
                'S' => "SEQUENCE",
                _ => "TABLE",
            };
            format!("{word} {name}")
        }
    };
    Some(format!("ALTER {of} OWNER TO {to}"))
}

pub fn create_policy(cx: &mut Cx) -> Option<String> {
    let (relation, table) = cx.relation("r")?;
    let column = cx.column(relation)?;
    let condition = cx.condition(&quote(&column.name), &column.kind);
    let to = if cx.chance(40) { format!(" TO {}", cx.grantee()) } else { String::new() };
    let how = match cx.rng.u32(..4) {
        0 => format!(" FOR SELECT{to} USING ({condition})"),
        1 => format!(" FOR INSERT{to} WITH CHECK ({condition})"),
        2 => format!(" AS RESTRICTIVE{to} USING (true)"),
        _ => format!("{to} USING ({condition}) WITH CHECK (true)"),
    };
    Some(format!("CREATE POLICY {} ON {table}{how}", cx.name(OTHERS)))
}

pub fn change_policy(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let policy = cx.pick(&cat.policies)?;
    let (name, table) = (quote(&policy.name), cx.table_of(policy));
    Some(match cx.rng.u32(..4) {
        0 => format!("ALTER POLICY {name} ON {table} RENAME TO {}", cx.name(OTHERS)),
        1 => format!("ALTER POLICY {name} ON {table} TO {}", cx.grantee()),
        _ => format!("DROP POLICY {}{name} ON {table}", cx.maybe(30, "IF EXISTS ")),
    })
}

pub fn comment(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let on = match cx.rng.u32(..12) {
        0..3 => {
            let (relation, name) = cx.relation("rpvmS")?;
            let word = match relation.kind {
                'v' => "VIEW",
                'm' => "MATERIALIZED VIEW",
                'S' => "SEQUENCE",
                _ => "TABLE",
            };
            format!("{word} {name}")
        }
        3..7 => {
            let (relation, name) = cx.relation("rpvm")?;
            format!("COLUMN {name}.{}", quote(&cx.column(relation)?.name))
        }
        7 => {
            let constraint = cx.pick(&cat.constraints)?;
            let table = cx.table_of(constraint);
            let domain = if constraint.kind == 'd' { "DOMAIN " } else { "" };
            format!("CONSTRAINT {} ON {domain}{table}", quote(&constraint.name))
        }
        8 => format!("INDEX {}", cx.thing(&cat.indexes)?.1),
        9 => {
            let (kind, name) = cx.thing(&cat.types)?;
            format!("{} {name}", if kind.kind == 'd' { "DOMAIN" } else { "TYPE" })
        }
        10 => {
            let (routine, name) = cx.thing(&cat.routines)?;
            format!("{} {name}({})", if routine.kind == 'p' { "PROCEDURE" } else { "FUNCTION" }, routine.of)
        }
        _ => {
            let trigger = cx.pick(&cat.triggers)?;
            let table = cx.table_of(trigger);
            format!("TRIGGER {} ON {table}", quote(&trigger.name))
        }
    };
    let words = cx.word(&["'what it is for'", "'it''s -- a; \"note\"'", "E'two\\nlines'", "NULL", "'other words'"]);
    Some(format!("COMMENT ON {on} IS {words}"))
}

pub fn session(cx: &mut Cx) -> Option<String> {
    let cat = cx.cat;
    let schema = quote(cx.pick(&cat.schemas)?);
    Some(match cx.rng.u32(..6) {
        0 | 1 => format!("SET search_path TO {schema}, public"),
        2 => "RESET search_path".into(),
        3 => format!("SET ROLE {}", cx.role()?),
        4 => "RESET ROLE".into(),
        _ => cx
            .word(&[
                "SET client_min_messages = warning",
                "SET statement_timeout = 0",
                "SELECT 1",
                "SET LOCAL lock_timeout = '5s'",
            ])
            .into(),
    })
}
