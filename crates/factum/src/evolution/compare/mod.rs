//! From what was stored and what the program has to what changed.
//!
//! ```text
//!   for each type of the program     for each version, known as a type or locked
//!        newest 3   ─────────────────  in the lock?  fields, stream, tags alike?
//!        from   2   ─────────────────  in the lock?  ...
//!        JSON   1   ─────────────────  only in the lock
//!                                      every sample: read, and written as before?
//!   what is left in the lock         is gone, or has another name
//! ```

mod fields;
mod form;
mod old;

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::advice::{Change, Strategy};
use super::conflict;
use super::lint;
use super::lock::file::{Lock, Version};
use super::report::{Finding, Report};
use super::set::Member;
use super::{Lint, Specimen};

/// What there is to say, and the lock as it would be now.
pub fn compare(members: &[Member], stored: Lock) -> (Report, Lock) {
    let mut comparison = Comparison {
        stored: &stored,
        report: Report::default(),
        now: Lock::default(),
        seen: BTreeSet::new(),
    };
    for conflict in conflict::among(members) {
        comparison.report.problems.push(conflict.to_string());
    }
    for member in members {
        comparison.member(member);
    }
    comparison.gone(members);
    (comparison.report, comparison.now)
}

struct Comparison<'a> {
    stored: &'a Lock,
    report: Report,
    now: Lock,
    /// Types that were compared: one may stand in several enums.
    seen: BTreeSet<&'static str>,
}

