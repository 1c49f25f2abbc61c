//! Extensions in the judge's databases: bundled ones, stand-ins, and ones that aren't there.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test ends where it can't go on, and says what it found"
)]

mod proof_support;

use consolidate::proof::{self, EntryKind, ReplayError, Settings, Silent, Snapshot, StandIn, VerdictKind};
use proof_support::{judge, set};

fn replay(texts: &[&str]) -> Snapshot {
    proof::replay("old", &set(texts), &Settings::default(), &Silent).unwrap_or_else(|error| panic!("{error}"))
}

/// The one row of table `t`.
fn row(snapshot: &Snapshot) -> Vec<String> {
    let table = snapshot.rows.iter().find(|table| table.table == "t").expect("there is a table t");
    table.rows[0].iter().map(|cell| cell.clone().unwrap_or_default()).collect()
}

#[test]
fn stand_ins_compute_the_same_where_they_say_so() {
    let snapshot = replay(&["CREATE SCHEMA x; CREATE EXTENSION pgcrypto WITH SCHEMA x; CREATE EXTENSION \"uuid-ossp\";
        CREATE TABLE t AS SELECT encode(x.digest('abc', 'sha1'), 'hex') a,
            encode(x.digest(repeat('abc', 50), 'sha1'), 'hex') b,
            encode(x.hmac('what do ya want for nothing?', 'Jefe', 'sha1'), 'hex') c,
            encode(x.hmac('what do ya want for nothing?', 'Jefe', 'sha256'), 'hex') d,
            encode(x.digest('abc', 'MD5'), 'hex') e,
            uuid_generate_v3(uuid_ns_dns(), 'www.example.com') f,
            uuid_generate_v5(uuid_ns_dns(), 'www.example.com') g,
            encode(x.hmac(repeat('x', 20), repeat('k', 200), 'sha512'), 'hex') = encode(x.hmac(repeat('x', 20)::bytea, sha512(repeat('k', 200)::bytea), 'sha512'), 'hex') h"]);
    assert_eq!(
        row(&snapshot),
        [
            "a9993e364706816aba3e25717850c26c9cd0d89d",
            // sha1sum of the same text
            "84006ce0c85d22dd020fe7052ef1a9bc3c381dde",
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            "900150983cd24fb0d6963f7d28e17f72",
            "5df41881-3aed-3515-88a7-2f4a814cf09e",
            "2ed6657d-e927-568b-95e1-2665a8aea6a2",
            "t",
        ]
    );
    assert!(snapshot.stand_ins.is_empty(), "{:?}", snapshot.stand_ins);
}

#[test]
fn every_function_of_the_stand_ins_runs() {
    let snapshot = replay(&["CREATE EXTENSION pgcrypto; CREATE EXTENSION \"uuid-ossp\";
        CREATE TABLE t AS SELECT crypt('a', crypt('a', 'ab')) = crypt('a', 'ab') c1,
            length(crypt('a', gen_salt('bf'))) c2, length(crypt('a', gen_salt('md5'))) c3,
            length(crypt('a', gen_salt('xdes'))) c4, length(gen_salt('bf', 8)) c5,
            convert_from(decrypt(encrypt('a', 'k', 'aes'), 'k', 'aes'), 'UTF8') c6,
            convert_from(decrypt_iv(encrypt_iv('a', 'k', 'i', 'aes'), 'k', 'i', 'aes'), 'UTF8') c7,
            pgp_sym_decrypt(pgp_sym_encrypt('a', 'k'), 'k') c8,
            pgp_sym_decrypt(pgp_sym_encrypt('a', 'k', 'o'), 'k', 'o') c9,
            pgp_pub_decrypt(pgp_pub_encrypt('a', 'k'::bytea), 'k'::bytea) c10,
            convert_from(dearmor(armor('abc')), 'UTF8') c11, length(gen_random_bytes(33)) c12,
            length(uuid_generate_v1()::text) c13, uuid_generate_v4() <> public.gen_random_uuid() c14,
            (SELECT value FROM pgp_armor_headers(armor('a', '{k}', '{v}'))) c15"]);
    let cells = row(&snapshot);
    assert_eq!(cells, ["t", "60", "34", "20", "29", "a", "a", "a", "a", "a", "abc", "33", "36", "t", "v"]);
    assert!(snapshot.stand_ins.iter().any(|call| call.function == "gen_salt"), "{:?}", snapshot.stand_ins);
}

#[test]
fn the_history_creates_an_extension_where_it_wants_and_drops_it() {
    let old = "CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; CREATE TABLE t (a x.citext); INSERT INTO t VALUES ('A');
        CREATE EXTENSION hstore; DROP EXTENSION hstore; CREATE EXTENSION pgcrypto SCHEMA public; ALTER EXTENSION pgcrypto SET SCHEMA x";
    let new = "CREATE SCHEMA x; CREATE EXTENSION citext SCHEMA x; CREATE EXTENSION pgcrypto SCHEMA x; CREATE TABLE t (a x.citext); INSERT INTO t VALUES ('A')";
    let verdict = judge(&[old], &[new]);
    assert_eq!(verdict.kind, VerdictKind::Identical, "{:#?}", verdict.comparison);
    let moved = new.replace("citext SCHEMA x", "citext").replace("x.citext", "citext");
    assert_eq!(judge(&[old], &[&moved]).kind, VerdictKind::Different);
}

#[test]
fn an_extension_that_is_not_there_is_named() {
    let error = proof::replay("old", &set(&["SELECT 1;\nCREATE EXTENSION postgis;"]), &Settings::default(), &Silent)
        .expect_err("fails");
    let (ReplayError::Unable(error) | ReplayError::Missing(error)) = error else { panic!("{error}") };
    assert_eq!(error.message, "the scratch database has no extension postgis");
    assert_eq!(error.at.map(|at| at.to_string()).as_deref(), Some("1.sql:2"));
    let own = StandIn {
        name: "postgis".into(),
        version: "3.4".into(),
        sql: "CREATE TYPE geometry AS (wkt text);".into(),
        ..StandIn::default()
    };
    let settings = Settings { stand_ins: vec![own], ..Settings::default() };
    let snapshot =
        proof::replay("old", &set(&["CREATE EXTENSION postgis; CREATE TABLE t (g geometry)"]), &settings, &Silent);
    let snapshot = snapshot.unwrap_or_else(|e| panic!("{e}"));
    let table = snapshot.entries.iter().find(|e| e.kind == EntryKind::Table).expect("the table");
    assert!(table.text.contains("g public.geometry"), "{}", table.text);
}

/// What stands in strings isn't called, unless it is SQL.
#[test]
fn a_stand_in_is_named_where_it_is_called() {
    let prose = "CREATE EXTENSION pgcrypto; CREATE TABLE t (a text); COMMENT ON TABLE t IS 'crypt(a)';
        INSERT INTO t VALUES ('Let''s Encrypt certificate'), ('encrypt (all)'), ('armor')";
    let verdict = judge(&[prose], &[prose]);
    assert_eq!((verdict.kind, verdict.stand_ins.len()), (VerdictKind::Identical, 0), "{:?}", verdict.stand_ins);
    let calls = "CREATE EXTENSION pgcrypto;\nCREATE TABLE t (a text);
        CREATE FUNCTION f(a text) RETURNS text LANGUAGE plpgsql AS $$\nBEGIN\n  RETURN crypt(a, 'x');\nEND $$;
        INSERT INTO t\nSELECT armor('a')";
    let called = judge(&[calls], &[calls]).stand_ins;
    let said: Vec<_> = called.iter().map(|call| (call.function.as_str(), call.places[0].to_string())).collect();
    assert_eq!(said, [("armor", "1.sql:8".to_string()), ("crypt", "1.sql:5".to_string())]);
}
