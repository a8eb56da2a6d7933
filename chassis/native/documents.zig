//! Documents while events are folded into them, and then as BSON.
//!
//! Invariant: names stay in the order in which they first came, as in a dict of Python; each text is kept once.

const std = @import("std");
const Allocator = std.mem.Allocator;

/// The number of a text that is kept.
pub const Text = u32;
const absent = std.math.maxInt(u29);

pub const Content = union(enum) {
    none,
    text: Text,
    integer: i64,
    boolean: bool,
    object: Chain,
    list: Chain,

    /// Of an object; none where it is something else.
    pub fn fields(content: Content) Chain {
        return if (content == .object) content.object else .{};
    }

    /// Of a list.
    pub fn items(content: Content) Chain {
        return if (content == .list) content.list else .{};
    }
};

/// Nodes one after the other: the fields of an object, or the items of a list.
pub const Chain = struct {
    first: u32 = absent,
    last: u32 = absent,
};

const Kind = enum(u3) { none, text, integer, boolean, object, list };

/// A field or an item. What it holds is a number in the table of its kind. Most of all memory are nodes: hence the bits.
const Node = struct {
    name: Text,
    held: u32 = 0,
    more: packed struct(u32) { next: u29 = absent, kind: Kind = .none } = .{},
};

const Document = struct {
    id: Text,
    fields: Chain = .{},
    /// By subject, how far it is folded.
    at: Chain = .{},
};

const Kept = struct {
    /// In `bytes`, up to where the next one begins.
    start: u32,
    /// The document of that name.
    document: u32 = absent,
};

const Lookup = struct {
    store: *const Documents,

    pub fn hash(_: Lookup, text: []const u8) u64 {
        return std.hash.Wyhash.hash(0, text);
    }

    pub fn eql(lookup: Lookup, text: []const u8, kept: Text) bool {
        return std.mem.eql(u8, text, lookup.store.bytesOf(kept));
    }
};

const Rehash = struct {
    store: *const Documents,

    pub fn hash(rehash: Rehash, kept: Text) u64 {
        return std.hash.Wyhash.hash(0, rehash.store.bytesOf(kept));
    }

    pub fn eql(_: Rehash, one: Text, other: Text) bool {
        return one == other;
    }
};

