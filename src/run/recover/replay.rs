//! What an earlier run's journal asks for: a pure function of its records (design.md §8).

use crate::error::Result;
use crate::journal::{Stage, Step};
use crate::run::chronicle::{self, Proven, PutBack, Story, ToolEnded, Verified};
use crate::run::outcome::EndedAs;

/// What recovery has to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The run ended; nothing is left to do.
    Nothing,
    /// The tool was never started: say so in the journal and start afresh.
    StartAfresh,
    /// The tool may have committed: judge the database, put it back.
    RollBack,
    /// Databases may be half way through a swap: end that first, then see.
    EndSwap,
    /// The tool ended well: verify, put back if that fails.
    Verify,
    /// The migration was verified; only the last record is missing.
    ConcludeMigrated,
    /// The database is proven to be as it was, except for what could not be brought back; only the
    /// last record is missing.
    ConcludeAsBefore(Proven, Vec<String>),
    /// Ended with a rollback withheld: try again, it may be allowed now.
    Withheld,
    /// A person is needed.
    InDoubt,
}

/// Decides from the last record; the records before it were answered by later ones.
pub fn decide(story: &Story) -> Result<Action> {
    let Some(last) = &story.last else {
        return Ok(Action::Nothing);
    };
    // Even if the run said how it ended: one of the databases may be closed.
    if story.open_swap().is_some() {
        return Ok(Action::EndSwap);
    }
    let action = match (last.step, last.stage) {
        (Step::Header | Step::Backup | Step::Drill, _) => Action::StartAfresh,
        (Step::Migrate, Stage::Intent) => Action::RollBack,
        (Step::Migrate, Stage::Outcome) => {
            if chronicle::detail::<ToolEnded>(last)?.succeeded {
                Action::Verify
            } else {
                Action::RollBack
            }
        }
        (Step::Verify, Stage::Intent) => Action::Verify,
        (Step::Verify, Stage::Outcome) => {
            if chronicle::detail::<Verified>(last)?.passed {
                Action::ConcludeMigrated
            } else {
                Action::RollBack
            }
        }
        // The repair's transaction committed or not; judging compares first.
        (Step::RollBack, Stage::Intent) => Action::RollBack,
        (Step::RollBack, Stage::Outcome) => {
            let put_back: PutBack = chronicle::detail(last)?;
            match put_back.proven {
                Some(proven) => Action::ConcludeAsBefore(proven, put_back.not_brought_back),
                None => Action::InDoubt,
            }
        }
        (Step::Swap, _) => after_swap(story),
        // A fence is no place in a run: `Story::last` passes it over.
        (Step::Fence, _) => Action::InDoubt,
        (Step::End, _) => ended(story),
    };
    Ok(action)
}

/// The swap was ended: it took place, or everything is as before it.
fn after_swap(story: &Story) -> Action {
    match &story.swap {
        Some((stage, record)) if record.is_swapped(*stage) => {
            Action::ConcludeAsBefore(Proven::Restored, record.not_brought_back.clone())
        }
        _ => Action::RollBack,
    }
}

fn ended(story: &Story) -> Action {
    let Some(ending) = &story.ending else {
        return Action::InDoubt;
    };
    match ending.outcome {
        EndedAs::Migrated
        | EndedAs::NothingToDo
        | EndedAs::Unchanged
        | EndedAs::RolledBack
        | EndedAs::Refused
        | EndedAs::Difference => Action::Nothing,
        EndedAs::Withheld => Action::Withheld,
        EndedAs::InDoubt | EndedAs::Unknown => Action::InDoubt,
    }
}

