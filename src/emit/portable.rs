//! Statements of a dump as every server takes them. A dump names the superuser of the scratch database, who is called otherwise
//! elsewhere, and lists privileges that only newer versions know; what the history itself names so stays as it is.

use crate::history::History;
use crate::proof::{Entry, EntryKind};
use crate::sql::edit::{find_word, name_end, replace};
use crate::sql::lex::{lex_code, token_at, words};
use crate::sql::names::{self, quote};
use crate::sql::parse::{NodeEnum, parse};
use pg_query::Node;
use pg_query::protobuf::{AlterDefaultPrivilegesStmt, GrantStmt, ObjectType, RoleSpec, VariableSetStmt};
use std::collections::HashSet;
use std::ops::Range;

/// All privileges on a table, in pg_dump's order, and the version since which there is each.
const ON_TABLES: [(&str, u32); 8] = [
    ("SELECT", 14),
    ("INSERT", 14),
    ("REFERENCES", 14),
    ("DELETE", 14),
    ("TRIGGER", 14),
    ("TRUNCATE", 14),
    ("MAINTAIN", 17),
    ("UPDATE", 14),
];

/// What a history says of the server itself, against what only a dump of the scratch database says.
#[derive(Debug)]
pub struct Portable {
    superuser: String,
    /// The words of the statements that name the superuser.
    naming: Vec<HashSet<String>>,
    /// The major version of the PostgreSQL that stated the dump.
    version: u32,
    /// The words of the statements that grant.
    granting: HashSet<String>,
    /// Whether the history leaves the names of statistics to PostgreSQL in a statement of its own.
    makes_nameless_statistics: bool,
    words: HashSet<String>,
}

/// A change of a statement's text: what stands in a range gives way.
type Edit = (Range<usize>, String);

impl Portable {
    /// Of a history that was replayed by this superuser, on this version of PostgreSQL (`17.5`).
    pub fn new(history: &History, superuser: &str, version: &str) -> Self {
        let name = superuser.to_lowercase();
        let of_each = (0..history.statements.len()).map(|id| words(history.text(id)));
        let mut portable = Portable {
            superuser: superuser.to_string(),
            naming: Vec::new(),
            version: version.split('.').next().and_then(|major| major.parse().ok()).unwrap_or(0),
            granting: HashSet::new(),
            makes_nameless_statistics: false,
            words: HashSet::new(),
        };
        for words in of_each {
            if words.contains("grant") {
                portable.granting.extend(words.iter().cloned());
            }
            portable.words.extend(words.iter().cloned());
            if words.contains(&name) {
                portable.naming.push(words);
            }
        }
        portable.makes_nameless_statistics =
            (0..history.statements.len()).any(|id| leaves_out_the_name(history.text(id)));
        portable
    }

    /// The statements of a dump's entry: no owner that is the superuser, and no settings.
    pub fn statements(&self, entry: &Entry) -> Vec<String> {
        let owner = format!("OWNER TO {}", quote(&self.superuser));
        let is_default_owner = |text: &str| text.starts_with("ALTER ") && text.trim_end().ends_with(&owner);
        let pieces = crate::sql::split::split(&entry.text);
        let texts = pieces.into_iter().map(|piece| entry.text[piece.body].to_string());
        let texts: Vec<String> =
            texts.filter(|text| !is_default_owner(text) && !text.starts_with("SET default_")).collect();
        use EntryKind as K;
        let names_roles = matches!(entry.kind, K::Acl | K::DefaultAcl | K::Policy | K::UserMapping | K::RoleMembership);
        if !names_roles {
            return texts;
        }
        let grantees: Vec<Option<String>> = texts.iter().map(|text| grantee(text)).collect();
        let lone = |at: usize| grantees.iter().filter(|one| **one == grantees[at]).count() == 1;
        texts.iter().enumerate().flat_map(|(at, text)| self.statement(text, lone(at))).collect()
    }

