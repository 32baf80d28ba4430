//! A value of its own for each thread.

use std::{
    any::Any,
    cell::RefCell,
    marker::PhantomData,
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
};

/// One value for each thread that asks for it, made on first use.
///
/// What a policy shares between workers would need a lock; what each worker has for itself does
/// not. The values of a [`Local`] that is gone are dropped when their thread next makes a new one.
#[derive(Debug)]
pub struct Local<T> {
    id: u64,
    alive: Arc<()>,
    kind: PhantomData<fn() -> T>,
}

struct Entry {
    owner: u64,
    alive: Weak<()>,
    /// Not here while it is worked with.
    value: Option<Box<dyn Any>>,
}

static NEXT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static VALUES: RefCell<Vec<Entry>> = const { RefCell::new(Vec::new()) };
}

impl<T: 'static> Local<T> {
    /// Without any value yet.
    pub fn new() -> Self {
        Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            alive: Arc::new(()),
            kind: PhantomData,
        }
    }

    /// Hands this thread's value to `work`; `make` makes it where there is none yet. Inside, the
    /// value of another `Local` may be asked for; the same one would be found missing.
    pub fn with<R>(&self, make: impl FnOnce() -> T, work: impl FnOnce(&mut T) -> R) -> R {
        let mut value = self.take().unwrap_or_else(|| {
            VALUES.with_borrow_mut(|all| all.retain(|entry| entry.alive.strong_count() > 0));
            Box::new(make())
        });
        let result = work(&mut value);
        self.put(value);
        result
    }

    fn take(&self) -> Option<Box<T>> {
        let taken = VALUES.with_borrow_mut(|all| {
            let own = all.iter_mut().find(|entry| entry.owner == self.id)?;
            own.value.take()
        });
        // Always of the type: the owner's number is given once.
        taken?.downcast().ok()
    }

    /// Nothing is counted for a value that has a place, so that a look costs no atomic operation.
    fn put(&self, value: Box<T>) {
        let before = VALUES.with_borrow_mut(|all| {
            match all.iter_mut().find(|entry| entry.owner == self.id) {
                Some(own) => own.value.replace(value),
                None => {
                    all.push(Entry {
                        owner: self.id,
                        alive: Arc::downgrade(&self.alive),
                        value: Some(value),
                    });
                    None
                }
            }
        });
        // Not while the list is borrowed: a value may itself ask for one when it is dropped.
        drop(before);
    }
}

impl<T: 'static> Default for Local<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{rc::Rc, thread};

    use super::*;

    #[test]
    fn each_thread_and_each_owner_has_its_own() {
        let (a, b) = (Local::<u32>::new(), Local::<u32>::new());
        a.with(|| 0, |value| *value += 1);
        a.with(
            || 0,
            |value| {
                *value += 1;
                b.with(|| 5, |other| *other += 10);
            },
        );
        thread::scope(|scope| {
            scope.spawn(|| assert_eq!(a.with(|| 0, |value| *value), 0));
        });
        assert_eq!(a.with(|| 0, |value| *value), 2);
        assert_eq!(b.with(|| 0, |value| *value), 15);
    }

    #[test]
    fn what_nobody_owns_is_dropped() {
        let kept = Rc::new(());
        let gone = Local::<Rc<()>>::new();
        gone.with(|| Rc::clone(&kept), |_| ());
        assert_eq!(Rc::strong_count(&kept), 2);
        drop(gone);
        Local::<u32>::new().with(|| 0, |_| ());
        assert_eq!(Rc::strong_count(&kept), 1);
    }
}
