//! The prelude that plays a fresh project of Supabase, and the stand-ins for the extensions that such projects create.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod proof_support;

use consolidate::proof::{self, ReplayFile, Settings, Silent, Snapshot, Verdict, VerdictKind};
use consolidate::scratch::{preludes, stand_ins};
use proof_support::set;

fn settings() -> Settings {
    Settings { platforms: vec![preludes::named("supabase").unwrap()], ..Settings::default() }
}

fn replay(files: &[ReplayFile]) -> Snapshot {
    proof::replay("old", files, &settings(), &Silent).unwrap_or_else(|error| panic!("{error}"))
}

fn judge(old: &str, new: &str) -> Verdict {
    proof::verify(&set(&[old]), &set(&[new]), &settings(), &Silent).unwrap_or_else(|(_, error)| panic!("{error}"))
}

/// The one row of table `t`.
fn row(snapshot: &Snapshot) -> Vec<String> {
    let table = snapshot.rows.iter().find(|table| table.table == "t").expect("there is a table t");
    table.rows[0].iter().map(|cell| cell.clone().unwrap_or_default()).collect()
}

#[test]
fn a_project_finds_what_the_platform_makes() {
    let old = "CREATE TABLE profiles (id uuid PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
            name text DEFAULT encode(digest('a', 'sha1'), 'hex'), key uuid DEFAULT uuid_generate_v4());
        ALTER TABLE profiles ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON profiles TO authenticated USING (auth.uid() = id AND auth.jwt() ->> 'aal' = 'aal2');
        CREATE POLICY files ON storage.objects FOR SELECT TO anon
            USING (bucket_id = 'avatars' AND (storage.foldername(name))[1] = auth.uid()::text
                AND auth.role() <> auth.email());
        CREATE FUNCTION add_profile() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = '' AS
            $$ BEGIN INSERT INTO public.profiles (id) VALUES (NEW.id); RETURN NEW; END $$;
        CREATE TRIGGER on_auth_user_created AFTER INSERT ON auth.users FOR EACH ROW EXECUTE FUNCTION add_profile();
        INSERT INTO storage.buckets (id, name, public) VALUES ('avatars', 'avatars', true);
        ALTER PUBLICATION supabase_realtime ADD TABLE profiles;
        CREATE TRIGGER hook AFTER INSERT ON profiles FOR EACH ROW
            EXECUTE FUNCTION supabase_functions.http_request('https://a.example', 'POST', '{}', '{}', '1000');
        CREATE POLICY hear ON realtime.messages FOR SELECT TO authenticated USING (realtime.topic() = 'a');
        CREATE TABLE t AS SELECT storage.foldername('a/b/c.tar.gz') a, storage.filename('a/b/c.tar.gz') b,
            storage.extension('a/b/c.tar.gz') c, storage.foldername('a') d, auth.uid() e,
            has_table_privilege('anon', 'public.profiles', 'INSERT') f, current_setting('search_path') g";
    let path = "\"$user\", public, extensions";
    // In former times the API's roles could use what was made in public.
    let before = Settings { as_before: true, ..settings() };
    let snapshot = proof::replay("old", &set(&[old]), &before, &Silent).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(row(&snapshot), ["{a,b}", "c.tar.gz", "gz", "{}", "", "t", path]);
    let snapshot = replay(&set(&[old]));
    assert_eq!(row(&snapshot), ["{a,b}", "c.tar.gz", "gz", "{}", "", "f", path]);
    let calls: Vec<_> = snapshot.stand_ins.iter().map(|call| call.function.as_str()).collect();
    assert_eq!(calls, ["supabase_functions.http_request"]);
    assert!(snapshot.unread.is_empty() && snapshot.not_compared.is_empty(), "{:?}", snapshot.not_compared);
}

#[test]
fn every_stand_in_can_be_created_and_reloaded() {
    let create: String = stand_ins::shipped()
        .iter()
        .filter(|s| {
            !["pgcrypto", "uuid-ossp", "pg_stat_statements", "supabase_vault", "pg_graphql"].contains(&s.name.as_str())
        })
        .map(|s| {
            let schema = s.schema.clone().unwrap_or_else(|| "extensions".into());
            format!("CREATE SCHEMA IF NOT EXISTS {schema}; CREATE EXTENSION IF NOT EXISTS \"{}\" WITH SCHEMA {schema} CASCADE;\n", s.name)
        })
        .collect();
    let snapshot = replay(&set(&[&create]));
    assert_eq!(snapshot.entries.iter().filter(|e| e.kind.as_str() == "EXTENSION").count(), stand_ins::shipped().len());
    // A difference makes the judge reload both dumps.
    let verdict = judge(&create, &format!("{create} CREATE TABLE t (a int CHECK (a IN (1, 2)))"));
    assert_eq!(verdict.kind, VerdictKind::Different);
    assert_eq!(verdict.comparison.differences.len(), 2, "{:#?}", verdict.comparison.differences);
}

