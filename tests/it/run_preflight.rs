//! What refuses a run before anything is touched; each finding names the object and its cure.

use crate::support::{Output, Shop};

fn refused(shop: &Shop) -> Output {
    let before = shop.database.dump();
    let output = shop
        .run(&[], &["alembic", "upgrade", "head"])
        .assert_code(3);
    assert_eq!(output.json()["outcome"], "refused");
    assert!(shop.workplace.archives().is_empty());
    shop.database.assert_is(&before);
    output
}

on_servers! {
    fn an_invalid_index_is_named_with_its_cure(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql_as_owner("CREATE TABLE twice(a int); INSERT INTO twice VALUES (1), (1)");
        shop.database.sql(
            "CREATE INDEX half ON twice(a); \
             UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'half'::regclass");
        refused(&shop).assert_says("index public.half on twice").assert_says("REINDEX");
    }

    fn an_object_of_somebody_else_could_not_be_put_back(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("CREATE TABLE foreign_to_us(a int); GRANT SELECT ON foreign_to_us TO app");
        refused(&shop).assert_says("table public.foreign_to_us").assert_says("belongs to postgres");
    }

    fn all_findings_are_told_at_once(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("CREATE TABLE one(a int); CREATE SEQUENCE two; CREATE FUNCTION three() RETURNS int LANGUAGE sql AS 'SELECT 1'");
        let output = refused(&shop).assert_says("table public.one").assert_says("sequence public.two");
        output.assert_says("function public.three()");
    }

    fn a_large_object_of_somebody_else(server) {
        let shop = Shop::two_behind(server);
        shop.database.sql("SELECT lo_from_bytea(4242, 'bytes')");
        refused(&shop).assert_says("large object 4242");
    }
}
