package import Environment
import Model
import SupervisionCore

extension TreeNode {
    /// The tree as lines of at most `width` columns (40 or more), drawn with box characters, one node a line:
    /// `├─ soil-3   backing-off 2 s   3 restarts  connection refused`.
    package func lines(now: MonotonicInstant, width: Int = 80) -> [String] {
        precondition(width >= 40, "a tree in \(width) columns")
        let rows = rows(indent: "", branch: "")
        // Names and drawing take half of the line at most; states and reasons share the rest.
        let column = min(rows.map { $0.name.count }.max() ?? 0, width / 2)
        return rows.map { row in
            let name = cut(row.name, to: column)
            let line = name + String(repeating: " ", count: column - name.count) + "  " + row.node.summary(now)
            return cut(line, to: width)
        }
    }

    private typealias Row = (name: String, node: TreeNode)

    private func rows(indent: String, branch: String) -> [Row] {
        var rows: [Row] = [(indent + branch + printable(id), self)]
        let below = indent + (branch.isEmpty ? "" : branch == "├─ " ? "│  " : "   ")
        for (index, child) in children.enumerated() {
            rows += child.rows(indent: below, branch: index == children.count - 1 ? "└─ " : "├─ ")
        }
        return rows
    }

    /// State, age, and what went wrong.
    private func summary(_ now: MonotonicInstant) -> String {
        var parts = ["\(state.rawValue) \(max(.zero, since.duration(to: now)).text)"]
        if restarts > 0 { parts.append(restarts == 1 ? "1 restart" : "\(restarts) restarts") }
        if stuck > 0 { parts.append("\(stuck)× stuck") }
        if abandoned > 0 { parts.append("\(abandoned) abandoned") }
        if let lastFailure { parts.append(printable(lastFailure)) }
        return parts.joined(separator: "  ")
    }
}

/// The first `width` characters, the last of them `…` where there were more.
private func cut(_ text: String, to width: Int) -> String {
    text.count <= width ? text : String(text.prefix(width - 1)) + "…"
}

/// Without control characters, which would break the line.
private func printable(_ text: String) -> String {
    String(String.UnicodeScalarView(text.unicodeScalars.map { $0.properties.generalCategory == .control ? " " : $0 }))
}