    /// Whether the history says a name, or whatever else is one word.
    pub fn is_in_the_history(&self, word: &str) -> bool {
        self.words.contains(&word.to_lowercase())
    }

    /// Whether the name of a statistics object is the one that this version of PostgreSQL chose.
    pub fn is_chosen_name(&self, entry: &Entry) -> bool {
        entry.kind == EntryKind::Statistics && !self.is_in_the_history(&entry.name)
    }

    /// Statistics without their name, where the history makes some without, and nothing else is said of them.
    pub fn without_name(&self, entry: &Entry) -> Option<String> {
        let statements = self.statements(entry);
        let [text] = statements.as_slice() else { return None };
        let tokens = lex_code(text);
        let name = find_word(text, &tokens, 0, "statistics")? + 1;
        let next = tokens.get(name_end(text, &tokens, name))?;
        let range = tokens.get(name)?.start..next.start;
        self.makes_nameless_statistics.then(|| replace(text, vec![(range, String::new())]))
    }

    /// A statement without what is the scratch server's own. `lone` says that its entry gives nothing else to the same role.
    fn statement(&self, text: &str, lone: bool) -> Vec<String> {
        let Ok(Some(node)) = parse(text) else { return vec![text.to_string()] };
        match &node {
            NodeEnum::CreatePolicyStmt(policy) => vec![replace(text, self.roles(text, &policy.roles, "policy"))],
            NodeEnum::CreateUserMappingStmt(mapping) => {
                vec![replace(text, self.role(text, mapping.user.as_ref(), "mapping"))]
            }
            NodeEnum::GrantRoleStmt(grant) => vec![replace(text, self.roles(text, &grant.grantee_roles, "grant"))],
            NodeEnum::GrantStmt(grant) => self.grant(text, grant, Vec::new(), lone),
            NodeEnum::AlterDefaultPrivilegesStmt(statement) => {
                let Some(action) = &statement.action else { return vec![text.to_string()] };
                self.grant(text, action, self.for_role(text, statement), lone)
            }
            NodeEnum::VariableSetStmt(set) if self.takes_the_session(set) => {
                vec!["SET SESSION AUTHORIZATION DEFAULT".to_string()]
            }
            _ => vec![text.to_string()],
        }
    }

    /// Whether the history itself names the superuser in a statement of the kind that this word stands for.
    fn is_said(&self, word: &str) -> bool {
        self.naming.iter().any(|words| words.contains(word))
    }

    fn roles(&self, text: &str, roles: &[Node], word: &str) -> Vec<Edit> {
        let specs = roles.iter().filter_map(|role| match &role.node {
            Some(NodeEnum::RoleSpec(spec)) => Some(spec),
            _ => None,
        });
        specs.flat_map(|spec| self.role(text, Some(spec), word)).collect()
    }

    /// The superuser is whoever runs the set.
    fn role(&self, text: &str, role: Option<&RoleSpec>, word: &str) -> Vec<Edit> {
        let own = role.filter(|role| role.rolename == self.superuser && !self.is_said(word));
        let place = own.and_then(|role| usize::try_from(role.location).ok()).filter(|at| *at < text.len());
        place.map(|at| (at..token_at(text, at).1, "CURRENT_USER".to_string())).into_iter().collect()
    }

    /// FOR ROLE of whoever runs the set says nothing.
    fn for_role(&self, text: &str, statement: &AlterDefaultPrivilegesStmt) -> Vec<Edit> {
        let of_roles = statement.options.iter().filter_map(|option| match &option.node {
            Some(NodeEnum::DefElem(option)) if option.defname == "roles" => option.arg.as_ref()?.node.as_ref(),
            _ => None,
        });
        let roles: Vec<String> = of_roles
            .flat_map(|list| match list {
                NodeEnum::List(list) => list.items.iter().map(names::role).collect(),
                _ => Vec::new(),
            })
            .collect();
        if roles != [self.superuser.as_str()] || self.is_said("default") {
            return Vec::new();
        }
        let tokens = lex_code(text);
        let Some(begin) = find_word(text, &tokens, 0, "for") else { return Vec::new() };
        // FOR, ROLE, the name; and the blank before what follows.
        let end = tokens.get(begin + 3).map_or(text.len(), |next| next.start);
        vec![(tokens[begin].start..end, String::new())]
    }

