import FoundationEssentials
import Glibc
import Testing

@Suite("The matrix of bad input")
struct MatrixTests {
    private static let page =
        #filePath.split(separator: "/").dropLast(3).map { "/" + $0 }.joined() + "/Documentation/BadInput.md"

    @Test("The page says what the tables say")
    func pageIsWritten() throws {
        if getenv("COVEY_WRITE_PAGES") != nil {
            try Matrix.page.write(toFile: Self.page, atomically: true, encoding: .utf8)
        }
        let written = try String(contentsOfFile: Self.page, encoding: .utf8)
        #expect(written == Matrix.page, "COVEY_WRITE_PAGES=1 swift test --filter MatrixTests writes it anew")
    }

    @Test("Every source has rows, and no two rows are the same")
    func isWhole() {
        for source in BadInput.Source.allCases { #expect(Matrix.rows.contains { $0.source == source }) }
        #expect(Set(Matrix.rows).count == Matrix.rows.count)
        #expect(Matrix.rows.allSatisfy { !$0.advice.isEmpty && !$0.thing.isEmpty })
    }
}
