/// A set that stays ordered while it changes. It is stored in pages that know the count and the id sum of the items
/// below them.
///
/// An insertion and the fingerprint of any range cost O(log n). Opening a tree rebuilds nothing.
public struct RangeTree<Pages: RangePages>: RangeStorage {
    /// The pages. The caller stores them, with ``root``, to open the tree again.
    public private(set) var pages: Pages
    /// The number of the root page.
    public private(set) var root: Int
    private var size: Int

    /// Creates an empty tree in `pages`, none of which may be in use.
    public init(in pages: Pages) throws(ReconciliationError) {
        self.pages = pages
        root = try self.pages.allocate()
        size = 0
    }

    /// Opens a tree that `pages` already contain. It reads the root page only.
    public init(opening pages: Pages, root: Int) throws(ReconciliationError) {
        self.pages = pages
        self.root = root
        size =
            switch try pages.page(root) {
            case .leaf(let items): items.count
            case .inner(let children): children.reduce(0) { $0 + $1.count }
            }
    }

    public var count: Int { size }

    // MARK: Changing

    /// Inserts an item.
    /// - Returns: true if the item is new.
    @discardableResult
    public mutating func insert(_ item: RangeItem) throws(ReconciliationError) -> Bool {
        let (isNew, sibling) = try insert(item, into: root)
        if isNew { size += 1 }
        guard let sibling else { return isNew }
        let lower = try summary(of: root)
        let above = try pages.allocate()
        try pages.update(above) { $0 = .inner([lower, sibling]) }
        root = above
        return isNew
    }

    private mutating func insert(
        _ item: RangeItem, into page: Int
    ) throws(ReconciliationError) -> (isNew: Bool, sibling: RangePage.Child?) {
        guard case .inner(let children) = try pages.page(page) else { return try insert(item, intoLeaf: page) }
        let index = Self.child(for: item, among: children)
        let (isNew, sibling) = try insert(item, into: children[index].page)
        guard isNew else { return (false, nil) }
        let changed = sibling == nil ? nil : try summary(of: children[index].page)
        let upper: [RangePage.Child]? = try pages.update(page) { page in
            guard case .inner(var children) = page else { return nil }
            page = .leaf([])  // empty, so that the array is not copied
            if let sibling, let changed {
                children[index] = changed
                children.insert(sibling, at: index + 1)
            } else {
                children[index].count += 1
                children[index].sum = children[index].sum + item.id.littleEndian
                if item < children[index].first { children[index].first = item }
            }
            var upper: [RangePage.Child]?
            if children.count > RangePage.capacity {
                upper = Array(children[Self.splitPoint(children.count, isLast: index + 2 == children.count)...])
                children.removeLast(upper?.count ?? 0)
            }
            page = .inner(children)
            return upper
        }
        guard let upper else { return (true, nil) }
        let new = try pages.allocate()
        try pages.update(new) { $0 = .inner(upper) }
        return (true, try summary(of: new))
    }

    private mutating func insert(
        _ item: RangeItem, intoLeaf page: Int
    ) throws(ReconciliationError) -> (isNew: Bool, sibling: RangePage.Child?) {
        var isNew = true
        let upper: [RangeItem]? = try pages.update(page) { page in
            guard case .leaf(var items) = page else { return nil }
            page = .leaf([])
            let index = Self.firstIndex(in: items) { $0 < item }
            if index < items.count, items[index] == item {
                isNew = false
                page = .leaf(items)
                return nil
            }
            items.insert(item, at: index)
            var upper: [RangeItem]?
            if items.count > RangePage.capacity {
                upper = Array(items[Self.splitPoint(items.count, isLast: index + 1 == items.count)...])
                items.removeLast(upper?.count ?? 0)
            }
            page = .leaf(items)
            return upper
        }
        guard let upper else { return (isNew, nil) }
        let new = try pages.allocate()
        try pages.update(new) { $0 = .leaf(upper) }
        return (true, try summary(of: new))
    }

    /// Splits a full page in the middle. Items that arrive in order split it at the end, so that pages stay full.
    private static func splitPoint(_ count: Int, isLast: Bool) -> Int { isLast ? count - 1 : count / 2 }

    /// Removes an item.
    /// - Returns: true if the item was present.
    @discardableResult
    public mutating func remove(_ item: RangeItem) throws(ReconciliationError) -> Bool {
        guard try remove(item, from: root) else { return false }
        size -= 1
        // A root with a single child adds a useless level.
        while case .inner(let children) = try pages.page(root), children.count <= 1 {
            let old = root
            if let only = children.first { root = only.page } else { root = try pages.allocate() }
            try pages.free(old)
        }
        return true
    }

