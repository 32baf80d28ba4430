//! What is known from outside, and what is made of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use lintel_kernel::Fault;
use lintel_policies::{ConsumerConfig, Context, Directory, Layer, Layers};
use lintel_state::store::Record;
use rustc_hash::FxHashSet;

use super::entry::{self, Kind};
use crate::model::Plan;

/// What entries are held against.
#[derive(Clone)]
pub(crate) struct Terms {
    /// What limits are built with.
    pub(crate) context: Context,
    /// The consumers of the configuration.
    pub(crate) declared: Arc<Directory>,
    /// Their names, and those of its plans.
    pub(crate) consumers: Arc<FxHashSet<String>>,
    pub(crate) plans: Arc<BTreeSet<String>>,
    /// Whether entries may hold secrets.
    pub(crate) secrets: bool,
}

/// An entry that is in use.
#[derive(Clone)]
pub(super) struct Entry {
    pub(super) number: u64,
    pub(super) text: Arc<str>,
    /// The plan of a consumer.
    pub(super) plan: Option<Arc<str>>,
}

/// What an entry was to become, and why it did not.
pub(super) struct Refused {
    pub(super) number: u64,
    /// `None` where it was to be removed.
    pub(super) text: Option<Arc<str>>,
    pub(super) fault: Fault,
}

/// All entries, and what is made of them.
#[derive(Default)]
pub(super) struct State {
    pub(super) consumers: BTreeMap<Arc<str>, Entry>,
    pub(super) plans: BTreeMap<Arc<str>, Entry>,
    /// Those that can't be used as they are told; what they were before holds.
    pub(super) refused: BTreeMap<(Kind, Arc<str>), Refused>,
    /// Consumers that have changed since the base was built.
    since: FxHashSet<Arc<str>>,
    pub(super) layers: Arc<Layers>,
    /// Dropped here, and not by the worker that looked last.
    _before: Option<Arc<Layers>>,
}

/// As many may change, or a share of all, until all are built together again.
const FEW: usize = 256;
const SHARE: usize = 64;

/// A consumer as it is to be from now on.
struct Choice {
    entry: Entry,
    config: ConsumerConfig,
    new: bool,
}

type Choices = BTreeMap<Arc<str>, Choice>;

impl State {
    /// Takes over what is told. What can't be used is refused, entry by entry.
    pub(super) fn apply(&mut self, terms: &Terms, told: Vec<Record>) {
        let (mut plans, mut gone, mut wanted) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let again = std::mem::take(&mut self.refused).into_iter();
        let again = again.map(|((kind, name), refused)| (kind, name, refused.number, refused.text));
        let told = told.into_iter().filter_map(|record| {
            let (kind, name) = Kind::of(&record)?;
            Some((kind, name, record.number, record.text))
        });
        for (kind, name, number, text) in again.chain(told) {
            match kind {
                Kind::Plan => {
                    plans.insert(name, (number, text));
                }
                Kind::Consumer => {
                    wanted.remove(&name);
                    match text {
                        Some(text) => {
                            wanted.insert(name, (number, text));
                        }
                        None => gone.push(name),
                    }
                }
            }
        }
        let mut changed = self.add_plans(terms, &plans);
        let consumers = self.change_consumers(terms, gone, wanted);
        changed |= self.remove_plans(plans);
        let plans = match changed {
            true => Arc::new(self.plan_layer(terms)),
            false => Arc::clone(&self.layers.plans),
        };
        let layers = match consumers {
            Some((layer, true)) => Layers::new(
                Arc::new(layer),
                Layer::default(),
                FxHashSet::default(),
                plans,
            ),
            Some((layer, false)) => Layers::new(
                Arc::clone(&self.layers.base),
                layer,
                self.since.clone(),
                plans,
            ),
            None if changed => {
                let chosen = self.chosen(&self.since);
                let layer = layer(terms, directory(&chosen).unwrap_or_default(), &chosen);
                Layers::new(
                    Arc::clone(&self.layers.base),
                    layer,
                    self.since.clone(),
                    plans,
                )
            }
            None => return,
        };
        self._before = Some(std::mem::replace(&mut self.layers, Arc::new(layers)));
    }

    /// What would be wrong with an entry that is to change.
    pub(super) fn wrong(
        &self,
        terms: &Terms,
        kind: Kind,
        name: &str,
        text: Option<&Arc<str>>,
    ) -> Option<Fault> {
        let name: Arc<str> = name.into();
        let choice = match (kind, text) {
            (Kind::Plan, None) => {
                let mut on = self.consumers.iter();
                let (consumer, _) = on.find(|(_, entry)| entry.plan.as_ref() == Some(&name))?;
                return Some(used(consumer));
            }
            (Kind::Consumer, None) => return None,
            (Kind::Plan, Some(_)) if terms.plans.contains(&*name) => {
                return Some(declared(kind, &name));
            }
            (Kind::Plan, Some(text)) => return entry::plan(&name, text, &terms.context).err(),
            (Kind::Consumer, Some(text)) => match self.consumer(terms, &name, u64::MAX, text) {
                Ok(choice) => choice,
                Err(fault) => return Some(fault),
            },
        };
        let mut chosen = self.chosen(&self.since);
        chosen.insert(name, choice);
        let faults = match directory(&chosen) {
            Ok(directory) => self.twins(terms, &directory, &chosen, false),
            Err(faults) => faults,
        };
        faults.into_iter().next().map(|(_, fault)| fault)
    }

