//! The repository's own example: what its plan document asks for is found, the committed set is what emit writes, and the
//! proof sees when a statement of it is missing.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod cli_support;

use cli_support::{Project, Tree};
use serde_json::Value;
use std::collections::BTreeSet;

/// A finding that the plan document asks for: its rule, kind and object, where it was born, and where it died.
type Wanted = (&'static str, &'static str, &'static str, (&'static str, u64), Option<(&'static str, u64)>);

const SETUP: &str = "20250101000001_initial_setup.sql";
const CORE: &str = "20250101000002_core_tables.sql";
const EXECUTION: &str = "20250101000004_execution_system.sql";
const NOTIFY: &str = "20260119000001_add_execution_notify_trigger.sql";
const WEBHOOK: &str = "20260120000001_add_webhook_support.sql";
const ADVANCED: &str = "20260120000002_webhook_advanced_features.sql";
const CONFIG: &str = "20260127000001_consolidate_webhook_config.sql";
const TASKS: &str = "20260127212500_consolidate_workflow_task_execution.sql";
const OVERLOAD: &str = "20260129000001_fix_webhook_function_overload.sql";
const ADHOC: &str = "20260129140130_add_is_adhoc_flag.sql";
const EVENT_NOTIFY: &str = "20260129150000_add_event_notify_trigger.sql";
const EVENT_RULE: &str = "20260130000001_add_rule_to_event.sql";
const WORKER_ROLE: &str = "20260131000001_add_worker_role.sql";
const SENSORS: &str = "20260202000001_add_sensor_runtimes.sql";
const UNIFY: &str = "20260203000001_unify_runtimes.sql";
const ENVIRONMENTS: &str = "20260203000002_add_pack_environments.sql";
const NOTIFY_RULE: &str = "20260203000003_add_rule_trigger_to_execution_notify.sql";
const ENFORCEMENT_NOTIFY: &str = "20260204000001_add_enforcement_notify_trigger.sql";
const RESTORE: &str = "20260204000001_restore_webhook_functions.sql";

/// The twelve points of the document, each with the findings that it comes down to.
#[rustfmt::skip]
const POINTS: &[(&str, &[Wanted])] = &[
    ("1. runtime_type_enum", &[
        ("dead", "type", "public.runtime_type_enum", (SETUP, 42), Some((UNIFY, 35))),
        ("dead", "column", "public.runtime.runtime_type", (CORE, 75), Some((UNIFY, 31))),
        ("dead", "index", "public.idx_runtime_type", (CORE, 91), Some((UNIFY, 24))),
        ("dead", "index", "public.idx_runtime_pack_type", (CORE, 92), Some((UNIFY, 25))),
        ("dead", "index", "public.idx_runtime_type_created", (CORE, 93), Some((UNIFY, 26))),
        ("dead", "index", "public.idx_runtime_type_sensor", (CORE, 94), Some((UNIFY, 27))),
    ]),
    ("2. runtime constraints", &[
        ("dead", "constraint", "public.runtime.runtime_ref_format", (CORE, 84), Some((UNIFY, 16))),
    ]),
    ("3. webhook columns", &[
        ("folded", "column", "public.trigger.webhook_enabled", (WEBHOOK, 11), None),
        ("folded", "column", "public.trigger.webhook_key", (WEBHOOK, 12), None),
        ("dead", "column", "public.trigger.webhook_secret", (WEBHOOK, 13), Some((CONFIG, 49))),
        ("dead", "column", "public.trigger.webhook_hmac_enabled", (ADVANCED, 11), Some((CONFIG, 50))),
        ("dead", "column", "public.trigger.webhook_hmac_secret", (ADVANCED, 12), Some((CONFIG, 51))),
        ("dead", "column", "public.trigger.webhook_hmac_algorithm", (ADVANCED, 13), Some((CONFIG, 52))),
        ("dead", "column", "public.trigger.webhook_rate_limit_enabled", (ADVANCED, 14), Some((CONFIG, 53))),
        ("dead", "column", "public.trigger.webhook_rate_limit_requests", (ADVANCED, 15), Some((CONFIG, 54))),
        ("dead", "column", "public.trigger.webhook_rate_limit_window_seconds", (ADVANCED, 16), Some((CONFIG, 55))),
        ("dead", "column", "public.trigger.webhook_ip_whitelist_enabled", (ADVANCED, 17), Some((CONFIG, 56))),
        ("dead", "column", "public.trigger.webhook_ip_whitelist", (ADVANCED, 18), Some((CONFIG, 57))),
        ("dead", "column", "public.trigger.webhook_payload_size_limit_kb", (ADVANCED, 19), Some((CONFIG, 58))),
        ("dead", "index", "public.idx_trigger_webhook_enabled", (WEBHOOK, 19), Some((CONFIG, 40))),
        ("folded", "column", "public.trigger.webhook_config", (CONFIG, 10), None),
    ]),
    ("4. runtime rows", &[
        ("dead-rows", "rows", "public.runtime", (SENSORS, 10), Some((UNIFY, 43))),
        ("dead-rows", "rows", "public.runtime", (SENSORS, 22), Some((UNIFY, 43))),
        ("dead-rows", "rows", "public.runtime", (SENSORS, 35), Some((UNIFY, 43))),
        ("dead-rows", "rows", "public.runtime", (SENSORS, 46), Some((UNIFY, 43))),
    ]),
    ("5. workflow_task_execution", &[
        ("dead", "table", "public.workflow_task_execution", (EXECUTION, 329), Some((TASKS, 58))),
        ("folded", "column", "public.execution.workflow_task", (TASKS, 14), None),
    ]),
    ("6. workflow columns of execution", &[
        ("folded", "column", "public.execution.is_workflow", (EXECUTION, 381), None),
        ("folded", "column", "public.execution.workflow_def", (EXECUTION, 382), None),
    ]),
    ("7. is_adhoc", &[
        ("folded", "column", "public.action.is_adhoc", (ADHOC, 10), None),
        ("folded", "column", "public.sensor.is_adhoc", (ADHOC, 11), None),
        ("folded", "column", "public.rule.is_adhoc", (ADHOC, 12), None),
    ]),
    ("8. rule of an event", &[
        ("folded", "column", "public.event.rule", (EVENT_RULE, 11), None),
        ("folded", "column", "public.event.rule_ref", (EVENT_RULE, 12), None),
        ("folded", "constraint", "public.event.event_rule_fkey", (EVENT_RULE, 14), None),
    ]),
    ("9. role of a worker", &[
        ("folded", "column", "public.worker.worker_role", (WORKER_ROLE, 14), None),
        ("backfill", "statement", "UPDATE worker SET worker_role", (WORKER_ROLE, 17), None),
    ]),
    ("10. pack environments", &[
        ("folded", "column", "public.pack.installers", (ENVIRONMENTS, 20), None),
    ]),
    ("11. notify triggers", &[
        ("superseded", "function", "public.notify_execution_change()", (NOTIFY, 10), Some((NOTIFY_RULE, 10))),
        ("superseded", "function", "public.notify_event_created()", (EVENT_NOTIFY, 9), Some((EVENT_RULE, 36))),
    ]),
    ("12. webhook functions", &[
        ("dead", "function", "public.enable_trigger_webhook(bigint)", (WEBHOOK, 45), Some((OVERLOAD, 11))),
        ("superseded", "function", "public.disable_trigger_webhook(bigint)", (WEBHOOK, 58), Some((CONFIG, 94))),
        ("dead", "function", "public.disable_trigger_webhook(bigint)", (WEBHOOK, 58), Some((RESTORE, 13))),
        ("dead", "function", "public.regenerate_trigger_webhook_key(bigint)", (WEBHOOK, 67), Some((OVERLOAD, 15))),
        ("dead", "function", "public.configure_trigger_webhook_hmac(bigint, boolean, character varying)", (ADVANCED, 98), Some((OVERLOAD, 14))),
        ("dead", "function", "public.configure_trigger_webhook_rate_limit(bigint, integer, integer)", (ADVANCED, 114), Some((CONFIG, 76))),
        ("dead", "function", "public.configure_trigger_webhook_ip_whitelist(bigint, jsonb)", (ADVANCED, 127), Some((CONFIG, 77))),
        ("dead", "function", "public.enable_trigger_webhook(bigint, jsonb)", (CONFIG, 80), Some((RESTORE, 12))),
        ("dead", "function", "public.configure_trigger_webhook(bigint, jsonb)", (CONFIG, 103), Some((RESTORE, 17))),
    ]),
];

/// What the document wants in the new set and the history makes late, as it is: nothing to fold.
#[rustfmt::skip]
const KEPT: &[(&str, u64, &str)] = &[
    (WORKER_ROLE, 10, "CREATE TYPE worker_role_enum"),
    (ENVIRONMENTS, 10, "CREATE TYPE pack_environment_status_enum"),
    (ENVIRONMENTS, 28, "CREATE TABLE IF NOT EXISTS pack_environment"),
    (NOTIFY, 38, "CREATE TRIGGER execution_notify"),
    (EVENT_NOTIFY, 30, "CREATE TRIGGER event_notify"),
    (ENFORCEMENT_NOTIFY, 30, "CREATE TRIGGER enforcement_notify_insert"),
    (RESTORE, 24, "CREATE OR REPLACE FUNCTION enable_trigger_webhook"),
    (RESTORE, 46, "CREATE OR REPLACE FUNCTION disable_trigger_webhook"),
    (RESTORE, 58, "CREATE OR REPLACE FUNCTION regenerate_trigger_webhook_key"),
];

fn same(finding: &Value, wanted: &Wanted) -> bool {
    let (rule, kind, object, born, died) = wanted;
    let at = |value: &Value, place: &(&str, u64)| value["file"] == place.0 && value["line"] == place.1;
    let end = died.as_ref().map_or(finding["died"].is_null(), |place| at(&finding["died"], place));
    // A statement is named by its first words.
    let named = finding["object"]
        .as_str()
        .is_some_and(|o| if *kind == "statement" { o.starts_with(object) } else { o == *object });
    finding["rule"] == *rule && finding["kind"] == *kind && named && at(&finding["born"], born) && end
}

#[test]
fn the_twelve_points_of_the_plan_document_are_found_with_both_ends() {
    let project = Project::example();
    let plan = project.json("plan", 0);
    let findings = plan["findings"].as_array().expect("findings");
    let mut missing = Vec::new();
    for (point, wanted) in POINTS {
        for one in *wanted {
            if !findings.iter().any(|finding| same(finding, one)) {
                let near: Vec<_> = findings.iter().filter(|f| f["object"] == one.2).collect();
                missing.push(format!("{point}: {one:?}, but {near:#?}"));
            }
        }
    }
    assert_eq!(POINTS.len(), 12);
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

#[test]
fn the_lines_of_the_findings_speak_of_their_objects() {
    let project = Project::example();
    let mentions = |(file, line): (&str, u64), name: &str| {
        let text = project.read(&format!("migrations.old/{file}"));
        // A statement may begin with ALTER TABLE alone on its line.
        let lines = text.lines().skip(line as usize - 1).take(2).collect::<Vec<_>>().join("\n").to_lowercase();
        assert!(lines.contains(&name.to_lowercase()), "no {name} in {file}: {lines}");
    };
    for (rule, kind, object, born, died) in POINTS.iter().flat_map(|(_, wanted)| wanted.iter().copied()) {
        let name = object.split('(').next().and_then(|o| o.rsplit('.').next()).unwrap_or_default();
        let name = if rule == "backfill" { "UPDATE worker" } else { name };
        mentions(born, name);
        died.into_iter().for_each(|place| mentions(place, if kind == "rows" { "TRUNCATE" } else { name }));
    }
    for (file, line, words) in KEPT {
        mentions((file, *line), words);
    }
}

#[test]
fn late_objects_that_need_no_folding_are_kept() {
    let project = Project::example();
    for (file, line, words) in KEPT {
        let said = project.fine(&format!("plan --explain {file}:{line}")).out;
        assert!(said.contains(words) && said.contains("\nkept"), "{file}:{line}: {said}");
    }
}

#[test]
fn every_statement_has_one_fate_and_every_dead_object_one_line() {
    let project = Project::example();
    let plan = project.json("plan", 0);
    let fates = plan["fates"].as_object().expect("fates");
    let sum: u64 = fates.values().map(|count| count.as_u64().expect("a number")).sum();
    assert_eq!(plan["totals"]["statements"]["before"], sum);
    assert_eq!(fates["opaque"], 0, "everything in it is understood");
    let findings = plan["findings"].as_array().expect("findings");
    let lines: BTreeSet<String> = findings.iter().map(Value::to_string).collect();
    assert_eq!(lines.len(), findings.len(), "a finding is told twice");
    let text = project.fine("plan").out;
    assert!(text.lines().any(|line| line.trim_end().ends_with(&format!("= {sum}"))), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
}

#[test]
fn the_duplicate_version_and_the_password_are_warned_about() {
    let project = Project::example();
    let plan = project.json("plan", 0);
    let warnings = plan["warnings"].as_array().expect("warnings");
    let warned = |file: &str, line: u64, words: &[&str]| {
        warnings.iter().any(|w| {
            let message = w["message"].as_str().unwrap_or_default();
            w["at"]["file"] == file && w["at"]["line"] == line && words.iter().all(|word| message.contains(word))
        })
    };
    assert!(warned(RESTORE, 1, &["20260204000001", ENFORCEMENT_NOTIFY, RESTORE]), "{warnings:#?}");
    assert!(warned(SETUP, 24, &["password"]), "{warnings:#?}");
    assert_eq!(warnings.len(), 2, "{warnings:#?}");
    let line = project.read(&format!("migrations.old/{SETUP}"));
    let password = line.split("PASSWORD '").nth(1).and_then(|rest| rest.split('\'').next()).expect("a password");
    let text = project.fine("plan").out;
    assert!(!text.contains(password), "the warning shows the password");
}

#[test]
fn verify_says_identical() {
    let verdict = Project::example().json("verify", 0);
    assert_eq!(verdict["verdict"], "identical");
    assert_eq!(verdict["differences"].as_array().map(Vec::len), Some(0));
    assert_eq!(verdict["not_understood"].as_array().map(Vec::len), Some(0));
    assert!(verdict["compared"]["objects"].as_u64() > Some(500), "{verdict:#}");
}

/// Fails with the files that differ, and their first different line.
#[track_caller]
fn assert_same(wanted: &Tree, found: &Tree) {
    let names: BTreeSet<_> = wanted.keys().chain(found.keys()).collect();
    let mut differences = Vec::new();
    for name in names {
        let lines = |tree: &Tree| -> Vec<String> {
            let bytes = tree.get(name).cloned().flatten().unwrap_or_default();
            String::from_utf8_lossy(&bytes).lines().map(String::from).collect()
        };
        if wanted.get(name) != found.get(name) {
            let (one, other) = (lines(wanted), lines(found));
            let at = (0..).find(|i| one.get(*i) != other.get(*i)).unwrap_or_default();
            differences.push(format!("{}:{}: {:?} / {:?}", name.display(), at + 1, one.get(at), other.get(at)));
        }
    }
    assert!(differences.is_empty(), "differ:\n{}", differences.join("\n"));
}

#[test]
fn emit_into_an_empty_folder_gives_the_committed_set_and_again_nothing_changes() {
    let project = Project::example();
    std::fs::create_dir(project.path("fresh")).unwrap();
    project.fine("emit --new fresh");
    assert_same(&project.tree("migrations"), &project.tree("fresh"));
    let again = project.fine("emit --new fresh");
    assert!(again.out.contains("nothing changed"), "{}", again.out);
    assert_same(&project.tree("migrations"), &project.tree("fresh"));
}

/// A set without its manifest, which names the history that it was made of.
fn set(project: &Project, folder: &str) -> Tree {
    let mut tree = project.tree(folder);
    assert!(tree.remove(std::path::Path::new(".consolidate")).is_some(), "no manifest in {folder}");
    tree
}

#[test]
fn the_consolidated_set_consolidates_to_itself() {
    let project = Project::example();
    project.fine("emit --old migrations --new again");
    assert_same(&set(&project, "migrations"), &set(&project, "again"));
}

#[test]
fn the_consolidated_set_consolidates_to_itself_without_rules_too() {
    let project = Project::example();
    project.write("bare.toml", "");
    project.fine("emit --config bare.toml --old migrations --new again");
    assert_same(&set(&project, "migrations"), &set(&project, "again"));
}

#[test]
fn nothing_in_the_consolidated_set_is_dead() {
    let project = Project::example();
    let plan = project.json("plan --old migrations", 0);
    for fate in ["dead", "superseded", "backfill", "noop", "opaque"] {
        assert_eq!(plan["fates"][fate], 0, "{fate}: {:#}", plan["findings"]);
    }
    project.fine("plan --old migrations --check");
}

/// Statements to take out, and the objects in which the sets then differ.
type Damage = (&'static [&'static str], &'static [&'static str]);

/// Each is about objects of its own, so that one replay judges them all: every difference belongs to just one of them.
#[rustfmt::skip]
const SEEN: &[Damage] = &[
    (&["CREATE EXTENSION IF NOT EXISTS pgcrypto"], &["extension pgcrypto", "comment on extension pgcrypto", "extension version pgcrypto"]),
    (&["GRANT USAGE ON SCHEMA public"], &["privileges on schema public"]),
    (&["COMMENT ON SCHEMA public"], &["comment on schema public"]),
    (&["COMMENT ON TYPE worker_type_enum"], &["comment on type public.worker_type_enum"]),
    (&["COMMENT ON DOMAIN ref_name"], &["comment on domain public.ref_name"]),
    (&["ALTER DEFAULT PRIVILEGES IN SCHEMA public"], &["default privileges for sequences in schema public"]),
    (
        &["CREATE TYPE queue_depth AS", "COMMENT ON TYPE queue_depth", "CREATE FUNCTION queue_depth_for(",
            "GRANT EXECUTE ON FUNCTION queue_depth_for(", "COMMENT ON FUNCTION queue_depth_for("],
        &["type public.queue_depth", "comment on type public.queue_depth", "function public.queue_depth_for(text)",
            "privileges on function public.queue_depth_for(p_action_ref text)",
            "comment on function public.queue_depth_for(p_action_ref text)"],
    ),
    (
        &["CREATE OR REPLACE FUNCTION check_webhook_ip_allowed(", "COMMENT ON FUNCTION check_webhook_ip_allowed("],
        &["function public.check_webhook_ip_allowed(inet, jsonb)",
            "comment on function public.check_webhook_ip_allowed(p_ip inet, p_whitelist jsonb)"],
    ),
    (&["COMMENT ON FUNCTION expire_inquiries()"], &["comment on function public.expire_inquiries()"]),
    (&["GRANT EXECUTE ON FUNCTION expire_inquiries()"], &["privileges on function public.expire_inquiries()"]),
    (&["REVOKE EXECUTE ON FUNCTION generate_webhook_secret()"], &["privileges on function public.generate_webhook_secret()"]),
    (
        &["CREATE VIEW webhook_overview AS", "GRANT SELECT ON webhook_overview", "COMMENT ON VIEW webhook_overview", "    webhook_overview,"],
        &["view public.webhook_overview", "privileges on table public.webhook_overview", "comment on view public.webhook_overview"],
    ),
    (&["COMMENT ON VIEW webhook_activity"], &["comment on view public.webhook_activity"]),
    (
        &["CREATE MATERIALIZED VIEW pack_latest_test AS", "CREATE UNIQUE INDEX uq_pack_latest_test", "GRANT SELECT ON pack_latest_test",
            "COMMENT ON MATERIALIZED VIEW pack_latest_test", "    pack_latest_test,"],
        &["materialized view public.pack_latest_test", "index public.uq_pack_latest_test",
            "privileges on table public.pack_latest_test", "comment on materialized view public.pack_latest_test",
            "materialized view data public.pack_latest_test"],
    ),
    (&["CREATE INDEX idx_pack_created"], &["index public.idx_pack_created"]),
    (&["CREATE INDEX IF NOT EXISTS idx_pack_installed_by"], &["index public.idx_pack_installed_by"]),
    (&["CREATE UNIQUE INDEX uq_key_owner_name"], &["index public.uq_key_owner_name"]),
    (&["CREATE TRIGGER update_inquiry_updated"], &["trigger update_inquiry_updated on public.inquiry"]),
    (&["COMMENT ON TRIGGER event_notify"], &["comment on trigger event_notify on public.event"]),
    (&["CREATE POLICY key_service_access"], &["policy key_service_access on public.key"]),
    (&["COMMENT ON POLICY key_shared_read"], &["comment on policy key_shared_read on public.key"]),
    (&["COMMENT ON TABLE inquiry"], &["comment on table public.inquiry"]),
    (&["COMMENT ON COLUMN inquiry.prompt"], &["comment on column public.inquiry.prompt"]),
    (&["COMMENT ON INDEX idx_enforcement_open"], &["comment on index public.idx_enforcement_open"]),
    (&["GRANT SELECT, INSERT, UPDATE, DELETE ON worker"], &["privileges on table public.worker"]),
    (&["ALTER TABLE execution ADD CONSTRAINT execution_worker_fkey"], &["fk constraint execution_worker_fkey on public.execution"]),
    (&["ALTER TABLE key ENABLE ROW LEVEL SECURITY"], &["row security public.key"]),
    (
        &["INSERT INTO permission_assignment ("],
        &["rows of public.permission_assignment", "position of sequence public.permission_assignment_id_seq"],
    ),
    (&["UPDATE permission_set"], &["rows of public.permission_set"]),
    (&["SELECT setval('policy_id_seq'"], &["rows of public.policy", "position of sequence public.policy_id_seq"]),
];

/// Statements that others need: the set doesn't replay without them, and the statement that fails is named.
#[rustfmt::skip]
const NEEDED: &[(&str, &str, &str)] = &[
    ("DO $$", "GRANT USAGE ON SCHEMA public", "role \"svc_attune\" does not exist"),
    ("CREATE TYPE policy_method_enum", "COMMENT ON TYPE policy_method_enum", "type \"policy_method_enum\" does not exist"),
    ("CREATE DOMAIN ref_name", "COMMENT ON DOMAIN ref_name", "type \"ref_name\" does not exist"),
    ("CREATE TABLE queue_stats", "CREATE INDEX idx_queue_stats_waiting", "relation \"queue_stats\" does not exist"),
];

/// The example with statements taken out of its consolidated set. A text that begins with spaces is a line of a statement.
struct Damaged(Project);

impl Damaged {
    fn new() -> Damaged {
        Damaged(Project::example())
    }

    /// The file that holds a text, its content, and the byte where the text begins: just once in the set.
    fn find(&self, text: &str) -> (String, String, usize) {
        let mut found = Vec::new();
        for path in self.0.tree("migrations").into_keys().filter(|path| path.extension().is_some_and(|e| e == "sql")) {
            let file = format!("migrations/{}", path.display());
            let content = self.0.read(&file);
            for (at, _) in content.match_indices(text).filter(|(at, _)| *at == 0 || content[..*at].ends_with('\n')) {
                found.push((file.clone(), content.clone(), at));
            }
        }
        assert_eq!(found.len(), 1, "{text}: in {:?}", found.iter().map(|f| &f.0).collect::<Vec<_>>());
        found.remove(0)
    }

    fn cut(&self, text: &str) {
        let (file, content, start) = self.find(text);
        let mut end = start;
        let mut in_body = false;
        for line in content[start..].split_inclusive('\n') {
            end += line.len();
            in_body ^= line.matches("$$").count() % 2 == 1;
            let code = line.split(" --").next().unwrap_or(line).trim_end();
            if text.starts_with(' ') || (!in_body && code.ends_with(';')) {
                break;
            }
        }
        self.0.write(&file, format!("{}{}", &content[..start], &content[end..]));
    }

    /// File and line of a text.
    fn place(&self, text: &str) -> String {
        let (file, content, at) = self.find(text);
        format!("{file}:{}", content[..at].matches('\n').count() + 1)
    }
}

#[test]
fn a_missing_statement_of_every_kind_is_seen_and_its_object_named() {
    let damaged = Damaged::new();
    for text in SEEN.iter().flat_map(|(cuts, _)| *cuts) {
        damaged.cut(text);
    }
    let verdict = damaged.0.json("verify", 1);
    assert_eq!(verdict["verdict"], "different");
    let found: BTreeSet<&str> =
        verdict["differences"].as_array().unwrap().iter().map(|d| d["object"].as_str().unwrap()).collect();
    let mut unseen = Vec::new();
    for (cuts, objects) in SEEN {
        let missing: Vec<_> = objects.iter().filter(|object| !found.contains(**object)).collect();
        if !missing.is_empty() {
            unseen.push(format!("{cuts:?}: {missing:?}"));
        }
    }
    assert!(unseen.is_empty(), "not seen: {unseen:#?} in {found:#?}");
    // Nor does one damage show where nothing was damaged.
    let wanted: BTreeSet<&str> = SEEN.iter().flat_map(|(_, objects)| *objects).copied().collect();
    assert_eq!(found, wanted);
    let text = damaged.0.run("verify").out;
    assert!(
        wanted.iter().all(|object| text.replace("\n    ", " ").contains(object)),
        "the text names them too: {text}"
    );
}

#[test]
fn a_missing_statement_that_others_need_is_named_where_it_is_needed() {
    for (cut, next, message) in NEEDED {
        let damaged = Damaged::new();
        damaged.cut(cut);
        damaged.0.refused("verify", &[&format!("error: {}: {message}", damaged.place(next))]);
    }
}

#[test]
fn missing_things_deep_inside_are_named_where_they_are_needed() {
    // A function that a default calls, and one that triggers call: neither has a statement of its own right behind it.
    let damaged = Damaged::new();
    damaged.cut("CREATE EXTENSION IF NOT EXISTS \"uuid-ossp\"");
    let line = damaged.place("    instance        UUID NOT NULL DEFAULT uuid_generate_v4()");
    damaged.0.refused("verify", &[&format!("error: {line}: function uuid_generate_v4() does not exist")]);
    let damaged = Damaged::new();
    damaged.cut("CREATE OR REPLACE FUNCTION guard_execution_status(");
    let line = damaged.place("COMMENT ON FUNCTION guard_execution_status(");
    damaged.0.refused("verify", &[&format!("error: {line}: function guard_execution_status() does not exist")]);
}

/// What a statement is, by its first words: `CREATE INDEX`, `COMMENT ON TABLE`.
fn kind(statement: &str) -> String {
    let skip = ["OR", "REPLACE", "MATERIALIZED", "IF", "NOT", "EXISTS"];
    let words: Vec<&str> = statement.split_whitespace().filter(|word| !skip.contains(word)).collect();
    let kept = match words[0] {
        "COMMENT" => 3,
        "CREATE" | "ALTER" => 2 + usize::from(words[1] == "UNIQUE"),
        _ => 1,
    };
    words[..kept].join(" ")
}

#[test]
fn no_kind_of_statement_in_the_set_is_left_out_of_these_tests() {
    let project = Project::example();
    let damaged = SEEN.iter().flat_map(|(cuts, _)| cuts.iter().copied()).chain(NEEDED.iter().map(|needed| needed.0));
    let tried: BTreeSet<String> = damaged.filter(|text| !text.starts_with(' ')).map(kind).collect();
    let mut there = BTreeSet::new();
    for file in project.tree("migrations").into_keys().filter(|path| path.extension().is_some_and(|e| e == "sql")) {
        let text = project.read(&format!("migrations/{}", file.display()));
        for piece in consolidate::sql::split::split(&text) {
            there.insert(kind(&text[piece.body]));
        }
    }
    assert!(there.len() > 20, "{there:?}");
    assert!(there.is_subset(&tried), "not tried: {:?}", there.difference(&tried).collect::<Vec<_>>());
}