/// How many of the newest runs of this database failed at the same work, newest first, without
/// anything else in between.
pub fn equal_failures(newest_first: &[Story], plan: &chronicle::Plan) -> u32 {
    let failures = newest_first
        .iter()
        // A run that never started the tool neither counts nor interrupts the row.
        .filter(|story| story.started.is_some())
        .take_while(|story| {
            let same = story.plan.as_ref().is_some_and(|old| old.same_work(plan));
            let failed = story
                .ending
                .as_ref()
                .is_some_and(chronicle::Ending::is_clean_failure);
            same && failed
        })
        .count();
    u32::try_from(failures).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::DateTime;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::journal::Record;

    type Told = (Step, Stage, Value);

    fn story(records: &[Told]) -> Story {
        told(records).unwrap()
    }

    fn told(records: &[Told]) -> Result<Story> {
        Story::of(&as_records(records))
    }

    fn as_records(records: &[Told]) -> Vec<Record> {
        let header = json!({"system_identifier": "1", "database_oid": 2, "database": "shop",
            "host": "h", "port": 1, "role": "r", "run_id": "x", "tool": "t"});
        let mut all = vec![(Step::Header, Stage::Outcome, header)];
        all.extend_from_slice(records);
        all.into_iter()
            .enumerate()
            .map(|(sequence, (step, stage, detail))| Record {
                version: 1,
                sequence: sequence as u64,
                time: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
                step,
                stage,
                detail: detail.as_object().unwrap().clone(),
            })
            .collect()
    }

    fn plan(pending: &[&str]) -> Value {
        json!({"command": "alembic upgrade head", "pending": pending, "from": ["a"]})
    }

    fn whole_run(pending: &[&str]) -> Vec<Told> {
        use Stage::{Intent, Outcome};
        vec![
            (Step::Backup, Intent, plan(pending)),
            (Step::Backup, Outcome, json!({"archive": "x.sql.gz"})),
            (
                Step::Drill,
                Intent,
                json!({"scratch": "x_pgbelay_drill_1", "server": "s"}),
            ),
            (Step::Drill, Outcome, json!({"passed": true})),
            (
                Step::Migrate,
                Intent,
                json!({"attempt": 1, "window_since": 1, "tool_started": 2}),
            ),
            (
                Step::Migrate,
                Outcome,
                json!({"ended": "exited with code 0", "succeeded": true}),
            ),
            (Step::Verify, Intent, json!({})),
            (Step::Verify, Outcome, json!({"passed": false})),
            (Step::RollBack, Intent, json!({})),
            (
                Step::RollBack,
                Outcome,
                json!({"proven": "restored", "proof": "equal"}),
            ),
            (Step::End, Outcome, ending("rolled-back", 1)),
        ]
    }

    /// What a detail may say that is well written and makes no sense.
    fn odd_detail() -> impl Strategy<Value = Value> {
        let odd = || {
            prop_oneof![
                Just(Value::Null),
                any::<bool>().prop_map(Value::from),
                any::<i64>().prop_map(Value::from),
                "[a-z-]{0,12}".prop_map(Value::from),
                Just(json!([])),
                Just(json!({"archive": 7})),
            ]
        };
        let names = [
            "archive",
            "attempt",
            "ended",
            "migrated",
            "outcome",
            "passed",
            "pending",
            "proven",
            "scratch",
            "succeeded",
            "tool_started",
            "window_since",
            "exit_code",
            "proof",
            "up",
        ];
        let names = proptest::sample::select(names.to_vec()).prop_map(str::to_owned);
        proptest::collection::btree_map(names, odd(), 0..6)
            .prop_map(|members| Value::Object(members.into_iter().collect()))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5000))]

        /// A record that says something else than any run writes, with a checksum that fits: it is refused, or answered
        /// as carefully as the rest of the journal demands.
        #[test]
        fn p6_odd_records_never_leave_a_migration_behind(
            length in 0..12_usize,
            odd in 0..11_usize,
            detail in odd_detail(),
        ) {
            let mut records = whole_run(&["b"]);
            records.truncate(length);
            if let Some(record) = records.get_mut(odd) {
                record.2 = detail.clone();
            }
            let place = |(step, stage, _): &Told| (*step, *stage);
            let started = records.iter().any(|one| place(one) == (Step::Migrate, Stage::Intent));
            let settled = |word: EndedAs| !matches!(word, EndedAs::Withheld | EndedAs::InDoubt | EndedAs::Unknown);
            let says = |outcome: &Value| serde_json::from_value(outcome.clone()).is_ok_and(settled);
            let is_settled = records.iter().any(|one| one.0 == Step::End && says(&one.2["outcome"]));
            if let Ok(action) = told(&records).and_then(|story| decide(&story)) {
                let forgets = matches!(action, Action::Nothing | Action::StartAfresh);
                prop_assert!(!forgets || !started || is_settled, "{action:?} after {records:?}");
            }
        }
    }

    /// A recovery that could not begin either must not move the moment on past what others wrote before it, nor forget that
    /// the archive may be of another database.
    #[test]
    fn p5_later_writes_are_told_from_the_first_time_a_rollback_was_left() {
        let left = |snapshot: &str| {
            let mark = json!({"snapshot": snapshot, "definitions": "d"});
            let detail = json!({"mark": mark, "not_begun": true});
            (Step::RollBack, Stage::Intent, detail)
        };
        let mut records = whole_run(&["b"]);
        records.truncate(8);
        records.extend([left("first"), left("second")]);
        let told = story(&records).begun_with;
        assert_eq!(told.mark.unwrap().snapshot, "first");
        let by_hand = json!({"other_database": true});
        let records = [(Step::RollBack, Stage::Intent, by_hand), left("second")];
        let told = story(&records).begun_with;
        assert!(told.other_database && told.mark.is_none());
        // Another attempt begins afresh.
        let mut records = whole_run(&["b"]);
        let again = records[4].clone();
        records.truncate(8);
        records.extend([left("first"), again, left("second")]);
        assert_eq!(story(&records).begun_with.mark.unwrap().snapshot, "second");
    }

    #[test]
    fn a_run_is_finished_once_it_has_said_how_it_ended_and_left_nothing() {
        use Stage::{Intent, Outcome};
        let unfinished =
            |records: &[Told]| super::super::is_unfinished(&as_records(records)).unwrap();
        let whole = whole_run(&["b"]);
        assert!(!unfinished(&whole));
        assert!((0..whole.len()).all(|length| unfinished(&whole[..length])));
        let mut fenced = vec![(Step::Fence, Intent, json!({"up": true}))];
        fenced.extend(whole);
        assert!(unfinished(&fenced));
        fenced.push((Step::Fence, Outcome, json!({"up": false})));
        assert!(!unfinished(&fenced));
        assert!(
            !super::super::is_unfinished(&[]).unwrap(),
            "it had not begun"
        );
    }

    #[test]
    fn p6_an_end_that_nobody_can_have_written_is_in_doubt() {
        let mut records = whole_run(&["b"]);
        records.pop();
        records.push((Step::End, Stage::Outcome, ending("splendid", 0)));
        assert_eq!(decide(&story(&records)).unwrap(), Action::InDoubt);
    }

    fn ending(outcome: &str, exit_code: u8) -> Value {
        json!({"outcome": outcome, "exit_code": exit_code, "migrated": true})
    }

    #[test]
    fn p6_every_place_a_run_can_be_killed_at_has_its_action() {
        let records = whole_run(&["b"]);
        let expected = [
            Action::StartAfresh,
            Action::StartAfresh,
            Action::StartAfresh,
            Action::StartAfresh,
            Action::StartAfresh,
            Action::RollBack,
            Action::Verify,
            Action::Verify,
            Action::RollBack,
            Action::RollBack,
            Action::ConcludeAsBefore(Proven::Restored, Vec::new()),
            Action::Nothing,
        ];
        for (length, action) in expected.into_iter().enumerate() {
            let cut = story(&records[..length]);
            assert_eq!(decide(&cut).unwrap(), action, "after {length} records");
        }
    }

    #[test]
    fn p6_other_last_records_have_their_action() {
        let failed = json!({"ended": "exited with code 1", "succeeded": false});
        let unproven = json!({"proven": null, "proof": "no"});
        let unchanged = json!({"proven": "unchanged", "proof": "xid",
            "not_brought_back": ["index a"]});
        let as_before = Action::ConcludeAsBefore(Proven::Unchanged, vec!["index a".into()]);
        let table = [
            (Step::Migrate, failed, Action::RollBack),
            (
                Step::Verify,
                json!({"passed": true}),
                Action::ConcludeMigrated,
            ),
            (Step::RollBack, unproven, Action::InDoubt),
            (Step::RollBack, unchanged, as_before),
            (Step::End, ending("in-doubt", 7), Action::InDoubt),
            (Step::End, ending("withheld", 6), Action::Withheld),
            (Step::End, ending("migrated", 0), Action::Nothing),
        ];
        for (step, detail, action) in table {
            let told = story(&[(step, Stage::Outcome, detail.clone())]);
            assert_eq!(decide(&told).unwrap(), action, "{step:?} {detail}");
        }
    }

    fn swap(act: &str) -> Value {
        json!({"act": act, "database": "shop", "oid": 2, "new_name": "n", "new_oid": 3, "failed_name": "f",
            "proof": "equal", "not_brought_back": ["index a"]})
    }

    #[test]
    fn p6_every_place_a_swap_can_be_killed_at_has_its_action() {
        use Stage::{Intent, Outcome};
        let done = Action::ConcludeAsBefore(Proven::Restored, vec!["index a".into()]);
        let table = [
            ("make", Intent, Action::EndSwap),
            ("make", Outcome, Action::EndSwap),
            ("close", Intent, Action::EndSwap),
            ("close", Outcome, Action::EndSwap),
            ("rename", Intent, Action::EndSwap),
            ("rename", Outcome, done),
            ("give-up", Intent, Action::EndSwap),
            ("give-up", Outcome, Action::RollBack),
        ];
        for (act, stage, action) in table {
            let mut told = vec![
                (Step::RollBack, Intent, json!({})),
                (Step::Swap, stage, swap(act)),
            ];
            let cut = story(&told);
            assert_eq!(decide(&cut).unwrap(), action, "{act} {stage:?}");
            let has_place = cut.swapped_in() == Some(3);
            let undone = (act, stage) == ("give-up", Outcome);
            assert_eq!(has_place, !undone, "{act} {stage:?}");
            // A closed database is opened again whatever the run said of its end.
            told.push((Step::End, Outcome, ending("in-doubt", 7)));
            let ended = decide(&story(&told)).unwrap();
            let open = action == Action::EndSwap;
            assert_eq!(ended == Action::EndSwap, open, "{act} {stage:?}");
        }
    }

    #[test]
    fn a_journal_follows_the_database_that_took_the_place() {
        let told = story(&[(Step::Swap, Stage::Outcome, swap("rename"))]);
        assert!(told.is_about_any("1", &BTreeSet::from([3])));
        assert!(told.is_about_any("1", &BTreeSet::from([2])));
        assert!(!told.is_about_any("1", &BTreeSet::from([4])));
        assert!(!told.is_about_any("9", &BTreeSet::from([3])));
        let undone = story(&[(Step::Swap, Stage::Outcome, swap("give-up"))]);
        assert!(!undone.is_about_any("1", &BTreeSet::from([3])));
    }

    #[test]
    fn an_empty_journal_asks_for_nothing() {
        assert_eq!(decide(&Story::default()).unwrap(), Action::Nothing);
    }

    #[test]
    fn p5_the_last_transaction_that_may_have_been_committed_is_known() {
        use Stage::{Intent, Outcome};
        let noted = |transaction: u64| {
            let commit = json!({"transaction": transaction, "system_identifier": "1", "database_oid": 2, "life": "l",
                "proof": "equal"});
            (Step::RollBack, Intent, json!({"commit": commit}))
        };
        let mut told = vec![(Step::RollBack, Intent, json!({})), noted(7), noted(9)];
        let known = |told: &[Told]| story(told).commit.map(|commit| commit.transaction);
        assert_eq!(known(&told[..1]), None);
        assert_eq!(known(&told), Some(9));
        assert_eq!(decide(&story(&told)).unwrap(), Action::RollBack);
        // Left to the next start: it is asked again.
        told.push((Step::RollBack, Intent, json!({"not_begun": true})));
        assert_eq!(known(&told), Some(9));
        let attempt = json!({"attempt": 2, "window_since": 1, "tool_started": 2});
        told.push((Step::Migrate, Intent, attempt));
        assert_eq!(known(&told), None);
        let ended = json!({"ended": "killed", "succeeded": false});
        told.push((Step::Migrate, Outcome, ended));
        assert!(!story(&told).had_no_unknown_tool());
    }

    #[test]
    fn a_journal_is_about_a_database_not_about_a_name() {
        let told = story(&[]);
        assert!(told.is_about("1", 2));
        assert!(!told.is_about("1", 3) && !told.is_about("9", 2));
    }

    #[test]
    fn only_a_proven_rollback_or_another_migration_settles_an_earlier_run() {
        let by_hand = |outcome: &str| {
            let end = json!({"outcome": outcome, "exit_code": 0, "migrated": false});
            story(&[
                (Step::RollBack, Stage::Intent, json!({})),
                (Step::End, Stage::Outcome, end),
            ])
        };
        let refused = json!({"outcome": "refused", "exit_code": 5, "migrated": false});
        assert!(story(&[(Step::End, Stage::Outcome, refused)]).settles_nothing());
        assert!(by_hand("refused").settles_nothing());
        assert!(by_hand("withheld").settles_nothing());
        assert!(!by_hand("in-doubt").settles_nothing());
        assert!(!by_hand("rolled-back").settles_nothing());
        assert!(!story(&whole_run(&["b"])).settles_nothing());
        assert!(!story(&whole_run(&["b"])[..1]).settles_nothing());
    }

    #[test]
    fn equal_failures_in_a_row_are_counted() {
        let failed = |pending: &[&str]| story(&whole_run(pending));
        let (same, other) = (failed(&["b"]), failed(&["c"]));
        let wanted: chronicle::Plan = serde_json::from_value(plan(&["b"])).unwrap();
        let migrated = {
            let mut records = whole_run(&["b"]);
            records.truncate(5);
            records.push((Step::End, Stage::Outcome, ending("migrated", 0)));
            story(&records)
        };
        let never_started = story(&whole_run(&["b"])[..1]);
        let count = |row: &[&Story]| {
            let row: Vec<Story> = row.iter().map(|story| (*story).clone()).collect();
            equal_failures(&row, &wanted)
        };
        assert_eq!(count(&[]), 0);
        assert_eq!(count(&[&same, &same]), 2);
        assert_eq!(count(&[&same, &other, &same]), 1);
        assert_eq!(count(&[&same, &migrated, &same]), 1);
        assert_eq!(count(&[&same, &never_started, &same]), 2);
    }
}
