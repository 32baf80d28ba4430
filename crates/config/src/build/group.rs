//! Groups of routes.

use std::{collections::BTreeMap, sync::Arc};

use lintel_policies::{Chain, Context, RoutePolicies};
use lintel_proxy::snapshot::Group;
use lintel_server::listener_id;

use super::{Builder, page};
use crate::text::Name;

/// Groups by name.
pub(super) type Groups<'a> = BTreeMap<&'a Name, Arc<Group>>;

/// The groups; where one can't be built, its routes are left out: what is wrong with it would be
/// said again of each of them.
pub(super) fn build<'a>(builder: &mut Builder<'a>) -> Groups<'a> {
    let loaded = builder.loaded;
    let mut groups = Groups::new();
    for (name, group) in &loaded.model.groups {
        let base = ["groups", name.as_str()];
        let context = Context {
            group: Some(name.as_str().into()),
            ..builder.context.clone()
        };
        let inherited = RoutePolicies::default().merged(&group.defaults.policies);
        let faults = Chain::faults(&inherited, None, &context);
        if !faults.is_empty() {
            builder.faults(&[base[0], base[1], "defaults", "policies"], faults);
            continue;
        }
        let errors = page::errors(builder, &[base[0], base[1], "errors"], &group.errors);
        let hosts = group.host.iter().flat_map(|hosts| hosts.as_slice());
        let listeners = group.listeners.iter().flatten();
        groups.insert(
            name,
            Arc::new(Group {
                name: name.as_str().into(),
                owner: group.owner.as_deref().map(Into::into),
                hosts: hosts.map(|host| host.pattern().clone()).collect(),
                listeners: listeners.map(|name| listener_id(name.as_str())).collect(),
                errors,
            }),
        );
    }
    groups
}
