/// What a person orders the gateway to do: a POST. Taken on the Unix socket alone, whose file says who may; a page in a browser reaches a
/// loopback port, too.
package enum ControlOrder: Hashable, Sendable {
    /// `/v1/leave`: say good-bye to the covey once nothing is lost by it. Asked again it tells how far that is.
    case leave
    /// `/v1/forget?node=NODE`: a gateway, by its name or the start of its node id, does not come back.
    case forget(String)

    static let paths = ["/v1/leave", "/v1/forget"]
}
