//! Frameworks whose migrations are code: they aren't run, but known by sight, so that the way to their SQL can be said.

use crate::error::{At, Error};
use crate::history::contents::Contents;

struct Framework {
    name: &'static str,
    /// How its files end.
    endings: &'static [&'static str],
    /// What stands in them.
    mark: &'static str,
    /// What gives the SQL.
    hint: &'static str,
}

/// How many files are looked into.
const LOOKED_INTO: usize = 20;

/// The most particular marks first.
const ALL: &[Framework] = &[
    Framework {
        name: "Django",
        endings: &[".py"],
        mark: "migrations.Migration",
        hint: "`python manage.py sqlmigrate APP NAME` prints the SQL of one: write each to a file of a folder, numbered in \
               their order, and name that with --old",
    },
    Framework {
        name: "Rails",
        endings: &[".rb"],
        mark: "ActiveRecord::Migration",
        hint: "Rails prints no SQL of migrations; with config.active_record.schema_format = :sql, `bin/rails db:schema:dump` \
               states what they make in db/structure.sql",
    },
    Framework {
        name: "TypeORM",
        endings: &[".ts", ".js", ".mjs", ".cjs"],
        mark: "MigrationInterface",
        hint: "`typeorm schema:log` on an empty database prints the SQL of the entities; that of each migration stands in its \
               queryRunner.query calls",
    },
    Framework {
        name: "MikroORM",
        endings: &[".ts", ".js", ".mjs", ".cjs"],
        mark: "@mikro-orm/migrations",
        hint: "`mikro-orm schema:create --dump` prints the SQL of the entities; that of each migration stands in its \
               addSql calls",
    },
    Framework {
        name: "Sequelize",
        endings: &[".js", ".ts", ".mjs", ".cjs"],
        mark: "queryInterface",
        hint: "Sequelize prints no SQL of migrations: run them on an empty database, and `pg_dump --schema-only` states what \
               they make",
    },
    Framework {
        name: "Knex",
        endings: &[".js", ".ts", ".mjs", ".cjs"],
        mark: "knex.",
        hint: "`DEBUG=knex:query knex migrate:latest` on an empty database prints each query: write them to a file of a folder, \
               and name that with --old",
    },
    Framework {
        name: "Laravel",
        endings: &[".php"],
        mark: "Illuminate\\Database\\Migrations\\Migration",
        hint: "`php artisan migrate --pretend` on an empty database prints the SQL: write it to a file of a folder, and name \
               that with --old",
    },
    Framework {
        name: "Doctrine",
        endings: &[".php"],
        mark: "Doctrine\\Migrations\\AbstractMigration",
        hint: "`doctrine:migrations:migrate --write-sql` on an empty database writes the SQL to a file: put it into a folder, \
               and name that with --old",
    },
    Framework {
        name: "Phinx",
        endings: &[".php"],
        mark: "Phinx\\Migration\\AbstractMigration",
        hint: "`phinx migrate --dry-run` on an empty database prints the SQL: write it to a file of a folder, and name that \
               with --old",
    },
    Framework {
        name: "Entity Framework",
        endings: &[".cs"],
        mark: "MigrationBuilder",
        hint: "`dotnet ef migrations script` prints the SQL of all: write it to a file of a folder, and name that with --old",
    },
    Framework {
        name: "Ecto",
        endings: &[".exs"],
        mark: "Ecto.Migration",
        hint: "`mix ecto.migrate --log-migrations-sql` on an empty database prints the SQL: write it to a file of a folder, \
               and name that with --old",
    },
    Framework {
        name: "Liquibase, not as SQL",
        endings: &[".xml", ".yaml", ".yml", ".json"],
        mark: "databaseChangeLog",
        hint: "`liquibase update-sql --url='offline:postgresql?outputLiquibaseSql=none' --changelog-file=FILE` prints the SQL: \
               write it to a file of a folder, and name that with --old",
    },
    Framework {
        name: "pgroll",
        endings: &[".json", ".yaml", ".yml"],
        mark: "operations",
        hint: "pgroll prints no SQL of migrations: run them on an empty database, and `pg_dump --schema-only` states what they \
               make",
    },
];

/// Names the framework of a folder without SQL.
pub fn find(contents: &Contents) -> Option<Error> {
    if contents.sql().next().is_some() {
        return None;
    }
    let of = |framework: &'static Framework| {
        let is_named = |path: &&str| framework.endings.iter().any(|ending| path.ends_with(ending));
        let mut files = contents.paths().filter(is_named).take(LOOKED_INTO);
        files.find(|path| says(&contents.text(path), framework)).map(|path| (framework, path.to_string()))
    };
    let (framework, path) = ALL.iter().find_map(of)?;
    let message = format!("migrations of {}, which aren't SQL and aren't read", framework.name);
    Some(Error::new(message).at(At::new(path, 1)).hint(framework.hint))
}

fn says(text: &str, framework: &Framework) -> bool {
    match framework.name {
        // A plain word: it must be the file's own key.
        "pgroll" => {
            let value: Result<serde_json::Value, _> = serde_yaml_ng::from_str(text);
            value.is_ok_and(|value| value[framework.mark].is_array())
        }
        _ => text.contains(framework.mark),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_named_with_the_way_to_its_sql() {
        for (name, path, text) in [
            ("Django", "0001_initial.py", "class Migration(migrations.Migration):\n    pass\n"),
            ("Rails", "20200101000000_a.rb", "class A < ActiveRecord::Migration[7.0]\nend\n"),
            ("TypeORM", "1612345678901-A.ts", "export class A implements MigrationInterface {}\n"),
            ("MikroORM", "Migration20200101.ts", "import { Migration } from '@mikro-orm/migrations';\n"),
            (
                "Sequelize",
                "20200101000000-a.js",
                "module.exports = { up: (queryInterface) => queryInterface.createTable('a') };\n",
            ),
            ("Knex", "20200101000000_a.js", "exports.up = (knex) => knex.schema.createTable('a', () => {});\n"),
            ("Laravel", "2020_01_01_000000_a.php", "use Illuminate\\Database\\Migrations\\Migration;\n"),
            ("Doctrine", "Version20200101.php", "use Doctrine\\Migrations\\AbstractMigration;\n"),
            ("Phinx", "20200101000000_a.php", "use Phinx\\Migration\\AbstractMigration;\n"),
            ("Entity Framework", "20200101000000_A.cs", "protected override void Up(MigrationBuilder b) {}\n"),
            ("Ecto", "20200101000000_a.exs", "use Ecto.Migration\n"),
            ("Liquibase", "changelog.xml", "<databaseChangeLog><changeSet id=\"1\"/></databaseChangeLog>\n"),
            ("pgroll", "01_a.json", "{\"name\": \"a\", \"operations\": []}\n"),
        ] {
            let error = find(&Contents::of(&[(path, text)])).unwrap_or_else(|| panic!("{name} isn't known"));
            assert!(error.message.contains(name), "{name}: {}", error.message);
            assert!(error.hint.is_some_and(|hint| hint.contains('`')) && error.at.is_some_and(|at| at.file == path));
        }
    }

    #[test]
    fn others_are_not_named() {
        for (path, text) in [("a.json", "{\"operations\": 3}"), ("a.py", "import os\n"), ("package.json", "{}")] {
            assert!(find(&Contents::of(&[(path, text)])).is_none(), "{path}");
        }
        assert!(find(&Contents::of(&[("1_a.py", "migrations.Migration"), ("1_a.sql", "")])).is_none());
    }
}
