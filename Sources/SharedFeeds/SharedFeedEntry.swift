// Pure.
import Model

/// What a gateway says of itself with regard to one broker: it is connected to it and reads these routes.
package struct SharedFeedEntry: Hashable, Sendable {
    /// Another one each time that the gateway begins to read.
    package let epoch: UInt64
    /// Ascending.
    package let routes: [RouteID]

    package init(epoch: UInt64, routes: [RouteID]) {
        self.epoch = epoch
        self.routes = routes
    }

    /// Parts that fit the gossiped state; at least one.
    ///
    /// | field | form |
    /// |---|---|
    /// | epoch | 8 bytes |
    /// | pages | varint: how many there are |
    /// | count, routes | varint; 8 bytes each |
    /// | more | ignored: fields of later versions |
    package var pages: [[UInt8]] {
        let size = SharedFeedLimits.routesPerPage
        let count = min(max(1, (routes.count + size - 1) / size), SharedFeedLimits.pages)
        return (0..<count).map { page in
            let part = routes.dropFirst(page * size).prefix(size)
            var bytes: [UInt8] = []
            bytes.append(fixed: epoch)
            bytes.append(varint: UInt64(count))
            bytes.append(varint: UInt64(part.count))
            for route in part { bytes.append(fixed: route.rawValue) }
            return bytes
        }
    }

    /// `nil` where a page is missing, of another epoch, or no page at all: pages come one by one.
    package init?(pages: [[UInt8]]) {
        var epoch: UInt64?
        var routes: [RouteID] = []
        for page in pages {
            guard let part = try? Self.read(page), part.count == pages.count, epoch ?? part.epoch == part.epoch
            else { return nil }
            epoch = part.epoch
            routes += part.routes
        }
        guard let epoch else { return nil }
        self.init(epoch: epoch, routes: routes.sorted())
    }

    private static func read(
        _ page: [UInt8]
    ) throws(FormatError) -> (epoch: UInt64, count: Int, routes: [RouteID]) {
        var reader = ByteReader(page, 0..<page.count)
        let epoch = try reader.fixed(UInt64.self)
        let count = try reader.count(limit: SharedFeedLimits.pages, "pages")
        var routes: [RouteID] = []
        for _ in 0..<(try reader.count(limit: SharedFeedLimits.routesPerPage, "routes")) {
            routes.append(RouteID(try reader.fixed(UInt64.self)))
        }
        return (epoch, count, routes)
    }
}
