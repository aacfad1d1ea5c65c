//! A difference in words that read well at three in the morning.

use std::collections::BTreeSet;

use super::difference::{Change, ChangedEntry, Difference, NamedEntry, TableChange};

/// Lines of one entry's text that are shown; the rest is counted.
const SHOWN_LINES: usize = 12;

/// One statement per line, what matters most first.
pub(super) fn lines(difference: &Difference) -> Vec<String> {
    let mut lines = Vec::new();
    let named = one_sided(difference);
    changes(&mut lines, "version rows of ", &difference.version_tables);
    let tables = difference.tables.iter();
    let tables = tables.filter(|change| !named.contains(change.identity.as_str()));
    lines.extend(tables.map(table));
    one_side(&mut lines, &difference.removed, "missing");
    one_side(&mut lines, &difference.added, "added");
    difference
        .changed
        .iter()
        .for_each(|entry| changed(&mut lines, entry));
    let sequences = difference.sequences.iter().cloned();
    let sequences: Vec<Change> = sequences
        .filter(|change| !named.contains(change.name.as_str()))
        .collect();
    changes(&mut lines, "", &sequences);
    changes(&mut lines, "", &difference.large_objects);
    changes(&mut lines, "extension ", &difference.extensions);
    changes(&mut lines, "database property ", &difference.properties);
    for change in &difference.uncovered {
        let verb = if change.after.is_some() {
            "added"
        } else {
            "missing"
        };
        lines.push(format!("{}: {verb} (no entry covers it)", change.name));
    }
    lines
}

/// What a line says already: entries of one side only, whose rows and values went with them.
fn one_sided(difference: &Difference) -> BTreeSet<&str> {
    let entries = difference.added.iter().chain(&difference.removed);
    entries.map(|entry| entry.identity.as_str()).collect()
}

/// `table public.users: 3 rows fewer (12 → 9)`.
fn table(change: &TableChange) -> String {
    let rows = match (change.before.rows, change.after.rows) {
        (Some(before), Some(after)) => rows_of_both(change, before, after),
        _ => "rows not read".to_owned(),
    };
    let mut line = format!("{}: {rows}", change.identity);
    for (verb, columns) in [
        ("without", &change.columns_removed),
        ("with additional", &change.columns_added),
    ] {
        if !columns.is_empty() {
            line.push_str(&format!(", {verb} {}", columns.join(", ")));
        }
    }
    line
}

fn rows_of_both(change: &TableChange, before: u64, after: u64) -> String {
    let same_columns = change.columns_added.is_empty() && change.columns_removed.is_empty();
    if before > after {
        format!("{} fewer ({before} → {after})", count_rows(before - after))
    } else if after > before {
        format!("{} more ({before} → {after})", count_rows(after - before))
    } else if change.before.digest != change.after.digest {
        format!("content differs ({} before and after)", count_rows(before))
    } else if same_columns {
        "order of columns differs".to_owned()
    } else {
        format!("{} as before", count_rows(before))
    }
}

fn count_rows(count: u64) -> String {
    counted(count, "row", "rows")
}

/// A number with its noun: `1 row`, `6154 rows`.
pub(crate) fn counted(number: impl std::fmt::Display, one: &str, many: &str) -> String {
    let number = number.to_string();
    let noun = if number == "1" { one } else { many };
    format!("{number} {noun}")
}

/// Entries of one side only. What belongs to a table of the same side goes without saying.
fn one_side(lines: &mut Vec<String>, entries: &[NamedEntry], verb: &str) {
    let tables: BTreeSet<&str> = entries
        .iter()
        .filter_map(|entry| entry.identity.strip_prefix("table "))
        .collect();
    let sequences: BTreeSet<&str> = entries
        .iter()
        .map(|entry| entry.identity.as_str())
        .filter(|identity| identity.starts_with("sequence "))
        .collect();
    let belongs = |entry: &NamedEntry| {
        let parts = [" on ", " of ", " table "].into_iter();
        let owner = parts.filter_map(|part| entry.identity.rsplit_once(part));
        let mut owners = owner.map(|(_, owner)| owner.trim_start_matches("table "));
        let of_table = |owner: &str| {
            let column = owner.rsplit_once('.').map(|(table, _)| table);
            tables.contains(owner) || column.is_some_and(|table| tables.contains(table))
        };
        owners.any(|owner| of_table(owner) || sequences.contains(owner))
    };
    // Entries without text stand for rows and values, which have lines of their own.
    let shown = entries
        .iter()
        .filter(|entry| !entry.text.is_empty() && !belongs(entry));
    let mut said: Vec<String> = shown
        .map(|entry| match entry.rows {
            Some(rows) => format!("{}: {verb} ({})", entry.identity, count_rows(rows)),
            None => format!("{}: {verb}", entry.identity),
        })
        .collect();
    if said.is_empty() {
        let all = entries.iter();
        said.extend(all.map(|entry| format!("{}: {verb}", entry.identity)));
    }
    lines.append(&mut said);
}

