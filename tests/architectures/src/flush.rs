//! Flush-to-zero, on processors that have it.

/// Does the work with denormals taken for 0 or not, and puts the processor back.
pub fn with<T>(flush: bool, work: impl FnOnce() -> T) -> T {
    let before = control();
    set(if flush { before | FLUSH } else { before & !FLUSH });
    let done = work();
    set(before);
    done
}

/// Flush-to-zero (bit 15) and denormals-are-zero (bit 6) of MXCSR (Intel SDM 1, 10.2.3).
#[cfg(target_arch = "x86_64")]
const FLUSH: u64 = 1 << 15 | 1 << 6;
/// FZ of FPCR (Arm ARM, C5.2.8).
#[cfg(target_arch = "aarch64")]
const FLUSH: u64 = 1 << 24;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FLUSH: u64 = 0;

#[cfg(target_arch = "x86_64")]
fn control() -> u64 {
    let mut word = 0u32;
    // SAFETY: stores the control register into the four bytes it is given.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    u64::from(word)
}

#[cfg(target_arch = "x86_64")]
fn set(word: u64) {
    let word = word as u32;
    // SAFETY: loads the control register; only the two flush bits differ from what it held.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn control() -> u64 {
    let word: u64;
    // SAFETY: reads the control register.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
    word
}

#[cfg(target_arch = "aarch64")]
fn set(word: u64) {
    // SAFETY: only the flush bit differs from what the register held.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> u64 {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set(_: u64) {}
