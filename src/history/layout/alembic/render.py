# Prints what each revision of a folder runs, as Alembic's offline mode has it: one line of JSON, the last one.
# Arguments: alembic.ini or nothing, the folder of env.py, the folder of the revisions.
import io
import json
import os
import sys

# Of the project's folders, one is called alembic, too. Alembic itself puts the project in front again if it is told to.
sys.path = [folder for folder in sys.path if folder]

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

ini, scripts, versions = sys.argv[1:4]
buffer = io.StringIO()
config = Config(ini or None, output_buffer=buffer)
for name, value in [
    ("script_location", scripts),
    ("version_locations", versions),
    ("path_separator", "os"),
    ("version_path_separator", "os"),
]:
    config.set_main_option(name, value.replace("%", "%%"))
# The word in the address of Alembic's template is no kind of database.
if (config.get_main_option("sqlalchemy.url") or "driver:").startswith("driver:"):
    config.set_main_option("sqlalchemy.url", "postgresql://")
script = ScriptDirectory.from_config(config)
if len(script.get_heads()) != 1:
    sys.exit("the revisions have several heads: " + ", ".join(script.get_heads()) + "; alembic merge joins them")
found = []
committed = [False]


def noted(revision, upgrade):
    path = os.path.relpath(os.path.realpath(revision.path), os.path.realpath(versions))

    def run(**arguments):
        start = buffer.tell()
        committed[0] = False
        try:
            upgrade(**arguments)
        except Exception as error:
            sys.exit(f"{path}: {type(error).__name__}: {error}")
        sql = buffer.getvalue()[start:]
        found.append(
            {"path": path, "revision": revision.revision, "doc": revision.doc, "sql": sql, "bare": committed[0]}
        )

    return run


for revision in script.walk_revisions():
    revision.module.upgrade = noted(revision, revision.module.upgrade)


def revisions(_, context):
    if context.dialect.name != "postgresql":
        sys.exit(f"these migrations aren't PostgreSQL's: env.py asks for {context.dialect.name}")

    def leave():
        committed[0] = True

    # Drivers that take %s for a parameter have each percent sign twice, where env.py doesn't ask for named ones.
    context.dialect.identifier_preparer._double_percents = False
    # A block that is left for a statement of its own is noted, not printed.
    context.impl.emit_begin = lambda: None
    context.impl.emit_commit = leave
    return script._upgrade_revs("head", None)


with EnvironmentContext(config, script, fn=revisions, as_sql=True, destination_rev="head"):
    script.run_env()
print()
print(json.dumps(found))
