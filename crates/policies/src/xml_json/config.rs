use std::collections::BTreeMap;

use http::StatusCode;
use lintel_kernel::{ByteSize, Fault, config};
use lintel_xml::{MAX_DEPTH, Mapping, Names, Paths, is_name, soap::Version};

use super::{Language, Side, Soap, XmlJson};
use crate::{Context, Setting, described};

/// Translates between JSON and XML or SOAP. What is in the language of the receiver already passes as it
/// is.
#[config]
#[schemars(rename = "XmlJson")]
pub struct Config {
    /// What the service speaks: `xml`, and the clients JSON, or `json`, and the clients XML.
    pub service: Speaks,
    /// Envelopes around the XML.
    #[serde(default)]
    pub soap: Option<SoapConfig>,
    /// What becomes of requests; `off` leaves them as they are.
    #[serde(default)]
    pub request: Option<Setting<SideConfig>>,
    /// What becomes of answers; `off` leaves them as they are.
    #[serde(default)]
    pub response: Option<Setting<SideConfig>>,
    /// What becomes of namespaces: `drop` them, `keep` names and declarations as they are written, or
    /// prefixes of your own with their namespaces. An empty prefix is for names without one.
    #[serde(default)]
    pub namespaces: Namespaces,
    /// Paths of elements that are an array in JSON even if there is only one: `/orders/order`, `//order`.
    /// A path begins at the root element of the message, or with `//` anywhere; `*` is any name.
    #[serde(default)]
    pub arrays: Vec<String>,
    /// Paths of elements and attributes (`/order/@id`) whose text is no string in JSON.
    #[serde(default)]
    pub types: BTreeMap<String, Kind>,
    /// Name of the elements that stand for the elements of an array which has none of its own.
    #[serde(default = "item")]
    pub item: String,
    /// Largest body that is translated, either way. Ten to twenty times as much memory is needed while it
    /// is.
    #[serde(default = "max_body")]
    pub max_body: ByteSize,
    /// How deep values may lie in each other; at most 100.
    #[serde(default = "max_depth")]
    pub max_depth: u32,
}

/// A language.
#[config]
#[derive(Copy)]
#[schemars(rename = "XmlJsonSpeaks")]
pub enum Speaks {
    /// XML, with SOAP's envelopes or without.
    Xml,
    /// JSON.
    Json,
}

/// What text is in JSON.
#[config]
#[derive(Copy)]
#[schemars(rename = "XmlJsonKind")]
pub enum Kind {
    /// A string, in which a number or a boolean may be written.
    String,
    /// A number without a fraction, of any length.
    Integer,
    /// A number.
    Number,
    /// `true` or `false`; `1` and `0` in XML are read as well.
    Boolean,
}

/// What becomes of namespaces.
#[derive(Debug, Clone, serde::Deserialize, schemars::JsonSchema)]
#[serde(untagged)]
#[schemars(rename = "XmlJsonNamespaces")]
pub enum Namespaces {
    /// By a rule.
    Rule(NamespaceRule),
    /// Prefixes of your own, with the namespaces that they stand for.
    Known(BTreeMap<String, String>),
}

impl Default for Namespaces {
    fn default() -> Self {
        Self::Rule(NamespaceRule::Drop)
    }
}

/// A rule for namespaces.
#[config]
#[derive(Copy)]
#[schemars(rename = "XmlJsonNamespaceRule")]
pub enum NamespaceRule {
    /// Names without prefixes; what is written is in no namespace.
    Drop,
    /// Names and declarations as they are written.
    Keep,
}

/// One direction.
#[config]
#[derive(Default)]
#[schemars(rename = "XmlJsonSide")]
pub struct SideConfig {
    /// The element that the JSON value stands for: it is put around what becomes XML, and taken off what
    /// becomes JSON. Without it, JSON is an object with one member, the root element.
    #[serde(default)]
    pub root: Option<String>,
    /// Further elements in the root element, with `${…}`: `id: "${path.id}"`. They take the place of what
    /// the client sends under their names.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, described::Template>")]
    pub fields: BTreeMap<String, String>,
}

/// Envelopes.
#[config]
#[schemars(rename = "XmlJsonSoap")]
pub struct SoapConfig {
    /// The version that the service speaks, `1.1` unless it is said. Clients may speak both.
    #[serde(default)]
    pub version: Option<SoapVersion>,
    /// What the service is asked to do (`SOAPAction`), with `${…}`.
    #[serde(default)]
    #[schemars(with = "Option<described::Template>")]
    pub action: Option<String>,
    /// Statuses for faults, by their code or subcode (`Client`, `NotFound`) or by the name of the first
    /// element in their detail.
    #[serde(default)]
    pub faults: BTreeMap<String, u16>,
}

