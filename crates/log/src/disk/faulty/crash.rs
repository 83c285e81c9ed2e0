//! What a crash leaves of what was pending.
//!
//! A write that is torn is torn at *grains*: bits, bytes, sectors or pages,
//! counted from the start of the file, as a disk counts them.
//!
//! ```text
//!   sectors     │ 0        512      1024     1536     │
//!   the write        ███████████████████████
//!   prefix           ███████········                     cut at a sector
//!   suffix           ·······████████████████
//!   scattered        ███████········████████
//!                           └─ old bytes, zeros or garbage; never a byte
//!                              outside the write
//! ```

use std::fmt;

use super::Dice;

/// How everything stops.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CrashPlan {
    /// Only the process ends: what it wrote is there, and pending as before.
    Kill,
    /// The machine ends: what was pending survives by the plan.
    PowerLoss(PowerLoss),
}

/// What survives a power loss.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PowerLoss {
    /// Decides everything the plan leaves open.
    pub seed: u64,
    /// Which pending writes and allocations survive.
    pub writes: Survival,
    /// Which pending creations, renames and removals survive.
    pub entries: Survival,
    /// How surviving writes are torn, if they are.
    pub tearing: Option<Tearing>,
}

/// Which of what was pending survives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Survival {
    /// Nothing.
    None,
    /// Everything, in order.
    All,
    /// Each with this chance, in any order.
    Some {
        /// In a hundred.
        percent: u64,
    },
}

/// How a write is torn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tearing {
    /// How many in a hundred are torn.
    pub percent: u64,
    /// In what units.
    pub grain: Grain,
    /// Which of them survive.
    pub shape: Shape,
    /// What stands where they did not.
    pub filling: Filling,
}

/// The unit that is written whole or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    #[allow(missing_docs)]
    Bit,
    #[allow(missing_docs)]
    Byte,
    /// 512 bytes.
    Sector,
    /// 4,096 bytes.
    Page,
}

/// Which grains of a torn write survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Those before a cut.
    Prefix,
    /// Those after a cut.
    Suffix,
    /// Any.
    Scattered,
}

/// What stands in the grains of a torn write that did not survive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filling {
    /// What was there before.
    Old,
    #[allow(missing_docs)]
    Zeros,
    #[allow(missing_docs)]
    Garbage,
}

impl CrashPlan {
    /// Nothing that was pending survives.
    pub fn lose_everything() -> Self {
        Self::PowerLoss(PowerLoss { seed: 0, writes: Survival::None, entries: Survival::None, tearing: None })
    }

    /// Everything that was pending survives, and is durable from then on.
    pub fn keep_everything() -> Self {
        Self::PowerLoss(PowerLoss { seed: 0, writes: Survival::All, entries: Survival::All, tearing: None })
    }

    /// Some power loss; the seed says which.
    pub fn power_loss(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let mut survival = || match dice.below(8) {
            0 => Survival::None,
            1 => Survival::All,
            _ => Survival::Some { percent: *dice.pick(&[10, 50, 90]) },
        };
        let (writes, entries) = (survival(), survival());
        let tearing = dice.chance(75).then(|| Tearing {
            percent: *dice.pick(&[20, 50, 100]),
            grain: *dice.pick(&[Grain::Bit, Grain::Byte, Grain::Sector, Grain::Sector, Grain::Page]),
            shape: *dice.pick(&[Shape::Prefix, Shape::Suffix, Shape::Scattered]),
            filling: *dice.pick(&[Filling::Old, Filling::Zeros, Filling::Garbage]),
        });
        Self::PowerLoss(PowerLoss { seed: dice.any(), writes, entries, tearing })
    }

    /// Some crash; the seed says which. One in four only ends the process.
    pub fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        if dice.chance(25) { Self::Kill } else { Self::power_loss(dice.any()) }
    }
}

impl fmt::Display for CrashPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let PowerLoss { seed, writes, entries, tearing } = match self {
            Self::Kill => return f.write_str("the process is killed"),
            Self::PowerLoss(loss) => loss,
        };
        write!(f, "the power is lost (seed {seed}): of the writes {writes}, of the entries {entries}")?;
        if let Some(Tearing { percent, grain, shape, filling }) = tearing {
            write!(f, ", {percent} % torn by {grain:?} as {shape:?} over {filling:?}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Survival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::All => f.write_str("all"),
            Self::Some { percent } => write!(f, "{percent} %"),
        }
    }
}

impl Survival {
    /// Whether the next one survives.
    pub(super) fn keeps(self, dice: &mut Dice) -> bool {
        match self {
            Self::None => false,
            Self::All => true,
            Self::Some { percent } => dice.chance(percent),
        }
    }
}

impl Grain {
    fn bits(self) -> u64 {
        match self {
            Self::Bit => 1,
            Self::Byte => 8,
            Self::Sector => 512 * 8,
            Self::Page => 4_096 * 8,
        }
    }
}

/// Applies what a torn write leaves. Only bytes of the write change; where it
/// reaches past the end, the file grows to the end of what survived, or, as
/// when only the new length was recorded, to the end of the write.
pub(super) fn tear(content: &mut Vec<u8>, bytes: &[u8], offset: u64, tearing: &Tearing, dice: &mut Dice) {
    if bytes.is_empty() {
        return;
    }
    let grain = tearing.grain.bits();
    let (from, until) = (offset * 8, (offset + bytes.len() as u64) * 8);
    let first = from / grain;
    let count = (until - 1) / grain - first + 1;
    let cut = dice.below(count + 1);
    let before = content.len() as u64;
    content.resize(content.len().max((until / 8) as usize), 0);
    let mut survived_until = before;
    for index in 0..count {
        let survives = match tearing.shape {
            Shape::Prefix => index < cut,
            Shape::Suffix => index >= cut,
            Shape::Scattered => dice.chance(50),
        };
        if !survives && tearing.filling == Filling::Old {
            continue;
        }
        let start = ((first + index) * grain).max(from);
        let end = ((first + index + 1) * grain).min(until);
        if survives {
            survived_until = survived_until.max(end.div_ceil(8));
        }
        if grain < 8 {
            let place = (start / 8) as usize;
            let mask = 1 << (start % 8);
            let bit = match (survives, tearing.filling) {
                (true, _) => bytes[place - offset as usize] & mask,
                (false, Filling::Garbage) => dice.any() as u8 & mask,
                (false, Filling::Zeros | Filling::Old) => 0,
            };
            content[place] = content[place] & !mask | bit;
        } else {
            let (start, end) = ((start / 8) as usize, (end / 8) as usize);
            let target = &mut content[start..end];
            match (survives, tearing.filling) {
                (true, _) => target.copy_from_slice(&bytes[start - offset as usize..end - offset as usize]),
                (false, Filling::Garbage) => dice.fill(target),
                (false, Filling::Zeros | Filling::Old) => target.fill(0),
            }
        }
    }
    if dice.chance(50) {
        content.truncate(survived_until as usize);
    }
}

/// Puts back the sectors that a write would not have changed.
pub(super) fn spare(content: &mut [u8], bytes: &[u8], offset: u64, before: &[u8]) {
    const SECTOR: usize = 512;
    let from = offset as usize;
    let until = (from + bytes.len()).min(content.len()).min(before.len());
    let mut start = from;
    while start < until {
        let end = (start - start % SECTOR + SECTOR).min(until);
        if before[start..end] == bytes[start - from..end - from] {
            content[start..end].copy_from_slice(&before[start..end]);
        }
        start = end;
    }
}