impl Comparison<'_> {
    fn member(&mut self, member: &Member) {
        let specimens = member.specimens();
        let shapes = (member.shapes)();
        let mut newest = Vec::new();
        for shape in &shapes {
            let is_first = self.seen.insert(shape.name);
            let of_type: Vec<_> =
                specimens.iter().filter(|specimen| specimen.shape.name == shape.name).collect();
            let Some(first) =
                of_type.iter().copied().find(|specimen| specimen.shape.version == shape.version)
            else {
                continue;
            };
            if is_first {
                newest.push(first);
                self.stored_type(member, first, &of_type);
            } else {
                self.again(member, first);
            }
        }
        let one = newest.iter().flat_map(|specimen| {
            let named = |warning| (specimen.shape.name.to_owned(), warning);
            lint::of_one(specimen).into_iter().map(named)
        });
        self.report.warnings.extend(one);
        self.report.warnings.extend(lint::of_all(&newest));
    }

    /// All versions of one type, the newest first.
    fn stored_type(&mut self, member: &Member, newest: &Specimen, specimens: &[&Specimen]) {
        let shape = &newest.shape;
        let locked: Vec<&Version> =
            self.stored.events.iter().filter(|version| version.event_type == shape.name).collect();
        let mut versions: Vec<u32> = specimens.iter().map(|specimen| specimen.shape.version).collect();
        versions.extend(locked.iter().map(|version| version.version));
        versions.sort_unstable_by(|a, b| b.cmp(a));
        versions.dedup();
        if locked.is_empty() && self.stored_anything() {
            self.report.findings.push(Finding::new(shape.name, shape.version, Change::TypeAdded));
        }
        for version in versions {
            let before = locked.iter().copied().find(|locked| locked.version == version);
            let specimen = specimens.iter().copied().find(|specimen| specimen.shape.version == version);
            let finding = |change| Finding::new(shape.name, version, change);
            match (before, specimen) {
                (None, Some(specimen)) => {
                    if !locked.is_empty() {
                        let is_lower =
                            locked.iter().any(|locked| locked.version > version) && version == shape.version;
                        let change = if is_lower { Change::VersionLowered } else { Change::VersionAdded };
                        self.report.findings.push(finding(change));
                    }
                    self.add(member, newest, specimen);
                }
                (Some(before), Some(specimen)) => self.version(member, newest, before, specimen),
                (Some(before), None) => {
                    if version > shape.version {
                        self.report.findings.push(finding(Change::VersionLowered));
                    } else if version < shape.oldest {
                        let kept = self.as_struct(before);
                        self.report.findings.push(finding(Change::VersionForgotten).keeping(kept));
                    } else {
                        self.report.findings.extend(form::of_samples(member, newest, before));
                    }
                    self.now.events.push(before.clone());
                }
                (None, None) => {}
            }
        }
    }

    /// A type that another enum has, too: this one reads the same events, by
    /// upcasters of its own.
    fn again(&mut self, member: &Member, newest: &Specimen) {
        let shape = &newest.shape;
        let is_its =
            |version: &&Version| version.event_type == shape.name && version.version <= shape.version;
        for version in self.now.events.iter().filter(is_its) {
            for finding in form::of_samples(member, newest, version) {
                if !self.report.findings.iter().any(|known| known.is_about_the_same(&finding)) {
                    self.report.findings.push(finding.saying(format!("as {} reads it", member.name)));
                }
            }
        }
    }

    /// What has to be in the program for events of this version to be upcast.
    fn as_struct(&self, version: &Version) -> Vec<String> {
        let is_older =
            |older: &&Version| older.event_type == version.event_type && older.version + 1 == version.version;
        old::as_struct(version, self.stored.events.iter().any(|older| is_older(&older)))
    }

    fn stored_anything(&self) -> bool {
        !self.stored.events.is_empty()
    }

    /// A version nobody has stored yet.
    fn add(&mut self, member: &Member, newest: &Specimen, specimen: &Specimen) {
        let mut version = Version::of(specimen);
        version.samples = self.samples(specimen);
        self.report.findings.extend(form::of_samples(member, newest, &version));
        self.now.events.push(version);
    }

    fn samples(&mut self, specimen: &Specimen) -> Vec<Box<RawValue>> {
        match &specimen.samples {
            Ok(samples) => samples.clone(),
            Err(reason) => {
                let shape = &specimen.shape;
                self.report.problems.push(format!("{}, version {}: {reason}", shape.name, shape.version));
                Vec::new()
            }
        }
    }

    /// A version that was stored, and is known as a type.
    fn version(&mut self, member: &Member, newest: &Specimen, before: &Version, specimen: &Specimen) {
        let mut now = Version::of(specimen);
        let named = |change| Finding::new(&before.event_type, before.version, change);
        let unreadable = form::of_samples(member, newest, before);
        let mut findings = fields::compare(before, &now, unreadable.is_empty());
        if before.stream != now.stream {
            let finding = named(Change::StreamChanged).minus(&before.stream).plus(&now.stream);
            let category = before.stream.split_once("-<id>").map_or(before.stream.as_str(), |(name, _)| name);
            let advice = Change::StreamChanged.advice().replace("\"...\"", &format!("{category:?}"));
            findings.push(finding.advising(advice));
        }
        for tag in now.tags.iter().filter(|tag| !before.tags.contains(tag)) {
            findings.push(named(Change::TagAdded).plus(&format!("tag {tag}")));
        }
        for tag in before.tags.iter().filter(|tag| !now.tags.contains(tag)) {
            findings.push(named(Change::TagRemoved).minus(&format!("tag {tag}")));
        }
        if before.allows != now.allows {
            let finding = named(Change::LintsAllowed).minus(&format!("allows {}", listed(&before.allows)));
            findings.push(finding.plus(&format!("allows {}", listed(&now.allows))));
        }
        // What is unsafe for the fields explains why samples cannot be read.
        if findings.iter().all(|finding| finding.change.strategy() == Strategy::Accept) {
            findings.extend(unreadable);
        }
        // Once, however many fields it is about.
        if let Some(at) = findings.iter().rposition(|finding| finding.change == Change::FieldTypeChanged) {
            let finding = findings.remove(at);
            findings.insert(at, finding.keeping(self.as_struct(before)));
        }
        let is_unsafe = findings.iter().any(|finding| finding.change.strategy() != Strategy::Accept);
        now.samples = before.samples.clone();
        if !is_unsafe {
            let fresh: Vec<_> = self
                .samples(specimen)
                .into_iter()
                .filter(|sample| !before.samples.iter().any(|known| form::says_the_same(known, sample)))
                .collect();
            // Nothing is locked that would be refused by the next check.
            let refused =
                form::of_samples(member, newest, &Version { samples: fresh.clone(), ..now.clone() });
            if !refused.is_empty() {
                findings.extend(refused);
            } else if findings.is_empty() && !fresh.is_empty() {
                let new = fresh
                    .iter()
                    .fold(named(Change::OptionalPartAdded), |finding, sample| finding.plus(sample.get()));
                findings.push(new);
            }
            now.samples.extend(fresh);
        }
        self.report.findings.extend(findings);
        self.now.events.push(now);
    }

    /// Types of the lock that the program does not have.
    fn gone(&mut self, members: &[Member]) {
        let stored = self.stored;
        let is_gone = |version: &&Version| !self.seen.contains(version.event_type.as_str());
        let gone: Vec<&Version> = stored.events.iter().filter(is_gone).collect();
        if gone.is_empty() {
            return;
        }
        let specimens: Vec<Specimen> = members.iter().flat_map(Member::specimens).collect();
        let added = specimens.iter().filter(|specimen| {
            let name = specimen.shape.name;
            !stored.events.iter().any(|version| version.event_type == name)
        });
        let added: Vec<_> = added.map(|specimen| (specimen.shape.name, Version::of(specimen))).collect();
        for version in gone {
            let same =
                added.iter().find(|(_, now)| now.fields == version.fields && now.stream == version.stream);
            let finding = match same {
                Some((name, _)) => Finding::new(&version.event_type, version.version, Change::TypeRenamed)
                    .minus(&version.event_type)
                    .plus(name)
                    .advising(format!("keep the stored name by `#[event(name = {:?})]`", version.event_type)),
                None => Finding::new(&version.event_type, version.version, Change::TypeRemoved),
            };
            self.report.findings.push(finding);
            self.now.events.push(version.clone());
        }
    }
}

fn listed(lints: &[String]) -> String {
    if lints.is_empty() { "nothing".to_owned() } else { lints.join(", ") }
}

impl Lint {
    /// How to allow it.
    pub(super) fn permission(self) -> String {
        format!("#[event(allow({self}))]")
    }
}