/// A version of SOAP.
#[config]
#[derive(Copy)]
#[schemars(rename = "XmlJsonSoapVersion")]
pub enum SoapVersion {
    /// SOAP 1.1.
    #[serde(rename = "1.1")]
    V1_1,
    /// SOAP 1.2.
    #[serde(rename = "1.2")]
    V1_2,
}

fn item() -> String {
    "item".to_owned()
}

const fn max_body() -> ByteSize {
    ByteSize::bytes(1 << 20)
}

const fn max_depth() -> u32 {
    32
}

impl Config {
    pub(super) fn build(&self, context: &Context) -> Result<XmlJson, Vec<Fault>> {
        let mut faults = Vec::new();
        let service = match self.service {
            Speaks::Xml => Language::Xml,
            Speaks::Json => Language::Json,
        };
        let names = self.names(&mut faults);
        let request = self.side("request", self.request.as_ref(), context, &mut faults);
        let response = self.side("response", self.response.as_ref(), context, &mut faults);
        let soap = self
            .soap
            .as_ref()
            .map(|soap| soap.build(service, context, &mut faults));
        let paths = self.paths(&mut faults);
        self.check(&mut faults);
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(XmlJson {
            service,
            soap,
            request,
            response,
            mapping: Mapping {
                names,
                paths,
                item: self.item.as_str().into(),
                depth: self.max_depth,
            },
            max_body: self.max_body.as_usize(),
        })
    }

    fn check(&self, faults: &mut Vec<Fault>) {
        if !is_name(&self.item) {
            let fault = Fault::new(format!("`{}` is not the name of an element", self.item));
            faults.push(fault.with_hint("write a name such as `item`").under("item"));
        }
        if !(1..=MAX_DEPTH).contains(&self.max_depth) {
            let fault = Fault::new(format!(
                "`{}` is not between 1 and {MAX_DEPTH}",
                self.max_depth
            ));
            let hint = "remove it for 32, which is deeper than messages are";
            faults.push(fault.with_hint(hint).under("max_depth"));
        }
        let off = |side: &Option<Setting<SideConfig>>| matches!(side, Some(Setting::Off(_)));
        if off(&self.request) && off(&self.response) {
            faults.push(
                Fault::new("neither requests nor answers are translated")
                    .with_hint("remove one `off`, or the policy")
                    .under("response"),
            );
        }
        // Both speak of what becomes JSON.
        let (becomes_json, side) = match self.service {
            Speaks::Xml => (!off(&self.response), "response"),
            Speaks::Json => (!off(&self.request), "request"),
        };
        let given = [
            ("arrays", self.arrays.is_empty()),
            ("types", self.types.is_empty()),
        ];
        for (key, is_empty) in given {
            if !is_empty && !becomes_json {
                faults.push(
                    Fault::new(format!("nothing becomes JSON while `{side}` is `off`"))
                        .with_hint(format!("remove `{key}`, or translate the {side}"))
                        .under(key),
                );
            }
        }
    }

    fn names(&self, faults: &mut Vec<Fault>) -> Names {
        let known = match &self.namespaces {
            Namespaces::Rule(NamespaceRule::Drop) => return Names::Drop,
            Namespaces::Rule(NamespaceRule::Keep) => return Names::Keep,
            Namespaces::Known(known) => known,
        };
        for (prefix, uri) in known {
            let reserved = matches!(prefix.as_str(), "xml" | "xmlns" | "xsi" | "soap");
            let fault = if reserved || !(prefix.is_empty() || is_name(prefix)) {
                Fault::new(format!("`{prefix}` can't be a prefix of yours"))
                    .with_hint("take another name, such as `o`; `xml`, `xsi` and `soap` are known")
            } else if uri.trim().is_empty() || uri.contains(char::is_whitespace) {
                Fault::new(format!("`{uri}` is not the name of a namespace"))
                    .with_hint("write what `targetNamespace` of the service's WSDL says")
            } else {
                continue;
            };
            faults.push(fault.under(prefix.clone()).under("namespaces"));
        }
        let pair =
            |(prefix, uri): (&String, &String)| (prefix.as_str().into(), uri.as_str().into());
        Names::Known(known.iter().map(pair).collect())
    }

