//! Equal databases give equal archives: order and text of entries come from names and dependencies,
//! never from OIDs, the order of creation, or where a row of a catalog happens to stand.

use pgbelay::archive::Reader;

use crate::data::{Bench, target, wait};
use crate::support::{Database, Server, repository};

/// Identity, section, dependencies by identity, drop and text of every entry, in order; then the
/// tables in order with their digests.
fn entries(reader: &Reader) -> Vec<String> {
    let manifest = reader.manifest();
    let name = |index: &u32| manifest.entries[*index as usize].identity.clone();
    let mut lines: Vec<String> = manifest
        .entries
        .iter()
        .enumerate()
        .map(|(index, entry)| {
            let text = match entry.place {
                Some(_) => reader.entry_text(index).expect("a text"),
                None => String::new(),
            };
            let depends: Vec<String> = entry.depends.iter().map(name).collect();
            format!(
                "{} {:?} {depends:?} {:?}\n{text}",
                entry.identity, entry.section, entry.drop
            )
        })
        .collect();
    let tables = manifest.tables.iter();
    lines.extend(tables.map(|table| format!("{} {} {}", table.identity, table.rows, table.digest)));
    let sequences = manifest.sequences.iter();
    lines
        .extend(sequences.map(|sequence| format!("{} {}", sequence.identity, sequence.last_value)));
    lines
}

fn entries_of(bench: &Bench, database: &Database, file: &str) -> Vec<String> {
    use pgbelay::dump::{Destination, DumpOptions, backup};
    let path = bench.path(file);
    let destination = Destination::File(path.clone());
    let options = DumpOptions {
        jobs: 3,
        ..DumpOptions::default()
    };
    wait(backup(
        &target(database, "postgres"),
        &destination,
        &options,
        &bench.ctx,
    ))
    .expect("a backup");
    entries(&Reader::open(&path).expect("an archive"))
}

#[track_caller]
fn assert_same(before: &[String], after: &[String], when: &str) {
    let place = before.iter().zip(after).position(|(one, two)| one != two);
    let shown = |lines: &[String], at: usize| lines.get(at).cloned().unwrap_or_default();
    if let Some(at) = place {
        panic!(
            "{when}: entry {at} was\n{}\nand is\n{}",
            shown(before, at),
            shown(after, at)
        );
    }
    assert_eq!(before.len(), after.len(), "{when}");
}

/// A database with a bit of everything, and many alike.
fn rich(server: &'static Server) -> Bench {
    let bench = Bench::empty(server);
    let script = std::fs::read(repository().join("tests/corpus/everyday.sql")).expect("a file");
    bench.database.restore_plain(&script);
    bench.database.restore_plain(shuffled(0).as_bytes());
    bench
}

/// Independent objects in an order that depends on `seed`; names sort otherwise than they are made.
fn shuffled(seed: usize) -> String {
    let mut statements: Vec<String> = Vec::new();
    for n in 0..12 {
        statements.push(format!("CREATE TABLE many.t{n} (a integer PRIMARY KEY, b text DEFAULT 'x' CHECK (b <> ''), c many.w{})", n % 3));
        statements.push(format!("CREATE FUNCTION many.f(x many.w{}, y integer DEFAULT {n}) RETURNS integer LANGUAGE sql AS 'SELECT {n}'", n % 3).replace("integer DEFAULT", if n < 3 { "integer DEFAULT" } else { "many_type DEFAULT" }));
        statements.push(format!("CREATE SEQUENCE many.s{n}"));
    }
    statements.retain(|statement| !statement.contains("many_type"));
    let count = statements.len();
    // A permutation: the step has no factor in common with the number of statements.
    let step = [1, 5, 7, 11, 13][seed % 5];
    let order = (0..count).map(|place| (place * step + seed * 3) % count);
    let mut script = String::from(
        "CREATE SCHEMA many; CREATE TYPE many.w0 AS ENUM ('a'); CREATE TYPE many.w1 AS ENUM ('b'); CREATE TYPE many.w2 AS ENUM ('c');\n",
    );
    for place in order {
        script.push_str(&statements[place]);
        script.push_str(";\n");
    }
    // Several of a kind on one table, whose order only their names can fix.
    for n in if seed.is_multiple_of(2) {
        [1, 2, 3, 4]
    } else {
        [4, 2, 1, 3]
    } {
        script.push_str(&format!(
            "CREATE INDEX i{n} ON many.t0 (b); CREATE POLICY p{n} ON many.t0 USING (a = {n});
             CREATE RULE r{n} AS ON INSERT TO many.t1 WHERE NEW.a = {n} DO INSTEAD NOTHING;
             CREATE TRIGGER g{n} BEFORE UPDATE ON many.t2 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
             ALTER TABLE many.t3 ADD CONSTRAINT c{n} CHECK (a <> {n});
             CREATE VIEW many.v{n} AS SELECT a FROM many.t4;
             GRANT SELECT ON many.t{n} TO reader; COMMENT ON TABLE many.t{n} IS '{n}';\n"
        ));
    }
    script
}

/// Writes every table of the database anew, with its indexes, its own catalogs included. Not those of
/// the cluster: whoever holds `pg_authid` or `pg_database` exclusively keeps all other tests from
/// connecting, and waits for each of their transactions.
fn rewrite_catalogs(database: &Database) {
    let statements = database.sql(
        "SELECT format('VACUUM FULL %s;', oid::regclass) FROM pg_class
          WHERE relkind IN ('r', 'm') AND NOT relisshared AND relpersistence <> 't'",
    );
    assert!(statements.lines().count() > 60, "{statements}");
    database.restore_plain(statements.as_bytes());
}

on_servers! {
    /// Two backups of an unchanged database agree in every byte of their entries, also after the
    /// catalogs were rewritten in another order.
    fn an_unchanged_database_gives_equal_entries(server) {
        let bench = rich(server);
        let first = entries_of(&bench, &bench.database, "1");
        assert_same(&first, &entries_of(&bench, &bench.database, "2"), "again");
        rewrite_catalogs(&bench.database);
        bench.database.sql("ANALYZE");
        assert_same(&first, &entries_of(&bench, &bench.database, "3"), "after VACUUM FULL");
    }

    /// A copy has other OIDs and the same entries in the same order; and its copy again.
    fn order_does_not_depend_on_oids(server) {
        let bench = rich(server);
        let first = entries_of(&bench, &bench.database, "1");
        let copy = bench.database.sibling();
        copy.sql("SELECT lo_create(0), lo_unlink(lo_create(0))");
        copy.sql("SELECT lo_unlink(oid) FROM pg_largeobject_metadata");
        copy.restore_plain(&crate::support::gunzip(&bench.path("1")));
        assert_same(&first, &entries_of(&bench, &copy, "2"), "in a copy");
        assert_ne!(
            bench.database.sql("SELECT 'many.t5'::regclass::oid"),
            copy.sql("SELECT 'many.t5'::regclass::oid"),
            "the copy was to have other OIDs"
        );
    }

    /// Independent objects may have been made in any order.
    fn order_does_not_depend_on_the_order_of_creation(server) {
        let bench = Bench::empty(server);
        bench.database.restore_plain(shuffled(0).as_bytes());
        let first = entries_of(&bench, &bench.database, "0");
        for seed in 1..4 {
            let other = Database::create(server);
            other.restore_plain(shuffled(seed).as_bytes());
            assert_same(&first, &entries_of(&bench, &other, &seed.to_string()), "made in another order");
        }
    }
}
