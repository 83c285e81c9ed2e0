//! An open file of a disk that can fail.

use std::io;

use super::platter::Platter;
use super::{Call, Fault, FaultyDisk, Operation, State};
use crate::disk::memory::{EBADF, length, read_from};
use crate::disk::{DiskFile, longer_already};

/// An open file. It stays readable after its name was removed.
pub(super) struct FaultyFile {
    pub(super) disk: FaultyDisk,
    pub(super) number: u64,
    /// The name it was opened by, for faults and traces.
    pub(super) name: String,
    pub(super) is_writable: bool,
}

impl FaultyFile {
    fn call(&self, operation: Operation) -> Call<'_> {
        Call::on(operation, &self.name)
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_writable { Ok(()) } else { Err(io::Error::from_raw_os_error(EBADF)) }
    }
}

impl FaultyFile {
    /// A read as this disk serves it: perhaps short, perhaps failing.
    fn read_by(
        &self,
        buffer: &mut [u8],
        offset: u64,
        read: impl Fn(&Platter, &mut [u8], u64) -> usize,
    ) -> io::Result<usize> {
        let call = self.call(Operation::Read).at(offset, buffer.len());
        self.disk.run_struck(call, |state, fault| {
            let count = match fault {
                Some(Fault::ShortRead) => state.dice.shorten(buffer.len()),
                Some(fault) => return Err(fault.error()),
                None => buffer.len(),
            };
            Ok(read(state.platter(self.number)?, &mut buffer[..count], offset))
        })
    }
}

impl DiskFile for FaultyFile {
    fn bytes(&self) -> io::Result<u64> {
        self.disk.run(self.call(Operation::Length), |state| Ok(state.platter(self.number)?.bytes()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_by(buffer, offset, Platter::read)
    }

    fn read_stored_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.read_by(buffer, offset, |platter, piece, at| read_from(&platter.stored(), piece, at))
    }

    fn write_at(&self, buffer: &[u8], offset: u64) -> io::Result<usize> {
        self.check_writable()?;
        let call = self.call(Operation::Write).at(offset, buffer.len());
        self.disk.run_struck(call, |state, fault| match fault {
            None => state.write(self.number, buffer, offset),
            Some(Fault::ShortWrite) => {
                let count = state.dice.shorten(buffer.len());
                state.write(self.number, &buffer[..count], offset)
            }
            Some(Fault::LostWrite) => Ok(buffer.len()),
            Some(Fault::MisdirectedWrite { file, shift }) => {
                let number = match file {
                    Some(name) => state.find_file(&name)?,
                    None => self.number,
                };
                state.write(number, buffer, offset.saturating_add_signed(shift))
            }
            Some(fault) => Err(fault.error()),
        })
    }

    fn write_zeros_at(&self, bytes: usize, offset: u64) -> io::Result<usize> {
        self.write_at(&vec![0; bytes], offset)
    }

    fn allocate(&self, bytes: u64) -> io::Result<()> {
        self.check_writable()?;
        let call = Call { bytes, ..self.call(Operation::Allocate) };
        self.disk.run(call, |state| {
            length(bytes)?;
            let room = state.room();
            let platter = state.platter(self.number)?;
            match bytes.checked_sub(platter.bytes()) {
                None => Err(longer_already(bytes)),
                Some(more) if more > room => Err(Fault::Enospc.error()),
                Some(_) => {
                    platter.grow(bytes);
                    Ok(())
                }
            }
        })
    }

    fn uncache_from(&self, _: u64) {}

    fn sync(&self) -> io::Result<()> {
        self.disk.run_struck(self.call(Operation::Sync), |state, fault| {
            let State { platters, settings, dice, .. } = state;
            let Some(platter) = platters.get_mut(&self.number) else {
                return Err(io::ErrorKind::NotFound.into());
            };
            platter.syncs += 1;
            match fault {
                Some(fault) => {
                    platter.fail_sync(settings.failed_sync, dice);
                    return Err(fault.error());
                }
                None if settings.drops_syncs => {}
                None => platter.sync(),
            }
            Ok(())
        })
    }
}