pub const Documents = struct {
    allocator: Allocator,
    bytes: std.ArrayList(u8) = .empty,
    texts: std.ArrayList(Kept) = .empty,
    numbers: std.HashMapUnmanaged(Text, void, Rehash, 80) = .empty,
    nodes: std.ArrayList(Node) = .empty,
    integers: std.ArrayList(i64) = .empty,
    chains: std.ArrayList(Chain) = .empty,
    documents: std.ArrayList(Document) = .empty,
    /// How many have been written out, from the first on.
    written: usize = 0,
    encoded: std.ArrayList(u8) = .empty,

    pub fn deinit(store: *Documents) void {
        const allocator = store.allocator;
        store.bytes.deinit(allocator);
        store.texts.deinit(allocator);
        store.numbers.deinit(allocator);
        store.nodes.deinit(allocator);
        store.integers.deinit(allocator);
        store.chains.deinit(allocator);
        store.documents.deinit(allocator);
        store.encoded.deinit(allocator);
    }

    /// How much memory all of it takes.
    pub fn size(store: *const Documents) usize {
        return store.bytes.capacity + store.texts.capacity * @sizeOf(Kept) + store.numbers.capacity() * 5 +
            store.nodes.capacity * @sizeOf(Node) + store.integers.capacity * 8 +
            store.chains.capacity * @sizeOf(Chain) + store.documents.capacity * @sizeOf(Document);
    }

    pub fn bytesOf(store: *const Documents, text: Text) []const u8 {
        const texts = store.texts.items;
        const end = if (text + 1 < texts.len) texts[text + 1].start else store.bytes.items.len;
        return store.bytes.items[texts[text].start..end];
    }

    pub fn keep(store: *Documents, text: []const u8) Allocator.Error!Text {
        const found = try store.numbers.getOrPutContextAdapted(
            store.allocator,
            text,
            Lookup{ .store = store },
            Rehash{ .store = store },
        );
        if (found.found_existing) return found.key_ptr.*;
        const number: Text = try numbered(store.texts.items.len);
        found.key_ptr.* = number;
        try store.texts.append(store.allocator, .{ .start = try fitting(u32, store.bytes.items.len) });
        try store.bytes.appendSlice(store.allocator, text);
        return number;
    }

    /// The number of the document of this name, which is made where there is none.
    pub fn document(store: *Documents, name: Text) Allocator.Error!u32 {
        const kept = &store.texts.items[name];
        if (kept.document == absent) {
            kept.document = try numbered(store.documents.items.len);
            try store.documents.append(store.allocator, .{ .id = name });
        }
        return kept.document;
    }

    /// The last position that a document has folded of a subject; 0 for none.
    pub fn foldedTo(store: *const Documents, number: u32, subject: Text) i64 {
        const node = store.find(store.documents.items[number].at, subject) orelse return 0;
        return store.integers.items[store.nodes.items[node].held];
    }

    pub fn setFoldedTo(store: *Documents, number: u32, subject: Text, position: i64) Allocator.Error!void {
        var at = store.documents.items[number].at;
        try store.set(&at, subject, .{ .integer = position });
        store.documents.items[number].at = at;
    }

    /// The fields of a document, to be changed and given back.
    pub fn fieldsOf(store: *const Documents, number: u32) Chain {
        return store.documents.items[number].fields;
    }

    pub fn setFieldsOf(store: *Documents, number: u32, fields: Chain) void {
        store.documents.items[number].fields = fields;
    }

    fn find(store: *const Documents, chain: Chain, name: Text) ?u32 {
        var number = chain.first;
        while (number != absent) : (number = store.nodes.items[number].more.next) {
            if (store.nodes.items[number].name == name) return number;
        }
        return null;
    }

    /// What a name holds; none where it is not there.
    pub fn get(store: *const Documents, chain: Chain, name: Text) Content {
        const number = store.find(chain, name) orelse return .none;
        const node = store.nodes.items[number];
        return switch (node.more.kind) {
            .none => .none,
            .text => .{ .text = node.held },
            .integer => .{ .integer = store.integers.items[node.held] },
            .boolean => .{ .boolean = node.held != 0 },
            .object => .{ .object = store.chains.items[node.held] },
            .list => .{ .list = store.chains.items[node.held] },
        };
    }

    /// Let a name hold this, in its old place where it has one.
    pub fn set(store: *Documents, chain: *Chain, name: Text, content: Content) Allocator.Error!void {
        const number = store.find(chain.*, name) orelse try store.add(chain, name);
        try store.fill(number, content);
    }

    /// One more item.
    pub fn append(store: *Documents, chain: *Chain, content: Content) Allocator.Error!void {
        try store.fill(try store.add(chain, absent), content);
    }

    fn add(store: *Documents, chain: *Chain, name: Text) Allocator.Error!u32 {
        const number = try numbered(store.nodes.items.len);
        try store.nodes.append(store.allocator, .{ .name = name });
        if (chain.first == absent) {
            chain.first = number;
        } else {
            store.nodes.items[chain.last].more.next = @intCast(number);
        }
        chain.last = number;
        return number;
    }

    fn fill(store: *Documents, number: u32, content: Content) Allocator.Error!void {
        const before = store.nodes.items[number];
        const held: u32 = switch (content) {
            .none => 0,
            .text => |text| text,
            .boolean => |is| @intFromBool(is),
            .integer => |count| try place(store.allocator, &store.integers, count, before, .integer),
            .object => |chain| try place(store.allocator, &store.chains, chain, before, .object),
            .list => |chain| try place(store.allocator, &store.chains, chain, before, .list),
        };
        store.nodes.items[number].more.kind = switch (content) {
            .none => .none,
            .text => .text,
            .boolean => .boolean,
            .integer => .integer,
            .object => .object,
            .list => .list,
        };
        store.nodes.items[number].held = held;
    }

    /// Some more documents as BSON, one behind the other; nothing when all have been given.
    pub fn encode(store: *Documents, most: usize) Allocator.Error![]const u8 {
        store.encoded.clearRetainingCapacity();
        const end = @min(store.written + most, store.documents.items.len);
        while (store.written < end) : (store.written += 1) {
            const each = store.documents.items[store.written];
            const start = try store.begin();
            try store.header(0x02, "_id");
            try store.string(each.id);
            try store.elements(each.fields, false);
            try store.header(0x03, "at");
            const inner = try store.begin();
            try store.elements(each.at, false);
            try store.finish(inner);
            try store.header(0x10, "rev");
            try store.raw(i32, 1);
            try store.finish(start);
        }
        return store.encoded.items;
    }

    fn elements(store: *Documents, chain: Chain, is_list: bool) Allocator.Error!void {
        var index: usize = 0;
        var number = chain.first;
        while (number != absent) : (index += 1) {
            const node = store.nodes.items[number];
            var digits: [20]u8 = undefined;
            const name = if (is_list)
                std.fmt.bufPrint(&digits, "{d}", .{index}) catch unreachable
            else
                store.bytesOf(node.name);
            switch (node.more.kind) {
                .none => try store.header(0x0a, name),
                .text => {
                    try store.header(0x02, name);
                    try store.string(node.held);
                },
                .boolean => {
                    try store.header(0x08, name);
                    try store.encoded.append(store.allocator, @intCast(node.held));
                },
                .integer => {
                    const count = store.integers.items[node.held];
                    if (std.math.cast(i32, count)) |short| {
                        try store.header(0x10, name);
                        try store.raw(i32, short);
                    } else {
                        try store.header(0x12, name);
                        try store.raw(i64, count);
                    }
                },
                .object, .list => {
                    try store.header(if (node.more.kind == .list) 0x04 else 0x03, name);
                    const inner = try store.begin();
                    try store.elements(store.chains.items[node.held], node.more.kind == .list);
                    try store.finish(inner);
                },
            }
            number = node.more.next;
        }
    }

    fn begin(store: *Documents) Allocator.Error!usize {
        const start = store.encoded.items.len;
        try store.raw(i32, 0);
        return start;
    }

    fn finish(store: *Documents, start: usize) Allocator.Error!void {
        try store.encoded.append(store.allocator, 0);
        const length = try fitting(i32, store.encoded.items.len - start);
        std.mem.writeInt(i32, store.encoded.items[start..][0..4], length, .little);
    }

    fn header(store: *Documents, kind: u8, name: []const u8) Allocator.Error!void {
        try store.encoded.append(store.allocator, kind);
        try store.encoded.appendSlice(store.allocator, name);
        try store.encoded.append(store.allocator, 0);
    }

    fn string(store: *Documents, text: Text) Allocator.Error!void {
        const bytes = store.bytesOf(text);
        try store.raw(i32, try fitting(i32, bytes.len + 1));
        try store.encoded.appendSlice(store.allocator, bytes);
        try store.encoded.append(store.allocator, 0);
    }

    fn raw(store: *Documents, comptime T: type, count: T) Allocator.Error!void {
        var bytes: [@sizeOf(T)]u8 = undefined;
        std.mem.writeInt(T, &bytes, count, .little);
        try store.encoded.appendSlice(store.allocator, &bytes);
    }
};

/// The place of what a node holds in the table of its kind: the one that it has, or a new one.
fn place(allocator: Allocator, table: anytype, held: anytype, before: Node, kind: Kind) Allocator.Error!u32 {
    if (before.more.kind == kind) {
        table.items[before.held] = held;
        return before.held;
    }
    const number = try numbered(table.items.len);
    try table.append(allocator, held);
    return number;
}

/// The number of one more of `count` things.
fn numbered(count: usize) Allocator.Error!u32 {
    return if (count < absent) @intCast(count) else error.OutOfMemory;
}

/// A size that its place can hold: what is larger than that is no less too much than what memory cannot hold.
fn fitting(comptime T: type, size: usize) Allocator.Error!T {
    return std.math.cast(T, size) orelse error.OutOfMemory;
}
