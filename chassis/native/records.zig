//! Kafka's records, format 2, whose headers have the form that Dugnad's relays write.
//!
//! Invariant: what is read here, `contracts.arrivals.arrived` reads alike; everything else is refused, and nothing is
//! read outside of the bytes that were given.

const std = @import("std");

pub const Refused = error{NotPlain};

/// Reads bytes from the first to the last, and never beyond.
pub const Cursor = struct {
    bytes: []const u8,
    at: usize = 0,

    pub fn take(cursor: *Cursor, count: usize) Refused![]const u8 {
        if (count > cursor.bytes.len - cursor.at) return error.NotPlain;
        defer cursor.at += count;
        return cursor.bytes[cursor.at..][0..count];
    }

    pub fn expect(cursor: *Cursor, text: []const u8) Refused!void {
        if (!std.mem.eql(u8, try cursor.take(text.len), text)) return error.NotPlain;
    }

    /// Whether these bytes come next; they are taken if so.
    pub fn accept(cursor: *Cursor, text: []const u8) bool {
        if (!std.mem.startsWith(u8, cursor.bytes[cursor.at..], text)) return false;
        cursor.at += text.len;
        return true;
    }

    pub fn next(cursor: *Cursor) Refused!u8 {
        return (try cursor.take(1))[0];
    }

    pub fn peek(cursor: *const Cursor) Refused!u8 {
        return if (cursor.at < cursor.bytes.len) cursor.bytes[cursor.at] else error.NotPlain;
    }

    pub fn atEnd(cursor: *const Cursor) bool {
        return cursor.at == cursor.bytes.len;
    }

    /// A whole number in zigzag form, seven bits to a byte.
    pub fn varint(cursor: *Cursor) Refused!i64 {
        var bits: u64 = 0;
        var shift: u6 = 0;
        while (true) : (shift += 7) {
            const byte = try cursor.next();
            bits |= @as(u64, byte & 0x7f) << shift;
            if (byte < 0x80) break;
            // What takes more than eight bytes is no length and no offset.
            if (shift == 49) return error.NotPlain;
        }
        const half: i64 = @intCast(bits >> 1);
        return if (bits & 1 == 0) half else -half - 1;
    }

    /// Bytes behind their number; a null is refused.
    pub fn sized(cursor: *Cursor) Refused![]const u8 {
        const size = try cursor.varint();
        return if (size < 0) error.NotPlain else cursor.take(@intCast(size));
    }

    fn header(cursor: *Cursor, name: []const u8) Refused![]const u8 {
        if (!try cursor.named(name)) return error.NotPlain;
        return cursor.sized();
    }

    /// Whether the next header has this name; the name is taken if so.
    fn named(cursor: *Cursor, name: []const u8) Refused!bool {
        const before = cursor.at;
        if (try cursor.varint() == name.len and cursor.accept(name)) return true;
        cursor.at = before;
        return false;
    }
};

/// What a fold needs of a record; slices of the bytes that were given.
pub const Record = struct {
    source: []const u8,
    type: []const u8,
    subject: []const u8,
    position: i64,
    /// UTC with milliseconds: 2025-01-13T09:00:00.000Z
    recorded: []const u8,
    data: []const u8,
};

/// A record without its length: how far it is from the first offset of its batch, and what is behind that.
pub const Frame = struct {
    offset: i64,
    rest: Cursor,

    pub fn of(bytes: []const u8) Refused!Frame {
        var body: Cursor = .{ .bytes = bytes };
        // Attributes: none are defined, and the client takes them for a number of any length.
        try body.expect(&.{0});
        _ = try body.varint(); // time
        const offset = try body.varint();
        return .{ .offset = offset, .rest = body };
    }
};

const optional = [_][]const u8{ "ce_correlationid", "ce_causationid", "traceparent" };

