import Environment
import Model
import Supervision
import SupervisionCore
import Testing

struct TreeNodeTests {
    private let now = MonotonicInstant(nanoseconds: 100_000_000_000)
    private let tree: TreeNode = {
        let then = MonotonicInstant(nanoseconds: 40_000_000_000)
        return TreeNode(
            id: "covey", kind: .supervisor, strategy: .restForOne, state: .running, since: then,
            children: [
                TreeNode(id: "ring", kind: .worker, state: .running, since: then),
                TreeNode(
                    id: "devices", kind: .supervisor, strategy: .oneForOne, state: .running, since: then,
                    children: [
                        TreeNode(
                            id: "soil-3", kind: .worker, state: .backingOff, restarts: 3,
                            lastFailure: "connection \"refused\"",
                            since: then),
                        TreeNode(
                            id: String(repeating: "long-name-", count: 10), kind: .worker, state: .quarantined,
                            restarts: 1,
                            stuck: 2, abandoned: 2, lastFailure: String(repeating: "reason\n", count: 20), since: then),
                    ]),
                TreeNode(id: "uploads", kind: .supervisor, state: .stopped, since: then),
            ])
    }()

    @Test func aTreeIsDrawnOneNodeALineWithinTheWidth() {
        let short = TreeNode(
            id: tree.id, kind: tree.kind, state: .running, since: tree.since,
            children: [
                tree.children[0],
                TreeNode(
                    id: "devices", kind: .supervisor, state: .running, since: tree.since,
                    children: [tree.children[1].children[0]]), tree.children[2],
            ])
        #expect(
            short.lines(now: now) == [
                "covey         running 1 min",
                "├─ ring       running 1 min",
                "├─ devices    running 1 min",
                "│  └─ soil-3  backing-off 1 min  3 restarts  connection \"refused\"",
                "└─ uploads    stopped 1 min",
            ])
        for width in [40, 60, 80] {
            let lines = tree.lines(now: now, width: width)
            #expect(lines.count == 6)
            #expect(lines.allSatisfy { $0.count <= width && !$0.contains("\n") })
        }
    }

    @Test func aTreeIsWrittenAsJSON() {
        var json = JSONWriter()
        TreeNode(
            id: "root", kind: .supervisor, strategy: .oneForAll, state: .running, since: tree.since,
            children: [tree.children[1].children[0]]
        ).write(to: &json, now: now)
        #expect(
            String(decoding: json.bytes, as: UTF8.self)
                == #"{"id":"root","kind":"supervisor","strategy":"one_for_all","state":"running","state_ms":60000,"#
                + #""restarts":0,"stuck":0,"abandoned":0,"last_failure":null,"children":[{"id":"soil-3","kind":"worker","#
                + #""state":"backing-off","state_ms":60000,"restarts":3,"stuck":0,"abandoned":0,"#
                + #""last_failure":"connection \"refused\""}]}"#)
    }
}
