import Devices
import Model
import Testing

@Suite("Topic filters")
struct TopicFilterTests {
    @Test(
        "a filter takes the topics that MQTT says, and {device} captures one level",
        arguments: [
            ("a/b", "a/b", "-"), ("a/b", "a/b/", nil), ("a/b", "/a/b", nil), ("a/+", "a/b", "-"), ("a/+", "a/", "-"),
            ("a/+", "a", nil),
            ("a/+", "a/b/c", nil), ("+", "a", "-"), ("+", "", "-"), ("+", "/", nil), ("+/+", "/", "-"),
            ("#", "a/b/c", "-"), ("a/#", "a", "-"),
            ("a/#", "a/", "-"), ("a/#", "a/b/c", "-"), ("a/#", "ab", nil), ("a/+/#", "a", nil), ("a/+/#", "a/b", "-"),
            ("+/b/#", "a/b/c", "-"),
            ("tele/{device}/SENSOR", "tele/soil-3/SENSOR", "soil-3"), ("tele/{device}/SENSOR", "tele/a/b/SENSOR", nil),
            ("zigbee2mqtt/{device}", "zigbee2mqtt/lamp", "lamp"), ("zigbee2mqtt/{device}", "zigbee2mqtt/", ""),
            ("{device}/#", "a/b/c", "a"), ("+/{device}/+", "a/b/c", "b"), ("/{device}", "/x", "x"), ("A/b", "a/b", nil),
            ("#", "$SYS/uptime", nil), ("+/uptime", "$SYS/uptime", nil), ("{device}/uptime", "$SYS/uptime", nil),
            ("$SYS/#", "$SYS/uptime", "-"), ("$SYS/+", "$SYS/uptime", "-"), ("a/#", "a/$x", "-"),
        ] as [(String, String, String?)])
    func matches(filter: String, topic: String, expected: String?) throws {
        let match = try TopicFilter(filter).match(topic)
        #expect(match.map { $0.device ?? "-" } == expected)
    }

    @Test(
        "a filter that is none says what is wrong with it",
        arguments: [
            ("", "a topic filter cannot be empty"), ("a/#/b", "'#' is only allowed as the last level of 'a/#/b'"),
            ("a/b#", "'#' must be a whole level of 'a/b#', not a part of 'b#'"),
            ("a+/b", "'+' must be a whole level of 'a+/b', not a part of 'a+'"),
            ("a/x{device}", "'{device}' must be a whole level of 'a/x{device}', not a part of 'x{device}'"),
            ("{device}/{device}", "'{device}/{device}' names {device} twice; one level can name the device"),
            ("a/{name}", "'{name}' in 'a/{name}': the only name in braces is {device}"),
            ("a\0b", "a topic filter cannot hold a NUL character"),
            ("##", "'#' must be a whole level of '##', not a part of '##'"),
        ])
    func faults(filter: String, expected: String) {
        #expect(throws: TopicFilterError(expected)) { _ = try TopicFilter(filter) }
    }

    @Test("a filter has at most the bytes that MQTT can carry")
    func length() {
        #expect(throws: TopicFilterError("a topic filter has at most 65535 bytes, not 65536")) {
            _ = try TopicFilter(String(repeating: "a", count: 65_536))
        }
        #expect(throws: Never.self) { _ = try TopicFilter(String(repeating: "a", count: 65_535)) }
    }

    @Test("the broker is asked with + where the device is captured")
    func subscription() throws {
        #expect(try TopicFilter("tele/{device}/+/#").subscription == "tele/+/+/#")
        #expect(try TopicFilter("tele/x").subscription == "tele/x")
    }

    @Test("filters, and routers made of them, agree with the definition on random filters and topics")
    func definition() throws {
        var random = SeededBytes(seed: 11)
        func pick(_ words: [String]) -> String { words[Int(random.next() % UInt64(words.count))] }
        for _ in 0..<3000 {
            var filters: [TopicFilter] = []
            for _ in 0..<4 {
                var levels = (0..<1 + random.next() % 4).map { _ in pick(["a", "b", "", "+", "+", "$s"]) }
                if random.next() % 3 == 0 { levels.append("#") }
                if random.next() % 3 == 0, let place = levels.firstIndex(of: "+") { levels[place] = "{device}" }
                let text = levels.joined(separator: "/")
                if !text.isEmpty { filters.append(try TopicFilter(text)) }
            }
            let routes = try filters.enumerated().map { try TopicRoute(filter: $1, id: "device-\($0)") }
            var router = TopicRouter(routes: routes, roster: DeviceRoster())
            for _ in 0..<10 {
                let topic = (0..<1 + random.next() % 5).map { _ in pick(["a", "b", "", "$s"]) }.joined(separator: "/")
                let expected = filters.map { Self.takes($0.subscription, topic) }
                #expect(filters.map { $0.match(topic) != nil } == expected, "\(filters.map(\.text)) on \(topic)")
                let targets = expected.indices.filter { expected[$0] }
                for _ in 0..<2 { #expect(router.route(topic).targets.map(\.route) == targets) }
            }
        }
    }

    private static func takes(_ filter: String, _ topic: String) -> Bool {
        if topic.hasPrefix("$"), filter.hasPrefix("+") || filter.hasPrefix("#") { return false }
        return takes(parts(filter)[...], parts(topic)[...])
    }

    private static func takes(_ filter: ArraySlice<String>, _ topic: ArraySlice<String>) -> Bool {
        guard let level = filter.first else { return topic.isEmpty }
        if level == "#" { return true }
        guard let name = topic.first, level == "+" || level == name else { return false }
        return takes(filter.dropFirst(), topic.dropFirst())
    }

    private static func parts(_ text: String) -> [String] {
        text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    }
}

