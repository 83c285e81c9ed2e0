//! The law must be able to fail: each store here breaks one rule, and must be
//! rejected for it.

mod appends;
mod broken;
mod reads;
mod subscriptions;

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::sample;
use crate::EventStore;
use broken::Broken;

/// One group of the law.
type Group = fn(&dyn Fn() -> Broken);

/// Runs a group, which must fail with a report that names this rule.
#[track_caller]
fn rejects(fault: &str, broken: Broken, group: Group, rule: &str) {
    let verdict = catch_unwind(AssertUnwindSafe(|| group(&|| broken.fresh())));
    let Err(failure) = verdict else { panic!("the law accepts a store that {fault}") };
    let report = failure.downcast_ref::<String>().cloned().unwrap_or_default();
    let names_it = report.starts_with("the store breaks the contract\n  rule: ") && report.contains(rule);
    assert!(names_it, "a store that {fault} is rejected, but not for {rule:?}:\n{report}");
}

/// Or else the rejections below would say nothing.
#[test]
fn the_wrapper_without_a_fault_obeys() {
    super::check(&Broken::sound);
}

#[test]
fn a_failure_names_the_rule_and_the_row() {
    let broken =
        Broken { append: |store, append| store.append(appends::without_checks(append)), ..Broken::sound() };
    let verdict = catch_unwind(AssertUnwindSafe(|| super::expectation::check(&|| broken.fresh())));
    let report = verdict.unwrap_err().downcast_ref::<String>().cloned().unwrap_or_default();
    let lines: Vec<_> = report.lines().map(str::trim).collect();
    assert_eq!(
        lines[..4],
        [
            "the store breaks the contract",
            "rule: an expected revision is met or answered with a conflict",
            "row:  a stream of 0 events, expected an existing stream, as CheckBesideAWrite (Blocking)",
            "the answer",
        ]
    );
    assert!(
        lines[4].starts_with("expected: Conflict { stream: ") && lines[5].starts_with("found:    Recorded(")
    );
}
