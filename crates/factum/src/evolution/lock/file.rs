//! The file: JSON with one line for each thing that can change, so that a
//! change of it reads well in a review.

use std::fs;
use std::io;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::super::Specimen;

/// Everything that was ever stored, in the order of the program.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    #[serde(rename = "about")]
    _about: Option<String>,
    pub events: Vec<Version>,
}

/// One version of a stored type.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Version {
    #[serde(rename = "type")]
    pub event_type: String,
    pub version: u32,
    pub stream: String,
    #[serde(default)]
    pub tags: Vec<String>,
    /// Lints that were allowed on it.
    #[serde(default)]
    pub allows: Vec<String>,
    pub fields: Vec<Field>,
    /// Data of this version, as it was stored; the newest form last.
    #[serde(default)]
    pub samples: Vec<Box<RawValue>>,
}

/// One field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Field {
    pub name: String,
    #[serde(rename = "type")]
    pub type_name: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
}

const ABOUT: &str = "How every event was ever stored, with samples. Kept by factum::evolution::check; keep it in version control. \
Safe changes are accepted by FACTUM_EVENTS_LOCK=write cargo test.";

impl Lock {
    /// `None` if there is no such file.
    pub fn read(path: &Path) -> io::Result<Option<Self>> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        serde_json::from_str(&text).map(Some).map_err(io::Error::from)
    }

    /// Writes the file anew.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        fs::write(path, self.to_text()?)
    }

    pub fn to_text(&self) -> io::Result<String> {
        let mut text = format!("{{\n  \"about\": {},\n  \"events\": [", serde_json::to_string(ABOUT)?);
        for (at, version) in self.events.iter().enumerate() {
            text.push_str(if at == 0 { "\n" } else { ",\n" });
            version.write(&mut text)?;
        }
        text.push_str("\n  ]\n}\n");
        Ok(text)
    }
}

impl Version {
    /// As a specimen is now, without a sample.
    pub fn of(specimen: &Specimen) -> Self {
        let fields = specimen.shape.fields.iter().map(|field| Field {
            name: field.name.to_owned(),
            type_name: field.type_name.to_owned(),
            optional: field.optional,
        });
        let mut tags: Vec<String> = specimen.shape.tags.iter().map(|tag| (*tag).to_owned()).collect();
        tags.sort_unstable();
        tags.dedup();
        let mut allows: Vec<String> = specimen.allowed.iter().map(ToString::to_string).collect();
        allows.sort_unstable();
        allows.dedup();
        Self {
            event_type: specimen.shape.name.to_owned(),
            version: specimen.shape.version,
            stream: specimen.stream.clone(),
            tags,
            allows,
            fields: fields.collect(),
            samples: Vec::new(),
        }
    }

    fn write(&self, text: &mut String) -> io::Result<()> {
        let mut lines = vec![
            format!("      \"type\": {}", serde_json::to_string(&self.event_type)?),
            format!("      \"version\": {}", self.version),
            format!("      \"stream\": {}", serde_json::to_string(&self.stream)?),
        ];
        if !self.tags.is_empty() {
            lines.push(format!("      \"tags\": {}", serde_json::to_string(&self.tags)?));
        }
        if !self.allows.is_empty() {
            lines.push(format!("      \"allows\": {}", serde_json::to_string(&self.allows)?));
        }
        let fields = self.fields.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
        lines.push(list("fields", &fields));
        let samples: Vec<_> = self.samples.iter().map(|sample| sample.get().to_owned()).collect();
        lines.push(list("samples", &samples));
        text.push_str("    {\n");
        text.push_str(&lines.join(",\n"));
        text.push_str("\n    }");
        Ok(())
    }
}

fn list(name: &str, elements: &[String]) -> String {
    match elements {
        [] => format!("      \"{name}\": []"),
        _ => format!("      \"{name}\": [\n        {}\n      ]", elements.join(",\n        ")),
    }
}
