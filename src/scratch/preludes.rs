//! Preludes that come with the tool: SQL of ours that plays what a platform makes before a project's first migration.

/// What a platform gives a fresh database, as SQL.
#[derive(Debug)]
pub struct Prelude {
    /// What settings call it.
    pub name: &'static str,
    /// Its files in order: the name of each, and its SQL.
    pub files: &'static [(&'static str, &'static str)],
    /// What was otherwise before, if histories replay on databases of that time, too.
    pub before: Option<Before>,
    /// Those of its functions that don't do what the platform's do, with their schemas.
    pub substitutes: &'static [&'static str],
}

/// What a platform gave in former times.
#[derive(Debug)]
pub struct Before {
    /// What databases are so, in words.
    pub which: &'static str,
    /// The files that run after those of today.
    pub files: &'static [(&'static str, &'static str)],
}

impl Prelude {
    /// All files that are run: of today, or as it was before.
    pub fn files(&self, as_before: bool) -> impl Iterator<Item = &'static (&'static str, &'static str)> + Clone {
        let more = self.before.as_ref().filter(|_| as_before).map_or(&[][..], |before| before.files);
        self.files.iter().chain(more)
    }

    /// Whether it makes a role of that name.
    pub fn makes_role(&self, name: &str) -> bool {
        let lines = self.files.iter().flat_map(|(_, sql)| sql.lines());
        lines
            .filter_map(|line| line.strip_prefix("CREATE ROLE "))
            .any(|rest| rest.split([' ', ';']).next().is_some_and(|made| made == name))
    }
}

/// A fresh project of Supabase, as of 2026-05-30.
static SUPABASE: Prelude = Prelude {
    name: "supabase",
    files: &[
        ("roles.sql", include_str!("preludes/supabase/roles.sql")),
        ("schemas.sql", include_str!("preludes/supabase/schemas.sql")),
        ("auth.sql", include_str!("preludes/supabase/auth.sql")),
        ("sessions.sql", include_str!("preludes/supabase/sessions.sql")),
        ("storage.sql", include_str!("preludes/supabase/storage.sql")),
        ("services.sql", include_str!("preludes/supabase/services.sql")),
    ],
    before: Some(Before {
        which: "projects of Supabase from before 2026-05-30, where the API's roles may use what is made in public",
        files: &[("open.sql", include_str!("preludes/supabase/open.sql"))],
    }),
    substitutes: &[
        "graphql_public.graphql",
        "realtime.broadcast_changes",
        "realtime.send",
        "storage.can_insert_object",
        "storage.list_objects_with_delimiter",
        "storage.search",
        "storage.search_v2",
        "supabase_functions.http_request",
    ],
};

/// The names of all preludes.
pub const NAMES: &[&str] = &["supabase"];

/// The prelude of that name.
pub fn named(name: &str) -> Option<&'static Prelude> {
    [&SUPABASE].into_iter().find(|prelude| prelude.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_prelude() {
        assert!(SUPABASE.makes_role("anon") && !SUPABASE.makes_role("web"));
        assert!(NAMES.iter().all(|name| named(name).is_some_and(|prelude| prelude.name == *name)));
    }
}
