//! Events folded into documents in memory, by the rules of a declared projection (`chassis.declared`).
//!
//! Invariant: a record changes all of its documents or none; what is not plain changes nothing and is told, so that
//! Python looks at it. Nobody but `chassis.native` calls this, one thread at a time.

const std = @import("std");
const data = @import("data.zig");
const records = @import("records.zig");
const rules = @import("rules.zig");
const Documents = @import("documents.zig").Documents;
const Chain = @import("documents.zig").Chain;
const Content = @import("documents.zig").Content;
const Text = @import("documents.zig").Text;
const Allocator = std.mem.Allocator;

const Error = records.Refused || Allocator.Error;

/// What became of a batch. `at` is where the next record begins; of one that is not plain, that record, and then `next`
/// is where it ends. What is counted goes on from call to call.
const Outcome = extern struct {
    at: u64,
    next: u64,
    done: u64,
    folded: u64,
    dropped: u64,
    ignored: u64,
    status: u32,
};

const Status = enum(u32) { done = 0, not_plain = 1, no_memory = 2 };

const Fold = struct {
    arena: std.heap.ArenaAllocator,
    rules: std.StringHashMapUnmanaged(*rules.Rule) = .empty,
    documents: Documents,
    /// By source, the positions that were handled.
    positions: std.StringArrayHashMapUnmanaged(std.ArrayList(i64)) = .empty,
    /// Where there are limits, nothing belongs here of a source that has none.
    limits: ?[]const rules.Limit = null,
    values: []data.Value = &.{},
    scratch: std.ArrayList(u8) = .empty,
    keys: std.ArrayList(Text) = .empty,

    fn load(fold: *Fold, program: []const u8, limits: []const u8) !void {
        const allocator = fold.arena.allocator();
        fold.limits = try std.json.parseFromSliceLeaky(?[]const rules.Limit, allocator, limits, .{ .allocate = .alloc_always });
        const all = try std.json.parseFromSliceLeaky([]rules.Rule, allocator, program, .{ .allocate = .alloc_always });
        var most: usize = 0;
        for (all) |*rule| {
            try fold.rules.put(allocator, rule.type, rule);
            rule.kept = try fold.documents.keep(rule.section);
            try fold.register(rule.says);
            most = @max(most, rule.fields.len);
        }
        fold.values = try allocator.alloc(data.Value, most);
    }

    fn register(fold: *Fold, says: []rules.Saying) Allocator.Error!void {
        for (says) |*saying| {
            saying.kept = try fold.documents.keep(saying.name);
            try fold.register(saying.of);
        }
    }

    fn batch(fold: *Fold, bytes: []const u8, base: i64, first: i64, end: i64, outcome: *Outcome) Error!void {
        var cursor: records.Cursor = .{ .bytes = bytes, .at = outcome.at };
        while (!cursor.atEnd()) {
            outcome.next = outcome.at;
            const body = try cursor.sized();
            outcome.next = cursor.at;
            const frame: records.Frame = try .of(body);
            const offset = std.math.add(i64, base, frame.offset) catch return error.NotPlain;
            if (offset >= first and offset < end) {
                try fold.record(try records.read(frame), outcome);
            }
            outcome.at = cursor.at;
            outcome.done += 1;
        }
    }

    fn record(fold: *Fold, each: records.Record, outcome: *Outcome) Error!void {
        const rule = fold.rules.get(each.type) orelse return error.NotPlain;
        if (!fold.belongs(each)) return;
        if (rule.ignored) {
            outcome.ignored += 1;
        } else {
            try fold.event(rule, each, outcome);
        }
        try fold.handled(each.source, each.position);
    }

    fn belongs(fold: *const Fold, each: records.Record) bool {
        for (fold.limits orelse return true) |limit| {
            if (std.mem.eql(u8, limit.source, each.source)) return each.position <= limit.position;
        }
        return false;
    }

    fn given(fold: *Fold, each: records.Record, outcome: *Outcome) Error!void {
        _ = try records.printable(each.source);
        _ = try records.printable(each.subject);
        _ = try records.instant(each.recorded);
        try fold.record(each, outcome);
    }

    fn event(fold: *Fold, rule: *const rules.Rule, each: records.Record, outcome: *Outcome) Error!void {
        const values = fold.values[0..rule.fields.len];
        // Whatever is refused, is refused here, before anything is changed.
        try data.read(each.data, rule.fields, values);
        try fold.keysOf(values[rule.keys]);
        fold.scratch.clearRetainingCapacity();
        try fold.scratch.appendSlice(fold.documents.allocator, each.source);
        try fold.scratch.append(fold.documents.allocator, ' ');
        try fold.scratch.appendSlice(fold.documents.allocator, each.subject);
        const subject = try fold.documents.keep(fold.scratch.items);
        for (fold.keys.items) |key| {
            const number = try fold.documents.document(key);
            if (each.position <= fold.documents.foldedTo(number, subject)) {
                outcome.dropped += 1;
                continue;
            }
            try fold.apply(rule, each, values, number);
            try fold.documents.setFoldedTo(number, subject, each.position);
            outcome.folded += 1;
        }
    }

    fn keysOf(fold: *Fold, value: data.Value) Error!void {
        const allocator = fold.documents.allocator;
        fold.keys.clearRetainingCapacity();
        switch (value) {
            .list => |list| {
                var texts: data.Texts = .of(list);
                while (try texts.next()) |each| try fold.keys.append(allocator, try fold.text(each));
            },
            else => try fold.keys.append(allocator, try fold.text(value)),
        }
    }

    fn apply(fold: *Fold, rule: *const rules.Rule, each: records.Record, values: []const data.Value, number: u32) Error!void {
        const documents = &fold.documents;
        var fields = documents.fieldsOf(number);
        var said: Chain = .{};
        switch (rule.into) {
            .section => {
                try fold.say(rule.says, each, values, &said);
                try documents.set(&fields, rule.kept, .{ .object = said });
            },
            .item => {
                try fold.say(rule.says, each, values, &said);
                var items = documents.get(fields, rule.kept).items();
                try documents.append(&items, .{ .object = said });
                try documents.set(&fields, rule.kept, .{ .list = items });
            },
            .entry => {
                var section = documents.get(fields, rule.kept).fields();
                const name = try fold.text(values[rule.entry]);
                said = documents.get(section, name).fields();
                try fold.say(rule.says, each, values, &said);
                try documents.set(&section, name, .{ .object = said });
                try documents.set(&fields, rule.kept, .{ .object = section });
            },
        }
        documents.setFieldsOf(number, fields);
    }

    fn say(fold: *Fold, says: []const rules.Saying, each: records.Record, values: []const data.Value, chain: *Chain) Error!void {
        const documents = &fold.documents;
        for (says) |saying| {
            const content: Content = switch (saying.from) {
                .field => try fold.contentOf(values[saying.field]),
                .recorded => .{ .text = try fold.instant(each.recorded) },
                .position => .{ .integer = each.position },
                .nothing => .none,
                .yes => .{ .boolean = true },
                .no => .{ .boolean = false },
                .object => object: {
                    var inner: Chain = .{};
                    try fold.say(saying.of, each, values, &inner);
                    break :object .{ .object = inner };
                },
            };
            switch (saying.how) {
                .is => try documents.set(chain, saying.kept, content),
                .also => {
                    var items = documents.get(chain.*, saying.kept).items();
                    try documents.append(&items, content);
                    try documents.set(chain, saying.kept, .{ .list = items });
                },
                .under => {
                    var object = documents.get(chain.*, saying.kept).fields();
                    try documents.set(&object, try fold.text(values[saying.key]), content);
                    try documents.set(chain, saying.kept, .{ .object = object });
                },
                .under_each => {
                    var texts: data.Texts = .of(values[saying.key].list);
                    var object = documents.get(chain.*, saying.kept).fields();
                    while (try texts.next()) |text_of| {
                        try documents.set(&object, try fold.text(text_of), content);
                        try documents.set(chain, saying.kept, .{ .object = object });
                    }
                },
            }
        }
    }

    fn contentOf(fold: *Fold, value: data.Value) Error!Content {
        return switch (value) {
            .none => .none,
            .integer => |count| .{ .integer = count },
            .boolean => |is| .{ .boolean = is },
            .text, .escaped => .{ .text = try fold.text(value) },
            // Rules keep no other fields.
            .list, .other => error.NotPlain,
        };
    }

    fn text(fold: *Fold, value: data.Value) Error!Text {
        switch (value) {
            .text => |plain| return fold.documents.keep(plain),
            .escaped => |escaped| {
                try fold.scratch.resize(fold.documents.allocator, escaped.len);
                return fold.documents.keep(data.unescaped(escaped, fold.scratch.items));
            },
            .integer => |count| {
                var digits: [20]u8 = undefined;
                return fold.documents.keep(std.fmt.bufPrint(&digits, "{d}", .{count}) catch unreachable);
            },
            else => return error.NotPlain,
        }
    }

    /// As facts write instants: 2025-01-13T09:00:00.000+00:00
    fn instant(fold: *Fold, recorded: []const u8) Error!Text {
        var written: [29]u8 = undefined;
        @memcpy(written[0..23], recorded[0..23]);
        @memcpy(written[23..], "+00:00");
        return fold.documents.keep(&written);
    }

    fn handled(fold: *Fold, name: []const u8, position: i64) Allocator.Error!void {
        const allocator = fold.arena.allocator();
        const found = try fold.positions.getOrPut(allocator, name);
        if (!found.found_existing) {
            found.value_ptr.* = .empty;
            found.key_ptr.* = try allocator.dupe(u8, name);
        }
        try found.value_ptr.append(fold.documents.allocator, position);
    }
};