#[test]
fn jobs_and_queues_are_compared() {
    let make = "CREATE EXTENSION pg_cron; CREATE EXTENSION pgmq;
        SELECT cron.schedule('nightly', '0 3 * * *', 'VACUUM'); SELECT cron.schedule('10 seconds', 'SELECT 1');
        SELECT cron.schedule('gone', '@daily', 'SELECT 1'); SELECT cron.unschedule('gone');
        SELECT cron.alter_job(1, active := false); SELECT pgmq.create('Mail');";
    let same = judge(make, make);
    assert_eq!(same.kind, VerdictKind::Identical, "{:#?}", same.comparison);
    assert!(
        same.comparison.not_compared.iter().all(|what| !what.contains("cron.job")),
        "{:?}",
        same.comparison.not_compared
    );
    let other = judge(make, &make.replace("0 3 * * *", "0 4 * * *").replace("'Mail'", "'post'"));
    let kinds: Vec<_> = other.comparison.differences.iter().map(|d| d.object.clone()).collect();
    assert!(
        kinds.iter().any(|o| o.contains("cron.job")) && kinds.iter().any(|o| o.contains("pgmq.q_mail")),
        "{kinds:?}"
    );
}

#[test]
fn queues_work() {
    let snapshot = replay(&set(&["CREATE EXTENSION pgmq; SELECT pgmq.create('q'); SELECT pgmq.create_unlogged('u');
        CREATE TABLE t AS SELECT pgmq.send('q', '{\"a\": 1}') a,
            (SELECT array_agg(s) FROM pgmq.send_batch('q', ARRAY['1', '2']::jsonb[]) s) b,
            pgmq.send('q', '3', 3600) c;
        ALTER TABLE t ADD d int, ADD e int, ADD f boolean, ADD g boolean,
            ADD h bigint, ADD i int, ADD j boolean, ADD k int;
        UPDATE t SET d = (SELECT count(*) FROM pgmq.read('q', 0, 10));
        UPDATE t SET e = (SELECT read_ct FROM pgmq.read('q', 30, 1));
        UPDATE t SET f = pgmq.archive('q', 1), g = pgmq.delete('q', 99);
        UPDATE t SET h = (SELECT msg_id FROM pgmq.pop('q'));
        UPDATE t SET i = (SELECT queue_length FROM pgmq.metrics('q')), j = pgmq.drop_queue('u'),
            k = (SELECT count(*) FROM pgmq.list_queues());
        SELECT pgmq.purge_queue('q')"]));
    assert_eq!(row(&snapshot), ["1", "{2,3}", "4", "3", "2", "t", "f", "2", "2", "t", "1"]);
}

#[test]
fn other_functions_of_the_stand_ins_run() {
    let snapshot = replay(&set(&["CREATE EXTENSION pg_net;
        CREATE EXTENSION http SCHEMA extensions; CREATE EXTENSION pgjwt SCHEMA extensions;
        CREATE EXTENSION moddatetime SCHEMA extensions;
        CREATE EXTENSION pgsodium; CREATE EXTENSION pg_jsonschema SCHEMA extensions;
        CREATE EXTENSION wrappers SCHEMA extensions;
        CREATE FOREIGN DATA WRAPPER stripe_wrapper HANDLER stripe_fdw_handler VALIDATOR stripe_fdw_validator;
        CREATE SERVER stripe FOREIGN DATA WRAPPER stripe_wrapper OPTIONS (api_key_id 'a');
        CREATE FOREIGN TABLE customers (id text, attrs jsonb) SERVER stripe OPTIONS (object 'customers');
        CREATE TABLE m (a int, updated_at timestamptz DEFAULT '2000-01-01');
        CREATE TRIGGER touch BEFORE UPDATE ON m FOR EACH ROW EXECUTE FUNCTION moddatetime(updated_at);
        INSERT INTO m VALUES (1); UPDATE m SET a = 2;
        SELECT vault.create_secret('geheim', 'name', 'what it is');
        CREATE TABLE t AS SELECT net.http_post('https://a.example', '{}'::jsonb, headers := '{}') a,
            (http_get('https://a.example')).status b,
            sign('{\"sub\": \"1\"}', 'secret') c, (SELECT valid FROM verify(sign('{}', 'k', 'HS512'), 'k', 'HS512')) d,
            (SELECT updated_at = now() FROM m) e, (SELECT decrypted_secret FROM vault.decrypted_secrets) f,
            urlencode('a b/ü') g, jsonb_matches_schema('{}', '{}') h, octet_length(pgsodium.randombytes_buf(20)) i,
            graphql_public.graphql(query => '{ a }') IS NOT NULL j"]));
    // The token is what `openssl dgst -sha256 -hmac secret` gives.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiAiMSJ9.";
    let mut cells = row(&snapshot);
    assert!(cells[2].starts_with(token), "{}", cells[2]);
    cells.remove(2);
    assert_eq!(cells, ["1", "200", "t", "t", "geheim", "a%20b%2F%C3%BC", "t", "20", "t"]);
    let calls: Vec<_> = snapshot.stand_ins.iter().map(|call| call.function.as_str()).collect();
    // A name alone could be of either.
    assert_eq!(calls, ["http_get", "http_post", "jsonb_matches_schema", "net.http_post", "graphql_public.graphql"]);
}
