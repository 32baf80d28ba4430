//! The policies, as regorus runs them.

mod builtins;
mod circles;
mod faults;
mod input;

use std::{collections::BTreeMap, num::NonZeroU32};

use lintel_kernel::{Exchange, Fault};
use lintel_state::Local;
use regorus::{Value, utils::limits::ExecutionTimerConfig};

use super::config::Config;
use crate::judged::Failed;

/// Policies that were read, and the rule among them that decides.
pub(super) struct Engine {
    /// What each worker has a copy of.
    prepared: regorus::Engine,
    workers: Local<regorus::Engine>,
    rule: String,
}

/// Steps of an evaluation between looks at the clock.
const STEPS: NonZeroU32 = NonZeroU32::new(32).unwrap();

impl Engine {
    /// Reads policies and data.
    ///
    /// # Errors
    /// The mistakes in them, each at its key.
    pub(super) fn build(config: &Config) -> Result<Self, Vec<Fault>> {
        let mut engine = regorus::Engine::new();
        builtins::bound(&mut engine);
        engine.set_gather_prints(true);
        engine.set_execution_timer_config(ExecutionTimerConfig {
            limit: config.timeout.to_std(),
            check_interval: STEPS,
        });
        let faults: Vec<Fault> = add_policies(&mut engine, &config.policies)
            .into_iter()
            .chain(add_data(&mut engine, &config.data))
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        if let Some(fault) = circles::find(&mut engine, &config.policies) {
            return Err(vec![fault]);
        }
        let rule = config.query.as_str();
        if let Err(error) = engine.compile_with_entrypoint(&rule.into()) {
            let error = error.to_string();
            let fault = faults::located(&config.policies, &error);
            return Err(vec![
                fault.unwrap_or_else(|| faults::no_rule(rule, &engine)),
            ]);
        }
        let built = Self {
            prepared: engine,
            workers: Local::new(),
            rule: rule.to_owned(),
        };
        // A function that does not exist is noticed where it is called.
        match built.run(&mut built.prepared.clone(), input::nothing()) {
            Err(error) if error.contains("could not find function") => {
                let fault = faults::located(&config.policies, &error);
                Err(fault.into_iter().collect())
            }
            _ => Ok(built),
        }
    }

    /// The value of the rule for a request, if it has one.
    ///
    /// # Errors
    /// The policies contradict themselves, or take too long.
    pub(super) fn evaluate(
        &self,
        exchange: &Exchange,
    ) -> Result<Option<serde_json::Value>, Failed> {
        let make = || self.prepared.clone();
        let input = input::of(exchange);
        let value = self.workers.with(make, |engine| self.run(engine, input));
        let value = value.map_err(|error| {
            let code = match error.contains("exceeded time limit") {
                true => "policy_timeout",
                false => "policy_failed",
            };
            Failed::new(code, faults::shown(&error))
        })?;
        match value {
            Value::Undefined => Ok(None),
            Value::Bool(value) => Ok(Some(value.into())),
            value => serde_json::to_value(value)
                .map(Some)
                .map_err(|error| Failed::new("decision_invalid", error.to_string())),
        }
    }

    fn run(&self, engine: &mut regorus::Engine, input: Value) -> Result<Value, String> {
        engine.set_input(input);
        let value = engine.eval_rule(self.rule.clone());
        for line in engine.take_prints().unwrap_or_default() {
            tracing::debug!(rule = self.rule, "{line}");
        }
        value.map_err(|error| error.to_string())
    }
}

fn add_policies(engine: &mut regorus::Engine, policies: &BTreeMap<String, String>) -> Vec<Fault> {
    if policies.is_empty() {
        let fault = Fault::new("there is no policy");
        let hint = "write `policies: { orders.rego: \"${file.orders.rego}\" }`";
        return vec![fault.with_hint(hint).under("policies")];
    }
    let mut found = Vec::new();
    for (name, text) in policies {
        let at = |fault: Fault| fault.under(name).under("policies");
        if !faults::is_policy(text) {
            found.push(at(faults::no_policy()));
            continue;
        }
        found.extend(builtins::missing(name, text).map(at));
        if let Err(error) = engine.add_policy(name.clone(), text.clone()) {
            let error = error.to_string();
            let fault = faults::located(policies, &error);
            found.push(fault.unwrap_or_else(|| at(faults::whole(&error))));
        }
    }
    found
}

fn add_data(engine: &mut regorus::Engine, data: &[String]) -> Vec<Fault> {
    let add = |(index, text): (usize, &String)| {
        let added = Value::from_json_str(text).map_err(|error| {
            let fault = Fault::new(format!(
                "this is no JSON: {}",
                faults::shown(&error.to_string())
            ));
            fault.with_hint("write an object, such as `{\"roles\": {\"ada\": [\"admin\"]}}`")
        });
        let added = added.and_then(|value| {
            engine.add_data(value).map_err(|error| {
                let fault = Fault::new(format!("this can't be added: {error}"));
                fault.with_hint(
                    "write an object whose members no other of the `data` has with another value",
                )
            })
        });
        let fault = added.err()?.discreet();
        Some(fault.under(index.to_string()).under("data"))
    };
    data.iter().enumerate().filter_map(add).collect()
}