fn statusOf(outcome: Error!void) Status {
    outcome catch |failed| return switch (failed) {
        error.NotPlain => .not_plain,
        error.OutOfMemory => .no_memory,
    };
    return .done;
}

/// Of what is given here and taken: another number with each change.
export fn fold_form() u32 {
    return 1;
}

/// A fold by these rules, up to these positions (both JSON); null where they cannot be read.
export fn fold_new(program: [*]const u8, length: usize, limits: [*]const u8, limits_length: usize) ?*Fold {
    const allocator = std.heap.page_allocator;
    const fold = allocator.create(Fold) catch return null;
    fold.* = .{ .arena = .init(allocator), .documents = .{ .allocator = allocator } };
    fold.load(program[0..length], limits[0..limits_length]) catch {
        fold_free(fold);
        return null;
    };
    return fold;
}

export fn fold_free(fold: *Fold) void {
    const allocator = fold.documents.allocator;
    for (fold.positions.values()) |*each| each.deinit(allocator);
    fold.keys.deinit(allocator);
    fold.scratch.deinit(allocator);
    fold.documents.deinit();
    fold.arena.deinit();
    allocator.destroy(fold);
}

/// The records of a batch (without its header) from `outcome.at` on that have offsets from `first` on and before `end`.
export fn fold_batch(
    fold: *Fold,
    bytes: [*]const u8,
    length: usize,
    base: i64,
    first: i64,
    end: i64,
    outcome: *Outcome,
) void {
    outcome.status = @backingInt(statusOf(fold.batch(bytes[0..length], base, first, end, outcome)));
}

