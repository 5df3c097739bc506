import ArgumentParser
import TOMLConfiguration

/// A verb that was mistyped, which the parser would take for an argument too many.
enum VerbSlip {
    /// What to say; `nil` where the first word is a verb, or an option.
    static func complaint(_ words: [String]) -> String? {
        complaint(words, in: Covey.self, before: "covey")
    }

    private static func complaint(
        _ words: [String], in command: any ParsableCommand.Type, before path: String
    ) -> String? {
        let children = command.configuration.subcommands
        guard let word = words.first, !word.hasPrefix("-"), word != "help", !children.isEmpty else { return nil }
        let names = children.map { $0._commandName }
        if let index = names.firstIndex(of: word) {
            return complaint(Array(words.dropFirst()), in: children[index], before: path + " " + word)
        }
        let near = Suggestion.nearest(to: word, among: names).map { "did you mean \(path) \($0)?" }
        let all = "the verbs are " + names.joined(separator: ", ")
        return "\"\(cut(word, to: 40))\" is no verb of \(path); \(near ?? all)"
    }
}
