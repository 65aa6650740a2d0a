//! The machine's clocks, and keeping time by them.

/// The raw monotonic clock in ns: the one that every process of a studio stamps with.
pub fn raw_nanos() -> i64 {
    nanos_of(libc::CLOCK_MONOTONIC_RAW)
}

fn nanos_of(clock: libc::clockid_t) -> i64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is ours and lives through the call; both clocks exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Deadlines of blocks, each computed from the first: lateness never adds up.
pub struct Pace {
    begin: i64,
    rate: u32,
    block: u32,
}

impl Pace {
    /// Blocks of so many frames, the first one now.
    pub fn from_now(rate: u32, block: u32) -> Pace {
        Pace { begin: nanos_of(libc::CLOCK_MONOTONIC), rate, block }
    }

    /// Waits for a block's deadline and gives how many ns after it this returns.
    pub fn wait(&self, count: u64) -> i64 {
        let frames = i128::from(count) * i128::from(self.block);
        let due = self.begin + (frames * 1_000_000_000 / i128::from(self.rate)) as i64;
        let until = libc::timespec { tv_sec: due / 1_000_000_000, tv_nsec: due % 1_000_000_000 };
        // SAFETY: `until` lives through the call, and no rest is asked for. An interrupted sleep
        // begins again with the same absolute deadline.
        while unsafe {
            libc::clock_nanosleep(libc::CLOCK_MONOTONIC, libc::TIMER_ABSTIME, &until, std::ptr::null_mut())
        } == libc::EINTR
        {}
        nanos_of(libc::CLOCK_MONOTONIC) - due
    }
}

/// Asks the system for a realtime priority, as hosts do for their audio threads; false where it
/// is not given, and then a busy machine makes blocks late.
pub fn ask_for_realtime() -> bool {
    let wish = libc::sched_param { sched_priority: 60 };
    // SAFETY: `wish` lives through the call; 0 is the calling thread.
    unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &wish) == 0 }
}