/// One record that Python has read: its source, type, subject, when it was recorded (in the form of headers), and its
/// value in the form of relays.
export fn fold_record(
    fold: *Fold,
    parts: *const [5][*]const u8,
    lengths: *const [5]usize,
    position: i64,
    outcome: *Outcome,
) void {
    const each: records.Record = .{
        .source = parts[0][0..lengths[0]],
        .type = parts[1][0..lengths[1]],
        .subject = parts[2][0..lengths[2]],
        .recorded = parts[3][0..lengths[3]],
        .data = parts[4][0..lengths[4]],
        .position = position,
    };
    outcome.status = @backingInt(statusOf(fold.given(each, outcome)));
}

/// How much memory a fold takes.
export fn fold_size(fold: *const Fold) usize {
    var size = fold.documents.size();
    for (fold.positions.values()) |each| size += each.capacity * 8;
    return size;
}

/// Some more documents as BSON, one behind the other, until the next call; their length is 0 when all have been given.
export fn fold_documents(fold: *Fold, most: usize, length: *usize) ?[*]const u8 {
    const encoded = fold.documents.encode(most) catch return null;
    length.* = encoded.len;
    return encoded.ptr;
}

/// The positions that were handled of the source of that number, and its name; false where there is none.
export fn fold_positions(
    fold: *const Fold,
    number: usize,
    name: *[*]const u8,
    length: *usize,
    positions: *[*]const i64,
    count: *usize,
) bool {
    if (number >= fold.positions.count()) return false;
    const source, const found = .{ fold.positions.keys()[number], fold.positions.values()[number].items };
    name.* = source.ptr;
    length.* = source.len;
    positions.* = found.ptr;
    count.* = found.len;
    return true;
}