pub fn read(frame: Frame) Refused!Record {
    var cursor = frame.rest;
    const key = try cursor.sized();
    const data = try cursor.sized();
    const count = try cursor.varint();
    if (!std.mem.eql(u8, try cursor.header("ce_specversion"), "1.0")) return error.NotPlain;
    const id = try cursor.header("ce_id");
    const source = try printable(try cursor.header("ce_source"));
    const type_name = try cursor.header("ce_type");
    const subject = try printable(try cursor.header("ce_subject"));
    if (!std.mem.eql(u8, try printable(try cursor.header("ce_partitionkey")), key)) return error.NotPlain;
    _ = try instant(try cursor.header("ce_time"));
    const recorded = try instant(try cursor.header("ce_recordedtime"));
    const position = try sequence(try cursor.header("ce_sequence"));
    _ = try printable(try cursor.header("ce_dataschema"));
    var read_so_far: i64 = 11;
    for (optional) |name| {
        if (!try cursor.named(name)) continue;
        _ = try printable(try cursor.sized());
        read_so_far += 1;
    }
    if (!std.mem.eql(u8, try cursor.header("content-type"), "application/json")) return error.NotPlain;
    if (read_so_far != count or !cursor.atEnd()) return error.NotPlain;
    if (!isIdentity(id, source, position)) return error.NotPlain;
    return .{
        .source = source,
        .type = type_name,
        .subject = subject,
        .position = position,
        .recorded = recorded,
        .data = data,
    };
}

/// What a header may say.
pub fn printable(text: []const u8) Refused![]const u8 {
    // Without an early end, so that many bytes are compared at once.
    var odd = false;
    for (text) |each| odd = odd or each < 0x20 or each > 0x7e;
    return if (odd) error.NotPlain else text;
}

/// Twenty digits, from 1 on.
fn sequence(text: []const u8) Refused!i64 {
    if (text.len != 20) return error.NotPlain;
    for (text) |each| {
        if (!std.ascii.isDigit(each)) return error.NotPlain;
    }
    const position = std.fmt.parseInt(i64, text, 10) catch return error.NotPlain;
    return if (position < 1) error.NotPlain else position;
}

fn isIdentity(id: []const u8, source: []const u8, position: i64) bool {
    if (!std.mem.startsWith(u8, id, source) or id.len < source.len + 2 or id[source.len] != '#') return false;
    const digits = id[source.len + 1 ..];
    for (digits) |each| {
        if (!std.ascii.isDigit(each)) return false;
    }
    return digits[0] != '0' and position == (std.fmt.parseInt(i64, digits, 10) catch return false);
}

/// The form that relays write, of an instant that exists.
pub fn instant(text: []const u8) Refused![]const u8 {
    if (text.len != 24 or text[10] != 'T' or text[13] != ':' or text[16] != ':' or text[19] != '.' or text[23] != 'Z') {
        return error.NotPlain;
    }
    _ = try day(text[0..10]);
    if (try digits2(text[11..13]) > 23 or try digits2(text[14..16]) > 59 or try digits2(text[17..19]) > 59) {
        return error.NotPlain;
    }
    for (text[20..23]) |each| {
        if (!std.ascii.isDigit(each)) return error.NotPlain;
    }
    return text;
}

/// A day of the calendar: 2025-01-13.
pub fn day(text: []const u8) Refused![]const u8 {
    if (text.len != 10 or text[4] != '-' or text[7] != '-') return error.NotPlain;
    const year = try digits2(text[0..2]) * 100 + try digits2(text[2..4]);
    const month = try digits2(text[5..7]);
    const of_month = try digits2(text[8..10]);
    if (year < 1 or month < 1 or month > 12 or of_month < 1) return error.NotPlain;
    const leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0);
    const last: u32 = switch (month) {
        2 => if (leap) 29 else 28,
        4, 6, 9, 11 => 30,
        else => 31,
    };
    return if (of_month > last) error.NotPlain else text;
}

fn digits2(text: []const u8) Refused!u32 {
    if (!std.ascii.isDigit(text[0]) or !std.ascii.isDigit(text[1])) return error.NotPlain;
    return @as(u32, text[0] - '0') * 10 + (text[1] - '0');
}
