/// The supervision tree as rows of a table: boxes on the left, what each child does beside it.
struct TreeText {
    /// Children of one parent that are shown though nothing is the matter with them; a gateway has thousands of devices.
    private static let healthyShown = 20

    private(set) var table = Table(
        [
            .left("TREE", least: 16), .left("KIND", least: 6), .left("STATE"), .right("RESTARTS"),
            .left("LAST FAILURE", least: 8),
        ], indent: 2)

    init(_ root: JSONValue) {
        add(root, own: "", below: "")
    }

    private mutating func add(_ node: JSONValue, own: String, below: String) {
        let kind = node["strategy"]?.string ?? node["kind"]?.string
        let failure = node["failure"]?.string ?? node["last_failure"]?.string
        let state = node["state"]?.string
        table.rows.append([
            Cell(own + (node["id"]?.string ?? "–")), Cell(kind ?? "–", .dim),
            state.map { Cell(state: $0) } ?? Cell("–"),
            Cell(node["restarts"]?.plain ?? "–"), Cell(failure ?? ""),
        ])
        let children = node["children"]?.elements ?? []
        let shown = Self.worthShowing(children)
        let hidden = children.count - shown.count
        for (index, child) in shown.enumerated() {
            let isLast = index == shown.count - 1 && hidden == 0
            add(child, own: below + (isLast ? "└─ " : "├─ "), below: below + (isLast ? "   " : "│  "))
        }
        if hidden > 0 {
            table.rows.append([
                Cell(below + "└─ … \(hidden) more"), Cell(""), Cell(state: "running"), Cell(""), Cell(""),
            ])
        }
    }

    private static func worthShowing(_ children: [JSONValue]) -> [JSONValue] {
        guard children.count > healthyShown else { return children }
        let troubled = children.filter { child in
            child["state"]?.string != "running" || (child["restarts"]?.integer ?? 0) > 0
                || !(child["children"]?.elements ?? []).isEmpty
        }
        return troubled.isEmpty ? Array(children.prefix(3)) : troubled
    }
}
