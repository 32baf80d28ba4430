//! What the catalogue and one worker share: the cells of one name, and single labelled series.

use std::sync::Arc;

use super::{
    cell::{Counter, Gauge, Histogram},
    family::{Family, Kind, REQUEST_BOUNDS},
    label::{AttemptOutcome, MethodLabel, PoolSource},
    life::Life,
};

/// One worker's cells under one name.
pub(crate) struct Block<C> {
    pub(crate) name: Arc<str>,
    pub(crate) life: Arc<Life>,
    pub(crate) cells: C,
}

impl<C: Default> Block<C> {
    pub(crate) fn new(name: &Arc<str>) -> Arc<Self> {
        Arc::new(Self {
            name: name.clone(),
            life: Arc::default(),
            cells: C::default(),
        })
    }
}

pub(crate) struct RouteCells {
    pub(crate) duration: Histogram,
}

impl Default for RouteCells {
    fn default() -> Self {
        Self {
            duration: Histogram::new(&REQUEST_BOUNDS),
        }
    }
}

pub(crate) struct ServiceCells {
    pub(crate) duration: Histogram,
    pub(crate) attempts: [Counter; AttemptOutcome::COUNT],
    pub(crate) pool: [Counter; PoolSource::COUNT],
    pub(crate) connects: Counter,
    pub(crate) connections: Gauge,
    pub(crate) requests: Gauge,
}

impl Default for ServiceCells {
    fn default() -> Self {
        Self {
            duration: Histogram::new(&REQUEST_BOUNDS),
            attempts: Default::default(),
            pool: Default::default(),
            connects: Counter::default(),
            connections: Gauge::default(),
            requests: Gauge::default(),
        }
    }
}

#[derive(Default)]
pub(crate) struct ListenerCells {
    pub(crate) connections: Counter,
    pub(crate) active: Gauge,
    pub(crate) received: Counter,
    pub(crate) sent: Counter,
}

/// One worker's cell of `requests_total`. Kept small: there are several a route.
pub(crate) struct RequestSeries {
    pub(crate) route: Arc<str>,
    pub(crate) service: Arc<str>,
    pub(crate) method: MethodLabel,
    /// 0 for the overflow series.
    pub(crate) status: u16,
    pub(crate) count: Counter,
}

/// One cell of any other family.
pub(crate) struct Series {
    pub(crate) family: &'static Family,
    /// `name="value",…`, escaped.
    pub(crate) labels: Box<[u8]>,
    pub(crate) cell: Cell,
    /// The block it goes with, if any.
    pub(crate) owner: Option<Arc<Life>>,
}

pub(crate) enum Cell {
    Counter(Counter),
    Gauge(Gauge),
    Histogram(Histogram),
}

impl Cell {
    pub(crate) fn new(kind: Kind) -> Self {
        match kind {
            Kind::Counter => Self::Counter(Counter::default()),
            Kind::Gauge => Self::Gauge(Gauge::default()),
            Kind::Histogram(bounds) => Self::Histogram(Histogram::new(bounds)),
        }
    }

    pub(crate) fn counter(&self) -> Option<&Counter> {
        match self {
            Self::Counter(counter) => Some(counter),
            _ => None,
        }
    }

    pub(crate) fn gauge(&self) -> Option<&Gauge> {
        match self {
            Self::Gauge(gauge) => Some(gauge),
            _ => None,
        }
    }

    pub(crate) fn histogram(&self) -> Option<&Histogram> {
        match self {
            Self::Histogram(histogram) => Some(histogram),
            _ => None,
        }
    }
}

/// News from a worker to the catalogue. A channel send takes no lock.
pub(crate) enum Registration {
    Overhead(Arc<Histogram>),
    Route(Arc<Block<RouteCells>>),
    Request(Arc<RequestSeries>),
    Service(Arc<Block<ServiceCells>>),
    Listener(Arc<Block<ListenerCells>>),
    Series(Arc<Series>),
}
