//! Tying a worker to a core.

use std::io;

/// Ties the calling thread to one of the cores that the process may use, by turns.
///
/// # Errors
///
/// The system refuses.
pub(super) fn pin(worker: usize) -> io::Result<()> {
    // SAFETY: an all-zero `cpu_set_t` is the empty set.
    let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    let size = size_of::<libc::cpu_set_t>();
    // SAFETY: the set is valid for writes of `size` bytes; 0 is the calling thread.
    if unsafe { libc::sched_getaffinity(0, size, &raw mut allowed) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let max = usize::try_from(libc::CPU_SETSIZE).unwrap_or(0);
    // SAFETY: every index is below CPU_SETSIZE.
    let cores: Vec<usize> = (0..max)
        .filter(|core| unsafe { libc::CPU_ISSET(*core, &allowed) })
        .collect();
    let Some(core) = cores.get(worker % cores.len().max(1)) else {
        return Ok(());
    };
    // SAFETY: as above.
    let mut one: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the core came out of a set of this size.
    unsafe { libc::CPU_SET(*core, &mut one) };
    // SAFETY: the set is valid for reads of `size` bytes; 0 is the calling thread.
    if unsafe { libc::sched_setaffinity(0, size, &raw const one) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