fn changes(lines: &mut Vec<String>, prefix: &str, changes: &[Change]) {
    for change in changes {
        let side = |value: &Option<String>| match value.as_deref() {
            None => "none".to_owned(),
            Some("") => "empty".to_owned(),
            Some(value) => value.to_owned(),
        };
        lines.push(format!(
            "{prefix}{}: {} → {}",
            change.name,
            side(&change.before),
            side(&change.after)
        ));
    }
}

/// The entry's name, then its changed lines, each after its sign.
fn changed(lines: &mut Vec<String>, entry: &ChangedEntry) {
    lines.push(format!("{}: changed", entry.identity));
    let mut all = Vec::new();
    for part in &entry.parts {
        all.extend(part.before.iter().map(|line| format!("  - {line}")));
        all.extend(part.after.iter().map(|line| format!("  + {line}")));
    }
    if entry.parts.is_empty() {
        all.push("  a secret in it differs".to_owned());
    }
    let hidden = all.len().saturating_sub(SHOWN_LINES);
    lines.extend(all.into_iter().take(SHOWN_LINES));
    if hidden > 0 {
        lines.push(format!("  … {hidden} more lines differ"));
    }
}

#[cfg(test)]
mod tests {
    use super::super::difference::Amount;
    use super::*;

    fn rows(before: u64, after: u64) -> TableChange {
        let amount = |rows: u64| Amount {
            rows: Some(rows),
            digest: Some(rows.to_string()),
        };
        TableChange {
            identity: "table public.users".to_owned(),
            before: amount(before),
            after: amount(after),
            columns_removed: Vec::new(),
            columns_added: Vec::new(),
        }
    }

    #[test]
    fn rows_are_counted_in_words() {
        assert_eq!(
            table(&rows(12, 9)),
            "table public.users: 3 rows fewer (12 → 9)"
        );
        assert_eq!(table(&rows(1, 2)), "table public.users: 1 row more (1 → 2)");
        let mut touched = rows(5, 5);
        touched.after.digest = Some("x".to_owned());
        touched.columns_removed.push("email".to_owned());
        assert_eq!(
            table(&touched),
            "table public.users: content differs (5 rows before and after), without email"
        );
        touched.after.digest.clone_from(&touched.before.digest);
        assert_eq!(
            table(&touched),
            "table public.users: 5 rows as before, without email"
        );
        touched.after = Amount::default();
        assert_eq!(
            table(&touched),
            "table public.users: rows not read, without email"
        );
    }

    #[test]
    fn what_belongs_to_a_missing_table_goes_without_saying() {
        let entry = |identity: &str, text: &str| NamedEntry {
            identity: identity.to_owned(),
            text: text.to_owned(),
            rows: identity.starts_with("table ").then_some(2),
        };
        let entries = [
            entry("constraint users_pkey on shop.users", "ALTER"),
            entry("table shop.users", "CREATE"),
            entry("data of table shop.users", ""),
            entry("acl table shop.users", "GRANT"),
            entry("default of shop.users.id", "ALTER"),
            entry("sequence shop.users_id_seq", "CREATE"),
            entry("owner of sequence shop.users_id_seq", "ALTER"),
            entry("policy p on shop.other", "CREATE"),
        ];
        let mut lines = Vec::new();
        one_side(&mut lines, &entries, "missing");
        assert_eq!(
            lines,
            [
                "table shop.users: missing (2 rows)",
                "sequence shop.users_id_seq: missing",
                "policy p on shop.other: missing"
            ]
        );
        let mut lines = Vec::new();
        one_side(&mut lines, &entries[2..3], "added");
        assert_eq!(lines, ["data of table shop.users: added"]);
    }

    #[test]
    fn long_differences_are_cut_and_say_so() {
        let after: String = (0..40).map(|n| format!("line {n}\n")).collect();
        let mut lines = Vec::new();
        let entry = ChangedEntry::new("function public.f()", String::new(), after);
        changed(&mut lines, &entry);
        assert_eq!(lines.len(), SHOWN_LINES + 2);
        assert_eq!(lines.last().unwrap(), "  … 28 more lines differ");
    }
}