    fn refuse(&mut self, kind: Kind, name: Arc<str>, told: (u64, Option<Arc<str>>), fault: Fault) {
        let (number, text) = told;
        self.refused.insert(
            (kind, name),
            Refused {
                number,
                text,
                fault,
            },
        );
    }

    fn add_plans(
        &mut self,
        terms: &Terms,
        told: &BTreeMap<Arc<str>, (u64, Option<Arc<str>>)>,
    ) -> bool {
        let mut changed = false;
        for (name, (number, text)) in told {
            let Some(text) = text else { continue };
            let read = match terms.plans.contains(&**name) {
                true => Err(declared(Kind::Plan, name)),
                false => entry::plan(name, text, &terms.context),
            };
            match read {
                Ok(_) => {
                    let entry = Entry {
                        number: *number,
                        text: Arc::clone(text),
                        plan: None,
                    };
                    self.plans.insert(Arc::clone(name), entry);
                    changed = true;
                }
                Err(fault) => {
                    let told = (*number, Some(Arc::clone(text)));
                    self.refuse(Kind::Plan, Arc::clone(name), told, fault);
                }
            }
        }
        changed
    }

    /// A plan goes when nobody is on it any more.
    fn remove_plans(&mut self, told: BTreeMap<Arc<str>, (u64, Option<Arc<str>>)>) -> bool {
        let mut changed = false;
        for (name, (number, _)) in told.into_iter().filter(|(_, (_, text))| text.is_none()) {
            let mut on = self.consumers.iter();
            match on.find(|(_, entry)| entry.plan.as_ref() == Some(&name)) {
                Some((consumer, _)) if self.plans.contains_key(&name) => {
                    let fault = used(consumer);
                    self.refuse(Kind::Plan, name, (number, None), fault);
                }
                _ => changed |= self.plans.remove(&name).is_some(),
            }
        }
        changed
    }

    fn plan_layer(&self, terms: &Terms) -> Layer {
        let mut layer = Layer::default();
        for (name, entry) in &self.plans {
            let plan: Plan = entry::again(&entry.text);
            // Mistakes have been told before.
            let _ = layer
                .limits
                .add_plan(name, &plan.rate_limit, &terms.context);
            let _ = layer
                .quotas
                .add_plan(name, plan.quota.as_ref(), &terms.context);
        }
        layer
    }

    /// The layer of those that have changed, or of all and then `true`.
    fn change_consumers(
        &mut self,
        terms: &Terms,
        gone: Vec<Arc<str>>,
        wanted: BTreeMap<Arc<str>, (u64, Arc<str>)>,
    ) -> Option<(Layer, bool)> {
        let mut changed = BTreeSet::new();
        for name in gone {
            if self.consumers.remove(&name).is_some() {
                changed.insert(name);
            }
        }
        let mut new = Choices::new();
        for (name, (number, text)) in wanted {
            match self.consumer(terms, &name, number, &text) {
                Ok(choice) => {
                    changed.insert(Arc::clone(&name));
                    new.insert(name, choice);
                }
                Err(fault) => self.refuse(Kind::Consumer, name, (number, Some(text)), fault),
            }
        }
        if changed.is_empty() {
            return None;
        }
        self.since.extend(changed);
        let whole = self.since.len() > FEW.max(self.consumers.len() / SHARE);
        let mut chosen = match whole {
            true => self.chosen(self.consumers.keys()),
            false => self.chosen(&self.since),
        };
        chosen.extend(new);
        let layer = self.settle(terms, chosen, whole);
        if whole {
            self.since.clear();
        }
        Some((layer, whole))
    }

    fn consumer(
        &self,
        terms: &Terms,
        name: &str,
        number: u64,
        text: &Arc<str>,
    ) -> Result<Choice, Fault> {
        if terms.consumers.contains(name) {
            return Err(declared(Kind::Consumer, name));
        }
        let config = entry::consumer(name, text, &terms.context, terms.secrets)?;
        let plan = config.plan.as_deref().map(Arc::<str>::from);
        if let Some(plan) = &plan
            && !terms.plans.contains(&**plan)
            && !self.plans.contains_key(plan)
        {
            return Err(Fault::new(format!("there is no plan `{plan}`"))
                .with_hint("add the plan first, or name another")
                .under("plan"));
        }
        Ok(Choice {
            entry: Entry {
                number,
                text: Arc::clone(text),
                plan,
            },
            config,
            new: true,
        })
    }