    private mutating func remove(_ item: RangeItem, from page: Int) throws(ReconciliationError) -> Bool {
        guard case .inner(let children) = try pages.page(page) else {
            return try pages.update(page) { page in
                guard case .leaf(var items) = page else { return false }
                let index = Self.firstIndex(in: items) { $0 < item }
                guard index < items.count, items[index] == item else { return false }
                items.remove(at: index)
                page = .leaf(items)
                return true
            }
        }
        let index = Self.child(for: item, among: children)
        guard try remove(item, from: children[index].page) else { return false }
        if children[index].count == 1 { try pages.free(children[index].page) }
        try pages.update(page) { page in
            guard case .inner(var children) = page else { return }
            if children[index].count == 1 {
                children.remove(at: index)
            } else {
                children[index].count -= 1
                children[index].sum = children[index].sum - item.id.littleEndian
            }
            page = .inner(children)
        }
        return true
    }

    // MARK: Finding

    /// The index of the child that contains the item or would contain it.
    private static func child(for item: RangeItem, among children: [RangePage.Child]) -> Int {
        max(0, firstIndex(in: children) { $0.first <= item } - 1)
    }

    /// The first index whose element does not satisfy `isBelow`. The elements that satisfy it must come first.
    private static func firstIndex<Element>(in elements: [Element], where isBelow: (Element) -> Bool) -> Int {
        var (low, high) = (0, elements.count)
        while low < high {
            let middle = (low + high) / 2
            if isBelow(elements[middle]) { low = middle + 1 } else { high = middle }
        }
        return low
    }

    private func summary(of page: Int) throws(ReconciliationError) -> RangePage.Child {
        switch try pages.page(page) {
        case .leaf(let items):
            guard let first = items.first else { throw .storage("a page of the tree is empty") }
            let sum = items.reduce(Sum256()) { $0 + $1.id.littleEndian }
            return RangePage.Child(page: page, first: first, count: items.count, sum: sum)
        case .inner(let children):
            guard let first = children.first else { throw .storage("a page of the tree is empty") }
            return RangePage.Child(
                page: page, first: first.first, count: children.reduce(0) { $0 + $1.count },
                sum: children.reduce(Sum256()) { $0 + $1.sum })
        }
    }

    public subscript(index: Int) -> RangeItem {
        get throws(ReconciliationError) {
            precondition(index >= 0 && index < size, "index \(index) of \(size) items")
            var (page, left) = (root, index)
            while true {
                switch try pages.page(page) {
                case .leaf(let items):
                    guard left < items.count else { throw .storage("a page of the tree has fewer items than it says") }
                    return items[left]
                case .inner(let children):
                    guard
                        let child = children.first(where: { child in
                            if left < child.count { return true }
                            left -= child.count
                            return false
                        })
                    else { throw .storage("a page of the tree has fewer items than it says") }
                    page = child.page
                }
            }
        }
    }

    public func firstIndex(notBelow bound: RangeBound, from start: Int) throws(ReconciliationError) -> Int {
        var (page, before) = (root, 0)
        while true {
            switch try pages.page(page) {
            case .leaf(let items): return max(start, before + Self.firstIndex(in: items) { bound.isAbove($0) })
            case .inner(let children):
                let index = max(0, Self.firstIndex(in: children) { bound.isAbove($0.first) } - 1)
                for child in children[..<index] { before += child.count }
                page = children[index].page
            }
        }
    }

    public func sum(of range: Range<Int>) throws(ReconciliationError) -> Sum256 {
        try sum(before: range.upperBound) - sum(before: range.lowerBound)
    }

    /// The sum of the ids of the first `count` items.
    private func sum(before count: Int) throws(ReconciliationError) -> Sum256 {
        var (page, left, sum) = (root, count, Sum256())
        while left > 0 {
            switch try pages.page(page) {
            case .leaf(let items):
                for item in items.prefix(left) { sum = sum + item.id.littleEndian }
                return sum
            case .inner(let children):
                var next: Int?
                for child in children {
                    if left < child.count {
                        next = child.page
                        break
                    }
                    left -= child.count
                    sum = sum + child.sum
                }
                guard let next else { return sum }
                page = next
            }
        }
        return sum
    }
}

extension RangeTree where Pages == MemoryPages {
    /// Creates a tree in memory.
    public init(_ items: some Sequence<RangeItem> = []) throws(ReconciliationError) {
        try self.init(in: MemoryPages())
        for item in items { try insert(item) }
    }
}
