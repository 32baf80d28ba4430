//! Every worker's cells by name, as the control threads see them.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc::Receiver},
};

use super::{
    block::{
        Block, Cell, ListenerCells, Registration, RequestSeries, RouteCells, Series, ServiceCells,
    },
    cell::Histogram,
    exposition,
    family::Family,
    label::MethodLabel,
    life,
};

type RequestLabels = (Arc<str>, MethodLabel, u16);

/// A route's cells of all workers.
#[derive(Default)]
pub(crate) struct RouteGroup {
    pub(crate) blocks: Vec<Arc<Block<RouteCells>>>,
    pub(crate) requests: BTreeMap<RequestLabels, Vec<Arc<RequestSeries>>>,
}

/// The series of one family by their label text.
pub(crate) struct FamilyGroup {
    pub(crate) family: &'static Family,
    pub(crate) series: BTreeMap<Box<[u8]>, Vec<Arc<Series>>>,
}

pub(crate) struct Registry {
    inbox: Receiver<Registration>,
    pub(crate) overhead: Vec<Arc<Histogram>>,
    pub(crate) routes: BTreeMap<Arc<str>, RouteGroup>,
    pub(crate) services: BTreeMap<Arc<str>, Vec<Arc<Block<ServiceCells>>>>,
    pub(crate) listeners: BTreeMap<Arc<str>, Vec<Arc<Block<ListenerCells>>>>,
    pub(crate) families: BTreeMap<&'static str, FamilyGroup>,
    /// Cells that control threads write, by family and label text.
    shared: BTreeMap<(&'static str, Box<[u8]>), Arc<Series>>,
}

impl Registry {
    pub(crate) fn new(inbox: Receiver<Registration>) -> Self {
        Self {
            inbox,
            overhead: Vec::new(),
            routes: BTreeMap::new(),
            services: BTreeMap::new(),
            listeners: BTreeMap::new(),
            families: BTreeMap::new(),
            shared: BTreeMap::new(),
        }
    }

    /// Takes in what workers have registered since the last time.
    pub(crate) fn absorb(&mut self) {
        while let Ok(news) = self.inbox.try_recv() {
            match news {
                Registration::Overhead(cells) => self.overhead.push(cells),
                Registration::Route(block) => {
                    let group = self.routes.entry(block.name.clone()).or_default();
                    group.blocks.push(block);
                }
                Registration::Request(series) => {
                    let group = self.routes.entry(series.route.clone()).or_default();
                    let labels = (series.service.clone(), series.method, series.status);
                    group.requests.entry(labels).or_default().push(series);
                }
                Registration::Service(block) => {
                    let blocks = self.services.entry(block.name.clone()).or_default();
                    blocks.push(block);
                }
                Registration::Listener(block) => {
                    let blocks = self.listeners.entry(block.name.clone()).or_default();
                    blocks.push(block);
                }
                Registration::Series(series) => self.add(series),
            }
        }
    }

    fn add(&mut self, series: Arc<Series>) {
        let group = self
            .families
            .entry(series.family.name)
            .or_insert_with(|| FamilyGroup {
                family: series.family,
                series: BTreeMap::new(),
            });
        let cells = group.series.entry(series.labels.clone()).or_default();
        cells.push(series);
    }

    /// The one cell of these labels that all control threads share.
    pub(crate) fn shared(&mut self, family: &'static Family, values: &[&str]) -> Arc<Series> {
        let key = (family.name, exposition::labels(family, values));
        if let Some(known) = self.shared.get(&key) {
            return known.clone();
        }
        let series = Arc::new(Series {
            family,
            labels: key.1.clone(),
            cell: Cell::new(family.kind),
            owner: None,
        });
        self.shared.insert(key, series.clone());
        self.add(series.clone());
        series
    }

    /// Ends a series that control threads write.
    pub(crate) fn forget(&mut self, family: &'static Family, values: &[&str]) {
        let key = (family.name, exposition::labels(family, values));
        let Some(series) = self.shared.remove(&key) else {
            return;
        };
        if let Some(group) = self.families.get_mut(family.name)
            && let Some(cells) = group.series.get_mut(&key.1)
        {
            cells.retain(|cell| !Arc::ptr_eq(cell, &series));
            if cells.is_empty() {
                group.series.remove(&key.1);
            }
        }
    }

    /// Drops the one cell of these labels, unless two or more threads hold it.
    pub(crate) fn release(&mut self, family: &'static Family, values: &[&str]) {
        // The two maps here hold one each, and so may the caller.
        const HELD: usize = 3;
        let key = (family.name, exposition::labels(family, values));
        let Some(series) = self.shared.get(&key) else {
            return;
        };
        if Arc::strong_count(series) > HELD {
            return;
        }
        if let Some(group) = self.families.get_mut(family.name) {
            group.series.retain(|_, cells| {
                cells.retain(|cell| !Arc::ptr_eq(cell, series));
                !cells.is_empty()
            });
        }
        self.shared.remove(&key);
    }

    /// Drops the names that every worker has left alone for long; how many.
    pub(crate) fn retire(&mut self, now: u64) -> u64 {
        let before = self.names();
        self.routes
            .retain(|_, group| !life::retire(group.blocks.iter().map(|block| &block.life), now));
        self.services
            .retain(|_, blocks| !life::retire(blocks.iter().map(|block| &block.life), now));
        self.listeners
            .retain(|_, blocks| !life::retire(blocks.iter().map(|block| &block.life), now));
        let retired = before.saturating_sub(self.names());
        if retired > 0 {
            self.drop_orphans();
        }
        u64::try_from(retired).unwrap_or(u64::MAX)
    }

    fn names(&self) -> usize {
        self.routes.len() + self.services.len() + self.listeners.len()
    }

    fn drop_orphans(&mut self) {
        let orphan =
            |series: &Arc<Series>| series.owner.as_ref().is_some_and(|life| life.is_retired());
        for group in self.families.values_mut() {
            group.series.retain(|_, cells| {
                cells.retain(|series| !orphan(series));
                !cells.is_empty()
            });
        }
    }
}