    fn side(
        &self,
        key: &'static str,
        side: Option<&Setting<SideConfig>>,
        context: &Context,
        faults: &mut Vec<Fault>,
    ) -> Option<Side> {
        let nothing = SideConfig::default();
        let side = match side {
            None => &nothing,
            Some(Setting::On(side)) => side,
            Some(Setting::Off(_)) => return None,
        };
        if let Some(root) = &side.root {
            faults.extend(self.unfit(root).map(|fault| fault.under("root").under(key)));
        }
        let written = key == "request" && matches!(self.service, Speaks::Xml);
        if !side.fields.is_empty() && !written {
            faults.push(
                Fault::new("these elements are for what the service gets as XML")
                    .with_hint("`fields` belongs to `request`, where `service` is `xml`")
                    .under("fields")
                    .under(key),
            );
            return None;
        }
        let mut fields = Vec::new();
        for (name, text) in &side.fields {
            let mut fault = |fault: Fault| {
                faults.push(fault.under(name.clone()).under("fields").under(key));
            };
            if let Some(unfit) = self.unfit(name.strip_prefix('@').unwrap_or(name)) {
                fault(unfit);
            }
            match context.request_template(text) {
                Ok(template) => fields.push((name.as_str().into(), template)),
                Err(found) => fault(found),
            }
        }
        Some(Side {
            root: side.root.as_deref().map(Into::into),
            fields,
        })
    }

    /// What is wrong with the name of an element.
    fn unfit(&self, name: &str) -> Option<Fault> {
        let (prefix, local) = name.split_once(':').unwrap_or(("", name));
        if !is_name(local) || (name.contains(':') && !is_name(prefix)) {
            return Some(
                Fault::new(format!("`{name}` is not the name of an element"))
                    .with_hint("write a name such as `GetOrder`, or `o:GetOrder`"),
            );
        }
        let known = match &self.namespaces {
            Namespaces::Known(known) => known.contains_key(prefix),
            Namespaces::Rule(_) => false,
        };
        (!prefix.is_empty() && !known).then(|| {
            Fault::new(format!("the prefix `{prefix}` is not declared")).with_hint(format!(
                "add `namespaces: {{ {prefix}: … }}` with its namespace"
            ))
        })
    }

    fn paths(&self, faults: &mut Vec<Fault>) -> Paths {
        let mut paths = Paths::default();
        let hint = "begin at the root element, `/order/item`, or write `//item` for any place";
        for (at, path) in self.arrays.iter().enumerate() {
            if let Err(wrong) = paths.array(path) {
                let fault = Fault::new(wrong).with_hint(hint).under(at.to_string());
                faults.push(fault.under("arrays"));
            }
        }
        for (path, kind) in &self.types {
            let kind = match kind {
                Kind::String => lintel_xml::Kind::String,
                Kind::Integer => lintel_xml::Kind::Integer,
                Kind::Number => lintel_xml::Kind::Number,
                Kind::Boolean => lintel_xml::Kind::Boolean,
            };
            if let Err(wrong) = paths.kind(path, kind) {
                let fault = Fault::new(wrong).with_hint(hint).under(path.clone());
                faults.push(fault.under("types"));
            }
        }
        paths
    }
}

impl SoapConfig {
    fn build(&self, service: Language, context: &Context, faults: &mut Vec<Fault>) -> Soap {
        let version = match self.version {
            None | Some(SoapVersion::V1_1) => Version::V1_1,
            Some(SoapVersion::V1_2) => Version::V1_2,
        };
        let mut fault = |key: &str, fault: Fault| faults.push(fault.under(key).under("soap"));
        let given = [
            ("version", self.version.is_some()),
            ("action", self.action.is_some()),
            ("faults", !self.faults.is_empty()),
        ];
        for (key, is_given) in given {
            if is_given && service == Language::Json {
                fault(
                    key,
                    Fault::new("this is said of a service that speaks SOAP, and it speaks JSON")
                        .with_hint("remove it: clients may speak SOAP 1.1 and 1.2"),
                );
            }
        }
        let action = self
            .action
            .as_deref()
            .map(|text| context.request_template(text));
        let action = match action {
            None => None,
            Some(Ok(template)) => Some(template),
            Some(Err(found)) => {
                fault("action", found);
                None
            }
        };
        let mut statuses = BTreeMap::new();
        for (name, status) in &self.faults {
            match StatusCode::from_u16(*status) {
                Ok(status) if (400..600).contains(&status.as_u16()) => {
                    statuses.insert(name.clone(), status);
                }
                _ => fault(
                    "faults",
                    Fault::new(format!("`{status}` is not the status of an error"))
                        .with_hint("write one from 400 to 599")
                        .under(name.clone()),
                ),
            }
        }
        Soap {
            version,
            action,
            faults: statuses,
        }
    }
}
