//! An event's JSON as relays write it: every field of its class, in their order, without white space.
//!
//! Invariant: what is read here, `contracts.parsing` reads alike; everything else is refused.

const std = @import("std");
const records = @import("records.zig");
const Cursor = records.Cursor;
const Refused = records.Refused;

pub const Kind = enum { text, integer, number, boolean, day, object, list };

/// What a field of a class may hold. Of an object: its fields; of a list: what each of its items is.
pub const Shape = struct {
    name: []const u8 = "",
    kind: Kind,
    optional: bool = false,
    of: []const Shape = &.{},
};

/// A slice of the JSON, with what it is: of a text, what stands between its quotation marks.
pub const Value = union(enum) {
    none,
    text: []const u8,
    /// With escapes in it.
    escaped: []const u8,
    integer: i64,
    boolean: bool,
    /// Texts only, for keys and days: what stands between its brackets.
    list: []const u8,
    /// An object or a number: it is looked at, and never kept.
    other,
};

/// All fields of an event into `values`, which has a place for each.
pub fn read(data: []const u8, fields: []const Shape, values: []Value) Refused!void {
    var cursor: Cursor = .{ .bytes = data };
    try object(&cursor, fields, values);
    if (!cursor.atEnd()) return error.NotPlain;
}

fn object(cursor: *Cursor, fields: []const Shape, values: ?[]Value) Refused!void {
    try cursor.expect("{");
    for (fields, 0..) |field, index| {
        if (index > 0) try cursor.expect(",");
        try cursor.expect("\"");
        try cursor.expect(field.name);
        try cursor.expect("\":");
        const found = try value(cursor, field);
        if (values) |places| places[index] = found;
    }
    try cursor.expect("}");
}

fn value(cursor: *Cursor, shape: Shape) Refused!Value {
    if (shape.optional and cursor.accept("null")) return .none;
    switch (shape.kind) {
        .text => return string(cursor),
        .day => {
            try cursor.expect("\"");
            const found = try records.day(try cursor.take(10));
            try cursor.expect("\"");
            return .{ .text = found };
        },
        .integer => {
            const start = cursor.at;
            try whole(cursor);
            const digits = cursor.bytes[start..cursor.at];
            return .{ .integer = std.fmt.parseInt(i64, digits, 10) catch return error.NotPlain };
        },
        .number => {
            try whole(cursor);
            if (cursor.accept(".")) _ = try run(cursor);
            return .other;
        },
        .boolean => {
            if (cursor.accept("true")) return .{ .boolean = true };
            try cursor.expect("false");
            return .{ .boolean = false };
        },
        .object => {
            try object(cursor, shape.of, null);
            return .other;
        },
        .list => {
            try cursor.expect("[");
            const start = cursor.at;
            if (!cursor.accept("]")) {
                while (true) {
                    _ = try value(cursor, shape.of[0]);
                    if (!cursor.accept(",")) break;
                }
                try cursor.expect("]");
            }
            return .{ .list = cursor.bytes[start .. cursor.at - 1] };
        },
    }
}

/// A whole number without leading zeros; one of more digits than any field needs is refused.
fn whole(cursor: *Cursor) Refused!void {
    _ = cursor.accept("-");
    const zero = try cursor.peek() == '0';
    const count = try run(cursor);
    if (count > 19 or (zero and count > 1)) return error.NotPlain;
}

fn run(cursor: *Cursor) Refused!usize {
    const start = cursor.at;
    while (cursor.at < cursor.bytes.len and std.ascii.isDigit(cursor.bytes[cursor.at])) cursor.at += 1;
    return if (cursor.at == start) error.NotPlain else cursor.at - start;
}

fn string(cursor: *Cursor) Refused!Value {
    try cursor.expect("\"");
    const start = cursor.at;
    var plain = true;
    var ascii = true;
    while (true) {
        skipPlain(cursor);
        const byte = try cursor.next();
        if (byte == '"') break;
        if (byte < 0x20) return error.NotPlain;
        if (byte >= 0x80) ascii = false;
        if (byte == '\\') {
            plain = false;
            try escape(cursor);
        }
    }
    const found = cursor.bytes[start .. cursor.at - 1];
    if (!ascii and !std.unicode.utf8ValidateSlice(found)) return error.NotPlain;
    return if (plain) .{ .text = found } else .{ .escaped = found };
}

/// Sixteen bytes at a time, as long as there is nothing in them that has to be looked at.
fn skipPlain(cursor: *Cursor) void {
    const Block = @Vector(16, u8);
    while (cursor.bytes.len - cursor.at >= 16) : (cursor.at += 16) {
        const block: Block = cursor.bytes[cursor.at..][0..16].*;
        const ends = block == @as(Block, @splat('"'));
        const escapes = block == @as(Block, @splat('\\'));
        const high = block >= @as(Block, @splat(0x80));
        const control = block < @as(Block, @splat(0x20));
        if (@reduce(.Or, ends | escapes | high | control)) return;
    }
}

fn escape(cursor: *Cursor) Refused!void {
    switch (try cursor.next()) {
        '"', '\\', '/', 'b', 'f', 'n', 'r', 't' => {},
        'u' => {
            const unit = std.fmt.parseInt(u16, try hexadecimal(cursor), 16) catch return error.NotPlain;
            // Half of a pair: relays write such characters as they are. Nor can a name in a document have a null.
            if (std.unicode.isSurrogateCodepoint(unit) or unit == 0) return error.NotPlain;
        },
        else => return error.NotPlain,
    }
}

fn hexadecimal(cursor: *Cursor) Refused![]const u8 {
    const digits = try cursor.take(4);
    for (digits) |each| {
        if (!std.ascii.isHex(each)) return error.NotPlain;
    }
    return digits;
}

/// The text that an escaped one stands for, written to `into`, which is at least as long.
pub fn unescaped(text: []const u8, into: []u8) []const u8 {
    var length: usize = 0;
    var at: usize = 0;
    while (at < text.len) {
        const byte = text[at];
        at += 1;
        if (byte != '\\') {
            into[length] = byte;
            length += 1;
            continue;
        }
        const which = text[at];
        at += 1;
        if (which == 'u') {
            // It was looked at when it was read.
            const unit = std.fmt.parseInt(u16, text[at..][0..4], 16) catch unreachable;
            at += 4;
            length += std.unicode.utf8Encode(unit, into[length..]) catch unreachable;
            continue;
        }
        into[length] = switch (which) {
            'b' => 8,
            'f' => 12,
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            else => which,
        };
        length += 1;
    }
    return into[0..length];
}

/// The texts of a list, one after the other; they were looked at when the list was read.
pub const Texts = struct {
    cursor: Cursor,

    pub fn of(list: []const u8) Texts {
        return .{ .cursor = .{ .bytes = list } };
    }

    pub fn next(texts: *Texts) Refused!?Value {
        if (texts.cursor.atEnd()) return null;
        _ = texts.cursor.accept(",");
        return try string(&texts.cursor);
    }
};