    fn takes_the_session(&self, set: &VariableSetStmt) -> bool {
        set.name == "session_authorization"
            && set.args.iter().any(|arg| names::string(arg).as_ref() == Some(&self.superuser))
    }

    /// A grant to whoever runs the set, and of privileges that older versions know.
    fn grant(&self, text: &str, grant: &GrantStmt, mut edits: Vec<Edit>, lone: bool) -> Vec<String> {
        edits.extend(self.roles(text, &grant.grantees, "grant"));
        let plain = || vec![replace(text, edits.clone())];
        let listed: Vec<String> = grant.privileges.iter().filter_map(privilege).collect();
        let on_tables = ObjectType::try_from(grant.objtype) == Ok(ObjectType::ObjectTable);
        // What no statement of the history grants by name came of ALL, which older and newer versions have otherwise.
        let is_of_all = listed.iter().any(|one| one != "ALL" && !self.granting.contains(&one.to_lowercase()));
        if !grant.is_grant || !on_tables || !is_of_all {
            return plain();
        }
        let known = ON_TABLES.into_iter().filter(|(_, since)| *since <= self.version).map(|(name, _)| name);
        let missing: Vec<&str> = known.filter(|one| !listed.iter().any(|name| name == one)).collect();
        if !missing.is_empty() && !lone {
            return plain();
        }
        let tokens = lex_code(text);
        let place = |from: usize, word: &str| find_word(text, &tokens, from, word);
        let Some(verb) = place(0, "grant") else { return plain() };
        let (Some(on), Some(to)) = (place(verb, "on"), tokens.iter().rposition(|token| token.is(text, "to"))) else {
            return plain();
        };
        let list = tokens[verb + 1].start..tokens[on - 1].end;
        let with = |list_of: &str, more: Vec<Edit>| {
            let all = edits.iter().cloned().chain([(list.clone(), list_of.to_string())]).chain(more);
            replace(text, all.collect())
        };
        let mut statements = vec![with("ALL", Vec::new())];
        if !missing.is_empty() {
            let mut back = vec![
                (tokens[verb].start..tokens[verb].end, "REVOKE".to_string()),
                (tokens[to].start..tokens[to].end, "FROM".to_string()),
            ];
            if let Some(option) = place(to, "with").filter(|_| grant.grant_option) {
                back.push((tokens[option - 1].end..text.len(), String::new()));
            }
            statements.push(with(&missing.join(", "), back));
        }
        statements
    }
}

/// The name of a privilege on whole objects.
fn privilege(node: &Node) -> Option<String> {
    match &node.node {
        Some(NodeEnum::AccessPriv(privilege)) if privilege.cols.is_empty() => Some(privilege.priv_name.to_uppercase()),
        _ => None,
    }
}

/// To whom a statement grants.
fn grantee(text: &str) -> Option<String> {
    let of = |grant: &GrantStmt| grant.is_grant.then(|| grant.grantees.iter().map(names::role).collect::<String>());
    match parse(text).ok()?? {
        NodeEnum::GrantStmt(grant) => of(&grant),
        NodeEnum::AlterDefaultPrivilegesStmt(statement) => of(statement.action.as_ref()?),
        _ => None,
    }
}

/// Whether a text has CREATE STATISTICS without a name somewhere, be it in code that is run later.
fn leaves_out_the_name(text: &str) -> bool {
    let text = text.to_lowercase();
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut words = text.split(|c| !is_part(c)).filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        if word == "create" && words.next_if_eq(&"statistics").is_some() {
            while words.next_if(|word| ["ndistinct", "dependencies", "mcv"].contains(word)).is_some() {}
            if words.peek() == Some(&"on") {
                return true;
            }
        }
    }
    false
}
