//! Threads that must not wait.

/// Asks for realtime scheduling of the calling thread; where that is not allowed it goes on as it
/// is.
pub fn prefer_realtime() {
    #[cfg(target_os = "linux")]
    {
        let wanted = libc::sched_param { sched_priority: 10 };
        // SAFETY: `wanted` is a valid sched_param, and 0 names the calling thread.
        unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &wanted) };
    }
}
