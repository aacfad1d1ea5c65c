//! Ten replicas that start at the same moment, with the real Alembic: one migration, one backup, and the others
//! wait and find nothing to do (field.md C, docs/containers.md).

use crate::support::{Call, Output, Pooler, Shop};

const REPLICAS: usize = 10;
const HEAD: &str = "built_concurrently";

/// A revision that builds an index CONCURRENTLY: it waits for every older snapshot, so a waiting replica that
/// held one would never let it end.
const CONCURRENTLY: &str = "
from alembic import op

revision = 'built_concurrently'
down_revision = 'add_sqs_metadata'
branch_labels = None
depends_on = None


def upgrade():
    with op.get_context().autocommit_block():
        op.create_index('listings_title_built', 'listings', ['title'], postgresql_concurrently=True)


def downgrade():
    pass
";

fn shop(server: &'static crate::support::Server) -> Shop {
    let shop = Shop::two_behind(server);
    shop.workplace
        .write("versions/built_concurrently.py", CONCURRENTLY);
    shop
}

/// Starts all of them, each with a store of its own if asked for, and waits for all.
fn together<'a>(call: impl Fn() -> Call<'a>, stores: Option<&str>) -> Vec<Output> {
    let start = |number: usize| {
        let store = stores.map_or_else(|| "backups".to_owned(), |name| format!("{name}{number}"));
        let arguments = [
            "run",
            "--json",
            "--lock-wait",
            "2m",
            "--store",
            &store,
            "--",
            "alembic",
            "upgrade",
            "head",
        ];
        call().start(&arguments)
    };
    let running: Vec<_> = (0..REPLICAS).map(start).collect();
    running
        .into_iter()
        .map(|replica| replica.finish())
        .collect()
}

/// One did it, nine found it done; whoever waited said whom for.
#[track_caller]
fn assert_one_migration(shop: &Shop, outputs: Vec<Output>) {
    let mut migrated = 0;
    for output in outputs {
        let output = output.assert_code(0);
        match output.json()["outcome"].as_str() {
            Some("migrated") => migrated += 1,
            Some("nothing-to-do") => assert!(output.json()["archive"].is_null(), "{output}"),
            _ => panic!("{output}"),
        }
    }
    assert_eq!(migrated, 1);
    assert_eq!(shop.database.revisions(), [HEAD]);
    let built =
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'listings_title_built'::regclass";
    assert_eq!(shop.database.sql(built), "t");
}

/// Archives in the store and in those that begin with `name`.
fn archives_in(shop: &Shop, name: &str) -> usize {
    let folders = std::fs::read_dir(shop.workplace.directory())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let stores = folders.filter(|path| {
        path.is_dir()
            && path
                .file_name()
                .unwrap()
                .to_string_lossy()
                .starts_with(name)
    });
    stores
        .flat_map(|store| std::fs::read_dir(store).unwrap())
        .filter(|entry| {
            entry
                .as_ref()
                .unwrap()
                .file_name()
                .to_string_lossy()
                .ends_with(".sql.gz")
        })
        .count()
}

fn through<'a>(shop: &'a Shop, port: u16) -> Call<'a> {
    let direct = format!("127.0.0.1:{}", shop.database.server().port);
    let url = shop
        .database
        .url()
        .replace(&direct, &format!("127.0.0.1:{port}"));
    shop.call().env("DATABASE_URL", url)
}

on_servers! {
    fn ten_replicas_give_one_migration_and_one_backup(server) {
        let shop = shop(server);
        let outputs = together(|| shop.call(), None);
        assert_one_migration(&shop, outputs);
        assert_eq!(archives_in(&shop, "backups"), 1);
        // Whatever the others wrote into the common store is no unfinished run.
        let output = shop.call().run(&["recover", "--json"]).assert_code(0);
        assert_eq!(output.json()["outcome"], "nothing-to-do");
    }

    /// Session mode, with a pool that is as large as PgBouncer's default, and a store in each container.
    fn ten_replicas_through_a_session_pooler_give_one_migration(server) {
        let shop = shop(server);
        let Some(pooler) = Pooler::in_mode(server, "session") else { return };
        let outputs = together(|| through(&shop, pooler.port), Some("store-"));
        assert_one_migration(&shop, outputs);
        assert_eq!(archives_in(&shop, "store-"), 1);
    }

    fn ten_replicas_through_a_transaction_pooler_are_all_refused(server) {
        let shop = shop(server);
        let Some(pooler) = Pooler::start(server) else { return };
        let before = shop.database.dump();
        for output in together(|| through(&shop, pooler.port), None) {
            output.assert_code(3).assert_says("pool").assert_says("connect to PostgreSQL itself");
        }
        shop.database.assert_is(&before);
        assert_eq!(archives_in(&shop, "backups"), 0);
    }
}
