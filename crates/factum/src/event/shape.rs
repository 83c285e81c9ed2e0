//! Shapes: what an event looks like when it is stored, as data. They tell
//! models what to select, and let a checked-in list of shapes notice a change.

/// One stored type in its newest version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The stored type, e.g. `AccountDeposited`.
    pub name: &'static str,
    /// Counts from 1.
    pub version: u32,
    /// The oldest version that can still be read.
    pub oldest: u32,
    /// Those that are stored, in the order of the source.
    pub fields: Vec<FieldShape>,
    /// Names of the tags it may carry, e.g. `account`.
    pub tags: Vec<&'static str>,
    /// Whether its streams are named by a field `#[id]`.
    pub has_id: bool,
}

/// One field of a stored type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldShape {
    /// As it is stored.
    pub name: &'static str,
    /// Its type as written in the source.
    pub type_name: &'static str,
    /// Whether an event without it can be read: an `Option`, or a default.
    pub optional: bool,
}
