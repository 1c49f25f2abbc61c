use super::*;
use std::path::Path;

/// What a file above a folder says.
fn said(folder: &str, file: &str, text: &str) -> Vec<(Engine, Strength, usize)> {
    let contents = Contents::in_memory(Path::new(folder), std::iter::empty()).below(&[(file, text)]);
    let line = |sign: Sign| (sign.engine, sign.strength, sign.at.map_or(0, |at| at.line));
    signs(&contents, None).into_iter().map(line).collect()
}

fn engines(file: &str, text: &str) -> Vec<Engine> {
    said("migrations", file, text).into_iter().map(|(engine, ..)| engine).collect()
}

#[test]
fn crates_and_their_features_say_engines() {
    use Engine::{Mysql, Postgres, Sqlite};
    let cargo = |text: &str| engines("Cargo.toml", text);
    assert_eq!(
        cargo("[dependencies]\nsqlx = { version = \"0.8\", features = [\"runtime-tokio\", \"sqlite\"] }\n"),
        [Sqlite]
    );
    assert_eq!(
        cargo("[dependencies.sqlx]\nversion = \"0.8\"\nfeatures = [\n  \"postgres\",\n  \"mysql\"\n]\n"),
        [Postgres, Mysql]
    );
    assert_eq!(cargo("[workspace.dependencies]\nsqlx = { version = \"0.8\", features = [\"sqlite\"] }\n"), [Sqlite]);
    assert_eq!(cargo("[dependencies]\nsea-orm = { version = \"1\", features = [\"sqlx-sqlite\"] }\n"), [Sqlite]);
    assert_eq!(
        cargo("[dependencies]\nrefinery = { version = \"0.8\", features = [\"rusqlite-bundled\"] }\n"),
        [Sqlite]
    );
    assert_eq!(cargo("[dependencies]\nrusqlite = \"0.3\"\ntokio-postgres = \"0.7\"\n"), [Sqlite, Postgres]);
    // As vaultwarden's, which runs on three.
    let three = "[features]\nmysql = [\"diesel/mysql\"]\npostgresql = [\"diesel/postgres\"]\nsqlite = [\"diesel/sqlite\", \"dep:libsqlite3-sys\"]\n\
                 [dependencies]\ndiesel = { version = \"2\", features = [\"r2d2\"] }\n";
    assert_eq!(cargo(three), [Mysql, Postgres, Sqlite]);
    assert_eq!(cargo("[dependencies]\nsqlx = \"0.8\"\nserde = { version = \"1\", features = [\"sqlite\"] }\n"), []);
    assert_eq!(
        said("m", "Cargo.toml", "[dependencies]\ndiesel = { version = \"2\", features = [\"sqlite\"] }\n")[0].2,
        2
    );
}

#[test]
fn prisma_and_drizzle_say_theirs() {
    let prisma = "generator client {\n  provider = \"prisma-client-js\"\n}\n\ndatasource db {\n  provider = \"sqlite\"\n  url = \"file:a\"\n}\n";
    assert_eq!(said("migrations", "schema.prisma", prisma), [(Engine::Sqlite, Strength::Sure, 6)]);
    let drizzle = |out: &str| {
        format!("export default defineConfig({{\n  {out}\n  dialect: \"sqlite\",\n  // dialect: \"mysql\"\n}});\n")
    };
    assert_eq!(said("drizzle", "drizzle.config.ts", &drizzle("")), [(Engine::Sqlite, Strength::Sure, 3)]);
    assert_eq!(said("migrations", "drizzle.config.ts", &drizzle("out: './src/migrations',")), []);
    assert_eq!(said("migrations", "drizzle.config.ts", &drizzle("out: './migrations',")).len(), 1);
    assert_eq!(
        engines("drizzle.config.ts", "export default { out: 'migrations', driver: 'better-sqlite' }"),
        [Engine::Sqlite]
    );
}

