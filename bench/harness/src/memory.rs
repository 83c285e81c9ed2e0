//! How much memory this process had at its peak, and how much processor it used.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::machine::kilobytes;

/// Begins a new peak at what is resident now, where the system allows it;
/// elsewhere peaks are those since the process began.
pub fn begin_peak() {
    // `5` asks Linux to forget the peak; elsewhere there is no such file.
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// The most memory that was resident since [`begin_peak`], in bytes; `None`
/// where the system does not tell.
pub fn peak_bytes() -> Option<u64> {
    kilobytes("/proc/self/status", "VmHWM")
}

/// Processor time of all threads of this process since it began.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Other tests begin peaks of their own meanwhile; what is held now is in
    /// every one of them.
    #[test]
    fn the_peak_holds_what_is_touched() {
        begin_peak();
        let touched = vec![1_u8; 256 << 20];
        let Some(peak) = peak_bytes() else { return };
        assert!(peak >= touched.len() as u64, "{peak} with {} bytes", touched.len());
    }

    #[test]
    fn processor_time_advances() {
        let before = processor_time();
        let mut sum = 0_u64;
        while processor_time() == before {
            sum = sum.wrapping_add(1);
        }
        assert!(processor_time() > before, "after {sum} rounds");
    }
}
