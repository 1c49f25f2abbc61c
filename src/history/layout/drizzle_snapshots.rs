//! The snapshots of the schema that drizzle-kit 1 keeps beside each migration, in its folder, as a chain.
//!
//! Each snapshot names the one before it (`prevIds`). Up to version 8 it holds the whole schema (`ddl`); in version 9 the first
//! one does (`"type": "base"`), and each later one holds what its migration changes (`"deltas"`). A chain that is cut doesn't
//! load (drizzle-kit's dialects/postgres/folder.ts and reconstruct.ts). Consolidated migrations get one snapshot in place of
//! theirs: it has the name of the last of these and follows what the first one followed, so what comes later still fits.

use super::write::Output;
use serde_json::{Value, json};

const SNAPSHOT: &str = "snapshot.json";

/// The snapshot of consolidated migrations, given by their paths, beside the last new one; none if theirs are no plain chain.
pub fn merged(consolidated: &[&str], last: &str, old: &dyn Fn(&str) -> Option<String>) -> Option<Output> {
    let beside = |path: &str| Some(format!("{}/{SNAPSHOT}", path.rsplit_once('/')?.0));
    let read = |path: &&str| serde_json::from_str::<Value>(&old(&beside(path)?)?).ok();
    // A migration of the author's own may have none.
    let snapshots: Vec<Value> = consolidated.iter().filter_map(read).collect();
    let is_chain = snapshots.windows(2).all(|pair| pair[1]["prevIds"] == json!([pair[0]["id"]]));
    let (first, end) = (snapshots.first()?, snapshots.last()?);
    if !is_chain || !end["id"].is_string() {
        return None;
    }
    let mut whole = end.clone();
    whole["prevIds"] = first["prevIds"].clone();
    if end["type"] == "diff" {
        whole["footprints"] = Value::Array(snapshots.iter().flat_map(|s| list(s, "footprints")).collect());
        if first["type"] == "diff" {
            whole["deltas"] = Value::Array(snapshots.iter().flat_map(|s| list(s, "deltas")).collect());
        } else {
            let mut rows = list(first, "ddl");
            let deltas = snapshots.iter().flat_map(|s| list(s, "deltas"));
            deltas.into_iter().try_for_each(|delta| change(&mut rows, &delta))?;
            let all = whole.as_object_mut()?;
            all.remove("deltas");
            all.insert("type".into(), "base".into());
            all.insert("ddl".into(), rows.into());
        }
    }
    Some((beside(last)?, format!("{whole:#}")))
}

fn list(snapshot: &Value, name: &str) -> Vec<Value> {
    snapshot[name].as_array().cloned().unwrap_or_default()
}

/// Does to the rows of a schema what a delta says; none if it isn't understood.
fn change(rows: &mut Vec<Value>, delta: &Value) -> Option<()> {
    if delta["op"] == "create" {
        rows.push(delta["row"].clone());
        return Some(());
    }
    let (kind, key) = delta["key"].as_str()?.split_once('\0')?;
    let key: Vec<Value> = serde_json::from_str(key).ok()?;
    let fields: &[&str] = match key.len() {
        1 => &["name"],
        2 => &["schema", "name"],
        3 => &["schema", "table", "name"],
        5 => &["schema", "table", "grantor", "grantee", "type"],
        _ => return None,
    };
    let is_it =
        |row: &Value| row["entityType"] == kind && fields.iter().zip(&key).all(|(field, value)| row[field] == *value);
    let place = rows.iter().position(is_it)?;
    match delta["op"].as_str()? {
        "drop" => drop(rows.remove(place)),
        "alter" | "rename" => {
            let row = rows[place].as_object_mut()?;
            let set = delta["set"].as_object()?;
            set.iter().for_each(|(field, value)| drop(row.insert(field.clone(), value.clone())));
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "00000000-0000-0000-0000-000000000000";

    fn merge(snapshots: &[(&str, Value)], of: &[&str]) -> Option<Value> {
        let old = |path: &str| {
            let (_, value) = snapshots.iter().find(|(folder, _)| path == format!("{folder}/snapshot.json"))?;
            Some(value.to_string())
        };
        let paths: Vec<String> = of.iter().map(|folder| format!("{folder}/migration.sql")).collect();
        let paths: Vec<&str> = paths.iter().map(String::as_str).collect();
        let (path, text) = merged(&paths, "9_new/migration.sql", &old)?;
        assert_eq!(path, "9_new/snapshot.json");
        serde_json::from_str(&text).ok()
    }

    fn column(name: &str, is_needed: bool) -> Value {
        json!({ "schema": "public", "table": "a", "name": name, "notNull": is_needed, "entityType": "columns" })
    }

    fn chain() -> Vec<(&'static str, Value)> {
        let table = json!({ "schema": "public", "name": "a", "entityType": "tables" });
        let first = json!({ "type": "base", "version": "9", "id": "1", "prevIds": [ORIGIN], "footprints": ["f"], "ddl": [table, column("x", true)] });
        let alter = json!({ "op": "alter", "key": "columns\0[\"public\",\"a\",\"x\"]", "set": { "notNull": false } });
        let second = json!({ "type": "diff", "version": "9", "id": "2", "prevIds": ["1"], "footprints": [], "deltas": [{ "op": "create", "row": column("y", true) }, alter] });
        let third = json!({ "type": "diff", "version": "9", "id": "3", "prevIds": ["2"], "footprints": ["g"], "deltas": [{ "op": "drop", "key": "columns\0[\"public\",\"a\",\"y\"]" }] });
        vec![("1_a", first), ("2_b", second), ("3_c", third)]
    }

    #[test]
    fn what_changes_a_schema_is_put_into_it() {
        let whole = merge(&chain(), &["1_a", "2_b", "2_own", "3_c"]).unwrap();
        let table = json!({ "schema": "public", "name": "a", "entityType": "tables" });
        let wanted = json!({ "type": "base", "version": "9", "id": "3", "prevIds": [ORIGIN], "footprints": ["f", "g"], "ddl": [table, column("x", false)] });
        assert_eq!(whole, wanted);
    }

    #[test]
    fn a_part_follows_what_its_first_one_followed() {
        let part = merge(&chain(), &["2_b", "3_c"]).unwrap();
        assert_eq!((&part["id"], &part["prevIds"], &part["type"]), (&json!("3"), &json!(["1"]), &json!("diff")));
        assert_eq!(part["deltas"].as_array().unwrap().len(), 3);
        let full = |id: &str, before: &str| json!({ "version": "8", "id": id, "prevIds": [before], "ddl": [id] });
        let part = merge(&[("1_a", full("1", ORIGIN)), ("2_b", full("2", "1"))], &["1_a", "2_b"]).unwrap();
        assert_eq!(part, full("2", ORIGIN));
    }

    #[test]
    fn branches_and_what_is_not_understood_are_left() {
        let mut branched = chain();
        branched[2].1["prevIds"] = json!(["1"]);
        assert_eq!(merge(&branched, &["1_a", "2_b", "3_c"]), None);
        let mut odd = chain();
        odd[2].1["deltas"][0]["op"] = json!("split");
        assert_eq!(merge(&odd, &["1_a", "2_b", "3_c"]), None);
    }
}
