//! Every operation of one short run fails in turn, and every crash that may
//! follow is tried: what the stories do by chance, without any.

use std::sync::Arc;

use factum_core::*;
use factum_log::disk::FaultyDisk;
use factum_log::disk::faulty::{CrashPlan, Fault, Times};

use super::Subject;

/// Appends of one run; large enough to go through some small segments.
const APPENDS: u64 = 10;

/// What a run was told.
#[derive(Default)]
struct Told {
    acknowledged: Vec<Append>,
    unknown: Vec<Append>,
    syncs_when_unknown: Option<u64>,
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_seconds(1_800_000_000)))
}

fn open<S: Subject>(disk: &FaultyDisk, options: &S::Options) -> Result<S, String> {
    S::open_on(Arc::new(disk.clone()), clock(), options)
        .map_err(|error| format!("cannot be opened: {error:?}"))
}

fn append(number: u64) -> Append {
    let stream = |number| StreamName::new(format!("cart-{}", number % 3)).unwrap();
    let event = |step| {
        let data = vec![number as u8 + 1; 9_000];
        let id = Uuid::from_u128(u128::from(number * 10 + step));
        NewEvent::new(EventType::new("ItemAdded").unwrap(), data).with_id(id)
    };
    let append = Append::to(stream(number), ExpectedRevision::Any, [event(1), event(2)]);
    append.and_to(stream(number + 1), ExpectedRevision::Any, [event(3)])
}

fn total_syncs(disk: &FaultyDisk) -> u64 {
    disk.syncs().values().sum()
}

/// Opens, appends, and closes; goes on after errors, as careless callers do.
fn run<S: Subject>(disk: &FaultyDisk, options: &S::Options) -> Result<Told, String> {
    let mut told = Told::default();
    let Ok(store) = open::<S>(disk, options) else { return Ok(told) };
    for number in 0..APPENDS {
        let append = append(number);
        match store.append(append.clone()) {
            Ok(_) if !told.unknown.is_empty() => {
                return Err("an append was acknowledged after one that was not".to_owned());
            }
            Ok(_) => told.acknowledged.push(append),
            Err(AppendError::Unknown(_)) => {
                told.unknown.push(append);
                told.syncs_when_unknown.get_or_insert(total_syncs(disk));
            }
            Err(AppendError::Storage(_)) => {}
            Err(error) => return Err(format!("append {number}: {error:?}")),
        }
        if number % 4 == 3 {
            let _ = store.pump();
        }
    }
    if let Some(syncs) = told.syncs_when_unknown
        && total_syncs(disk) != syncs
    {
        return Err("it synced again after a failed sync".to_owned());
    }
    let _ = store.close();
    Ok(told)
}

fn ids_of<'a>(appends: impl IntoIterator<Item = &'a Append>) -> Vec<Uuid> {
    let writes = appends.into_iter().flat_map(|append| &append.writes);
    writes.flat_map(|write| &write.events).map(|event| event.id).collect()
}

fn ids_in(store: &impl EventStore) -> Result<Vec<Uuid>, String> {
    let events = store.read(Read::all()).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let events = events.map_err(|error| format!("cannot read: {error:?}"))?;
    for (place, event) in events.iter().enumerate() {
        if event.position.get() != place as u64 {
            return Err(format!("position {} stands at place {place}", event.position));
        }
    }
    Ok(events.into_iter().map(|event| event.id).collect())
}

/// What must hold on the disk that is found after a run.
fn check<S: Subject>(disk: &FaultyDisk, told: &Told, options: &S::Options) -> Result<(), String> {
    let store = open::<S>(disk, options)?;
    let found = ids_in(&store)?;
    let may_be = |unknown: usize| ids_of(told.acknowledged.iter().chain(&told.unknown[..unknown]));
    if !(0..=told.unknown.len()).any(|unknown| found == may_be(unknown)) {
        return Err(format!(
            "{} appends were acknowledged and {} not, and these events are there: {found:?}",
            told.acknowledged.len(),
            told.unknown.len()
        ));
    }
    // Callers repeat what they do not know, and go on.
    for number in 0..=APPENDS {
        store.append(append(number)).map_err(|error| format!("append {number} again: {error:?}"))?;
    }
    let whole = ids_in(&store)?;
    if whole.len() != ids_of(&(0..=APPENDS).map(append).collect::<Vec<_>>()).len() {
        return Err(format!("after all was appended again, these events are there: {whole:?}"));
    }
    let next = disk.crash(&CrashPlan::lose_everything());
    let kept = ids_in(&open::<S>(&next, options)?)?;
    if kept == whole { Ok(()) } else { Err(format!("what was there is there no more: {kept:?}")) }
}

/// Strikes each operation of a run with this fault, until a run goes by
/// without. Returns how many operations there were.
pub fn sweep<S: Subject>(options: &S::Options, fault: &Fault, times: Times) -> Result<u64, String> {
    for nth in 1.. {
        let disk = FaultyDisk::new(nth);
        disk.record(200);
        disk.spare_unchanged(S::REWRITES);
        disk.fail_nth(nth, fault.clone(), times);
        let told = run::<S>(&disk, options)?;
        if disk.fired() == 0 {
            let all = told.acknowledged.len() as u64 == APPENDS;
            return if all { Ok(nth - 1) } else { Err("appends failed without a fault".to_owned()) };
        }
        let plans = [CrashPlan::Kill, CrashPlan::lose_everything(), CrashPlan::keep_everything()];
        for plan in plans.into_iter().chain((0..8).map(|seed| CrashPlan::power_loss(nth * 100 + seed))) {
            let next = disk.crash(&plan);
            check::<S>(&next, &told, options).map_err(|what| {
                format!("{}\n{fault:?} ({times:?}) at operation {nth}, then {plan}: {what}", next.story())
            })?;
        }
    }
    unreachable!("the run ends before the numbers do")
}