@Suite("The topic router")
struct TopicRouterTests {
    private func router(_ routes: [(String, String)], limit: Int = Limits.devices) throws -> TopicRouter {
        TopicRouter(
            routes: try routes.map { try TopicRoute(filter: TopicFilter($0.0), id: $0.1) },
            roster: DeviceRoster(limit: limit))
    }

    private func lines(_ routing: TopicRouter.Routing) -> [String] {
        routing.targets.map { "\($0.device):\($0.route)" }
            + routing.rejections.map { "\($0.reason.rawValue): \($0.detail)" }
    }

    @Test("a device appears with its topic, under the id of the pattern, from several routes")
    func captures() throws {
        var router = try router([
            ("tele/{device}/SENSOR", "{device}"), ("tele/{device}/STATE", "{device}"),
            ("zigbee2mqtt/{device}", "z-{device}"),
            ("plant/temp", "boiler"),
        ])
        for _ in 0..<2 {
            #expect(lines(router.route("tele/soil-3/SENSOR")) == ["soil-3:0"])
            #expect(lines(router.route("tele/soil-3/STATE")) == ["soil-3:1"])
            #expect(lines(router.route("zigbee2mqtt/lamp")) == ["z-lamp:2"])
            #expect(lines(router.route("plant/temp")) == ["boiler:3"])
        }
        #expect(router.subscriptions == ["plant/temp", "tele/+/SENSOR", "tele/+/STATE", "zigbee2mqtt/+"])
    }

    @Test("several devices may take one topic, and one device takes it once")
    func overlap() throws {
        var router = try router([
            ("tele/+/SENSOR", "all"), ("tele/{device}/SENSOR", "{device}"), ("tele/soil-3/SENSOR", "soil-3"),
            ("tele/#", "all"),
            ("tele/soil-3/SENSOR", "other"),
        ])
        #expect(lines(router.route("tele/soil-3/SENSOR")) == ["all:0", "soil-3:1", "other:4"])
    }

    @Test("a level that makes no name, and a topic that nobody takes, are rejected by name")
    func badNames() throws {
        var router = try router([("tele/{device}/SENSOR", "{device}"), ("tele/+/SENSOR", "all")])
        for _ in 0..<2 {
            #expect(
                lines(router.route("tele//SENSOR")) == [
                    "all:1", #"bad-name: "" in "tele//SENSOR" makes no device name"#,
                ])
        }
        #expect(
            lines(router.route("tele/a b/SENSOR")) == [
                "all:1", #"bad-name: "a b" in "tele/a b/SENSOR" makes no device name"#,
            ])
        let long = String(repeating: "x", count: 129)
        #expect(router.route("tele/\(long)/SENSOR").rejections.map(\.reason) == [.badName])
        #expect(lines(router.route("stat/x/POWER")) == [#"unknown-topic: no device takes "stat/x/POWER""#])
        #expect(lines(router.route("")) == [#"unknown-topic: no device takes """#])
    }

    @Test("routers of one gateway share its limit, and known devices keep their place")
    func sharedLimit() throws {
        let roster = DeviceRoster(limit: 2)
        let route = try TopicRoute(filter: TopicFilter("{device}"), id: "{device}")
        var one = TopicRouter(routes: [route], roster: roster)
        var other = TopicRouter(routes: [route], roster: roster)
        #expect(lines(one.route("a")) == ["a:0"])
        #expect(lines(other.route("b")) == ["b:0"])
        #expect(lines(one.route("c")) == [#"too-many-devices: "c" would be one device too many"#])
        #expect(lines(one.route("b")) == ["b:0"])
        #expect(roster.ids == [DeviceID("a"), DeviceID("b")])
    }

    @Test("a bomb of 100,000 devices ends at the limit, each counted, and the honest ones go on")
    func bomb() throws {
        var router = try router([("tele/{device}/SENSOR", "{device}")], limit: 100)
        #expect(router.route("tele/honest/SENSOR").targets.count == 1)
        var rejected = 0
        for number in 0..<100_000 { rejected += router.route("tele/bomb-\(number)/SENSOR").rejections.count }
        #expect(rejected == 100_000 - 99)
        #expect(router.rememberedTopics == 100)
        #expect(router.route("tele/honest/SENSOR").targets.count == 1)
    }

    @Test("100,000 topics of one device are all taken, and only so many are remembered")
    func manyTopics() throws {
        var router = try router([("site/#", "site")])
        for number in 0..<100_000 { #expect(router.route("site/\(number)").targets.count == 1) }
        #expect(router.rememberedTopics <= 4 * Limits.devices)
        let deep = "site" + String(repeating: "/", count: 60_000)
        #expect(router.route(deep).targets.count == 1)
        #expect(router.rememberedTopics <= 4 * Limits.devices)
    }

    @Test(
        "an id that can name no device says why",
        arguments: [
            ("a/+", "{device}", "id '{device}' needs {device} in the topic, and 'a/+' has none"),
            ("{device}", "{device}-{device}", "id '{device}-{device}' names {device} twice"),
            ("a", "b c", "id 'b c' is no device name: 1 to 128 bytes without spaces, '+' and '#'"),
            ("a", "", "id '' is no device name: 1 to 128 bytes without spaces, '+' and '#'"),
            ("{device}", "z-{name}", "the only name in braces in id 'z-{name}' can be {device}"),
        ])
    func badIDs(filter: String, id: String, expected: String) throws {
        let filter = try TopicFilter(filter)
        #expect(throws: TopicFilterError(expected)) { _ = try TopicRoute(filter: filter, id: id) }
    }
}
