//! Faults, and at which operation they strike.

use std::io;

use rustix::io::Errno;

/// What can be asked of a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum Operation {
    Read,
    Write,
    Allocate,
    Sync,
    /// [`DiskFile::bytes`](crate::disk::DiskFile::bytes).
    Length,
    Open,
    Create,
    CreateDir,
    List,
    Rename,
    Remove,
    SyncDir,
    Lock,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The operation fails with EIO and does nothing, except that a failed
    /// sync does what [`FailedSync`](super::FailedSync) says. Fits every operation.
    Eio,
    /// The disk is full. Fits writes, allocations, creations and renames; a
    /// sync only if it is named.
    Enospc,
    /// Fewer bytes are written than were given.
    ShortWrite,
    /// Fewer bytes are read than there are.
    ShortRead,
    /// This many reads and writes in a row fail with EINTR, then one succeeds.
    Interrupted {
        #[allow(missing_docs)]
        times: u64,
    },
    /// The write is acknowledged and never happens.
    LostWrite,
    /// The write happens elsewhere.
    MisdirectedWrite {
        /// In this file; `None`: in its own.
        file: Option<String>,
        /// This far from where it should have been.
        shift: i64,
    },
    /// The operation happens, its answer is never heard, and everything later
    /// fails: the moment to [`crash`](super::FaultyDisk::crash). Fits every
    /// operation.
    Stop,
}

/// How often an armed fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Times {
    #[allow(missing_docs)]
    Once,
    #[allow(missing_docs)]
    Forever,
}

/// A fault and when it strikes: at the n-th operation that it fits, and that is
/// of the kind and in the file named, if one is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Injection {
    #[allow(missing_docs)]
    pub fault: Fault,
    /// Only at this operation.
    pub operation: Option<Operation>,
    /// Only at names that contain this.
    pub name: Option<String>,
    /// Counted from 1, from when it is armed.
    pub nth: u64,
    /// Whether it strikes at the n-th only, or from there on.
    pub times: Times,
}

impl Injection {
    /// A fault at the first operation it fits.
    pub fn of(fault: Fault) -> Self {
        Self { fault, operation: None, name: None, nth: 1, times: Times::Once }
    }

    /// At the n-th such operation.
    pub fn at(self, nth: u64) -> Self {
        Self { nth, ..self }
    }

    /// Only at this operation.
    pub fn on(self, operation: Operation) -> Self {
        Self { operation: Some(operation), ..self }
    }

    /// Only at names that contain this.
    pub fn in_name(self, part: &str) -> Self {
        Self { name: Some(part.to_owned()), ..self }
    }

    /// At every such operation from the n-th on.
    pub fn forever(self) -> Self {
        Self { times: Times::Forever, ..self }
    }

    fn fits(&self, operation: Operation, name: &str) -> bool {
        use Operation::*;
        let is_named = self.operation == Some(operation);
        let fits = match &self.fault {
            Fault::Eio | Fault::Stop => true,
            Fault::Enospc => is_named || matches!(operation, Write | Allocate | Create | CreateDir | Rename),
            Fault::ShortWrite | Fault::LostWrite | Fault::MisdirectedWrite { .. } => operation == Write,
            Fault::ShortRead => operation == Read,
            Fault::Interrupted { .. } => matches!(operation, Read | Write),
        };
        fits && (is_named || self.operation.is_none())
            && self.name.as_ref().is_none_or(|part| name.contains(part.as_str()))
    }
}

impl Fault {
    /// What the caller hears.
    pub(super) fn error(&self) -> io::Error {
        match self {
            Self::Enospc => Errno::NOSPC.into(),
            Self::Interrupted { .. } => Errno::INTR.into(),
            Self::Stop => io::Error::other("the machine is off"),
            Self::Eio
            | Self::ShortWrite
            | Self::ShortRead
            | Self::LostWrite
            | Self::MisdirectedWrite { .. } => Errno::IO.into(),
        }
    }
}

/// An injection under way.
pub(super) struct Armed {
    injection: Injection,
    /// Operations that it fits, so far.
    seen: u64,
    pub(super) fired: u64,
}

impl Armed {
    pub(super) fn new(injection: Injection) -> Self {
        Self { injection, seen: 0, fired: 0 }
    }

    pub(super) fn fault(&self) -> &Fault {
        &self.injection.fault
    }

    /// Counts an operation, and says whether it is struck.
    pub(super) fn strikes(&mut self, operation: Operation, name: &str) -> Option<Fault> {
        if !self.injection.fits(operation, name) {
            return None;
        }
        self.seen += 1;
        let since = self.seen.checked_sub(self.injection.nth)?;
        let strikes = match (&self.injection.fault, self.injection.times) {
            (Fault::Interrupted { times }, Times::Once) => since < *times,
            (Fault::Interrupted { times }, Times::Forever) => since % (times + 1) < *times,
            (_, Times::Once) => since == 0,
            (_, Times::Forever) => true,
        };
        self.fired += u64::from(strikes);
        strikes.then(|| self.injection.fault.clone())
    }
}
