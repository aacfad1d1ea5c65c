//! What hangs on an extension's own relations, as SQL that may run twice (spec §1.9.4).
//!
//! Nobody can tell an index that the extension's script made from one that the user added later:
//! neither is a member, and transaction ids and OIDs do not survive a restore or an upgrade. So
//! both become entries, and each statement first asks whether CREATE EXTENSION has brought exactly
//! that already. Then it does nothing. What has the same name and differs is replaced, unless the
//! extension is of another version by now: its own definition is then the right one.

use super::address::{Address, CLASS};
use super::graph::{Body, Draft, NodeId};
use super::read::Reading;
use crate::pg::quote_literal;

/// An extension by its `extname` and `extversion`, raw.
#[derive(Debug, Clone)]
pub(super) struct Installed {
    pub name: String,
    pub version: String,
}

impl Installed {
    /// A condition: the version is the one that the backup was taken of.
    pub fn is_same_version(&self) -> String {
        format!(
            "EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = {} AND extversion = {})",
            quote_literal(&self.name),
            quote_literal(&self.version)
        )
    }
}

impl Reading {
    /// The extension that a row belongs to.
    pub fn extension_of(&self, member: Address) -> Option<&Installed> {
        self.installed.get(self.members.get(&member)?)
    }

    /// Makes a node's text harmless where its relation is an extension's. `probe` is an SQL
    /// expression for its definition in the target, null where it is missing; `wanted` is that
    /// expression's value here.
    pub fn guard(&mut self, node: NodeId, relation: u32, probe: &str, wanted: &str) {
        let Some(installed) = self.extension_of((CLASS, relation)).cloned() else {
            return;
        };
        let Some(node) = self.graph.nodes.get_mut(node) else {
            return;
        };
        if let Body::Fixed(draft) = &mut node.body {
            draft.create = guarded(&installed, &node.identity, probe, wanted, draft);
        }
    }
}

fn guarded(
    installed: &Installed,
    identity: &str,
    probe: &str,
    wanted: &str,
    draft: &Draft,
) -> String {
    let replaced = draft.drop.as_ref().map_or_else(String::new, |drop| {
        format!(
            "        IF pgbelay_is IS NOT NULL THEN EXECUTE {}; END IF;\n",
            quote_literal(drop)
        )
    });
    block(&format!(
        "DECLARE\n    pgbelay_is text := {probe};\n    pgbelay_was text := {was};\nBEGIN\n    \
         IF pgbelay_is IS NULL OR pgbelay_is <> pgbelay_was AND {same} THEN\n{replaced}        \
         EXECUTE {create};\n    \
         ELSIF pgbelay_is <> pgbelay_was THEN\n        \
         RAISE WARNING 'left as another version of the extension has it: %', {identity};\n    \
         END IF;\nEND\n",
        was = quote_literal(wanted),
        same = installed.is_same_version(),
        create = quote_literal(&draft.create),
        identity = quote_literal(identity),
    ))
}

/// A DO statement; its quotes are such that the text cannot end it.
pub(super) fn block(body: &str) -> String {
    let mut tag = "pgbelay".to_owned();
    while body.contains(&format!("${tag}")) {
        tag.push('_');
    }
    format!("DO ${tag}$\n{body}${tag}$;\n")
}

/// `pg_catalog.to_regclass('s.t')`.
pub(super) fn regclass(quoted: &str) -> String {
    format!("pg_catalog.to_regclass({})", quote_literal(quoted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_ends_the_quotes() {
        let text = block("BEGIN\n    EXECUTE '$pgbelay$; DROP TABLE x; $pgbelay_$';\nEND\n");
        assert!(text.starts_with("DO $pgbelay__$\n") && text.ends_with("$pgbelay__$;\n"));
        assert_eq!(block("END\n"), "DO $pgbelay$\nEND\n$pgbelay$;\n");
    }

    #[test]
    fn a_statement_is_a_literal_inside_the_block() {
        let installed = Installed {
            name: "it's".into(),
            version: "1.0".into(),
        };
        let draft = Draft {
            create: "CREATE INDEX i ON t ((a || 'x'));\n".into(),
            drop: Some("DROP INDEX i;".into()),
        };
        let text = guarded(&installed, "index i", "probe()", "as 'it' was", &draft);
        for part in [
            "EXECUTE 'CREATE INDEX i ON t ((a || ''x''));\n';",
            "THEN EXECUTE 'DROP INDEX i;'; END IF;",
            "pgbelay_was text := 'as ''it'' was';",
            "extname = 'it''s' AND extversion = '1.0'",
        ] {
            assert!(text.contains(part), "{part} not in {text}");
        }
    }
}