#[test]
fn the_folders_own_files_are_the_surest() {
    let own = |files: &[(&str, &str)]| {
        signs(&Contents::of(files), None).into_iter().map(|s| (s.engine, s.strength)).collect::<Vec<_>>()
    };
    let lock = ("migration_lock.toml", "# do not edit\nprovider = \"mysql\"\n");
    assert_eq!(own(&[("1_a/migration.sql", ""), lock]), [(Engine::Mysql, Strength::Own)]);
    assert_eq!(own(&[("meta/_journal.json", "{\n \"dialect\": \"sqlite\"\n}")]), [(Engine::Sqlite, Strength::Own)]);
    assert_eq!(own(&[("1_a/snapshot.json", "{\"dialect\": \"postgres\"}")]), [(Engine::Postgres, Strength::Own)]);
}

#[test]
fn d1_is_sqlite_where_its_migrations_lie() {
    let toml = "name = \"a\"\n\n[[d1_databases]]\nbinding = \"DB\"\n";
    assert_eq!(said("migrations", "wrangler.toml", toml), [(Engine::Sqlite, Strength::Sure, 3)]);
    assert_eq!(said("sql", "wrangler.toml", toml), []);
    let json =
        "{\n  // the database\n  \"d1_databases\": [{ \"binding\": \"DB\", \"migrations_dir\": \"./sql/\", },],\n}\n";
    assert_eq!(said("sql", "wrangler.jsonc", json), [(Engine::Sqlite, Strength::Sure, 3)]);
    assert_eq!(said("migrations", "wrangler.jsonc", json), []);
}

#[test]
fn addresses_say_no_more_than_the_engine() {
    assert_eq!(
        engines("flyway.conf", "# flyway.url=jdbc:mysql://a\nflyway.url=jdbc:postgresql://h/d\n"),
        [Engine::Postgres]
    );
    assert_eq!(
        engines("application.properties", "spring.datasource.url=jdbc:mariadb://h/d\nx=https://h\n"),
        [Engine::Mysql]
    );
    assert_eq!(engines("application.yml", "url: jdbc:h2:mem:a;MODE=PostgreSQL\n"), []);
    assert_eq!(engines("atlas.hcl", "dev = \"docker://mysql/8/dev\"\n"), [Engine::Mysql]);
    assert_eq!(
        said("versions", "alembic.ini", "sqlalchemy.url = sqlite:///a.db\n"),
        [(Engine::Sqlite, Strength::Weak, 1)]
    );
    assert_eq!(engines("alembic.ini", "sqlalchemy.url = driver://user:pass@localhost/dbname\n"), []);
}

#[test]
fn other_tools_say_theirs() {
    let of = |file: &str, text: &str| said("migrations", file, text);
    assert_eq!(of("sqlc.yaml", "sql:\n  - engine: \"sqlite\"\n"), [(Engine::Sqlite, Strength::Sure, 2)]);
    assert_eq!(
        engines("dbconfig.yml", "development:\n  dialect: sqlite3\nproduction:\n  dialect: postgres\n").len(),
        2
    );
    assert_eq!(engines("knexfile.js", "module.exports = { client: 'better-sqlite3' }"), [Engine::Sqlite]);
    assert_eq!(engines("database.json", "{ \"dev\": { \"driver\": \"mysql\" } }"), [Engine::Mysql]);
    assert_eq!(of("go.mod", "require (\n\tmodernc.org/sqlite v1.2\n)\n"), [(Engine::Sqlite, Strength::Sure, 2)]);
    assert_eq!(of("package.json", "{ \"dependencies\": { \"mysql2\": \"3\" } }"), [(Engine::Mysql, Strength::Weak, 1)]);
    assert_eq!(engines("docker-compose.yml", "services:\n  db:\n    image: mariadb:11\n"), [Engine::Mysql]);
    assert_eq!(engines("pom.xml", "<artifactId>mysql-connector-j</artifactId>"), [Engine::Mysql]);
}
