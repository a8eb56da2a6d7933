//! The rules of a declared projection, as `chassis.declared` gives them (JSON).
//!
//! Invariant: they have been checked there: a field that names something is there, and of such a kind; what one rule takes
//! for a list, no other takes for something else.

const data = @import("data.zig");
const Text = @import("documents.zig").Text;

/// Where what is said comes from: a field of the event, what is about its record, or more that is said.
pub const From = enum { field, recorded, position, nothing, yes, no, object };

pub const How = enum {
    /// The name holds it.
    is,
    /// The name holds a list, and this is one more item.
    also,
    /// The name holds an object, in which the field `key` names what holds it.
    under,
    /// The same for each text of the list that the field `key` holds.
    under_each,
};

pub const Saying = struct {
    name: []const u8,
    how: How,
    from: From,
    field: usize = 0,
    key: usize = 0,
    of: []Saying = &.{},
    /// Of `name`.
    kept: Text = 0,
};

pub const Into = enum {
    /// The section is this and nothing else.
    section,
    /// One entry of the section, which the field `entry` names; what it does not say stays.
    entry,
    /// One more item of the section.
    item,
};

pub const Rule = struct {
    type: []const u8,
    /// Read for its position alone.
    ignored: bool = false,
    fields: []const data.Shape = &.{},
    /// The field that names the document, or the list of those that do.
    keys: usize = 0,
    section: []const u8 = "",
    into: Into = .section,
    entry: usize = 0,
    says: []Saying = &.{},
    /// Of `section`.
    kept: Text = 0,
};

/// The last position of a source that belongs here.
pub const Limit = struct { source: []const u8, position: i64 };