    /// Consumers as they are in use.
    fn chosen<'a>(&self, names: impl IntoIterator<Item = &'a Arc<str>>) -> Choices {
        let names = names.into_iter();
        let known = names.filter_map(|name| Some((Arc::clone(name), self.in_use(name)?)));
        known.collect()
    }

    fn in_use(&self, name: &Arc<str>) -> Option<Choice> {
        let entry = self.consumers.get(name)?.clone();
        Some(Choice {
            config: entry::again(&entry.text),
            entry,
            new: false,
        })
    }

    /// Builds them together. Of two that have the same credential the one holds that had it first.
    fn settle(&mut self, terms: &Terms, mut chosen: Choices, whole: bool) -> Layer {
        let directory = loop {
            let faults = match directory(&chosen) {
                Err(faults) => faults,
                Ok(directory) => {
                    let twins = self.twins(terms, &directory, &chosen, whole);
                    if twins.is_empty() {
                        break directory;
                    }
                    twins
                }
            };
            let mut dismissed = false;
            for (name, fault) in faults {
                dismissed |= self.dismiss(&mut chosen, name, fault);
            }
            if !dismissed {
                // A mistake of nobody: rather nothing than no end.
                chosen.clear();
            }
        };
        let layer = layer(terms, directory, &chosen);
        for (name, choice) in chosen.into_iter().filter(|(_, choice)| choice.new) {
            self.consumers.insert(name, choice.entry);
        }
        layer
    }

    /// A consumer can't be as it was to be: it stays what it was, if it was anything. Whether it was
    /// one of these.
    fn dismiss(&mut self, chosen: &mut Choices, name: Arc<str>, fault: Fault) -> bool {
        let Some(choice) = chosen.remove(&name) else {
            return false;
        };
        if choice.new {
            if let Some(before) = self.in_use(&name) {
                chosen.insert(Arc::clone(&name), before);
            }
        } else {
            self.consumers.remove(&name);
        }
        let told = (choice.entry.number, Some(choice.entry.text));
        self.refuse(Kind::Consumer, name, told, fault);
        true
    }

    /// Consumers whose credentials others have.
    fn twins(
        &self,
        terms: &Terms,
        directory: &Directory,
        chosen: &Choices,
        whole: bool,
    ) -> Vec<(Arc<str>, Fault)> {
        let declared = directory.twins(&terms.declared);
        let base = &self.layers.base.directory;
        let base = directory.twins(base).filter(|(_, other)| {
            let hidden = chosen.contains_key(&other.name) || self.since.contains(&other.name);
            !whole && !hidden
        });
        let twins = declared.chain(base).map(|(own, other)| {
            let message = format!(
                "something it proves itself with is of consumer `{}`",
                other.name
            );
            let fault =
                Fault::new(message).with_hint("a key, a name or a claim is of one consumer");
            (Arc::clone(&own.name), fault)
        });
        twins.collect()
    }
}

fn layer(terms: &Terms, directory: Directory, chosen: &Choices) -> Layer {
    let mut layer = Layer {
        directory,
        ..Layer::default()
    };
    for (name, Choice { config, .. }) in chosen {
        let (limits, quota) = (&config.rate_limit, config.quota.as_ref());
        // Mistakes have been told before.
        let _ = layer.limits.add_consumer(name, limits, &terms.context);
        let _ = layer.quotas.add_consumer(name, quota, &terms.context);
    }
    layer
}

/// Who was told first comes first: of two that have the same, the second is at fault.
fn directory(chosen: &Choices) -> Result<Directory, Vec<(Arc<str>, Fault)>> {
    let mut all: Vec<(&Arc<str>, &Choice)> = chosen.iter().collect();
    all.sort_by_key(|(_, choice)| choice.entry.number);
    let configs = all.iter().map(|(name, choice)| (&***name, &choice.config));
    Directory::build(configs).map_err(|faults| {
        let named = faults.into_iter().map(|mut fault| {
            let name = match fault.path.is_empty() {
                true => String::new(),
                false => fault.path.remove(0),
            };
            (Arc::<str>::from(name), fault)
        });
        named.collect()
    })
}

fn used(consumer: &str) -> Fault {
    Fault::new(format!("it is to go, and consumer `{consumer}` is on it"))
        .with_hint("give its consumers another plan first; until then its limits hold")
}

fn declared(kind: Kind, name: &str) -> Fault {
    let noun = kind.noun();
    Fault::new(format!(
        "the configuration has a {noun} `{name}` too, which holds"
    ))
    .with_hint("remove one of them, or give it another name")
}
